"""The interop runner: feeds every case to every pair of programs and prints the grid.

The modules, from data to result: `case` (what the files say), `template` (matrices and variables), `match` and
`contract` (what an answer must be), `process` (child programs), `server` and `driver` (the two programs),
`certificates`, `scenario` (one case on one pair), `schedule` (all of them, side by side), `report`.
"""
