"""Runs the fuzz targets of core/fuzz with rustc's own instrumentation: no nightly compiler, no further tool."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from .setup import environment
from .stage import ROOT

_TARGET = "x86_64-unknown-linux-gnu"
_FLAGS = (
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Zsanitizer=address",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
)


def fuzz(seconds: int) -> int:
    """Fuzzes every target for `seconds`, beginning with the corpus; findings are left in core/fuzz/artifacts."""
    folder = ROOT / "core" / "fuzz"
    flags = {"RUSTC_BOOTSTRAP": "1", "RUSTFLAGS": " ".join(_FLAGS)}
    build = ["cargo", "build", "--release", "--locked", "--manifest-path", str(folder / "Cargo.toml")]
    if subprocess.run([*build, "--target", _TARGET], env={**environment(), **flags}, check=False).returncode:
        return 1
    names = re.findall(r'^path = "fuzz_targets/(\w+)\.rs"', (folder / "Cargo.toml").read_text(encoding="utf-8"), re.M)
    failed = sum(not _one(folder, name, seconds) for name in names)
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed or not names else 0


def _one(folder: Path, name: str, seconds: int) -> bool:
    artifacts = folder / "artifacts" / name
    artifacts.mkdir(parents=True, exist_ok=True)
    print(f"== {name}, {seconds} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as found:  # new inputs; the corpus in the repository stays small
        command = [
            *(str(folder / "target" / _TARGET / "release" / name), found, str(folder / "corpus" / name)),
            *(f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"),
            f"-artifact_prefix={artifacts}{os.sep}",
        ]
        return subprocess.run(command, env=environment(), check=False, timeout=seconds * 2 + 120).returncode == 0
