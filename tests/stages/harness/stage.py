"""One stage: a list of commands, a time limit, and the number of tests that they say they ran."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import IO, Optional

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache"

# What begins the lines of a stage's output that are figures for the report.
MEASURED = "measured: "

# Rust's test harness, the plain line that the project's own runners end with, and Python's unittest.
_COUNTS = (
    re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", re.MULTILINE),
    re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$", re.MULTILINE),
)
_FIGURE = re.compile(rf"(?:^|\.\.\. ){MEASURED}(.+?)\s*$", re.MULTILINE)
_UNITTEST = re.compile(r"^Ran (\d+) tests? in [^\n]*\n\n(?:OK|FAILED)(?: \((.*)\))?$", re.MULTILINE)
# Maven Surefire's sum; the lines of single classes end otherwise.
_SUREFIRE = re.compile(r"^\S* ?Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)\s*$", re.MULTILINE)

_LOOK = 0.02  # seconds
# Ends what runs.
INTERRUPTED = threading.Event()

# A tenth of the usual weight: whoever wakes up gets the processor at once. What is never scheduled while others run, as
# the kernel's idle class, would hold up all of them when it has a lock of the file system.
_NICE = 10


class Turn(Enum):
    """When a stage runs."""

    ALONE = auto()
    BESIDE = auto()
    """Nothing in it depends on time: it may run beside its neighbours that say so too."""
    SPARE = auto()
    """From its place on, one after the other, in the time that the rest leaves; who needs it says so in `after`."""


@dataclass(frozen=True)
class Stage:
    """What to run. Each command runs in `folder` (of the repository) and must end with status 0."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    folder: str = "."
    environment: dict[str, str] = field(default_factory=dict)
    minutes: float = 20
    about: str = ""
    turn: Turn = Turn.ALONE
    after: tuple[str, ...] = ()  # those of Turn.SPARE that must have ended


@dataclass
class Outcome:
    """What came of a stage. A stage whose output counts nothing is one test by itself."""

    stage: Stage
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    busy: float = 0.0  # seconds of processors
    problem: str = ""
    figures: list[str] = field(default_factory=list)
    log: Path = CACHE

    @property
    def ok(self) -> bool:
        """Whether every command ended well and no test failed."""
        return not self.problem and self.failed == 0


def run(stage: Stage, environment: dict[str, str]) -> Outcome:
    """Runs the commands of a stage; the later ones too when an earlier one fails."""
    folder = CACHE / "stages"
    folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome(stage, log=folder / f"{re.sub('[^a-z0-9]+', '-', stage.name.lower())}.log")
    begin = time.monotonic()
    problems = []
    with outcome.log.open("wb") as log:
        for command in stage.commands:
            left = stage.minutes * 60 - (time.monotonic() - begin)
            problem, busy = _command(command, stage, {**environment, **stage.environment}, log, left)
            outcome.busy += busy
            if problem:
                problems.append(f"{shlex.join(command)}: {problem}")
    outcome.seconds = time.monotonic() - begin
    outcome.problem = "; ".join(problems)
    _count(outcome)
    return outcome


def _command(
    command: tuple[str, ...], stage: Stage, environment: dict[str, str], log: IO[bytes], seconds: float
) -> tuple[str, float]:
    log.write(f"$ {shlex.join(command)}\n".encode())
    log.flush()
    spare = stage.turn is Turn.SPARE
    try:
        process = subprocess.Popen(
            ("nice", "-n", str(_NICE), *command) if spare else command,
            cwd=ROOT / stage.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return f"cannot be started: {error.strerror} ({error.filename})", 0
    if spare:
        _yield_to_others(process.pid)
    try:
        busy = _wait(process, max(1.0, seconds))
    finally:
        if process.returncode is None:
            _kill(process)
    if busy is None:
        return f"not done after {stage.minutes:g} minutes", 0
    return "" if process.returncode == 0 else f"exit status {process.returncode}", busy


def _yield_to_others(session: int) -> None:
    """Makes the session's share of the processors as small, where the kernel has shares for sessions."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{session}/autogroup").write_text(str(_NICE), encoding="ascii")


def _wait(process: subprocess.Popen[bytes], seconds: float) -> Optional[float]:
    """Waits for its end, and says how long processors were at work for it; None when time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if INTERRUPTED.wait(_LOOK):
            raise KeyboardInterrupt
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            return used.ru_utime + used.ru_stime
    return None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends the command with all that it started, the gentle way first so that it can clean up."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return


def _count(outcome: Outcome) -> None:
    text = outcome.log.read_text(encoding="utf-8", errors="replace")
    counts = [found for pattern in _COUNTS for found in pattern.findall(text)]
    for ran, details in _UNITTEST.findall(text):
        bad = sum(int(number) for number in re.findall(r"(?:failures|errors)=(\d+)", details))
        counts.append((str(int(ran) - bad), str(bad), ""))
    for ran, failures, errors, skipped in _SUREFIRE.findall(text):
        bad = int(failures) + int(errors)
        counts.append((str(int(ran) - bad - int(skipped)), str(bad), skipped))
    outcome.figures = _FIGURE.findall(text)
    outcome.passed = sum(int(passed) for passed, _, _ in counts)
    outcome.failed = sum(int(failed) for _, failed, _ in counts)
    outcome.skipped = sum(int(skipped or 0) for _, _, skipped in counts)
    if outcome.problem and not outcome.failed:
        outcome.failed = 1
    if not counts and not outcome.problem:
        outcome.passed = 1
