"""Clients and servers that end inside of their own callbacks and handlers."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from conftest import LIMIT, Args, Arith, Reply, run

import rpcx
import rpcx.sync


def test_a_client_ends_inside_a_callback(arith: tuple[Arith, str]) -> None:
    """Where the end of one of its calls is told, with another one under way; and so does an interceptor."""

    async def main() -> None:
        client = rpcx.Client(arith[1])
        waiting = asyncio.create_task(client.service("Arith").call("Wait"))
        await asyncio.to_thread(arith[0].begun.acquire)
        call = asyncio.create_task(client.service("Arith").call("Mul", Args(2, 3), Reply))
        call.add_done_callback(lambda _: client.close())
        assert await call == Reply(6)
        with pytest.raises(rpcx.Closed):
            await waiting

        async def close(call: rpcx.ClientCall, proceed: rpcx.Next) -> rpcx.Response[Any]:
            response = await proceed(call)
            other.close()
            return response

        other = rpcx.Client(arith[1], interceptors=[close])
        assert await other.service("Arith").call("Mul", Args(2, 3), Reply) == Reply(6)
        with pytest.raises(rpcx.Closed):
            await other.service("Arith").call("Mul", Args(2, 3), Reply)

    run(main())


def test_a_client_is_dropped_inside_a_callback(arith: tuple[Arith, str]) -> None:
    """The last that refers to it goes while its result is handed over."""

    async def main() -> None:
        held = [rpcx.Client(arith[1])]
        for _ in range(20):
            call = asyncio.ensure_future(held[0].service("Arith").call("Mul", Args(2, 3), Reply))

            def drop(_: asyncio.Future[Any]) -> None:
                held.clear()
                gc.collect()

            call.add_done_callback(drop)
            assert await call == Reply(6)
            await asyncio.sleep(0)
            assert held == []
            held.append(rpcx.Client(arith[1]))

    run(main())


@pytest.mark.parametrize("how", ["close", "shutdown", "connection"])
def test_a_server_ends_inside_a_handler(how: str) -> None:
    """On the loop, on which it runs, and from a thread."""

    async def main(plain: bool) -> None:
        server = rpcx.Server("tcp@127.0.0.1:0")
        ending: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()

        async def end(ctx: rpcx.Context) -> str:
            if how == "close":
                server.close()
            elif how == "shutdown":
                ending.append(asyncio.ensure_future(server.shutdown(LIMIT)))
            else:
                ctx.connection.close()
            return "ended"

        def end_plainly(ctx: rpcx.Context) -> str:
            if how == "shutdown":
                loop.call_soon_threadsafe(lambda: ending.append(asyncio.ensure_future(server.shutdown(LIMIT))))
            else:
                (server if how == "close" else ctx.connection).close()
            return "ended"

        server.function("Fn", "End", end_plainly if plain else end)
        async with server, rpcx.Client(server.addresses, timeout=LIMIT, fail_mode="failfast") as client:
            if how == "shutdown":
                # A request that was accepted is answered.
                assert await client.service("Fn").call("End") == "ended"
                await asyncio.gather(*ending)
            else:
                with pytest.raises(rpcx.Closed):
                    await client.service("Fn").call("End")
            if how != "connection":
                await server.wait_closed()

    for plain in (False, True):
        run(main(plain))


@pytest.mark.parametrize("how", ["close", "shutdown", "connection", "drop"])
def test_a_blocking_server_ends_inside_a_handler(how: str) -> None:
    """In a plain handler, and in an async one on the server's own loop."""

    def end(ctx: rpcx.Context) -> str:
        if how == "close":
            servers[0].close()
        elif how == "shutdown":
            # It waits for this very handler, so it must not be waited for here.
            threads.submit(servers[0].shutdown, LIMIT).add_done_callback(ending.set_result)
        elif how == "connection":
            ctx.connection.close()
        else:
            servers.clear()
            gc.collect()
        return "ended"

    async def end_later(ctx: rpcx.Context) -> str:
        await asyncio.sleep(0)
        return end(ctx)

    for handler in (end, end_later):
        ending: Future[Future[None]] = Future()
        servers = [rpcx.sync.Server("tcp@127.0.0.1:0")]
        servers[0].function("Fn", "End", handler)
        servers[0].start()
        with (
            ThreadPoolExecutor(1) as threads,
            rpcx.sync.Client(servers[0].addresses, timeout=LIMIT, fail_mode="failfast") as client,
        ):
            if how == "shutdown":
                assert client.service("Fn").call("End") == "ended"
                ending.result(LIMIT).result(LIMIT)
            else:
                with pytest.raises(rpcx.Closed):
                    client.service("Fn").call("End")
        if servers:
            servers[0].close()


def test_a_blocking_client_ends_inside_a_callback(arith: tuple[Arith, str]) -> None:
    """An interceptor closes it around a call, and a handler does while its own call waits for that."""
    ended = threading.Event()

    def close(call: rpcx.ClientCall, proceed: rpcx.sync.Next) -> rpcx.Response[Any]:
        response = proceed(call)
        client.close()
        ended.set()
        return response

    client = rpcx.sync.Client(arith[1], interceptors=[close])
    assert client.service("Arith").call("Mul", Args(2, 3), Reply) == Reply(6)
    assert ended.is_set()
    with pytest.raises(rpcx.Closed):
        client.service("Arith").call("Mul", Args(2, 3), Reply)

    callers: list[rpcx.sync.Client] = []
    server = rpcx.sync.Server("tcp@127.0.0.1:0")
    server.function("Fn", "CloseCaller", lambda: callers[0].close())
    with server:
        callers.append(rpcx.sync.Client(server.addresses, timeout=LIMIT))
        with pytest.raises(rpcx.Closed):
            callers[0].service("Fn").call("CloseCaller")
