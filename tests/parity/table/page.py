"""The page: one table a group, each cell with what proves it, reasons as footnotes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

from .features import Column, Feature, Features
from .grid import Grid, Lacks
from .source import missing

_INTRO = """# Parity

What each language can do, as its tests prove it. A ✓ leads to the proof, whose name is its title: a test of the
language's own, or cases of the [interop grid](../tests/interop/README.md) that its programs run against Rust's, as
client and as server where the feature has both. C has no programs in the grid: it is proven by its own tests, or by the
cases of C++, whose headers use nothing but `rpcx.h`. A number leads to the reason why a language has no such thing, and
*missing* says that there is no proof yet.

What is only an option (breakers, rates, lists, heartbeats …) is set by its name from every language: the one engine
does the rest. The rows are what a language adds to that, and samples of the rest.

Written by `tests/parity/run --write` from [features.json](../tests/parity/features.json).
"""


@dataclass
class Cells:
    """Counts, footnotes and mistakes, collected while the rows are written."""

    proven: int = 0
    reasoned: int = 0
    missing: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, reason: str) -> int:
        """The number of the footnote with this text."""
        if reason not in self.notes:
            self.notes.append(reason)
        return self.notes.index(reason) + 1


def write(features: Features, grid: Grid, root: Path) -> tuple[str, Cells]:
    """The page's text and what was found on the way."""
    cells = Cells()
    tables = [_table(group.title, group.features, features.columns, grid, root, cells) for group in features.groups]
    rows = sum(len(group.features) for group in features.groups)
    open_cells = f", {len(cells.missing)} missing" if cells.missing else ""
    counts = (
        f"{rows} features in {len(features.columns)} columns: {cells.proven} cells proven, "
        f"{cells.reasoned} with a reason why the language has no such thing{open_cells}.\n"
    )
    notes = "\n".join(f"{number}. {reason}" for number, reason in enumerate(cells.notes, 1))
    return "\n".join([_INTRO, counts, *tables, f"## Reasons\n\n{notes}\n"]), cells


def _table(
    title: str, rows: tuple[Feature, ...], columns: tuple[Column, ...], grid: Grid, root: Path, cells: Cells
) -> str:
    lines = [
        f"## {title}\n",
        "| | " + " | ".join(column.title for column in columns) + " |",
        "|---|" + ":-:|" * len(columns),
    ]
    for feature in rows:
        for pattern in feature.cases:
            if not grid.matching(pattern):
                cells.mistakes.append(f"{feature.name}: no interop case matches {pattern}")
        shown = [_cell(feature, column, grid, root, cells) for column in columns]
        lines.append(f"| {feature.name} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def _cell(feature: Feature, column: Column, grid: Grid, root: Path, cells: Cells) -> str:
    if column.id in feature.reasons:
        return _reason(feature.reasons[column.id], cells)
    if column.id in feature.tests:
        links = []
        for reference in feature.tests[column.id]:
            path, _, name = reference.partition("::")
            # From the root of the repository, or from the folder of the language's tests.
            path = path[1:] if path.startswith("/") else f"{column.tests}/{path}"
            if mistake := missing(root, path, name):
                cells.mistakes.append(f"{feature.name}: {column.title}: {mistake}")
            title = name.replace('"', "'").replace("|", "\\|")
            links.append(f'[✓](../{path} "{title}")')
        cells.proven += 1
        return " ".join(links)
    found: Union[list[str], Lacks, None] = None
    if column.grid and feature.cases:
        found = grid.proof(feature.cases, column.grid, feature.roles)
    if isinstance(found, Lacks):
        return _reason(f"{column.title}: {found.reason}", cells)
    if found:
        cells.proven += 1
        others = f" and {len(found) - 1} more" if len(found) > 1 else ""
        return f'[✓](../tests/interop/cases/{grid.file_of(found[0])} "{found[0]}{others}")'
    cells.missing.append(f"{feature.name}: {column.title}")
    return "*missing*"


def _reason(reason: str, cells: Cells) -> str:
    cells.reasoned += 1
    return f"[{cells.note(reason)}](#reasons)"
