"""What each language can do, as its tests prove it: the table in docs/PARITY.md."""
