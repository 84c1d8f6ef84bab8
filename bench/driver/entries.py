"""What is measured: a file of entries, and how their programs are built."""

from __future__ import annotations

import fnmatch
import json
import os
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


@dataclass(frozen=True)
class Entry:
    """A server and a client program that obey the contract in bench/README.md."""

    name: str
    note: str
    server: list[str]
    client: list[str]
    build: list[str] = field(default_factory=list)
    group: str = ""  # the heading of its tables
    side: str = "both"  # client or server: whose costs it measures
    against: str | None = None  # the entry that its ratios refer to
    warmup: float = 0  # seconds of warm-up at least, for a program that compiles itself
    idle: str | None = None  # wire of the idle measurement; None: not measured
    ours: bool = False

    @property
    def own_cpu(self) -> str:
        """The figure of its own side's CPU per call."""
        return "cpu" if self.side == "both" else f"{self.side}_cpu_us_per_call"


@dataclass(frozen=True)
class Plot:
    """A chart of a figure in every cell."""

    file: str
    alt: str
    title: str
    metric: str
    relative: bool = False  # as ratios to the entries' own references
    unit: float = 1


@dataclass(frozen=True)
class Import:
    """A command that loads a library and ends."""

    name: str
    command: list[str]
    folder: Path = ROOT


@dataclass(frozen=True)
class Suite:
    """A file of entries with their goals and what its page says."""

    title: str
    command: str  # what writes the page
    page: str  # its file
    about: list[str]
    cells: str
    rounds: int
    tools: list[str]  # whose versions the page has
    reference_title: str
    plots: list[Plot]
    columns: list[dict[str, Any]]  # of the goals
    goals: list[dict[str, Any]]
    entries: list[Entry]
    imports: list[Import] = field(default_factory=list)
    sizes: list[dict[str, str]] = field(default_factory=list)  # name, and a glob of files


def command(text: str) -> list[str]:
    """A command line with `{target}` and `{bench}` replaced by cargo's target folder and this one."""
    return [part.format(target=TARGET, bench=BENCH) for part in shlex.split(text)]


def load(path: Path) -> Suite:
    """Reads a file of entries; exits if it compares with one that is not there."""
    given = json.loads(path.read_text())
    reference = given.pop("reference", None)

    def entry(e: dict[str, Any]) -> Entry:
        programs = {key: command(e[key]) for key in ("server", "client")}
        return Entry(**{"against": reference, **e, **programs})

    def loading(i: dict[str, str]) -> Import:
        return Import(i["name"], command(i["command"]), Path(i.get("folder", str(ROOT)).format(bench=BENCH)))

    given["entries"] = [entry(e) for e in given["entries"]]
    given["plots"] = [Plot(**p) for p in given["plots"]]
    given["imports"] = [loading(i) for i in given.get("imports", [])]
    suite = Suite(**given)
    known = {e.name for e in suite.entries}
    named = {e.against for e in suite.entries if e.against}
    for goal in suite.goals:
        for column in suite.columns:
            both = {**column, **goal}
            named |= {name.format(**column) for name in [both["entry"], *both.get("others", [])]}
    if named - known:
        raise SystemExit(f"{path}: no entry {', '.join(sorted(named - known))}")
    return suite


def choose(entries: list[Entry], globs: str | None) -> list[Entry]:
    """The entries whose name matches one of the comma-separated globs; all without globs."""
    if globs is None:
        return entries
    return [e for e in entries if any(fnmatch.fnmatchcase(e.name, g) for g in globs.split(","))]


def build(entries: list[Entry]) -> None:
    """Builds what the entries need, optimised; raises CalledProcessError if that fails.

    What has no command here is a folder with a build.sh.
    """
    target = ["--release", "--target-dir", str(TARGET)]
    commands = {
        "workspace": (ROOT, ["cargo", "build", *target, "--bin", "bench-server", "--bin", "bench-client"]),
        "peers": (BENCH / "peers", ["cargo", "build", *target, "--locked"]),
        "go": (BENCH / "go", [os.environ.get("GO", "go"), "build", "-o", "bin/", "./grpc"]),
    }
    for name in dict.fromkeys(b for e in entries for b in e.build):
        folder, line = commands.get(name, (BENCH / name, ["./build.sh"]))
        subprocess.run(line, cwd=folder, check=True)
