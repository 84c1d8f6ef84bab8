"""Loops and threads that look after their connections themselves while they are busy."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import LIMIT, Args, Arith, Reply

import rpcx
import rpcx.sync


def counted(loop: Any) -> Counter[str]:
    """Counts what the loop is told to watch, and how often that is ready."""
    counts: Counter[str] = Counter()
    add_reader = loop.add_reader

    def add(fd: int, callback: Callable[..., object], *args: Any) -> None:
        name = getattr(callback, "__name__", "other")
        counts[f"watch {name}"] += 1

        def ready() -> None:
            counts[name] += 1
            callback(*args)

        add_reader(fd, ready)

    loop.add_reader = add
    return counts


class Loop(asyncio.SelectorEventLoop):
    """One whose attributes can be replaced."""


def run_on(loop: asyncio.AbstractEventLoop, program: Any) -> Any:
    """Runs a coroutine to its end, on a loop of its own."""
    try:
        return loop.run_until_complete(asyncio.wait_for(program, LIMIT))
    finally:
        loop.close()


async def calls(service: rpcx.Service, count: int, at_once: int = 1) -> None:
    """So many calls, so many of them at a time."""

    async def caller(first: int) -> None:
        for n in range(first, count, at_once):
            assert await service.call("Mul", Args(n, 2), Reply) == Reply(2 * n)

    await asyncio.gather(*(caller(n) for n in range(at_once)))


async def until_driven(service: rpcx.Service, counts: Counter[str], driven: int) -> None:
    """Calls until the loop has driven so often; `run_on` ends it."""
    while counts["drive"] < driven:
        await calls(service, 100)


@pytest.mark.parametrize("at_once", [1, 50])
def test_a_busy_loop_drives_its_connections(arith: tuple[Arith, str], at_once: int) -> None:
    """And leaves them to the library again when it has nothing to do."""
    loop = Loop()
    counts = counted(loop)

    async def main() -> None:
        async with rpcx.Client(arith[1], timeout=LIMIT) as client:
            service = client.service("Arith")
            while counts["drive"] < 300:
                await calls(service, 200, at_once)
            # An answer that comes after a while comes all the same.
            for pause in (0.02, 0.0, 0.1):
                await asyncio.sleep(pause)
                await calls(service, 3)
            with pytest.raises(TimeoutError):
                await service.call("Wait", timeout=0.03)
            await until_driven(service, counts, counts["drive"] + 300)

    run_on(loop, main())


def test_a_loop_that_is_held_up_holds_up_nobody_else(arith: tuple[Arith, str]) -> None:
    """The library's own thread goes on with the connections of others."""
    loop = Loop()
    counts = counted(loop)
    held, go = threading.Event(), threading.Event()

    def other() -> int:
        ended = 0
        with rpcx.sync.Client(arith[1], timeout=LIMIT) as client:
            assert held.wait(LIMIT)
            for n in range(50):
                assert client.service("Arith").call("Mul", Args(n, 2), Reply) == Reply(2 * n)
                ended += 1
        go.set()
        return ended

    async def main(threads: ThreadPoolExecutor) -> None:
        async with rpcx.Client(arith[1], timeout=LIMIT) as client:
            service = client.service("Arith")
            calling = threads.submit(other)
            await until_driven(service, counts, 100)
            waiting = asyncio.ensure_future(service.call("Mul", Args(3, 4), Reply))
            await asyncio.sleep(0)
            held.set()
            assert go.wait(LIMIT), "the loop's own thread is needed"
            assert calling.result() == 50
            assert await waiting == Reply(12)

    with ThreadPoolExecutor(1) as threads:
        run_on(loop, main(threads))


def test_loops_side_by_side_and_one_after_the_other(arith: tuple[Arith, str]) -> None:
    """Each gets what is its own, whoever drives; a client may be used by all of them."""
    client = rpcx.Client(arith[1], timeout=LIMIT)

    def loop_of_its_own(number: int) -> None:
        for at_once in (1, 10):
            run_on(Loop(), calls(client.service("Arith"), 300, at_once))

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(loop_of_its_own, range(3)))
    client.close()


def test_ends_while_a_loop_drives(arith: tuple[Arith, str]) -> None:
    """Of the client, of the server, of the loop."""
    for _ in range(3):
        loop = Loop()
        counts = counted(loop)

        async def main(counts: Counter[str]) -> None:
            server = rpcx.Server("tcp@127.0.0.1:0")
            server.add(Arith())
            async with server:
                client = rpcx.Client(server.addresses, timeout=LIMIT)
                await until_driven(client.service("Arith"), counts, 100)
                waiting = asyncio.ensure_future(client.service("Arith").call("Wait"))
                await asyncio.sleep(0.001)
                client.close()
                with pytest.raises(rpcx.Closed):
                    await waiting
                with pytest.raises(rpcx.Closed):
                    await client.service("Arith").call("Mul")
                client = rpcx.Client(server.addresses, timeout=LIMIT)
                await calls(client.service("Arith"), 100)
            with pytest.raises(rpcx.RpcError):
                await client.service("Arith").call("Mul")
            client.close()

        run_on(loop, main(counts))


def test_uvloop_drives_as_well(arith: tuple[Arith, str]) -> None:
    """It waits for descriptors in a way of its own."""
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        async with rpcx.Client(arith[1], timeout=LIMIT) as client:
            began = time.monotonic()
            while time.monotonic() - began < 0.5:
                await calls(client.service("Arith"), 200)
                await calls(client.service("Arith"), 200, 20)

    uvloop.run(main())


def test_threads_that_come_and_go(arith: tuple[Arith, str]) -> None:
    """One that calls alone, then many, then one again."""
    with rpcx.sync.Client(arith[1], timeout=LIMIT) as client:
        service = client.service("Arith")

        def some(count: int) -> None:
            for n in range(count):
                assert service.call("Mul", Args(n, 2), Reply) == Reply(2 * n)

        for _ in range(5):
            some(300)
            with ThreadPoolExecutor(8) as threads:
                list(threads.map(some, [50] * 8))
            time.sleep(0.002)
