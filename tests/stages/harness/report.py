"""What came of the stages: the table on the terminal, and the report of the deep run."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path

from .machine import environment
from .stage import ROOT, Outcome

_SHOWN = 400  # lines of a failed stage's log


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
    """One row a stage, and the sum."""
    rows = [f"{'stage':20} {'result':7} {'seconds':>9} {'passed':>8} {'failed':>8} {'skipped':>8}"]
    rows += [
        f"{one.stage.name:20} {'ok' if one.ok else 'FAILED':7} {one.seconds:9.1f} "
        f"{one.passed:8} {one.failed:8} {one.skipped:8}"
        for one in outcomes
    ]
    rows.append(f"{'':20} {'':7} {sum(one.seconds for one in outcomes):9.1f}")
    return "\n".join(rows)


def write_deep(outcomes: list[Outcome], path: Path) -> None:
    """Writes the report of the deep run in Markdown."""
    commit = _output("git", "describe", "--always", "--dirty")
    minutes = sum(one.seconds for one in outcomes) / 60
    lines = [
        "# The last deep run",
        "",
        f"`make test-deep` on {datetime.now(timezone.utc):%Y-%m-%d} at commit {commit}, "
        f"in {minutes:.0f} minutes on {os.cpu_count()} cores: {counts(outcomes)}.",
        "",
        "| stage | what | result | seconds | passed | failed | skipped |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one.stage.name} | {one.stage.about} | {'ok' if one.ok else 'failed'} | {one.seconds:.0f} | {one.passed} "
        f"| {one.failed} | {one.skipped} |"
        for one in outcomes
    ]
    problems = [f"- {one.stage.name}: {one.problem or f'{one.failed} failed'}" for one in outcomes if not one.ok]
    if problems:
        lines += ["", "## What failed", "", *problems]
    for one in outcomes:
        if one.figures:
            lines += ["", f"## {one.stage.name.capitalize()}", "", *(f"- {figure}" for figure in one.figures)]
    lines += ["", "## Versions", "", *(f"- {version}" for version in _versions()), ""]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")


def _versions() -> list[str]:
    commands = (("rustc", "--version"), ("go", "version"), ("cargo-deny", "--version"), ("uname", "-sm"))
    return [*(_output(*command) for command in commands), f"Python {platform.python_version()}"]


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
