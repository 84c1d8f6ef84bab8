"""Real registries on loopback for the cases that need one, each started once in a run."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path

from .process import Program, ProgramError, Reaper

_ROOT = Path(__file__).resolve().parents[3]
# As the tests of the registries are built, of which nothing is compiled again then.
_BUILD = ("cargo", "test", "--locked", "--quiet", "--workspace", "--all-features", "--test", "etcd", "--no-run")
_START_SECONDS = 90.0

PREFIX = "registry-"
"""What the features of cases that need a registry begin with."""


class Registries:
    """The registries of a run; they end with it."""

    def __init__(self, folder: Path, reaper: Reaper) -> None:
        self._folder = folder
        self._reaper = reaper
        self._lock = threading.Lock()
        self._program = ""
        self._urls: dict[str, str] = {}

    def url(self, name: str) -> str:
        """The beginning of the URL of a registry: scheme, host and port."""
        with self._lock:
            if name not in self._urls:
                self._urls[name] = self._start(name)
            return self._urls[name]

    def _start(self, name: str) -> str:
        if not self._program:
            self._program = _built()
        log = self._folder / f"registry-{name}.log"
        program = Program([self._program, name], log, self._reaper)
        url = program.read_line(time.monotonic() + _START_SECONDS)
        if url is None:
            raise ProgramError(f"the registry {name} does not start: {program.stderr_tail()}")
        return url


def _built() -> str:
    """The program of tests/registries that starts them; cargo knows whether it is current."""
    command = [*_BUILD, "--message-format=json-render-diagnostics"]
    built = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        raise ProgramError(f"{' '.join(_BUILD)}: {built.stderr[-2000:]}")
    return _executable(built.stdout)


def _executable(messages: str) -> str:
    built = [json.loads(line) for line in messages.splitlines()]
    found = (one["executable"] for one in built if one.get("target", {}).get("name") == "rpcx-registry")
    return next(str(path) for path in found if path)
