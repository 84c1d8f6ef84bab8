"""A running interop server: its start, its addresses, what a case does to it, and its orderly end."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import time
from pathlib import Path
from typing import Any, Optional

from .case import ServerSpec
from .certificates import Certificates
from .match import Difference, first_difference, show
from .process import Program, ProgramError, Reaper

_READY_SECONDS = 30.0
_STOP_SECONDS = 20.0
_PAUSE_SECONDS = 10.0
_COUNTERS = ("calls", "errors", "cancelled", "panics")


class Server:
    """One server process. `addresses` are as the server printed them."""

    def __init__(
        self, program: Path, spec: ServerSpec, folder: Path, number: int, certificates: Certificates, reaper: Reaper
    ) -> None:
        """Starts the server and waits until it is ready; raises ProgramError when it is not, or says it wrongly."""
        self.spec = spec
        listen = spec.listen or (
            (f"unix@{folder}/{number}.sock",) if spec.transport.startswith("unix") else ("tcp@127.0.0.1:0",)
        )
        # Servers of several pairs run side by side: each has paths of its own.
        listen = tuple(address.replace("%N", str(number)) for address in listen)
        command = [str(program), "--listen", *listen, *spec.args]
        if "tls" in spec.transport:
            command += ["--tls-cert", str(certificates.cert), "--tls-key", str(certificates.key)]
        if spec.transport == "mtls":
            command += ["--tls-client-ca", str(certificates.ca)]
        self._log = folder / f"server-{number}.log"
        self._reaper = reaper
        self.addresses: list[str] = []
        self._held: list[socket.socket] = []
        self._begin(command, listen)

    def _begin(self, command: list[str], listen: tuple[str, ...]) -> None:
        self.program = Program(command, self._log, self._reaper)
        self._terminated = False
        self._killed = False
        self._stopped: Optional[dict[str, Any]] = None
        try:
            self.addresses = self._ready(listen)
        except ProgramError as error:
            logged = self.program.stderr_tail()
            self.program.kill()
            raise ProgramError(f"the server is not ready: {error}; its stderr: {logged or 'empty'}") from error

    def restart(self) -> None:
        """Starts a server that has ended once more, where it listened before."""
        self.program.kill()
        self.release()
        command = list(self.program.command)
        first = command.index("--listen") + 1
        command[first : first + len(self.addresses)] = self.addresses
        self._begin(command, tuple(self.addresses))

    def _ready(self, listen: tuple[str, ...]) -> list[str]:
        ready = self._object(time.monotonic() + _READY_SECONDS)
        expected = {
            "ready": True,
            "language": {"$regex": "."},
            "version": {"$regex": "."},
            "addresses": [{"$regex": "^[a-z0-9]+@.*(?<!:0)$"}] * len(listen),
        }
        difference = first_difference(expected, ready, "ready line")
        if difference:
            raise ProgramError(difference)
        return [str(address) for address in ready["addresses"]]

    def _object(self, deadline: float) -> dict[str, Any]:
        line = self.program.read_line(deadline)
        if line is None:
            raise ProgramError(f"it ended: {self.program.end_text()}")
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise ProgramError(f"expected a line with one JSON object, got {show(line)}")
        return value

    def terminate(self) -> None:
        """Asks the server to stop, once."""
        if not self._terminated:
            self._terminated = True
            self.program.terminate()

    def kill(self) -> None:
        """Ends the server without a word (SIGKILL); nothing is expected of such an end."""
        self._killed = True
        self.program.kill()
        self._hold()

    def _hold(self) -> None:
        """Keeps the ports of a server that has ended: the system would give them to one of another case."""
        for address in self.addresses:
            scheme, _, host = address.partition("@")
            name, _, port = host.rpartition(":")
            if scheme != "tcp" or name != "127.0.0.1":
                continue
            held = socket.socket()
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):  # somebody was quicker
                held.bind((name, int(port)))
            self._held.append(held)

    def release(self) -> None:
        """Gives the ports back."""
        while self._held:
            self._held.pop().close()

    def pause(self) -> None:
        """Stops the process (SIGSTOP): its connections stay open and nothing answers on them."""
        self.program.pause(time.monotonic() + _PAUSE_SECONDS)

    def resume(self) -> None:
        """Lets a paused process go on (SIGCONT)."""
        self.program.signal(signal.SIGCONT)

    def stop(self) -> Difference:
        """Stops the server if that was not done yet and returns what was wrong with its end."""
        if self._killed:
            return None
        self.resume()  # a case that failed may have left it paused
        self.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        try:
            if self._stopped is None:
                self._stopped = self._object(deadline)
                surplus = self.program.read_line(deadline)
                if surplus is not None:
                    return f"the server said more after its stopped line: {show(surplus)}"
            status = self.program.wait(deadline)
        except ProgramError as error:
            return f"after SIGTERM: {error}"
        if not self._held:
            self._hold()
        counters = {name: {"$between": [0, 1 << 62]} for name in _COUNTERS}
        difference = first_difference({"stopped": True, **counters}, self._stopped, "stopped line")
        if difference is None and status != 0:
            difference = f"the server's exit status: expected 0, got {status}"
        if difference is None and self.spec.stopped is not None:
            difference = first_difference({"$has": self.spec.stopped}, self._stopped, "stopped line")
        return difference
