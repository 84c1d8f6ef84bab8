"""Processes and ports of this machine, as far as Linux's /proc tells."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def busy() -> float:
    """CPU seconds that the whole machine has been busy, stolen time included."""
    fields = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK


def cpu(pid: int) -> float:
    """CPU seconds of a process; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK
    except (OSError, IndexError):
        return 0.0


def memory(pid: int, field: str) -> float | None:
    """Memory of a process in bytes: VmRSS is what is resident now, VmHWM its peak. None if the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((float(x.split()[1]) * 1024 for x in lines if x.startswith(field + ":")), None)


def wait_quiet(limit: float, longest: float) -> None:
    """Waits, at most `longest` seconds, until programs use less than `limit` cores."""
    end = time.monotonic() + longest
    while time.monotonic() < end:
        before, t = busy(), time.monotonic()
        time.sleep(0.5)
        if (busy() - before) / (time.monotonic() - t) <= limit:
            return


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def wait_port(port: int, server: subprocess.Popen[bytes], longest: float = 20) -> bool:
    """Whether the server accepts on its port before it ends or the time is up."""
    end = time.monotonic() + longest
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as s:
            s.settimeout(0.5)
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.005)
    return False


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ends a process that we started, by force if it doesn't go."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(2)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


VERSIONS = {
    "rustc": ("rustc", "--version"),
    "go": ("go", "version"),
    "python": ("python3", "--version"),
    "node": ("node", "--version"),
    "java": ("java", "--version"),
    "g++": ("g++", "-dumpfullversion"),
}


def describe(tools: list[str]) -> str:
    """One line about the machine and these tools."""
    model = next(
        (
            x.split(":", 1)[1].strip()
            for x in Path("/proc/cpuinfo").read_text().splitlines()
            if x.startswith("model name")
        ),
        platform.machine(),
    )

    def version(tool: str) -> str:
        try:
            said = subprocess.run(VERSIONS[tool], capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            return f"no {tool}"
        found = re.search(r"\d+\.\d+[\w.]*", said)
        return f"{tool} {found[0] if found else 'unknown'}"

    kernel = ".".join(platform.release().split(".")[:2])
    return ", ".join([f"{os.cpu_count()} cores ({model}), Linux {kernel}", *map(version, tools)])
