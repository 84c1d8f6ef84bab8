"""Runs entries in cells, round after round, and keeps what their clients report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from . import machine
from .entries import Entry

Row = dict[str, Any]

PLACEMENTS: dict[str, tuple[list[str], list[str]]] = {
    "": ([], []),
    "same": (["taskset", "-c", "0"], ["taskset", "-c", "0"]),
    "split": (["taskset", "-c", "1"], ["taskset", "-c", "0"]),
}


@dataclass(frozen=True)
class Cell:
    """Callers, connections, and where both processes run."""

    callers: int
    connections: int
    placement: str

    @staticmethod
    def parse(text: str) -> Cell:
        """Reads CALLERSxCONNECTIONS[@same|@split]; raises ValueError for anything else."""
        at, _, placement = text.partition("@")
        callers, _, connections = at.partition("x")
        if placement not in PLACEMENTS:
            raise ValueError(f"cell {text!r}: the placement is same or split")
        return Cell(int(callers), int(connections), placement)

    def __str__(self) -> str:
        return f"{self.callers}x{self.connections}" + (f"@{self.placement}" if self.placement else "")

    def title(self) -> str:
        """The cell in words."""
        callers = f"{self.callers:,} caller" + ("s" if self.callers > 1 else "")
        connections = f"{self.connections} connection" + ("s" if self.connections > 1 else "")
        return f"{callers}, {connections}" + {"": "", "same": ", one core", "split": ", a core each"}[self.placement]


@dataclass(frozen=True)
class Plan:
    """How to measure: times in seconds, loads in cores."""

    rounds: int
    seconds: float
    warmup: float
    quiet: float  # a run beside which others use more than this many cores is repeated
    quiet_wait: float  # longest wait for a quiet machine before a run
    retries: int  # repeats of a disturbed run
    logs: Path


def run_once(entry: Entry, cell: Cell, plan: Plan) -> Row:
    """One run of one entry: the client's report, or a row with `failed`."""
    plan.logs.mkdir(parents=True, exist_ok=True)
    with (plan.logs / f"{entry.name}.log").open("ab") as log:
        port = machine.free_port()
        address = f"127.0.0.1:{port}"
        server_at, client_at = PLACEMENTS[cell.placement]
        began = time.monotonic()
        server = subprocess.Popen([*server_at, *entry.server, "--addr", address], stdout=log, stderr=log)
        try:
            if not machine.wait_port(port, server):
                return {"failed": f"the server did not open its port, see {log.name}"}
            ready = time.monotonic() - began
            warmup = max(plan.warmup, entry.warmup)
            options = {
                "--addr": address,
                "--conns": cell.connections,
                "--concurrency": cell.callers,
                "--seconds": plan.seconds,
                "--warmup": warmup,
                "--server-pid": server.pid,
            }
            flags = [str(part) for option in options.items() for part in option]
            row = call(server, [*client_at, *entry.client, *flags], plan.seconds + warmup, log)
            return row if "failed" in row else {**row, "ready_ms": ready * 1e3}
        finally:
            machine.stop(server)


def call(server: subprocess.Popen[bytes], command: list[str], seconds: float, log: IO[bytes]) -> Row:
    """Runs the client, which takes so many seconds, beside its server."""
    busy, server_cpu, began = machine.busy(), machine.cpu(server.pid), time.monotonic()
    before = os.times()
    client = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
    try:
        out, _ = client.communicate(timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        client.kill()
        client.communicate()
        return {"failed": "the client did not end in time"}
    after, wall = os.times(), time.monotonic() - began
    server_cpu = machine.cpu(server.pid) - server_cpu
    client_cpu = after.children_user + after.children_system - before.children_user - before.children_system
    try:
        report = next(x for x in reversed(out.decode().splitlines()) if x.startswith("{"))
        row: Row = json.loads(report)
        calls = max(1, row["total_calls"])
        # what a client can't tell is taken over its whole life instead of over the window
        for key, value in (
            ("client_cpu_us_per_call", client_cpu * 1e6 / calls),
            ("server_cpu_us_per_call", server_cpu * 1e6 / calls),
            ("server_rss_mib", (machine.memory(server.pid, "VmHWM") or 0) / 2**20),
        ):
            if row.get(key) is None:
                row[key] = value
    except (ValueError, KeyError, StopIteration):
        return {"failed": f"the client printed no report (exit {client.returncode}), see {log.name}"}
    if row["calls"] == 0:
        return {"failed": f"no call was answered: {row.get('first_error')}"}
    row["others_cores"] = max(0.0, machine.busy() - busy - client_cpu - server_cpu) / wall
    return row


def run_quietly(entry: Entry, cell: Cell, plan: Plan) -> Row:
    """Repeats a disturbed run, and keeps the least disturbed one."""
    best: Row = {}
    for _ in range(1 + plan.retries):
        machine.wait_quiet(plan.quiet, plan.quiet_wait)
        row = run_once(entry, cell, plan)
        if not best or row.get("others_cores", 9) < best.get("others_cores", 9):
            best = row
        if "failed" in row or row["others_cores"] <= plan.quiet:
            break
    return best


def run_all(entries: list[Entry], cells: list[Cell], plan: Plan, store: IO[str]) -> list[Row]:
    """Every entry in every cell, `plan.rounds` times, interleaved: a round starts with another entry each time."""
    rows = []
    for number in range(plan.rounds):
        for cell in cells:
            first = number % len(entries)
            for entry in entries[first:] + entries[:first]:
                row = run_quietly(entry, cell, plan)
                row.update(peer=entry.name, cell=str(cell), round=number)
                rows.append(row)
                print(json.dumps(row), file=store, flush=True)
                print(f"[{number + 1}/{plan.rounds} {cell}] {entry.name}: {brief(row)}", file=sys.stderr, flush=True)
    return rows


def brief(row: Row) -> str:
    """A run in a few words."""
    if "failed" in row:
        return f"failed: {row['failed']}"
    return (
        f"{row['throughput']:,.0f} calls/s, cpu {row['client_cpu_us_per_call']:.2f} + "
        f"{row['server_cpu_us_per_call']:.2f} µs a call, others {row['others_cores']:.2f} cores"
    )
