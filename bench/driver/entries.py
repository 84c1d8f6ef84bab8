"""What is measured: the entries of entries.json, and how their programs are built."""

from __future__ import annotations

import fnmatch
import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
REFERENCE = "floor-epoll-prost"


@dataclass(frozen=True)
class Entry:
    """A server and a client program that obey the contract in bench/README.md."""

    name: str
    note: str
    server: list[str]
    client: list[str]
    build: list[str]
    idle: str | None  # wire of the idle measurement; None: not measured
    ours: bool


def load(path: Path) -> list[Entry]:
    """The entries of a registry file, in its order."""

    def command(text: str) -> list[str]:
        return [part.format(target=TARGET, bench=BENCH) for part in shlex.split(text)]

    def entry(e: dict[str, Any]) -> Entry:
        return Entry(
            name=e["name"],
            note=e["note"],
            server=command(e["server"]),
            client=command(e["client"]),
            build=e.get("build", []),
            idle=e.get("idle"),
            ours=e.get("ours", False),
        )

    return [entry(e) for e in json.loads(path.read_text())]


def choose(entries: list[Entry], globs: str | None) -> list[Entry]:
    """The entries whose name matches one of the comma-separated globs; all without globs."""
    if globs is None:
        return entries
    return [e for e in entries if any(fnmatch.fnmatchcase(e.name, g) for g in globs.split(","))]


def build(entries: list[Entry]) -> None:
    """Builds what the entries need, optimised; raises CalledProcessError if that fails."""
    target = ["--release", "--target-dir", str(TARGET)]
    commands = {
        "workspace": (ROOT, ["cargo", "build", *target, "--bin", "bench-server", "--bin", "bench-client"]),
        "peers": (BENCH / "peers", ["cargo", "build", *target, "--locked"]),
        "go": (BENCH / "go", [os.environ.get("GO", "go"), "build", "-o", "bin/", "./grpc"]),
        "rpcx-go": (ROOT / "tests/interop/programs/go", ["./build.sh"]),
    }
    wanted = {b for e in entries for b in e.build}
    for name, (folder, command) in commands.items():
        if name in wanted:
            subprocess.run(command, cwd=folder, check=True)
