"""Serves `Hello.Say` for benchmarks, with every default on."""

from __future__ import annotations

import asyncio
import signal
import threading

import rpcx
import rpcx.sync

from .args import Args
from .bench_client import run
from .benchmark_pb2 import BenchmarkMessage

USAGE = """\
usage: bench-server --addr HOST:PORT [--flavor async|plain] [--loop asyncio|uvloop]

Serves Hello.Say until SIGTERM.

  --flavor async   an async handler, the default
  --flavor plain   a plain handler, on threads
"""


@rpcx.service("Hello")
class AsyncHello:
    """With an async handler."""

    async def say(self, message: BenchmarkMessage) -> BenchmarkMessage:
        """Sends the message back with field 1 set to `OK` and field 2 to 100."""
        message.field1, message.field2 = "OK", 100
        return message


@rpcx.service("Hello")
class PlainHello:
    """With a plain handler."""

    def say(self, message: BenchmarkMessage) -> BenchmarkMessage:
        """Sends the message back with field 1 set to `OK` and field 2 to 100."""
        message.field1, message.field2 = "OK", 100
        return message


async def on_loop(address: str) -> None:
    """Serves until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = rpcx.Server(address)
    server.add(AsyncHello())
    async with server:
        await ended.wait()


def on_threads(address: str) -> None:
    """Serves until SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    server = rpcx.sync.Server(address)
    server.add(PlainHello())
    with server:
        # The system may give the signal to another thread, which does not wake this one.
        while not ended.wait(0.1):
            pass


def main() -> None:
    """Serves."""
    args = Args(USAGE, ("addr", "flavor", "loop"))
    address, flavor = args.one("addr"), args.one("flavor") or "async"
    if address is None:
        args.refuse("--addr HOST:PORT is missing")
    if flavor == "plain":
        on_threads(f"tcp@{address}")
    elif flavor == "async":
        run(args, on_loop(f"tcp@{address}"))
    else:
        args.refuse(f"--flavor {flavor}: expected async or plain")


if __name__ == "__main__":
    main()
