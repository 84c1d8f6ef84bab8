"""Child programs that speak in lines: every wait has a deadline, and none outlives the runner."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Optional

_REAPER = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


class ProgramError(Exception):
    """A program did not do what it must: it ended, was silent for too long, or spoke nonsense."""


class Reaper:
    """Kills the programs that still run when the runner is gone, even by SIGKILL.

    It is a process of its own that sees the end of a pipe; a parent-death signal would not do, because Linux sends it
    when the *thread* that started a child ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _REAPER], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def watch(self, group: int) -> None:
        """From now on the group dies with the runner."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """The group is gone; its number may be used again by others."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Ends the watch; what is still known is killed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(line)
            self._process.stdin.flush()


class Program:
    """A running program with lines on stdin and stdout and a file for stderr."""

    def __init__(self, command: list[str], stderr: Path, reaper: Reaper) -> None:
        """Starts the command in a process group of its own."""
        self.command = command
        self.stderr = stderr
        self._reaper = reaper
        self._buffer = bytearray()
        self._lines: list[bytes] = []
        self._ended = False
        self._gone = False
        try:
            with stderr.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    bufsize=0,
                    start_new_session=True,
                )
        except OSError as error:
            raise ProgramError(f"cannot start {command[0]}: {error.strerror}") from error
        reaper.watch(self._process.pid)
        os.set_blocking(self._pipe(self._process.stdin).fileno(), False)

    @staticmethod
    def _pipe(pipe: Optional[IO[bytes]]) -> IO[bytes]:
        assert pipe is not None
        return pipe

    def write_line(self, line: str, deadline: float) -> None:
        """Writes a line, reading what the program says meanwhile, so that neither waits for the other."""
        stdin, stdout = self._pipe(self._process.stdin), self._pipe(self._process.stdout)
        rest = memoryview(line.encode() + b"\n")
        while rest:
            readers = [] if self._ended else [stdout]
            readable, writable, _ = select.select(readers, [stdin], [], max(0.0, deadline - time.monotonic()))
            if not readable and not writable:
                raise ProgramError(f"{self.command[0]} does not read its input")
            if readable:
                self._read()
            if writable:
                try:
                    rest = rest[os.write(stdin.fileno(), rest[:65536]) :]
                except OSError as error:
                    raise ProgramError(f"{self.command[0]} ended: {self.end_text()}") from error

    def read_line(self, deadline: float) -> Optional[str]:
        """Returns the next line, or None at the end of the output; raises ProgramError at the deadline."""
        stdout = self._pipe(self._process.stdout)
        while not self._lines and not self._ended:
            readable, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise ProgramError(f"{self.command[0]} said nothing in time")
            self._read()
        return self._lines.pop(0).decode(errors="replace") if self._lines else None

    def _read(self) -> None:
        chunk = os.read(self._pipe(self._process.stdout).fileno(), 1 << 18)
        if not chunk:
            self._ended = True
            if self._buffer:
                self._lines.append(bytes(self._buffer))
                self._buffer.clear()
            return
        start = len(self._buffer)
        self._buffer += chunk
        if b"\n" in chunk:
            end = self._buffer.rindex(b"\n", start)
            self._lines += bytes(self._buffer[:end]).split(b"\n")
            del self._buffer[: end + 1]

    def close_input(self) -> None:
        """Ends the program's input."""
        with contextlib.suppress(OSError):
            self._pipe(self._process.stdin).close()

    def terminate(self) -> None:
        """Sends SIGTERM to the program itself, as its user would."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the program, unless it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def pause(self, deadline: float) -> None:
        """Stops the program (SIGSTOP) and waits until none of its threads runs any more."""
        self.signal(signal.SIGSTOP)
        while not all(state in "TtZX" for state in self._thread_states()):
            if time.monotonic() >= deadline:
                raise ProgramError(f"{self.command[0]} did not stop on SIGSTOP")
            time.sleep(0.001)  # the system stops the threads one by one

    def _thread_states(self) -> list[str]:
        """The letter that Linux has for each thread: T is stopped."""
        states = []
        for thread in Path(f"/proc/{self._process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):
                states.append((thread / "stat").read_text().rpartition(")")[2].split()[0])
        return states

    def wait(self, deadline: float) -> int:
        """Returns the exit status; raises ProgramError at the deadline."""
        try:
            return self._process.wait(max(0.01, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise ProgramError(f"{self.command[0]} did not end in time") from None

    def end_text(self) -> str:
        """How the program ended, for a message."""
        try:
            status = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "it still runs"
        return f"killed by signal {-status}" if status < 0 else f"exit status {status}"

    def kill(self) -> None:
        """Kills the whole group and forgets it; again is well."""
        if self._gone:
            return
        self._gone = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._reaper.forget(self._process.pid)

    def stderr_tail(self, offset: int = 0, limit: int = 4000) -> str:
        """The last part of what the program logged since `offset`."""
        with self.stderr.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(offset, size - limit))
            return log.read().decode(errors="replace").strip()

    def stderr_size(self) -> int:
        """How much the program logged so far."""
        return self.stderr.stat().st_size
