"""Stages of the tests: `stage` runs one and counts its tests, `stages` lists them, `setup` finds the tools, `report`
says what came of it, `fuzz` drives the fuzz targets."""
