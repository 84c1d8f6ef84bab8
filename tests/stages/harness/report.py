"""What came of the stages: the table on the terminal, and the report of the deep run."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .machine import environment
from .stage import CACHE, ROOT, Outcome, Stage

_SHOWN = 400  # lines of a failed stage's log
_KEPT = ("passed", "failed", "skipped", "seconds", "problem", "figures")  # of an outcome


def finished(outcome: Outcome) -> str:
    """The line of a stage when it is done, below it the output of a failed one."""
    state = "ok" if outcome.ok else "FAILED"
    line = f"{outcome.stage.name:20} {state:7} {outcome.seconds:7.1f} s   {counts([outcome])}"
    if outcome.ok:
        return line
    lines = outcome.log.read_text(encoding="utf-8", errors="replace").splitlines()
    cut = [f"… {len(lines) - _SHOWN} lines before"] if len(lines) > _SHOWN else []
    shown = "\n".join(f"    {text}" for text in [*cut, *lines[-_SHOWN:]])
    return f"{line}\n  {outcome.problem}\n{shown}"


def counts(outcomes: Iterable[Outcome]) -> str:
    """The plain line of counts."""
    every = list(outcomes)
    skipped = sum(outcome.skipped for outcome in every)
    text = f"{sum(outcome.passed for outcome in every)} passed, {sum(outcome.failed for outcome in every)} failed"
    return f"{text}, {skipped} skipped" if skipped else text


def table(outcomes: list[Outcome]) -> str:
    """One row a stage, and the sum; `busy` are the seconds of processors that it took."""
    rows = [f"{'stage':20} {'result':7} {'seconds':>9} {'busy':>9} {'passed':>8} {'failed':>8} {'skipped':>8}"]
    rows += [
        f"{one.stage.name:20} {'ok' if one.ok else 'FAILED':7} {one.seconds:9.1f} "
        f"{one.busy:9.1f} {one.passed:8} {one.failed:8} {one.skipped:8}"
        for one in outcomes
    ]
    rows.append(f"{'':28} {sum(one.seconds for one in outcomes):9.1f} {sum(one.busy for one in outcomes):9.1f}")
    return "\n".join(rows)


class DeepRun:
    """The newest result of every stage of the deep run, which may be run one by one, each at the commit of its day.

    Results are kept in `.cache`; the report is written once there is one of every stage.
    """

    def __init__(self, stages: tuple[Stage, ...], report: Path) -> None:
        """Begins with what earlier runs have left."""
        self._stages = stages
        self._report = report
        self._file = CACHE / "stages" / "deep.json"
        self._results = self._kept()

    def add(self, outcome: Outcome) -> None:
        """Keeps a result in the place of an older one, and writes the report when it is whole."""
        kept = {name: getattr(outcome, name) for name in _KEPT}
        kept["date"] = f"{datetime.now(timezone.utc):%Y-%m-%d}"
        kept["commit"] = _output("git", "describe", "--always", "--dirty")
        # Another run may have added to it meanwhile.
        self._results = {**self._kept(), outcome.stage.name: kept}
        self._file.write_text(json.dumps(self._results, indent=1), encoding="utf-8")
        if not self.missing():
            self._report.parent.mkdir(parents=True, exist_ok=True)
            self._report.write_text("\n".join(self._lines()), encoding="utf-8")

    def missing(self) -> list[str]:
        """The stages that have no result yet."""
        return [stage.name for stage in self._stages if stage.name not in self._results]

    def _kept(self) -> dict[str, dict[str, Any]]:
        try:
            kept: dict[str, dict[str, Any]] = json.loads(self._file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return kept

    def _lines(self) -> list[str]:
        results = [(stage, self._results[stage.name]) for stage in self._stages]
        minutes = sum(result["seconds"] for _, result in results) / 60
        passed, failed = (sum(result[name] for _, result in results) for name in ("passed", "failed"))
        lines = [
            "# The last deep run",
            "",
            f"`make test-deep` in {minutes:.0f} minutes on {os.cpu_count()} cores: {passed} passed, {failed} failed. "
            "Each stage with the day and the commit that it ran at.",
            "",
            "| stage | what | at | result | seconds | passed | failed | skipped |",
            "|---|---|---|---|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {stage.name} | {stage.about} | {result['date']} {result['commit']} | {_state(result)} "
            f"| {result['seconds']:.0f} | {result['passed']} | {result['failed']} | {result['skipped']} |"
            for stage, result in results
        ]
        problems = [
            f"- {stage.name}: {result['problem'] or str(result['failed']) + ' failed'}"
            for stage, result in results
            if _state(result) != "ok"
        ]
        if problems:
            lines += ["", "## What failed", "", *problems]
        for stage, result in results:
            if result["figures"]:
                lines += ["", f"## {stage.name.capitalize()}", "", *(f"- {figure}" for figure in result["figures"])]
        return [*lines, "", "## Versions", "", *(f"- {version}" for version in _versions()), ""]


def _state(result: dict[str, Any]) -> str:
    return "failed" if result["problem"] or result["failed"] else "ok"


def _versions() -> list[str]:
    commands = (("rustc", "--version"), ("go", "version"), ("cargo-deny", "--version"), ("uname", "-sm"))
    return [*(_output(*command) for command in commands), f"Python {platform.python_version()}"]


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
