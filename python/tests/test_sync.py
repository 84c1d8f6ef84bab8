"""The blocking client and server."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from conftest import LIMIT, Args, Arith, Reply

import rpcx
import rpcx.sync


def test_calls_of_every_kind(arith: tuple[Arith, str]) -> None:
    """Typed and untyped, one and many."""
    with rpcx.sync.Client([arith[1]], timeout=LIMIT) as client:
        service = client.service("Arith")
        assert service.call("Mul", Args(6, 7)) == {"C": 42}
        assert service.call("Mul", Args(6, 7), Reply) == Reply(42)
        assert service.method("Add", Reply)({"A": 2, "B": 3}) == Reply(5)
        response = service.call_response("Raw", b"\x00", metadata={"user": "ada"})
        assert (response.value, response.metadata, response.server) == (b"\x00", {"echo-user": "ada"}, arith[1])
        assert service.broadcast("Mul", Args(1, 2), Reply).value == Reply(2)
        assert service.fork("Mul", Args(1, 2), Reply).value == Reply(2)
        [only] = service.inform("Mul", Args(1, 2), Reply)
        assert only.server == arith[1]
        service.oneway("Mul", Args())
        service.oneshot("Mul", Args())
        batch = client.batch()
        batch.add("Arith", "Mul", Args(2, 2), Reply)
        batch.add("Arith", "Fail")
        good, bad = batch.run()
        assert isinstance(good, rpcx.Response)
        assert good.value == Reply(4)
        assert isinstance(bad, rpcx.ServiceError)
        assert (len(batch), batch.run()) == (0, [])


def test_threads_call_side_by_side(arith: tuple[Arith, str]) -> None:
    """A call that waits holds up nobody."""
    with rpcx.sync.Client(arith[1], timeout=LIMIT) as client, ThreadPoolExecutor(9) as threads:
        service = client.service("Arith")
        slow: Future[Any] = threads.submit(service.call, "Block")
        arith[0].begun.acquire(timeout=LIMIT)
        numbers = list(range(200))
        assert list(threads.map(lambda n: service.call("Mul", Args(n, n), Reply).C, numbers)) == [
            n * n for n in numbers
        ]
        arith[0].gate.set()
        assert slow.result() == "open"


def test_plain_handlers_wait_side_by_side() -> None:
    """As many as there are threads for, one more waits in the queue, the next is refused."""
    service = Arith()
    server = rpcx.sync.Server("tcp@127.0.0.1:0", worker_threads=3, worker_queue=1)
    server.add(service)
    with server, rpcx.sync.Client(server.addresses, fail_mode="failfast") as client, ThreadPoolExecutor(8) as threads:
        arith = client.service("Arith")
        waiting: list[Future[Any]] = [threads.submit(arith.call, "Block") for _ in range(3)]
        for _ in waiting:
            assert service.begun.acquire(timeout=LIMIT)
        more: list[Future[Any]] = [threads.submit(arith.call, "Block") for _ in range(2)]
        refused = next(one for one in _done(more) if one.exception())
        assert isinstance(refused.exception(), rpcx.Overloaded)
        service.gate.set()
        assert [one.result(LIMIT) for one in [*waiting, *more] if one is not refused] == ["open"] * 4


def _done(futures: list[Any]) -> Any:
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        yield from (one for one in futures if one.done())
        time.sleep(0.005)


def test_a_cancellation_ends_calls_at_once(arith: tuple[Arith, str]) -> None:
    """From another thread."""
    cancellation = rpcx.Cancellation()
    with rpcx.sync.Client(arith[1]) as client, ThreadPoolExecutor(1) as threads:
        call: Future[Any] = threads.submit(client.service("Arith").call, "Wait", cancel=cancellation)
        assert arith[0].begun.acquire(timeout=LIMIT)
        cancellation.cancel()
        with pytest.raises(rpcx.CallCancelled):
            call.result(LIMIT)
        assert arith[0].cancelled.wait(LIMIT)


def test_pushes_come_once_and_end_with_the_client(arith: tuple[Arith, str]) -> None:
    """As an iteration."""
    client = rpcx.sync.Client(arith[1])
    with pytest.raises(TimeoutError):
        client.pushes().next(timeout=0.01)
    client.service("Arith").call("Push")
    pushes = client.pushes()
    assert [next(pushes).payload for _ in range(3)] == [b"0", b"1", b"2"]
    threading.Timer(0.01, client.close).start()
    assert list(pushes) == []


def test_interceptors_and_authenticators() -> None:
    """Plain ones, around async handlers too."""

    def around(call: rpcx.ServerCall, proceed: rpcx.sync.ServerNext) -> Any:
        answer = proceed(call)
        return {"C": answer.C + 1}

    def judge(request: rpcx.AuthRequest) -> bool:
        return request.token == "good"

    def count(call: rpcx.ClientCall, proceed: rpcx.sync.Next) -> rpcx.Response[Any]:
        call.argument = Args(call.argument.A + 1, 10)  # type: ignore[attr-defined]
        return proceed(call)

    server = rpcx.sync.Server("tcp@127.0.0.1:0", interceptors=[around], authenticator=judge)
    server.add(Arith())
    with server:
        with rpcx.sync.Client(server.addresses, auth="good", interceptors=[count]) as client:
            assert client.service("Arith").call("Mul", Args(1), Reply) == Reply(21)
            assert client.service("Arith").call("Add", Args(1), Reply) == Reply(13)
        with rpcx.sync.Client(server.addresses) as client, pytest.raises(rpcx.AuthError):
            client.service("Arith").call("Mul", Args(1))


def test_plain_handlers_call_on() -> None:
    """The deadline goes with them."""
    server = rpcx.sync.Server("tcp@127.0.0.1:0")
    server.add(Arith())
    inner: list[rpcx.sync.Client] = []

    def outer() -> float:
        left: float = inner[0].service("Arith").call("Left")
        return left

    server.function("Fn", "Outer", outer)
    with server:
        inner.append(rpcx.sync.Client(server.addresses, timeout=0))
        with rpcx.sync.Client(server.addresses) as client:
            assert client.service("Fn").call("Outer", timeout=5) <= 5
            assert client.service("Fn").call("Outer", timeout=0) is None
        inner[0].close()


def test_both_sorts_of_clients_in_one_process(arith: tuple[Arith, str]) -> None:
    """On loops of several threads."""

    async def calls() -> list[Reply]:
        async with rpcx.Client(arith[1]) as client:
            return [await client.service("Arith").call("Mul", Args(n, n), Reply) for n in range(20)]

    with ThreadPoolExecutor(4) as threads:
        for answers in threads.map(lambda _: asyncio.run(calls()), range(4)):
            assert answers == [Reply(n * n) for n in range(20)]
