"""Tests of the benchmark's driver."""
