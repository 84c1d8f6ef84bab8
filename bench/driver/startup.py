"""What a library costs before its first call: loading it, starting a server, and the size of its packages."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import IO

from .entries import ROOT, Suite
from .measure import Row
from .results import Results, median


def run_all(suite: Suite, rounds: int, store: IO[str]) -> list[Row]:
    """Every import, interleaved, `rounds` times after one that fills the caches; and the sizes."""
    rows: list[Row] = []
    for number in range(-1, rounds):
        for loading in suite.imports:
            began = time.monotonic()
            try:
                done = subprocess.run(loading.command, cwd=loading.folder, capture_output=True, check=False)
                failed = done.stderr.decode(errors="replace").strip().splitlines() if done.returncode else []
            except OSError as e:
                failed = [str(e)]
            took = (time.monotonic() - began) * 1e3
            if number >= 0:
                rows.append({"import": loading.name, **({"failed": failed[-1]} if failed else {"ms": took})})
    for size in suite.sizes:
        files = [f for f in ROOT.glob(size["files"]) if f.is_file() and not f.is_symlink()]
        rows.append({"size": size["name"], "bytes": sum(f.stat().st_size for f in files) if files else None})
    for row in rows:
        print(json.dumps(row), file=store, flush=True)
    print(f"[start-up] {len(suite.imports)} imports, {len(suite.sizes)} sizes", file=sys.stderr, flush=True)
    return rows


def tables(suite: Suite, results: Results, rows: list[Row]) -> list[str]:
    """The tables, empty for what was not measured."""
    out: list[str] = []
    if any("import" in r for r in rows):
        out += ["### Loading the library", "", "From the start of a process that does nothing else to its end.", ""]
        out += ["| what | ms, median | lowest – highest |", "|---|--:|--:|"]
        for name in dict.fromkeys(r["import"] for r in rows if "import" in r):
            found = [r["ms"] for r in rows if r.get("import") == name and "ms" in r]
            spread = f"{min(found):.0f} – {max(found):.0f}" if found else ""
            out.append(f"| {name} | {f'{statistics.median(found):.0f}' if found else 'failed'} | {spread} |")
        out.append("")
    servers = [e for e in suite.entries if e.group and e.side != "client" and e.name in results.peers]
    ready = {e.name: median(r.get("ready_ms") for r in results.rows if r["peer"] == e.name) for e in servers}
    if any(ready.values()):
        out += ["### Starting a server", "", "From the start of the process until its port is open.", ""]
        out += ["| entry | ms, median |", "|---|--:|"]
        out += [f"| {name} | {ms:.0f} |" for name, ms in ready.items() if ms is not None]
        out.append("")
    sizes = {r["size"]: r["bytes"] for r in rows if "size" in r}
    if sizes:
        out += ["### Sizes", "", "| what | MiB |", "|---|--:|"]
        out += [
            f"| {name} | {'not built' if size is None else f'{size / 2**20:.1f}'} |" for name, size in sizes.items()
        ]
        out.append("")
    return out
