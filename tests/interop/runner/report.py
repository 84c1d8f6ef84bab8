"""The grid and what stands below it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from .schedule import FAILED, PASSED, SKIPPED, Result


def line_of(result: Result) -> str:
    """One result on one line, for --verbose."""
    reason = f"  {result.text}" if result.status == SKIPPED else ""
    return (
        f"{result.status:7} {result.case}  {result.pair.client} → {result.pair.server}  {result.seconds:.2f} s{reason}"
    )


def summary(results: list[Result], clients: list[str], servers: list[str]) -> str:
    """Everything that the run has to say, the plain line with the counts last."""
    parts = [_grid(results, clients, servers), _skipped(results), _failed(results), _totals(results)]
    return "\n\n".join(filter(None, parts))


def _grid(results: Iterable[Result], clients: list[str], servers: list[str]) -> str:
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for result in results:
        counts[result.pair.client, result.pair.server][result.status] += 1
    rows = [["client \\ server", *servers]]
    rows += [[client, *(_cell(counts[client, server]) for server in servers)] for client in clients]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["   ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    lines.insert(1, "   ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cell(counts: dict[str, int]) -> str:
    texts = [f"{counts[PASSED]} passed"]
    if counts[FAILED]:
        texts.append(f"{counts[FAILED]} FAILED")
    if counts[SKIPPED]:
        texts.append(f"{counts[SKIPPED]} unsupported")
    return ", ".join(texts)


def _skipped(results: Iterable[Result]) -> str:
    reasons: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for result in results:
        if result.status == SKIPPED:
            reasons[result.pair.client, result.pair.server, result.text].append(result.case)
    lines = [
        f"  {client} → {server}: {reason}\n      {', '.join(sorted(cases))}"
        for (client, server, reason), cases in sorted(reasons.items())
    ]
    return "\n".join(["Unsupported, client → server:", *lines]) if lines else ""


def _failed(results: Iterable[Result]) -> str:
    blocks = []
    for result in results:
        if result.status != FAILED:
            continue
        lines = [f"FAILED {result.case}  client {result.pair.client}, server {result.pair.server}"]
        lines += [f"    {line}" for line in result.text.splitlines()]
        for name, text in (("server", result.server_stderr), ("client", result.client_stderr)):
            if text:
                lines += [f"  stderr of the {name}:", *(f"    | {line}" for line in text.splitlines())]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _totals(results: list[Result]) -> str:
    count = {status: sum(result.status == status for result in results) for status in (PASSED, FAILED, SKIPPED)}
    skipped = f", {count[SKIPPED]} skipped" if count[SKIPPED] else ""
    return f"{count[PASSED]} passed, {count[FAILED]} failed{skipped}"
