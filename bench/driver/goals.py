"""The goals of the project and what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .entries import Suite
from .results import Results


@dataclass(frozen=True)
class Check:
    """A figure of an entry, relative to others if there are any, and its bound."""

    entry: str
    metric: str
    cell: str | None
    others: list[str]  # of several, the best one in that cell counts
    bound: float | None  # None: reported only

    @staticmethod
    def of(goal: dict[str, Any], column: dict[str, Any], bound: float | None) -> Check:
        """Of a row and a column of the table, which say together what is compared; `{key}` is the column's."""
        both = {**column, **goal}
        others = [other.format(**column) for other in both.get("others", [])]
        entry = both["entry"].format(**column)
        return Check(entry, both.get("metric", "throughput"), both.get("cell"), others, bound)

    def measured(self, results: Results) -> float | None:
        """The figure or the ratio, the least favourable one of several others."""
        if self.cell is None:
            return results.idle_bytes(self.entry)
        ratios = [results.ratio(self.cell, self.entry, other, self.metric) for other in self.others]
        there = [r for r in ratios if r is not None]
        return (min(there) if self.at_least() else max(there)) if there else None

    def at_least(self) -> bool:
        """Whether more is better."""
        return self.metric == "throughput"


def verdict(measured: float | None, bound: float | None, at_least: bool) -> str:
    """ok, missed, reported (there is no bound) or not measured."""
    if measured is None:
        return "not measured"
    if bound is None:
        return "reported"
    return "ok" if (measured >= bound if at_least else measured <= bound) else "**missed**"


def number(x: float) -> str:
    """A ratio with three digits, bytes in full."""
    return f"{x:,.0f}" if x >= 1000 else f"{x:.3g}"


def table(suite: Suite, results: Results) -> list[str]:
    """The goals as a markdown table: goal, measured and verdict in every column."""
    heads = [f"goal, {c['title']} | measured |" for c in suite.columns]
    out = ["| figure | " + " | ".join(heads) + " |", "|---|" + "--:|--:|---|" * len(suite.columns)]
    for goal in suite.goals:
        cells = [goal["figure"]]
        for column, bound in zip(suite.columns, goal["bounds"]):
            check = Check.of(goal, column, bound)
            measured = check.measured(results)
            cells += [
                "–" if bound is None else f"{'≥' if check.at_least() else '≤'} {number(bound)}",
                "–" if measured is None else number(measured),
                verdict(measured, bound, check.at_least()),
            ]
        out.append("| " + " | ".join(cells) + " |")
    return out
