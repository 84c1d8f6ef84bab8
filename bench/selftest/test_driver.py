"""Tests of what the driver makes of stored runs and of a file of entries."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from driver import compare, entries, goals, plot, startup, tables
from driver.measure import Row
from driver.results import Results

ENTRIES: dict[str, Any] = {
    "title": "A title",
    "command": "make something",
    "page": "page.md",
    "plots": [{"file": "cpu.svg", "alt": "CPU", "metric": "own_cpu", "title": "CPU < 1"}],
    "about": ["About."],
    "cells": "1x1,100x10",
    "rounds": 3,
    "tools": ["python"],
    "reference_title": "gRPC",
    "columns": [{"title": "1 × 1", "cell": "1x1"}, {"title": "100 × 10", "cell": "100x10"}],
    "goals": [{"figure": "client", "entry": "ours", "others": ["theirs", "faster"], "bounds": [1.5, None]}],
    "entries": [
        {"name": "ours", "group": "G", "side": "client", "against": "theirs", "ours": True},
        {"name": "theirs", "group": "G", "side": "client"},
        {"name": "faster", "group": "G", "against": "theirs"},
    ],
}


def load(**changes: Any) -> entries.Suite:
    """The entries above with some keys changed."""
    given = {**ENTRIES, **changes}
    programs = {"note": "", "server": "{bench}/server", "client": "client --flavor 'a b'"}
    given["entries"] = [{**programs, **e} for e in given["entries"]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "entries.json"
        path.write_text(json.dumps(given))
        return entries.load(path)


def run(peer: str, throughput: float, number: int = 0, cell: str = "1x1", others: float = 0) -> Row:
    """A row of a client that takes 10 µs and a server that takes 30."""
    times = {f"{q}_us": 1.0 for q in ("p50", "p99", "p999")}
    memory = {"client_rss_mib": 1.0, "server_rss_mib": 2.0}
    cpu = {"client_cpu_us_per_call": 10.0, "server_cpu_us_per_call": 30.0}
    about = {"peer": peer, "cell": cell, "round": number, "others_cores": others, "throughput": throughput, "errors": 0}
    return {**about, **times, **memory, **cpu}


class Files(unittest.TestCase):
    """Files of entries."""

    def test_the_projects_own(self) -> None:
        """Each can be read, its names are unique and its goals have a bound for every column."""
        for name in ("entries.json", "languages.json"):
            suite = entries.load(entries.BENCH / name)
            names = [e.name for e in suite.entries]
            self.assertEqual(len(names), len(set(names)), name)
            self.assertTrue(all(len(goal["bounds"]) == len(suite.columns) for goal in suite.goals), name)

    def test_programs(self) -> None:
        """Command lines are split as a shell does, and folders filled in."""
        entry = load().entries[0]
        self.assertEqual(entry.server, [f"{entries.BENCH}/server"])
        self.assertEqual(entry.client, ["client", "--flavor", "a b"])

    def test_unknown_names(self) -> None:
        """A goal that names no entry is refused; it would be `not measured` for ever."""
        goal = {"figure": "x", "entry": "{who}", "bounds": [1]}
        with self.assertRaisesRegex(SystemExit, "no entry nobody"):
            load(columns=[{"title": "one", "who": "nobody", "cell": "1x1"}], goals=[goal])


class Figures(unittest.TestCase):
    """Ratios, goals and pages."""

    def setUp(self) -> None:
        """Reads the entries."""
        self.suite = load()

    def results(self, *rows: Row) -> Results:
        """With 0.2 cores as the limit of a quiet run."""
        return Results(list(rows), self.suite.entries, 0.2)

    def test_own_cpu(self) -> None:
        """The CPU of an entry is that of the side it measures."""
        results = self.results(run("ours", 1), run("faster", 1))
        self.assertEqual(results.median("1x1", "ours", "own_cpu"), 10)
        self.assertEqual(results.median("1x1", "faster", "own_cpu"), 40)
        self.assertEqual(results.ratio("1x1", "ours", "faster", "own_cpu"), 0.25)

    def test_ratio(self) -> None:
        """A ratio is the median of those within a round, not the ratio of medians."""
        pairs = [(10, 10), (30, 10), (100, 50)]  # of medians: 3
        rows = [run(peer, n, i) for i, pair in enumerate(pairs) for peer, n in zip(("ours", "theirs"), pair)]
        self.assertEqual(self.results(*rows).ratio("1x1", "ours", "theirs", "throughput"), 2)

    def test_disturbed_rounds(self) -> None:
        """They do not count beside quiet ones."""
        rows = [run("ours", 90, 0, others=1), run("theirs", 10, 0), run("ours", 20, 1), run("theirs", 10, 1)]
        self.assertEqual(self.results(*rows).ratio("1x1", "ours", "theirs", "throughput"), 2)

    def test_twice(self) -> None:
        """What runs twice has two names and one command."""
        names = [e.name for e in compare.twice(self.suite.entries, "the*,ours")]
        self.assertEqual(names, ["ours", "theirs", "faster", "ours-again", "theirs-again"])

    def test_comparison(self) -> None:
        """Beside an entry that ran twice it is with the mean of both, and they are compared with each other."""
        peers = {"ours": 30.0, "theirs": 10.0, "theirs-again": 40.0}
        rows = [run(peer, n * (1 + i), i) for i in range(5) for peer, n in peers.items()]
        lines = compare.table(self.results(*rows), "ours/theirs,ours/faster")
        same = "1.000 (1.000 – 1.000)"
        self.assertEqual(
            lines[2:],
            [
                f"| 1x1 | ours | theirs and theirs-again | 5 | 1.500 (1.500 – 1.500) | {same} | {same} | {same} |",
                f"| 1x1 | theirs-again | theirs | 5 | 4.000 (4.000 – 4.000) | {same} | {same} | {same} |",
                "| 1x1 | ours | faster | 0 |",
            ],
        )

    def test_interval(self) -> None:
        """It holds the median and leaves out what single rounds say."""
        ours = {i: 100.0 if i == 40 else 10 + i / 10 for i in range(41)}
        rows = [run(peer, n, i) for i in ours for peer, n in (("ours", ours[i]), ("theirs", 10.0))]
        line = compare.table(self.results(*rows), "ours/theirs")[2]
        middle, low, high = map(float, line.split("|")[5].replace("(", " ").replace("–", " ").strip(" )").split())
        self.assertEqual(middle, 1.2)
        self.assertTrue(1.1 < low < middle < high < 1.3, line)

    def test_goals(self) -> None:
        """Of several others the best one counts."""
        results = self.results(run("ours", 20), run("theirs", 10), run("faster", 16))
        lines = goals.table(self.suite, results)
        self.assertEqual(lines[-1], "| client | ≥ 1.5 | 1.25 | **missed** | – | – | not measured |")

    def test_page(self) -> None:
        """It has a table for each cell, and names what failed and what was not built."""
        failed = {"peer": "ours", "cell": "100x10", "round": 0, "failed": "no port"}
        results = self.results(run("ours", 20), run("theirs", 10), failed)
        page = tables.page(
            self.suite, results, [{"import": "it", "ms": 5.0}, {"size": "jar", "bytes": None}], "now", True
        )
        self.assertIn("| ours | 20 | 2 | 1 µs | 1 µs | 1 µs | 1 | **10** + 30 µs | 1 | **1** / 2 | 0 |", page)
        self.assertIn("| ours | failed: no port |", page)
        self.assertIn("#### 100 callers, 10 connections", page)
        self.assertIn("| it | 5 | 5 – 5 |", page)
        self.assertIn("| jar | not built |", page)

    def test_start_of_servers(self) -> None:
        """Servers are listed with the time until they listen, clients are not."""
        rows = [{**run("faster", 1), "ready_ms": 12.0}, {**run("ours", 1), "ready_ms": 3.0}]
        lines = startup.tables(self.suite, self.results(*rows), [])
        self.assertIn("| faster | 12 |", lines)
        self.assertNotIn("| ours | 3 |", lines)

    def test_plot(self) -> None:
        """It is XML with a bar for each figure that there is."""
        results = self.results(run("ours", 20), run("theirs", 10), run("ours", 20, cell="100x10"))
        text = plot.chart(self.suite.plots[0], self.suite, results)
        bars = ElementTree.fromstring(text).findall(".//{http://www.w3.org/2000/svg}rect")
        self.assertEqual([bar.get("class") for bar in bars], ["ours", "other", "ours"])


if __name__ == "__main__":
    unittest.main()
