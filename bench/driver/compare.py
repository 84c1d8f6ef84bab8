"""Differences below the machine's noise: ratios over many rounds, with the interval that these leave open.

Beside them the noise itself: an entry that ran twice a round, compared with itself.
"""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import replace

from .entries import Entry, choose
from .results import Results

_AGAIN = "-again"

_FIGURES = {
    "calls/s": "throughput",
    "CPU per call": "cpu",
    "client's": "client_cpu_us_per_call",
    "server's": "server_cpu_us_per_call",
}
_DRAWS = 1000
_OUTSIDE = 0.05  # of the draws on either side of an interval


def twice(chosen: list[Entry], globs: str) -> list[Entry]:
    """The entries, those whose name matches one of the comma-separated globs a second time under another name."""
    return chosen + [replace(e, name=e.name + _AGAIN) for e in choose(chosen, globs)]


def table(results: Results, pairs: str) -> list[str]:
    """Of comma-separated pairs `ENTRY/OTHER`; an entry that ran twice counts with the mean of a round's two runs."""
    out = [
        "| cell | entry | ÷ | rounds | " + " | ".join(_FIGURES) + " |",
        "|---|---|---|" + "--:|" * (1 + len(_FIGURES)),
    ]
    for cell in results.cells:
        rows = []
        for pair in pairs.split(","):
            entry, _, other = pair.partition("/")
            again = other + _AGAIN
            if again in results.peers:
                rows += [_row(results, cell, entry, [other, again]), _row(results, cell, again, [other])]
            else:
                rows.append(_row(results, cell, entry, [other]))
        out += list(dict.fromkeys(rows))
    return out


def _row(results: Results, cell: str, entry: str, others: list[str]) -> str:
    rounds = results.together(cell, entry, *others)
    cells = [cell, entry, " and ".join(others), str(len(rounds))]
    for name in _FIGURES.values() if rounds else ():
        values = [results.metric(peer, name) for peer in (entry, *others)]
        figures = [[value(row) or math.nan for value, row in zip(values, round)] for round in rounds]
        cells.append(_interval([math.log(mine / statistics.geometric_mean(theirs)) for mine, *theirs in figures]))
    return "| " + " | ".join(cells) + " |"


def _interval(logs: list[float]) -> str:
    """The median, and where nine of ten medians of as many rounds drawn from these lie (Efron's bootstrap)."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(logs, k=len(logs))) for _ in range(_DRAWS))
    ends = (medians[int(_OUTSIDE * _DRAWS)], medians[-1 - int(_OUTSIDE * _DRAWS)])
    low, middle, high = (f"{math.exp(x):.3f}" for x in (ends[0], statistics.median(logs), ends[1]))
    return f"{middle} ({low} – {high})"
