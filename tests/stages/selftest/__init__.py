"""Tests of the stage runner itself: python3 -m unittest discover -s selftest -t . (in tests/stages)."""
