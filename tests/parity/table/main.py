"""The command line: write the page, or check that it is what the tests say."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import Optional

from . import page
from .features import BadTable, load
from .grid import ROOT, Grid

_PAGE = ROOT / "docs" / "PARITY.md"
_FEATURES = Path(__file__).resolve().parent.parent / "features.json"


def main(arguments: Optional[list[str]] = None) -> int:
    """0: as it should be, 1: the page is not current or a proof is not there, 2: the file cannot be read."""
    parser = argparse.ArgumentParser(prog="tests/parity/run", description="docs/PARITY.md: feature by language.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write the page, unless a proof that is named is not there")
    what.add_argument("--check", action="store_true", help="compare the page with what would be written")
    what.add_argument("--missing", action="store_true", help="list the cells without a proof")
    options = parser.parse_args(arguments)
    try:
        text, cells = page.write(load(_FEATURES), Grid(), ROOT)
    except BadTable as error:
        print(f"parity: {error}", file=sys.stderr)
        return 2
    for mistake in cells.mistakes:
        print(f"parity: {mistake}", file=sys.stderr)
    if cells.mistakes:
        return 1
    if options.missing:
        print("\n".join(cells.missing) or "none")
        return 0
    if options.write:
        _PAGE.write_text(text, encoding="utf-8")
    else:
        was = _PAGE.read_text(encoding="utf-8") if _PAGE.exists() else ""
        if was != text:
            changes = difflib.unified_diff(
                was.splitlines(), text.splitlines(), "docs/PARITY.md", "as it should be", lineterm=""
            )
            print("\n".join(list(changes)[:40]), file=sys.stderr)
            print("parity: docs/PARITY.md is not current: tests/parity/run --write", file=sys.stderr)
            return 1
    print(f"{cells.proven} proven, {cells.reasoned} with a reason, {len(cells.missing)} missing")
    return 0
