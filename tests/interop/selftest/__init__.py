"""Tests of the runner itself: python3 -m unittest discover -s selftest -t . (in tests/interop)."""
