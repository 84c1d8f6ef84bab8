"""The goals of the project and what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass

from .entries import REFERENCE
from .results import Results

OURS = ("rpcx-shards", "rpcx-mt")


@dataclass(frozen=True)
class Goal:
    """A figure of ours, relative to others, and its bound on shards and on a user's multi-thread runtime."""

    figure: str
    cell: str
    metric: str
    others: tuple[str, ...]  # of several, the best one in that cell counts
    bounds: tuple[float | None, float | None]  # None: reported only

    def measured(self, results: Results, ours: str) -> float | None:
        """The ratio, the least favourable one of several others."""
        ratios = [results.ratio(self.cell, ours, other, self.metric) for other in self.others]
        there = [r for r in ratios if r is not None]
        return (min(there) if self.at_least() else max(there)) if there else None

    def at_least(self) -> bool:
        """Whether more is better."""
        return self.metric == "throughput"


FLOOR, GO, TONIC = (REFERENCE,), ("rpcx-go-best",), ("tonic-ct", "tonic-mt")
GOALS = [
    Goal("throughput ÷ floor, 1 × 1 on one core", "1x1@same", "throughput", FLOOR, (0.90, 0.88)),
    Goal("throughput ÷ floor, 100 × 10", "100x10", "throughput", FLOOR, (0.75, 0.62)),
    Goal("throughput ÷ floor, 1,000 × 10", "1000x10", "throughput", FLOOR, (0.75, 0.62)),
    Goal("CPU per call ÷ floor, 100 × 10", "100x10", "cpu", FLOOR, (1.35, 1.6)),
    Goal("CPU per call ÷ floor, 1,000 × 10", "1000x10", "cpu", FLOOR, (1.35, 1.6)),
    Goal("p99 ÷ floor, 1,000 × 10", "1000x10", "p99_us", FLOOR, (1.5, None)),
    Goal("throughput ÷ Go rpcx at its fastest, 1 × 1 on one core", "1x1@same", "throughput", GO, (1.9, 1.9)),
    Goal("throughput ÷ Go rpcx at its fastest, 100 × 10", "100x10", "throughput", GO, (6.5, 5.5)),
    Goal("throughput ÷ Go rpcx at its fastest, 1,000 × 10", "1000x10", "throughput", GO, (10, 8)),
    Goal("throughput ÷ grpc-go, 100 × 10", "100x10", "throughput", ("grpc-go",), (10, 8)),
    Goal("throughput ÷ tonic (the faster runtime), 100 × 10", "100x10", "throughput", TONIC, (8, 7)),
]
IDLE_BYTES = (2048.0, 2560.0)


def verdict(measured: float | None, bound: float | None, at_least: bool) -> str:
    """ok, missed, reported (there is no bound) or not measured."""
    if measured is None:
        return "not measured"
    if bound is None:
        return "reported"
    return "ok" if (measured >= bound if at_least else measured <= bound) else "**missed**"


def table(results: Results) -> list[str]:
    """The goals as a markdown table: goal, measured and verdict on shards and on a multi-thread runtime."""
    out = [
        "| figure | goal, shards | measured | | goal, multi-thread | measured | |",
        "|---|--:|--:|---|--:|--:|---|",
    ]
    for goal in GOALS:
        cells = [goal.figure]
        for ours, bound in zip(OURS, goal.bounds):
            measured = goal.measured(results, ours)
            sign = "≥" if goal.at_least() else "≤"
            cells += [
                "–" if bound is None else f"{sign} {bound:.3g}",
                "–" if measured is None else f"{measured:.3g}",
                verdict(measured, bound, goal.at_least()),
            ]
        out.append("| " + " | ".join(cells) + " |")
    cells = ["server memory per idle connection after a call, bytes"]
    for ours, limit in zip(OURS, IDLE_BYTES):
        measured = results.idle_bytes(ours)
        shown = "–" if measured is None else f"{measured:,.0f}"
        cells += [f"≤ {limit:,.0f}", shown, verdict(measured, limit, at_least=False)]
    out.append("| " + " | ".join(cells) + " |")
    return out
