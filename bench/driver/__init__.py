"""The benchmark's driver: runs entries interleaved and makes tables, goals and plots of what they report."""
