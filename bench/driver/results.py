"""Statistics over stored runs: medians, and medians of the ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Callable, Optional

from .entries import Entry
from .measure import Row

Value = Callable[[Row], Optional[float]]


def cpu(row: Row) -> float:
    """CPU per call of client and server in microseconds."""
    client: float = row["client_cpu_us_per_call"]
    server: float = row["server_cpu_us_per_call"]
    return client + server


def median(values: Iterable[float | None]) -> float | None:
    """The median of what is there."""
    there = [v for v in values if v is not None]
    return statistics.median(there) if there else None


class Results:
    """The runs of one or several stored files."""

    def __init__(self, rows: list[Row], entries: list[Entry], quiet: float) -> None:
        self.rows = rows
        self.quiet = quiet
        self._own_cpu = {e.name: e.own_cpu for e in entries}
        self.cells = list(dict.fromkeys(r["cell"] for r in rows if "cell" in r))
        self.peers = list(dict.fromkeys(r["peer"] for r in rows))

    def metric(self, peer: str, name: str) -> Value:
        """A figure of a peer's rows by name: `cpu` is client plus server, `own_cpu` that of the side it measures."""
        if name == "own_cpu":
            name = self._own_cpu.get(peer, "cpu")
        return cpu if name == "cpu" else lambda row: row.get(name)

    def runs(self, cell: str, peer: str) -> list[Row]:
        """All runs of a peer in a cell, failed ones too."""
        return [r for r in self.rows if r.get("cell") == cell and r["peer"] == peer]

    def good(self, cell: str, peer: str) -> list[Row]:
        """The runs that count: the undisturbed ones, or all if others always used the machine."""
        runs = [r for r in self.runs(cell, peer) if "failed" not in r]
        return [r for r in runs if r["others_cores"] <= self.quiet] or runs

    def disturbed(self, cell: str, peer: str) -> bool:
        """Whether there is no undisturbed run."""
        return all(r["others_cores"] > self.quiet for r in self.good(cell, peer))

    def median(self, cell: str, peer: str, name: str) -> float | None:
        """Median of a figure."""
        return median(map(self.metric(peer, name), self.good(cell, peer)))

    def ratio(self, cell: str, peer: str, other: str, name: str) -> float | None:
        """Median over rounds of the ratio of a figure to another peer's in the same round and cell."""
        mine_of, other_of = self.metric(peer, name), self.metric(other, name)

        def over(pair: tuple[Row, ...]) -> float | None:
            a, b = mine_of(pair[0]), other_of(pair[1])
            return a / b if a is not None and b else None

        return median(map(over, self.together(cell, peer, other)))

    def together(self, cell: str, *peers: str) -> list[tuple[Row, ...]]:
        """The rows of the rounds in which all peers ran well: of those that were not disturbed, or of all."""
        of = [{r["round"]: r for r in self.runs(cell, peer) if "failed" not in r} for peer in peers]
        rounds = [tuple(rows[number] for rows in of) for number in of[0] if all(number in rows for rows in of)]
        calm = [rows for rows in rounds if max(r["others_cores"] for r in rows) <= self.quiet]
        return calm or rounds

    def idle(self, peer: str) -> list[Row]:
        """The runs with idle connections."""
        return [r for r in self.rows if "idle" in r and r["peer"] == peer]

    def idle_bytes(self, peer: str) -> float | None:
        """Median of the server's memory per idle connection."""
        return median(r.get("bytes") for r in self.idle(peer))
