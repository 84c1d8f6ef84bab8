"""Calls `Hello.Say` in a closed loop, with every default on, and prints what it measured."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any

import rpcx
import rpcx.sync

from .args import Args
from .bench import Window, check, report, request
from .benchmark_pb2 import BenchmarkMessage

USAGE = """\
usage: bench-client --addr HOST:PORT --conns N --concurrency N --seconds S [--warmup S] [--server-pid PID]
                    [--flavor async|blocking] [--loop asyncio|uvloop]

Runs N callers in a closed loop over N connections, checks every reply, and prints one JSON line.

  --flavor async      tasks of an event loop, the default
  --flavor blocking   a thread for each caller
"""
KNOWN = ("addr", "conns", "concurrency", "seconds", "warmup", "server-pid", "flavor", "loop", "peer")


async def on_loop(address: str, window: Window) -> None:
    """A task for each caller. A client has one connection to a server, so there is a client for each connection."""
    message = request()
    services = [rpcx.Client(address).service("Hello") for _ in range(window.conns)]

    async def caller(hello: rpcx.Service) -> None:
        while not window.stopped:
            began = time.perf_counter_ns()
            try:
                check(await hello.call("Say", message, BenchmarkMessage))
                window.done(time.perf_counter_ns() - began)
            except (rpcx.RpcError, ValueError) as error:
                window.failed(error)
                await asyncio.sleep(0.005)

    tasks = [asyncio.create_task(caller(services[i % window.conns])) for i in range(window.concurrency)]
    await asyncio.sleep(window.warmup)
    window.open()
    await asyncio.sleep(window.seconds)
    report(window.close())
    await asyncio.gather(*tasks)


def on_threads(address: str, window: Window) -> None:
    """A thread for each caller."""
    message = request()
    services = [rpcx.sync.Client(address).service("Hello") for _ in range(window.conns)]

    def caller(hello: rpcx.sync.Service) -> None:
        while not window.stopped:
            began = time.perf_counter_ns()
            try:
                check(hello.call("Say", message, BenchmarkMessage))
                window.done(time.perf_counter_ns() - began)
            except (rpcx.RpcError, ValueError) as error:
                window.failed(error)
                time.sleep(0.005)

    for i in range(window.concurrency):
        threading.Thread(target=caller, args=(services[i % window.conns],), daemon=True).start()
    time.sleep(window.warmup)
    window.open()
    time.sleep(window.seconds)
    report(window.close())


def main() -> None:
    """Measures."""
    args = Args(USAGE, KNOWN)
    address, flavor = args.one("addr"), args.one("flavor") or "async"
    if address is None:
        args.refuse("--addr HOST:PORT is missing")
    window = Window(args, args.one("peer") or "rpcx-python")
    if flavor == "blocking":
        on_threads(f"tcp@{address}", window)
    elif flavor == "async":
        run(args, on_loop(f"tcp@{address}", window))
    else:
        args.refuse(f"--flavor {flavor}: expected async or blocking")


def run(args: Args, program: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine on the loop that was asked for."""
    if args.one("loop") == "uvloop":
        import uvloop

        uvloop.run(program)
    else:
        asyncio.run(program)


if __name__ == "__main__":
    main()
