"""What clients and servers have beside calls, on asyncio and with threads."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conftest import LIMIT, Args, Arith, Reply, run, until

import rpcx
import rpcx.sync


def name(ctx: rpcx.Context, payload: rpcx.Payload) -> rpcx.Payload:
    """Says what was asked for, in the format of the request."""
    if ctx.method == "Fail":
        raise rpcx.ServiceError("no such thing")
    if ctx.method == "Crash":
        raise ZeroDivisionError("a mistake")
    told = f"{ctx.service}.{ctx.method} {ctx.serialize_type} {len(payload)}".encode()
    return rpcx.Payload(told)


async def name_later(ctx: rpcx.Context, payload: rpcx.Payload) -> rpcx.Payload:
    """The same on a loop, after it has waited."""
    await asyncio.sleep(0)
    return name(ctx, payload)


@pytest.mark.parametrize("handler", [name, name_later])
def test_a_fallback_takes_what_has_no_method(handler: Any) -> None:
    """Of a service that is there and of one that is not; methods and aliases go before it."""

    async def main() -> None:
        server = rpcx.Server("tcp@127.0.0.1:0")
        server.add(Arith())
        server.alias("Old", "Times", "Arith", "Mul")
        assert server.fallback(handler) is handler
        async with server, rpcx.Client(server.addresses, timeout=LIMIT) as client:
            assert await client.service("Old").call("Times", Args(2, 3), Reply) == Reply(6)
            assert await client.service("No").call("Where", b"abc", bytes) == b"No.Where 0 3"
            payload = rpcx.Payload(b"[]")
            answer = await client.service("Arith").call("Missing", payload, rpcx.Payload, serialize_type="json")
            assert answer == b"Arith.Missing 1 2"
            with pytest.raises(rpcx.ServiceError, match="^no such thing$"):
                await client.service("No").call("Fail")
            with pytest.raises(rpcx.ServiceError, match=r"^internal error in No\.Crash: ZeroDivisionError: a mistake$"):
                await client.service("No").call("Crash")
            with pytest.raises(rpcx.ConfigError, match="started"):
                server.fallback(handler)

    run(main())


@pytest.mark.parametrize("handler", [name, name_later])
def test_a_fallback_of_a_blocking_server(handler: Any) -> None:
    """As a decorator, with interceptors around it too."""

    def around(call: rpcx.ServerCall, proceed: rpcx.sync.ServerNext) -> Any:
        return rpcx.Payload(b"<" + proceed(call) + b">")

    for interceptors, shown in (([], b"No.Where 0 3"), ([around], b"<No.Where 0 3>")):
        server = rpcx.sync.Server("tcp@127.0.0.1:0", interceptors=interceptors)
        assert server.fallback()(handler) is handler
        with server, rpcx.sync.Client(server.addresses, timeout=LIMIT) as client:
            assert client.service("No").call("Where", b"abc", bytes) == shown
            with pytest.raises(rpcx.ServiceError, match="^no such thing$"):
                client.service("No").call("Fail")


def test_aliases_of_a_blocking_server() -> None:
    """The handler sees the real name; a name that stands for nothing is refused as the server starts."""
    server = rpcx.sync.Server("tcp@127.0.0.1:0")
    server.function("Fn", "Name", lambda ctx: f"{ctx.service}.{ctx.method}")
    server.alias("Old", "Called", "Fn", "Name")
    with server, rpcx.sync.Client(server.addresses, timeout=LIMIT) as client:
        assert client.service("Old").call("Called") == "Fn.Name"
        with pytest.raises(rpcx.ServiceError, match="Called"):
            client.service("Fn").call("Called")
        with pytest.raises(rpcx.ConfigError, match="started"):
            server.alias("Other", "Called", "Fn", "Name")


def test_a_blocking_server_lists_its_connections() -> None:
    """They can be pushed to and closed, and are gone with their clients."""
    server = rpcx.sync.Server("tcp@127.0.0.1:0")
    server.add(Arith())
    with server:
        assert server.connections() == []
        with rpcx.sync.Client(server.addresses, timeout=LIMIT) as one, rpcx.sync.Client(server.addresses) as other:
            for client in (one, other):
                client.service("Arith").call("Mul", Args(1, 1))
            connections = server.connections()
            assert len({connection.id for connection in connections}) == 2
            assert all(connection.is_open and connection.peer.startswith("127.0.0.1:") for connection in connections)
            for connection in connections:
                connection.push("News", "Id", str(connection.id).encode(), {"kind": "test"})
            pushed = [client.pushes().next(timeout=LIMIT) for client in (one, other)]
            assert {int(push.payload) for push in pushed if push} == {connection.id for connection in connections}
            assert all(push is not None and push.metadata == {"kind": "test"} for push in pushed)
            connections[0].close()
            until(lambda: not connections[0].is_open and len(server.connections()) == 1)
        until(lambda: server.connections() == [])
        with pytest.raises(rpcx.Closed):
            connections[1].push("News", "Id", b"")


def test_statistics_and_metrics_of_both_sides() -> None:
    """Counted alike on asyncio and with threads."""

    def check(client: rpcx.Client | rpcx.sync.Client, server: rpcx.Server | rpcx.sync.Server) -> None:
        [method] = [row for row in server.stats()["methods"] if row["service"] == "Arith" and row["method"] == "Mul"]
        assert method["calls"] == 3
        assert (client.stats()["calls"], server.stats()["calls"]) == (4, 4)
        assert client.stats()["errors"]["service"] == 1
        mine, theirs = (side.metrics("ours").splitlines() for side in (client, server))
        counted = 'calls_total{name="ours",service="Arith",method="Mul"} 3'
        assert f"rpcx_client_{counted}" in mine
        assert f"rpcx_server_{counted}" in theirs

    server = rpcx.sync.Server("tcp@127.0.0.1:0")
    server.add(Arith())
    with server, rpcx.sync.Client(server.addresses, timeout=LIMIT) as client:
        for _ in range(3):
            client.service("Arith").call("Mul", Args(1, 1))
        with pytest.raises(rpcx.ServiceError):
            client.service("Arith").call("Fail")
        check(client, server)

    async def main() -> None:
        server = rpcx.Server("tcp@127.0.0.1:0")
        server.add(Arith())
        async with server, rpcx.Client(server.addresses, timeout=LIMIT) as client:
            for _ in range(3):
                await client.service("Arith").call("Mul", Args(1, 1))
            with pytest.raises(rpcx.ServiceError):
                await client.service("Arith").call("Fail")
            check(client, server)

    run(main())


def test_an_unknown_option_is_named_with_the_nearest() -> None:
    """Of clients, calls and servers, of both sorts, and of both groups of names."""
    given: dict[str, Any] = {"connect_timout": 1}
    for client in (rpcx.Client, rpcx.sync.Client):
        with pytest.raises(rpcx.ConfigError, match="connect_timout.*connect_timeout") as caught:
            client("tcp@127.0.0.1:1", **given)
        assert caught.value.reason == "config.unknown_option"
        with pytest.raises(rpcx.ConfigError, match=r"breaker\.windw.*breaker\.window"):
            client("tcp@127.0.0.1:1", breaker={"windw": 1})  # type: ignore[arg-type]
    with rpcx.sync.Client("tcp@127.0.0.1:1") as caller:
        call: dict[str, Any] = {"idempotnt": True}
        with pytest.raises(rpcx.ConfigError, match="idempotnt.*idempotent"):
            caller.service("Arith").call("Mul", **call)
    with pytest.raises(rpcx.ConfigError, match="max_in_flihgt.*max_in_flight"):
        rpcx.sync.Server("tcp@127.0.0.1:0", max_in_flihgt=1).start()  # type: ignore[call-arg]


#: Pushes that are sent to a client that reads none.
SENT = 1000
#: Those that its options let wait.
WAITING = 8


@rpcx.service("News")
class News:
    """Pushes more than a slow reader takes."""

    def all(self, ctx: rpcx.Context) -> int:
        """All at once."""
        for n in range(SENT):
            ctx.push("News", "Number", str(n).encode())
        return SENT


def bounded(pushes: list[rpcx.Push | None], stats: dict[str, Any]) -> None:
    """What a reader got who came late: the first ones in order, then no more than may wait."""
    numbers = [int(push.payload) for push in pushes if push is not None]
    assert numbers == sorted(set(numbers))
    assert numbers[:WAITING] == list(range(WAITING))
    # At most 64 are taken out ahead of the reader, and one is on its way from the one queue to the other.
    assert len(numbers) <= WAITING + 65
    assert stats["pushes"]["dropped"] == SENT - len(numbers)


def test_a_slow_reader_of_pushes_is_bounded_on_threads() -> None:
    """By the client's own queue, whose overflow is counted."""
    server = rpcx.sync.Server("tcp@127.0.0.1:0", push_queue=2 * SENT)
    server.add(News())
    with server, rpcx.sync.Client(server.addresses, timeout=LIMIT, push_queue=WAITING) as client:
        pushes = client.pushes()
        with pytest.raises(TimeoutError):
            pushes.next(timeout=0.001)
        assert client.service("News").call("All") == SENT
        until(lambda: client.stats()["pushes"]["count"] == SENT)
        seen: list[rpcx.Push | None] = []
        with pytest.raises(TimeoutError):
            while True:
                seen.append(pushes.next(timeout=0.2))
        bounded(seen, client.stats())


def test_a_slow_reader_of_pushes_is_bounded_on_a_loop() -> None:
    """The same for asyncio."""

    async def main() -> None:
        server = rpcx.Server("tcp@127.0.0.1:0", push_queue=2 * SENT)
        server.add(News())
        async with server, rpcx.Client(server.addresses, timeout=LIMIT, push_queue=WAITING) as client:
            pushes = client.pushes()
            with pytest.raises(TimeoutError):
                await pushes.next(timeout=0.001)
            assert await client.service("News").call("All") == SENT
            while client.stats()["pushes"]["count"] < SENT:
                await asyncio.sleep(0.005)
            seen: list[rpcx.Push | None] = []
            with pytest.raises(TimeoutError):
                while True:
                    seen.append(await pushes.next(timeout=0.2))
            bounded(seen, client.stats())

    run(main())
