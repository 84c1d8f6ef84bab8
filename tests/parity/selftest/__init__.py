"""Tests of what makes the parity table."""
