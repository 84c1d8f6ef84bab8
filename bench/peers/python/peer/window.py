"""The measured window, and the report of one JSON line."""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path
from typing import NoReturn


class Window:
    """Keeps the latencies of the calls that end while it is open; times in seconds."""

    def __init__(self, conns: int, concurrency: int, seconds: float, warmup: float, server_pid: int | None) -> None:
        self.conns, self.concurrency, self.seconds, self.warmup = conns, concurrency, seconds, warmup
        self.stopped = False
        self._server = server_pid
        self._on = False
        self._latencies: list[int] = []
        self._warm = self._errors = 0
        self._first: str | None = None

    def done(self, nanoseconds: int) -> None:
        """A call has ended well."""
        if self._on:
            self._latencies.append(nanoseconds)
        else:
            self._warm += 1

    def failed(self, error: Exception) -> None:
        """A call has failed."""
        if not self.stopped:
            self._errors += 1
            self._first = self._first or str(error)[:200]

    def open(self) -> None:
        """Begins."""
        self._began, self._client, self._before = time.monotonic(), _own_cpu(), _cpu_of(self._server)
        self._on = True

    def close(self) -> NoReturn:
        """Ends, prints the report, and ends the process, whatever the callers are at."""
        self._on, self.stopped = False, True
        took, client, after = time.monotonic() - self._began, _own_cpu() - self._client, _cpu_of(self._server)
        server = None if after is None or self._before is None else after - self._before
        latencies = sorted(self._latencies)
        calls = len(latencies)

        def per_call(total: float | None) -> float | None:
            return None if total is None or not calls else total / calls

        def quantile(q: float) -> float | None:
            return latencies[min(calls - 1, int(q * calls))] / 1e3 if calls else None

        report = {
            "conns": self.conns,
            "concurrency": self.concurrency,
            "seconds": took,
            "calls": calls,
            "total_calls": calls + self._warm,
            "errors": self._errors,
            "first_error": self._first,
            "throughput": calls / took,
            "mean_us": per_call(sum(latencies) / 1e3),
            "p50_us": quantile(0.5),
            "p99_us": quantile(0.99),
            "p999_us": quantile(0.999),
            "max_us": quantile(1),
            "client_cpu_us_per_call": per_call(client),
            "server_cpu_us_per_call": per_call(server),
            "client_rss_mib": _peak_of("self"),
            "server_rss_mib": _peak_of(self._server),
        }
        print(json.dumps(report), flush=True)
        os._exit(0 if calls else 1)


def _own_cpu() -> float:
    """User and system CPU time in microseconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1e6


def _cpu_of(pid: int | None) -> float | None:
    if pid is None:
        return None
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


def _peak_of(pid: int | str | None) -> float | None:
    """Peak resident memory in MiB."""
    if pid is None:
        return None
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)
