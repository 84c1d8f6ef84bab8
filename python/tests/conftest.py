"""What the tests share: a server that runs for the length of a test, on asyncio or with threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import msgspec
import pytest

import rpcx

T = TypeVar("T")

#: Nothing takes as long.
LIMIT = 20.0


class Args(msgspec.Struct):
    """Two numbers."""

    A: int = 0
    B: int = 0


class Reply(msgspec.Struct):
    """What came of them."""

    C: int = 0


def run(program: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine that has to come to its end."""
    return asyncio.run(asyncio.wait_for(program, LIMIT))


def until(condition: Callable[[], object]) -> None:
    """Waits for a condition, with a deadline."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


@rpcx.service
class Arith:
    """Handlers of every sort."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)
        self.cancelled = threading.Event()
        self.seen: list[Any] = []

    async def mul(self, args: Args) -> Reply:
        """Multiplies."""
        return Reply(args.A * args.B)

    def add(self, args: Args) -> Reply:
        """Adds, on a thread."""
        return Reply(args.A + args.B)

    async def echo(self, value: object) -> object:
        """Any value."""
        return value

    async def raw(self, ctx: rpcx.Context, payload: rpcx.Payload) -> rpcx.Payload:
        """Bytes and metadata."""
        for key, value in ctx.metadata.items():
            ctx.set_metadata(f"echo-{key}", value)
        return payload

    async def wait(self) -> None:
        """Waits until it is cancelled."""
        self.begun.release()
        try:
            await asyncio.sleep(LIMIT)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    def block(self) -> str:
        """Waits for the gate, on a thread."""
        self.begun.release()
        return "open" if self.gate.wait(LIMIT) else "shut"

    async def fail(self) -> None:
        """Its own words."""
        raise rpcx.ServiceError("divide by zero")

    async def crash(self) -> None:
        """A mistake."""
        raise ZeroDivisionError("a mistake")

    def push(self, ctx: rpcx.Context) -> None:
        """Sends three messages."""
        for n in range(3):
            ctx.push("News", "Number", str(n).encode(), {"n": str(n)})

    async def left(self, ctx: rpcx.Context) -> float | None:
        """Seconds until the deadline."""
        return ctx.remaining()


@pytest.fixture
def arith() -> Iterator[tuple[Arith, str]]:
    """A running server's service and address."""
    service = Arith()
    server = rpcx.sync.Server("tcp@127.0.0.1:0")
    server.add(service)
    with server:
        yield service, server.addresses[0]
        service.gate.set()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The counts in the words of the other runners here."""
    count = {outcome: len(terminalreporter.getreports(outcome)) for outcome in ("passed", "failed", "error", "skipped")}
    failed = count["failed"] + count["error"]
    terminalreporter.write_line(f"{count['passed']} passed, {failed} failed, {count['skipped']} skipped")
