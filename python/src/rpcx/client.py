"""The asyncio client. `rpcx.sync` has its blocking twin with the same names."""

from __future__ import annotations

import asyncio
from asyncio import CancelledError, get_running_loop
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic

from . import _bridge, _core, _rpcx, codec
from ._core import ClientCall, Discovery, InformReply, Push, Response
from .errors import RpcError
from .options import Duration, seconds

if TYPE_CHECKING:
    from typing_extensions import Self, TypeVar, Unpack

    from .option_types import ClientOptions
    from .options import CallOptions

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["Batch", "Client", "Interceptor", "Method", "Next", "Pushes", "Service"]


Next = Callable[[ClientCall], Awaitable[Response[Any]]]
"""What an interceptor hands the call on to."""
Interceptor = Callable[[ClientCall, Next], Awaitable[Response[Any]]]
"""Code around every call of a client: once a call, before retries."""

ANYTHING: Any = object
"""The type of replies that are whatever they are."""

_CALL, _BROADCAST, _FORK = range(3)


class Client:
    """A client of any number of services. Cheap to make; connections are opened with the first call and shared.

    >>> async def main():
    ...     async with rpcx.Client("tcp@127.0.0.1:8972", timeout=5) as client:
    ...         print(await client.service("Arith").call("Mul", {"A": 6, "B": 7}))

    ``discovery`` is an address, a URL such as ``dns://…``, or a list of addresses that `set_nodes` may replace.
    Options have the names of ``docs/CONFIGURATION.md``: times in seconds or as `timedelta`, groups as mappings
    (``breaker={"enabled": True}``). ``threads`` is how many of the library's threads it uses.

    May be used from several threads and loops; the calls of a loop end on that loop.
    """

    def __init__(
        self,
        discovery: Discovery,
        *,
        threads: int = 1,
        interceptors: Sequence[Interceptor] = (),
        **options: Unpack[ClientOptions],
    ) -> None:
        self._core = _core.Core(discovery, threads, options)
        self._interceptors = tuple(interceptors)
        self._services: dict[str, Service] = {}
        self._pushes: Pushes | None = None
        #: The loop of the last call and its bridge, together, for several threads may call.
        self._at: tuple[asyncio.AbstractEventLoop, _rpcx.Bridge] | None = None

    def service(self, name: str) -> Service:
        """A service by its service path."""
        found = self._services.get(name)
        if found is None:
            found = self._services[name] = Service(self, name)
        return found

    def batch(self) -> Batch:
        """Calls that are handed over at once."""
        return Batch(self)

    def pushes(self) -> Pushes:
        """The messages that servers send on their own: ``async for push in client.pushes()``. Each comes once."""
        if self._pushes is None:
            self._pushes = Pushes(self)
        return self._pushes

    def set_nodes(self, nodes: Sequence[str]) -> None:
        """Replaces the servers of a client that was made from a list."""
        self._core.native.set_nodes(list(nodes))

    def stats(self) -> dict[str, Any]:
        """What it has counted: calls, errors by kind, bytes, connections, latencies."""
        return self._core.stats()

    def metrics(self, name: str = "client") -> str:
        """The same as Prometheus reads it; ``name`` tells several clients apart."""
        return self._core.native.metrics(name)

    def close(self) -> None:
        """Ends it at once: running calls fail with `Closed`. Never blocks, may be repeated."""
        self._core.native.close()

    async def shutdown(self, timeout: Duration = 10.0) -> None:
        """Takes no new calls, waits for those under way, then closes; `CallTimeout` when some were cut off."""
        future = get_running_loop().create_future()
        running = self._core.native.start_shutdown(self._native_bridge(), future, seconds(timeout))
        await _ended(future, running)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _native_bridge(self) -> _rpcx.Bridge:
        loop, at = get_running_loop(), self._at
        if at is None or at[0] is not loop:
            at = self._at = (loop, _bridge.of(loop).native)
        return at[1]


async def _ended(future: asyncio.Future[Any], running: _rpcx.Call) -> Any:
    try:
        return await future
    except CancelledError:
        running.cancel()
        raise


class Service:
    """A service of a client, from `Client.service`."""

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client = client
        self._methods: dict[str, _rpcx.Method] = {}

    async def call(
        self,
        method: str,
        argument: object = None,
        reply: type[T] = ANYTHING,
        **options: Unpack[CallOptions],
    ) -> T:
        """Calls a method and returns its reply, decoded as ``reply``; without a type: as what it holds by itself.

        ``Payload`` as a type gives the undecoded bytes, ``None`` leaves the reply alone. Options are those of a call
        in ``docs/CONFIGURATION.md``, ``metadata``, ``parent`` and ``cancel``. Cancelling the task cancels the call.

        >>> await arith.call("Mul", Args(A=6, B=7), Reply, timeout=0.5)
        """
        client = self._client
        if client._interceptors:
            response: Response[T] = await self._intercepted(ClientCall(self.name, method, argument, reply, {**options}))
            return response.value
        handle = self._methods.get(method) or self._method(method)
        payload, number, prepared, cancel = client._core.prepare(argument, reply, options)
        loop, at = get_running_loop(), client._at
        bridge = at[1] if at is not None and at[0] is loop else client._native_bridge()
        future: asyncio.Future[bytes] = loop.create_future()
        running = handle.start(bridge, future, payload, prepared, _CALL, False, cancel)
        try:
            data = await future
        except CancelledError:
            running.cancel()
            raise
        value: T = codec.decode(data, number, reply)
        return value

    async def call_response(
        self,
        method: str,
        argument: object = None,
        reply: type[T] = ANYTHING,
        **options: Unpack[CallOptions],
    ) -> Response[T]:
        """As `call`, with the response's metadata, server and attempts."""
        call = ClientCall(self.name, method, argument, reply, {**options})
        return await (self._intercepted(call) if self._client._interceptors else self._exchange(call, _CALL))

    async def broadcast(
        self,
        method: str,
        argument: object = None,
        reply: type[T] = ANYTHING,
        **options: Unpack[CallOptions],
    ) -> Response[T]:
        """Calls every server; all must succeed, the first reply is returned."""
        return await self._exchange(ClientCall(self.name, method, argument, reply, {**options}), _BROADCAST)

    async def fork(
        self,
        method: str,
        argument: object = None,
        reply: type[T] = ANYTHING,
        **options: Unpack[CallOptions],
    ) -> Response[T]:
        """Calls every server; the first success wins and the others are cancelled."""
        return await self._exchange(ClientCall(self.name, method, argument, reply, {**options}), _FORK)

    async def inform(
        self,
        method: str,
        argument: object = None,
        reply: type[T] = ANYTHING,
        **options: Unpack[CallOptions],
    ) -> list[InformReply[T]]:
        """Calls every server and returns what each answered, sorted by address."""
        payload, number, prepared, cancel = self._client._core.prepare(argument, reply, options)
        handle = self._method(method)
        future = get_running_loop().create_future()
        running = handle.start_inform(self._client._native_bridge(), future, payload, prepared, cancel)
        return _core.inform_replies(await _ended(future, running), number, reply)

    async def oneway(self, method: str, argument: object = None, **options: Unpack[CallOptions]) -> None:
        """Sends a request that is never answered; returns when the connection has taken it."""
        payload, _, prepared, cancel = self._client._core.prepare(argument, None, options)
        handle = self._method(method)
        future = get_running_loop().create_future()
        running = handle.start_oneway(self._client._native_bridge(), future, payload, prepared, cancel)
        await _ended(future, running)

    def oneshot(self, method: str, argument: object = None, **options: Unpack[CallOptions]) -> None:
        """Sends a request that is never answered, without waiting for a connection; what fails later is only logged."""
        payload, _, prepared, _ = self._client._core.prepare(argument, None, options)
        self._method(method).oneshot(payload, prepared)

    def method(self, name: str, reply: type[T] = ANYTHING) -> Method[T]:
        """A method with the type of its replies, to be called like a function: ``await mul(args)``."""
        self._method(name)
        return Method(self, name, reply)

    def _method(self, name: str) -> _rpcx.Method:
        found = self._methods.get(name)
        if found is None:
            found = self._methods[name] = self._client._core.native.method(self.name, name)
        return found

    async def _exchange(self, call: ClientCall, kind: int) -> Response[Any]:
        payload, number, prepared, cancel = self._client._core.prepare(call.argument, call.reply, call.options)
        handle = self._method(call.method)
        future = get_running_loop().create_future()
        running = handle.start(self._client._native_bridge(), future, payload, prepared, kind, True, cancel)
        return _core.response(await _ended(future, running), number, call.reply)

    async def _intercepted(self, call: ClientCall) -> Response[Any]:
        async def last(call: ClientCall) -> Response[Any]:
            service = self if call.service == self.name else self._client.service(call.service)
            return await service._exchange(call, _CALL)

        def around(interceptor: Interceptor, inner: Next) -> Next:
            return lambda call: interceptor(call, inner)

        step: Next = last
        for interceptor in reversed(self._client._interceptors):
            step = around(interceptor, step)
        return await step(call)


class Method(Generic[T]):
    """A method of a service with the type of its replies, from `Service.method`."""

    __slots__ = ("_reply", "_service", "name")

    def __init__(self, service: Service, name: str, reply: type[T]) -> None:
        self.name = name
        self._service = service
        self._reply = reply

    def __call__(self, argument: object = None, **options: Unpack[CallOptions]) -> Awaitable[T]:
        """Calls it."""
        return self._service.call(self.name, argument, self._reply, **options)


class Batch:
    """Calls that are handed over at once: they leave together and their answers are awaited together.

    >>> batch = client.batch()
    >>> for n in range(10):
    ...     batch.add("Arith", "Mul", {"A": n, "B": n})
    >>> responses = await batch.run()
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._calls: list[tuple[_rpcx.Method, _core.Prepared, Any]] = []

    def add(
        self, service: str, method: str, argument: object = None, reply: Any = object, **options: Unpack[CallOptions]
    ) -> None:
        """Adds a call; its argument is encoded now."""
        handle = self._client.service(service)._method(method)
        self._calls.append((handle, self._client._core.prepare(argument, reply, options), reply))

    def __len__(self) -> int:
        return len(self._calls)

    async def run(self) -> list[Response[Any] | RpcError]:
        """Makes the calls; responses and errors come in the order in which the calls were added."""
        loop, bridge = get_running_loop(), self._client._native_bridge()
        calls, self._calls = self._calls, []
        started: list[tuple[asyncio.Future[Any], _rpcx.Call | None]] = []
        for handle, (payload, _, prepared, cancel), _ in calls:
            future = loop.create_future()
            try:
                running = handle.start(bridge, future, payload, prepared, _CALL, True, cancel)
            except RpcError as error:
                future.set_exception(error)
                running = None
            started.append((future, running))
        try:
            answers = await asyncio.gather(*(future for future, _ in started), return_exceptions=True)
        except CancelledError:
            for _, running in started:
                if running is not None:
                    running.cancel()
            raise
        return [
            _core.outcome(answer, number, reply)
            for answer, (_, (_, number, _, _), reply) in zip(answers, calls, strict=True)
        ]


class Pushes:
    """What servers push to a client, from `Client.pushes`. The iteration ends when the client is closed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._native = client._core.native.pushes()

    async def next(self, timeout: Duration | None = None) -> Push | None:
        """The next message; None when the client was closed. Raises `TimeoutError` when none comes in time."""
        if timeout is None:
            return await self._next()
        try:
            return await asyncio.wait_for(self._next(), seconds(timeout))
        except asyncio.TimeoutError:
            raise TimeoutError("no push came in time") from None

    async def _next(self) -> Push | None:
        while True:
            native = self._native.pop()
            if native is None:
                return None
            if native is not False:
                return _core.push(native)
            future = get_running_loop().create_future()
            self._native.start_wait(self._client._native_bridge(), future)
            await future

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Push:
        push = await self.next()
        if push is None:
            raise StopAsyncIteration
        return push
