"""A DNS server on loopback for the cases that find their servers by name: dnsmasq with one record."""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path

from .process import Program, ProgramError, Reaper

NAME = "servers.test"
"""The name of this machine's 127.0.0.1."""

_START_SECONDS = 10.0
_PORTS = 20


def start(folder: Path, reaper: Reaper) -> str:
    """Starts the server, which ends with the run; returns `host:port`."""
    # Where Debian puts it; a user's own path may lack the folder.
    path = shutil.which("dnsmasq") or shutil.which("dnsmasq", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise ProgramError("dnsmasq is missing: make setup installs it")
    for _ in range(_PORTS):
        port = _free_port()
        fixed = ["--no-daemon", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts", "--user=root"]
        where = ["--listen-address=127.0.0.1", "--bind-interfaces", f"--port={port}"]
        records = ["--local=/test/", f"--host-record={NAME},127.0.0.1"]
        program = Program([path, *fixed, *where, *records], folder / "dns.log", reaper)
        if _is_ready(program):
            return f"127.0.0.1:{port}"
        program.kill()
    raise ProgramError(f"dnsmasq found no port: {program.stderr_tail()}")


def _is_ready(program: Program) -> bool:
    """Waits until it says that it has started; false when it says something else and ends."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        said = program.stderr_tail()
        if "started, version" in said:
            return True
        if "failed to create listening socket" in said:
            return False
        time.sleep(0.01)  # the log is looked at again
    raise ProgramError(f"dnsmasq does not start: {program.stderr_tail() or 'it says nothing'}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
