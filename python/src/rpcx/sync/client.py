"""The blocking client: the names of `rpcx.client`, without await."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic

from .. import _core, _rpcx, codec
from .._core import ClientCall, Discovery, InformReply, Push, Response
from ..errors import RpcError
from ..options import Duration, seconds

if TYPE_CHECKING:
    from typing_extensions import Self, TypeVar, Unpack

    from ..option_types import ClientOptions
    from ..options import CallOptions

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["Batch", "Client", "Interceptor", "Method", "Next", "Pushes", "Service"]


Next = Callable[[ClientCall], Response[Any]]
"""What an interceptor hands the call on to."""
Interceptor = Callable[[ClientCall, Next], Response[Any]]
"""Code around every call of a client: once a call, before retries."""

ANYTHING: Any = object
"""The type of replies that are whatever they are."""

_CALL, _BROADCAST, _FORK = range(3)


class Client:
    """A client of any number of services, to be used from any number of threads. See `rpcx.Client`."""

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
        """The messages that servers send on their own: ``for push in client.pushes()``. Each comes once."""
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

    def shutdown(self, timeout: Duration = 10.0) -> None:
        """Takes no new calls, waits for those under way, then closes; `CallTimeout` when some were cut off."""
        self._core.native.shutdown(seconds(timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Service:
    """A service of a client, from `Client.service`."""

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client = client
        self._methods: dict[str, _rpcx.Method] = {}

    def call(
        self,
        method: str,
        argument: object = None,
        reply: type[T] = ANYTHING,
        **options: Unpack[CallOptions],
    ) -> T:
        """Calls a method and waits for its reply, decoded as ``reply``. See `rpcx.Service.call`.

        >>> arith.call("Mul", Args(A=6, B=7), Reply, timeout=0.5)
        """
        client = self._client
        if client._interceptors:
            response: Response[T] = self._intercepted(ClientCall(self.name, method, argument, reply, {**options}))
            return response.value
        handle = self._methods.get(method) or self._method(method)
        payload, number, prepared, cancel = client._core.prepare(argument, reply, options)
        data = handle.call(payload, prepared, _CALL, False, cancel)
        value: T = codec.decode(data, number, reply)
        return value

    def call_response(
        self,
        method: str,
        argument: object = None,
        reply: type[T] = ANYTHING,
        **options: Unpack[CallOptions],
    ) -> Response[T]:
        """As `call`, with the response's metadata, server and attempts."""
        call = ClientCall(self.name, method, argument, reply, {**options})
        return self._intercepted(call) if self._client._interceptors else self._exchange(call, _CALL)

    def broadcast(
        self,
        method: str,
        argument: object = None,
        reply: type[T] = ANYTHING,
        **options: Unpack[CallOptions],
    ) -> Response[T]:
        """Calls every server; all must succeed, the first reply is returned."""
        return self._exchange(ClientCall(self.name, method, argument, reply, {**options}), _BROADCAST)

    def fork(
        self,
        method: str,
        argument: object = None,
        reply: type[T] = ANYTHING,
        **options: Unpack[CallOptions],
    ) -> Response[T]:
        """Calls every server; the first success wins and the others are cancelled."""
        return self._exchange(ClientCall(self.name, method, argument, reply, {**options}), _FORK)

    def inform(
        self,
        method: str,
        argument: object = None,
        reply: type[T] = ANYTHING,
        **options: Unpack[CallOptions],
    ) -> list[InformReply[T]]:
        """Calls every server and returns what each answered, sorted by address."""
        payload, number, prepared, cancel = self._client._core.prepare(argument, reply, options)
        return _core.inform_replies(self._method(method).inform(payload, prepared, cancel), number, reply)

    def oneway(self, method: str, argument: object = None, **options: Unpack[CallOptions]) -> None:
        """Sends a request that is never answered; returns when the connection has taken it."""
        payload, _, prepared, cancel = self._client._core.prepare(argument, None, options)
        self._method(method).oneway(payload, prepared, cancel)

    def oneshot(self, method: str, argument: object = None, **options: Unpack[CallOptions]) -> None:
        """Sends a request that is never answered, without waiting for a connection; what fails later is only logged."""
        payload, _, prepared, _ = self._client._core.prepare(argument, None, options)
        self._method(method).oneshot(payload, prepared)

    def method(self, name: str, reply: type[T] = ANYTHING) -> Method[T]:
        """A method with the type of its replies, to be called like a function: ``mul(args)``."""
        self._method(name)
        return Method(self, name, reply)

    def _method(self, name: str) -> _rpcx.Method:
        found = self._methods.get(name)
        if found is None:
            found = self._methods[name] = self._client._core.native.method(self.name, name)
        return found

    def _exchange(self, call: ClientCall, kind: int) -> Response[Any]:
        payload, number, prepared, cancel = self._client._core.prepare(call.argument, call.reply, call.options)
        native = self._method(call.method).call(payload, prepared, kind, True, cancel)
        return _core.response(native, number, call.reply)

    def _intercepted(self, call: ClientCall) -> Response[Any]:
        def last(call: ClientCall) -> Response[Any]:
            service = self if call.service == self.name else self._client.service(call.service)
            return service._exchange(call, _CALL)

        def around(interceptor: Interceptor, inner: Next) -> Next:
            return lambda call: interceptor(call, inner)

        step: Next = last
        for interceptor in reversed(self._client._interceptors):
            step = around(interceptor, step)
        return step(call)


class Method(Generic[T]):
    """A method of a service with the type of its replies, from `Service.method`."""

    __slots__ = ("_reply", "_service", "name")

    def __init__(self, service: Service, name: str, reply: type[T]) -> None:
        self.name = name
        self._service = service
        self._reply = reply

    def __call__(self, argument: object = None, **options: Unpack[CallOptions]) -> T:
        """Calls it."""
        return self._service.call(self.name, argument, self._reply, **options)


class Batch:
    """Calls that are handed over at once: they leave together and their answers are awaited together."""

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

    def run(self) -> list[Response[Any] | RpcError]:
        """Makes the calls; responses and errors come in the order in which the calls were added."""
        calls, self._calls = self._calls, []
        natives = [(handle, payload, prepared, cancel) for handle, (payload, _, prepared, cancel), _ in calls]
        answers = _rpcx.Method.batch(natives)
        return [
            _core.outcome(answer, prepared[1], reply)
            for answer, (_, prepared, reply) in zip(answers, calls, strict=True)
        ]


class Pushes:
    """What servers push to a client, from `Client.pushes`. The iteration ends when the client is closed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._native = client._core.native.pushes()

    def next(self, timeout: Duration | None = None) -> Push | None:
        """The next message; None when the client was closed. Raises `TimeoutError` when none comes in time."""
        while True:
            native = self._native.pop()
            if native is None:
                return None
            if native is not False:
                return _core.push(native)
            if not self._native.wait(None if timeout is None else seconds(timeout)):
                raise TimeoutError("no push came in time")

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Push:
        push = self.next()
        if push is None:
            raise StopIteration
        return push
