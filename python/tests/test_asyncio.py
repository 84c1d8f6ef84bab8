"""The asyncio client and server."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import Any

import pytest
from conftest import LIMIT, Args, Arith, Reply, run, until

import rpcx


def test_calls_of_every_kind(arith: tuple[Arith, str]) -> None:
    """Typed and untyped, one and many."""

    async def main() -> None:
        async with rpcx.Client([arith[1]], timeout=LIMIT) as client:
            service = client.service("Arith")
            assert await service.call("Mul", Args(6, 7)) == {"C": 42}
            assert await service.call("Mul", Args(6, 7), Reply) == Reply(42)
            assert await service.call("Add", {"A": 1, "B": None}, Reply, serialize_type="json") == Reply(1)
            assert await service.method("Mul", Reply)({"A": 2, "B": 3}) == Reply(6)
            response = await service.call_response("Raw", b"\x00\xff", metadata={"user": "ada"})
            assert (response.value, response.metadata) == (b"\x00\xff", {"echo-user": "ada"})
            assert (response.server, response.attempts) == (arith[1], 1)
            assert (await service.broadcast("Mul", Args(1, 2), Reply)).value == Reply(2)
            assert (await service.fork("Mul", Args(1, 2), Reply)).value == Reply(2)
            [only] = await service.inform("Mul", Args(1, 2), Reply)
            assert only.response
            assert (only.server, only.response.value, only.error) == (arith[1], Reply(2), None)
            await service.oneway("Mul", Args())
            service.oneshot("Mul", Args())
            batch = client.batch()
            for n in range(3):
                batch.add("Arith", "Mul", Args(n, n), Reply)
            batch.add("Arith", "Missing")
            *good, bad = await batch.run()
            assert [answer.value for answer in good if isinstance(answer, rpcx.Response)] == [
                *(Reply(0), Reply(1), Reply(4))
            ]
            assert isinstance(bad, rpcx.ServiceError)
            assert client.stats()["calls"] >= 10
            assert "rpcx" in client.metrics("test")

    run(main())


def test_errors_have_their_class(arith: tuple[Arith, str]) -> None:
    """With all that is known of them."""

    async def main() -> None:
        async with rpcx.Client(arith[1]) as client:
            service = client.service("Arith")
            with pytest.raises(rpcx.ServiceError, match="^divide by zero$") as caught:
                await service.call("Fail")
            assert (caught.value.delivery, caught.value.attempts, caught.value.server) == ("answered", 1, arith[1])
            with pytest.raises(
                rpcx.ServiceError, match=r"^internal error in Arith\.Crash: ZeroDivisionError: a mistake$"
            ):
                await service.call("Crash")
            with pytest.raises(TimeoutError):
                await service.call("Wait", timeout=0.02)
            with pytest.raises(rpcx.CodecError) as codec_error:
                await service.call("Mul", rpcx.Payload(b"\xc1"))
            assert codec_error.value.delivery == "answered"
            with pytest.raises(rpcx.ConfigError, match="timeout"):
                await service.call("Mul", timeot=1)  # type: ignore[call-arg]
            with pytest.raises(rpcx.ConfigError, match="metadata"):
                await service.call("Mul", metadata={"a": 1})  # type: ignore[dict-item]
        with pytest.raises(rpcx.Closed):
            await service.call("Mul")
        async with rpcx.Client([], discovery_timeout=0.01) as nowhere:
            with pytest.raises(rpcx.NoServer):
                await nowhere.service("Arith").call("Mul")
        with pytest.raises(rpcx.ConfigError, match="retries"):
            rpcx.Client(arith[1], retrys=1)  # type: ignore[call-arg]

    run(main())


def test_a_cancelled_task_cancels_the_call(arith: tuple[Arith, str]) -> None:
    """And with it the handler."""

    async def main() -> None:
        async with rpcx.Client(arith[1]) as client:
            task = asyncio.create_task(client.service("Arith").call("Wait"))
            await asyncio.to_thread(arith[0].begun.acquire)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(arith[0].cancelled.wait, LIMIT)
            assert arith[0].cancelled.is_set()

    run(main())


def test_a_cancellation_ends_calls_from_anywhere(arith: tuple[Arith, str]) -> None:
    """Those that run and those that come later."""

    async def main() -> None:
        cancellation = rpcx.Cancellation()
        async with rpcx.Client(arith[1]) as client:
            wait = asyncio.create_task(client.service("Arith").call("Wait", cancel=cancellation))
            await asyncio.to_thread(arith[0].begun.acquire)
            cancellation.cancel()
            with pytest.raises(rpcx.CallCancelled):
                await wait
            with pytest.raises(rpcx.CallCancelled):
                await client.service("Arith").call("Wait", cancel=cancellation)

    run(main())


def test_pushes_come_once_and_end_with_the_client(arith: tuple[Arith, str]) -> None:
    """As an iteration."""

    async def main() -> None:
        client = rpcx.Client(arith[1])
        pushes = client.pushes()
        with pytest.raises(TimeoutError):
            await pushes.next(timeout=0.01)
        await client.service("Arith").call("Push")
        seen = []
        async for push in client.pushes():
            seen.append((push.service, push.method, push.payload, push.metadata))
            if len(seen) == 3:
                client.close()
        assert seen == [("News", "Number", str(n).encode(), {"n": str(n)}) for n in range(3)]
        assert await pushes.next() is None

    run(main())


def test_interceptors_of_a_client_are_outermost(arith: tuple[Arith, str]) -> None:
    """They see and change arguments, metadata and answers, in the order in which they were given."""
    order: list[str] = []

    async def first(call: rpcx.ClientCall, proceed: rpcx.Next) -> rpcx.Response[Any]:
        order.append("first")
        call.metadata["user"] = "ada"
        response = await proceed(call)
        order.append("first again")
        return response

    async def second(call: rpcx.ClientCall, proceed: rpcx.Next) -> rpcx.Response[Any]:
        order.append(call.metadata["user"])
        if call.method == "Never":
            return rpcx.Response("made up")
        return await proceed(call)

    async def main() -> None:
        async with rpcx.Client(arith[1], interceptors=[first, second]) as client:
            response = await client.service("Arith").call_response("Raw", b"")
            assert response.metadata == {"echo-user": "ada"}
            assert order == ["first", "ada", "first again"]
            assert await client.service("Arith").call("Never") == "made up"

    run(main())


USER: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


@rpcx.service("Inner")
class Served:
    """Handlers on the test's own loop."""

    def __init__(self) -> None:
        self.client: rpcx.Client | None = None

    async def outer(self, ctx: rpcx.Context) -> list[Any]:
        """Calls another one without saying anything about the call that it is in."""
        assert self.client is not None
        assert rpcx.current_context() is not None
        return await self.client.service("Inner").call("Inner")

    async def inner(self, ctx: rpcx.Context) -> list[Any]:
        """What a nested call brought along."""
        return [ctx.remaining(), ctx.metadata]

    async def user(self, name: str) -> str:
        """Sees its own context variables, whether it waits or not."""
        before = USER.get()
        USER.set(name)
        if name == "waits":
            await asyncio.sleep(0.01)
        return f"{before} {USER.get()}"

    async def timed(self) -> str:
        """Runs in a task."""
        assert asyncio.current_task() is not None
        try:
            await asyncio.wait_for(asyncio.sleep(LIMIT), 0.01)
        except asyncio.TimeoutError:
            return "timed out"
        return "slept"

    def plain(self) -> str:
        """On a thread."""
        return f"{USER.get()}"


def test_a_server_on_the_loop() -> None:
    """Nested calls inherit, contexts are each call's own, handlers run in tasks, plain ones on threads."""

    async def main() -> None:
        served = Served()
        server = rpcx.Server("tcp@127.0.0.1:0")
        server.add(served)

        @server.function("Fn", "Greet")
        async def greet(name: str) -> str:
            return f"hi {name}"

        server.alias("Old", "Hello", "Fn", "Greet")
        USER.set("starter")
        async with server:
            async with rpcx.Client(server.addresses, timeout=LIMIT) as client:
                served.client = rpcx.Client(server.addresses, timeout=0)
                inner = client.service("Inner")
                left, metadata = await inner.call("Outer", metadata={"traceparent": "00-1", "other": "x"}, timeout=5)
                assert left <= 5
                assert metadata == {"traceparent": "00-1"}
                left, _ = await inner.call("Outer", timeout=0)
                assert left is None
                names = ["quick", "waits", "quick", "waits"]
                answers = await asyncio.gather(*(inner.call("User", name) for name in names))
                assert answers == [f"starter {name}" for name in names]
                assert await inner.call("Timed") == "timed out"
                assert await inner.call("Plain") == "starter"
                assert await client.service("Fn").call("Greet", "you") == "hi you"
                assert await client.service("Old").call("Hello", "you") == "hi you"
                assert server.stats()["calls"] > 0
                assert len(server.connections()) == 2
                served.client.close()
            await server.shutdown(LIMIT)
            await server.wait_closed()
            assert rpcx.current_context() is None

    run(main())


def test_interceptors_of_a_server_are_innermost() -> None:
    """Around async and plain handlers alike."""

    async def judge(call: rpcx.ServerCall, proceed: rpcx.ServerNext) -> Any:
        if call.method == "Add":
            call.argument.A += 100
        if call.context.metadata.get("refuse"):
            raise rpcx.ServiceError("no")
        answer = await proceed(call)
        return {"C": answer.C + 1}

    async def main() -> None:
        server = rpcx.Server("tcp@127.0.0.1:0", interceptors=[judge])
        server.add(Arith())
        async with server, rpcx.Client(server.addresses) as client:
            service = client.service("Arith")
            assert await service.call("Mul", Args(2, 3), Reply) == Reply(7)
            assert await service.call("Add", Args(2, 3), Reply) == Reply(106)
            with pytest.raises(rpcx.ServiceError, match="^no$"):
                await service.call("Mul", Args(2, 3), metadata={"refuse": "1"})

    run(main())


@pytest.mark.parametrize("plain", [False, True])
def test_an_authenticator_judges_tokens(plain: bool) -> None:
    """Async or plain."""

    def check(request: rpcx.AuthRequest) -> None:
        if request.token != "good":
            raise rpcx.AuthError("invalid token")

    async def check_later(request: rpcx.AuthRequest) -> None:
        await asyncio.sleep(0)
        check(request)

    async def main() -> None:
        server = rpcx.Server("tcp@127.0.0.1:0", authenticator=check if plain else check_later)
        server.add(Arith())
        async with server:
            async with rpcx.Client(server.addresses, auth="good") as client:
                assert await client.service("Arith").call("Mul", Args(2, 3), Reply) == Reply(6)
            async with rpcx.Client(server.addresses, auth="bad") as client:
                with pytest.raises(rpcx.AuthError, match="^invalid token$"):
                    await client.service("Arith").call("Mul", Args(2, 3), Reply)

    run(main())


def test_a_server_that_cannot_start_says_why() -> None:
    """And is no server."""

    async def main() -> None:
        server = rpcx.Server("tcp@127.0.0.1:notaport")
        server.add(Arith())
        with pytest.raises(rpcx.ConfigError, match="notaport"):
            await server.start()
        with pytest.raises(rpcx.Closed):
            _ = server.addresses
        with pytest.raises(rpcx.ConfigError, match="max_in_flight"):
            await rpcx.Server("tcp@127.0.0.1:0", max_in_flihgt=1).start()  # type: ignore[call-arg]
        with pytest.raises(rpcx.ConfigError, match="Context"):
            rpcx.Server("tcp@127.0.0.1:0").function("A", "B", lambda a, b: None)

    run(main())


def test_events_reach_logging(caplog: pytest.LogCaptureFixture, arith: tuple[Arith, str]) -> None:
    """The library's own, from its threads."""
    with caplog.at_level(logging.WARNING, logger="rpcx"):
        rpcx.refresh_logging()
        with rpcx.sync.Client(arith[1], slow_call="1us") as client:
            client.service("Arith").call("Mul", Args(1, 1))
            until(lambda: any(record.name == "rpcx.slow" for record in caplog.records))


def test_uvloop_serves_as_well(arith: tuple[Arith, str]) -> None:
    """With client and server."""
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        server = rpcx.Server("tcp@127.0.0.1:0")
        server.add(Arith())
        async with server, rpcx.Client(server.addresses) as client:
            calls = (client.service("Arith").call("Mul", Args(n, n), Reply) for n in range(100))
            assert await asyncio.gather(*calls) == [Reply(n * n) for n in range(100)]

    uvloop.run(main())
