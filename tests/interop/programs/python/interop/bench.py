"""What the bench programs share: the message, the measured window, and the report."""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path
from typing import Any

from .args import Args
from .benchmark_pb2 import BenchmarkMessage

TEXT = "许多往事在眼前一幕一幕，变的那麼模糊"
SIZE = 581


def request() -> BenchmarkMessage:
    """The message of the rpcx benchmark: every field set but `field5`."""
    message = BenchmarkMessage()
    for field in message.DESCRIPTOR.fields:
        if field.name == "field5":
            continue
        if field.cpp_type == field.CPPTYPE_STRING:
            setattr(message, field.name, TEXT)
        elif field.cpp_type == field.CPPTYPE_BOOL:
            setattr(message, field.name, True)
        else:
            setattr(message, field.name, 100_000)
    if message.ByteSize() != SIZE:
        raise AssertionError(f"the message has {message.ByteSize()} bytes, not {SIZE}")
    return message


def check(reply: BenchmarkMessage) -> None:
    """Every reply is looked at."""
    if reply.field1 != "OK" or reply.field2 != 100:
        raise ValueError("a reply without OK and 100")


class Window:
    """Latencies of the calls that end while it is open."""

    def __init__(self, args: Args, peer: str) -> None:
        self.concurrency = max(1, int(args.number("concurrency", 1)))
        self.conns = min(max(1, int(args.number("conns", 1))), self.concurrency)
        self.seconds, self.warmup = args.number("seconds", 3), args.number("warmup", 0.7)
        pid = args.one("server-pid")
        self._server = int(pid) if pid else None
        self._peer = peer
        self._latencies: list[int] = []
        self._warm = self._errors = 0
        self._first: str | None = None
        self._on = self.stopped = False

    def done(self, nanoseconds: int) -> None:
        """A call has ended well."""
        if self._on:
            self._latencies.append(nanoseconds)
        else:
            self._warm += 1

    def failed(self, error: Exception) -> None:
        """A call has failed."""
        self._errors += 1
        self._first = self._first or str(error)[:150]

    def open(self) -> None:
        """The window begins."""
        self._began = time.monotonic(), _own_cpu(), _cpu_of(self._server)
        self._on = True

    def close(self) -> dict[str, Any]:
        """The window ends: the report."""
        self._on, self.stopped = False, True
        began, client, server = self._began
        took, client = time.monotonic() - began, _own_cpu() - client
        ended = _cpu_of(self._server)
        latencies = sorted(self._latencies)
        calls = len(latencies)

        def quantile(of: float) -> float | None:
            return latencies[min(calls - 1, int(of * calls))] / 1e3 if calls else None

        return {
            "peer": self._peer,
            "conns": self.conns,
            "concurrency": self.concurrency,
            "seconds": took,
            "calls": calls,
            "total_calls": calls + self._warm,
            "errors": self._errors,
            "first_error": self._first,
            "throughput": calls / took,
            "mean_us": sum(latencies) / max(calls, 1) / 1e3,
            "p50_us": quantile(0.5),
            "p99_us": quantile(0.99),
            "p999_us": quantile(0.999),
            "max_us": quantile(1),
            "client_cpu_us_per_call": client / max(calls, 1),
            "server_cpu_us_per_call": None if ended is None or server is None else (ended - server) / max(calls, 1),
            "client_rss_mib": _peak_of("self"),
            "server_rss_mib": _peak_of(self._server),
        }


def report(figures: dict[str, Any]) -> None:
    """Prints the last line and ends the process, whatever the callers are at."""
    print(json.dumps(figures), flush=True)
    os._exit(0 if figures["calls"] else 1)


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1e6


def _cpu_of(pid: int | None) -> float | None:
    if pid is None:
        return None
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    fields = stat.rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


def _peak_of(pid: int | str | None) -> float | None:
    if pid is None:
        return None
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:")), None)
