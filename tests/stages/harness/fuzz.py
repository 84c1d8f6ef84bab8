"""Runs the fuzz targets of core/fuzz with rustc's own instrumentation: no nightly compiler, no further tool."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

from .machine import environment
from .stage import CACHE, MEASURED, ROOT

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
# Inputs have at most a few KiB: one allocation of 64 MiB is a length that was believed.
_LIMITS = ("-timeout=10", "-rss_limit_mb=2048", "-malloc_limit_mb=64")
_SHOWN = 60  # lines of the log of a target that failed

_FOLDER = ROOT / "core" / "fuzz"
_FOUND = CACHE / "fuzz"


def fuzz(seconds: int, only: list[str]) -> int:
    """Fuzzes every target, or those, for `seconds`, as many at a time as there are cores.

    Begins with the corpus and with the inputs that earlier runs found, which are kept in .cache/fuzz. Inputs that fail
    are left in core/fuzz/artifacts.
    """
    manifest = _FOLDER / "Cargo.toml"
    names = re.findall(r'^path = "fuzz_targets/(\w+)\.rs"', manifest.read_text(encoding="utf-8"), re.M)
    unknown = sorted(set(only) - set(names))
    if unknown or not names:
        print(f"no fuzz target {', '.join(unknown)}; there are {', '.join(names)}")
        return 2
    flags = {"RUSTC_BOOTSTRAP": "1", "RUSTFLAGS": " ".join(_FLAGS)}
    build = ["cargo", "build", "--release", "--locked", "--manifest-path", str(manifest), "--target", _TARGET]
    if subprocess.run(build, env={**environment(), **flags}, check=False).returncode:
        return 1
    chosen = [name for name in names if not only or name in only]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        failed = sum(not passed for passed in pool.map(lambda name: _one(name, seconds), chosen))
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _one(name: str, seconds: int) -> bool:
    artifacts = _FOLDER / "artifacts" / name
    found = _FOUND / name
    for folder in (artifacts, found):
        folder.mkdir(parents=True, exist_ok=True)
    log = _FOUND / f"{name}.log"
    command = [
        *(str(_FOLDER / "target" / _TARGET / "release" / name), str(found), str(_FOLDER / "corpus" / name)),
        *(f"-max_total_time={seconds}", *_LIMITS, "-print_final_stats=1", f"-artifact_prefix={artifacts}{os.sep}"),
    ]
    began = time.monotonic()
    status: Optional[int] = None
    # In the process group of this program, so that whoever ends it ends the targets too.
    with log.open("wb") as output, contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            command, env=environment(), stdout=output, stderr=output, check=False, timeout=seconds * 2 + 120
        )
        status = done.returncode
    text = log.read_text(encoding="utf-8", errors="replace")
    print(f"{MEASURED}{name}: {_figures(text, time.monotonic() - began)}", flush=True)
    if status != 0:
        shown = "\n".join(text.splitlines()[-_SHOWN:])
        print(f"{name} {'hangs' if status is None else f'failed with status {status}'}:\n{shown}", flush=True)
    return status == 0


def _figures(log: str, seconds: float) -> str:
    """What libFuzzer's log says: its last line of progress, and its final statistics."""
    stats = {name: int(value) for name, value in re.findall(r"^stat::(\w+):\s+(\d+)$", log, re.M)}
    progress = re.findall(r"^#\d+\s.* cov: (\d+) .*corp: (\d+)/", log, re.M)
    coverage, inputs = progress[-1] if progress else ("0", "0")
    executions = stats.get("number_of_executed_units", 0)
    return (
        f"{executions:,} executions in {seconds:.0f} s, {int(coverage):,} edges covered by {int(inputs):,} inputs, "
        f"at most {stats.get('peak_rss_mb', 0)} MiB"
    )
