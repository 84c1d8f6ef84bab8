"""The asyncio server. `rpcx.sync` has its blocking twin with the same names."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _bridge, _rpcx
from ._dispatch import AuthEntry, Entry, LoopDispatcher, ServerCall, Threads
from ._service import Handler, is_async
from ._serving import Registrations
from .client import _ended
from .options import Duration, seconds

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .option_types import ServerOptions

__all__ = ["Authenticator", "Server", "ServerCall", "ServerInterceptor", "ServerNext"]

ServerNext = Callable[[ServerCall], Awaitable[Any]]
"""What an interceptor hands the call on to."""
ServerInterceptor = Callable[[ServerCall, ServerNext], Awaitable[Any]]
"""Code around every handler: it gets the decoded argument and gives the answer."""
Authenticator = Callable[[_rpcx.AuthRequest], Any]
"""Judges a token: returns nothing or true to let the request pass, raises `AuthError` to refuse it. Async or plain."""


def _direct(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)


def _on_thread(executor: ThreadPoolExecutor, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    run = partial(copy_context().run, function, *arguments)
    return get_running_loop().run_in_executor(executor, run)


class Server(Registrations):
    """A server whose async handlers run on the loop that starts it; plain ones run on threads beside it.

    >>> async def main():
    ...     server = rpcx.Server("tcp@127.0.0.1:8972")
    ...     server.add(Arith())
    ...     async with server:
    ...         await server.wait_closed()

    It listens on the addresses given; port 0 is chosen by the system. Options have the names of
    ``docs/CONFIGURATION.md``. ``registries`` are URLs, ``metadata`` what they are told by service (empty: of all),
    ``threads`` the library's threads (0: one per core).
    """

    def __init__(
        self,
        *listen: str,
        registries: Sequence[str] = (),
        announce: Mapping[str, str] | None = None,
        threads: int = 0,
        interceptors: Sequence[ServerInterceptor] = (),
        authenticator: Authenticator | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(listen, registries, announce or {}, threads, interceptors, authenticator, options)
        self._release: Callable[[], object] | None = None
        self._pool: Threads | None = None
        self._executor: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        """Binds and serves; `ConfigError` for an address that cannot be bound."""
        self._begin()
        loop = get_running_loop()
        dispatcher = LoopDispatcher.of(loop)
        dispatcher.hold()
        self._release = lambda: None if loop.is_closed() else loop.call_soon_threadsafe(dispatcher.release)
        methods: list[tuple[str, str, object, _rpcx.Bridge | _rpcx.Workers, bool]] = []
        for (service, _), handler in self._handlers.items():
            methods.append((service, handler.name, *self._entry(service, handler, dispatcher), handler.to_completion))
        future = loop.create_future()
        running = _rpcx.Server.start_on(
            _bridge.of(loop).native,
            future,
            self._listen,
            self._options,
            self._registries,
            list(self._metadata.items()),
            self._threads,
            methods,
            None if self._fallback is None else self._entry("", self._fallback, dispatcher),
            self._aliases,
            self._judge(dispatcher),
        )
        try:
            self._native = await _ended(future, running)
        except BaseException:
            self._end_threads()
            raise

    def _entry(
        self, service: str, handler: Handler, dispatcher: LoopDispatcher
    ) -> tuple[Entry, _rpcx.Bridge | _rpcx.Workers]:
        entry = Entry(service, handler, self._interceptors, self._panic_text(), self._inner(handler.is_async))
        on_loop = handler.is_async or self._interceptors
        return entry, dispatcher.native if on_loop else self._threads_for_plain()

    def _inner(self, is_async: bool) -> Callable[[Callable[..., Any], tuple[Any, ...]], Any]:
        if is_async or not self._interceptors:
            return _direct
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._option("worker_threads"), "rpcx-worker")
        return partial(_on_thread, self._executor)

    def _judge(self, dispatcher: LoopDispatcher) -> tuple[AuthEntry, Any] | None:
        check = self._authenticator
        if check is None:
            return None
        return AuthEntry(check), dispatcher.native if is_async(check) else self._threads_for_plain()

    def _threads_for_plain(self) -> _rpcx.Workers:
        if self._pool is None:
            self._pool = Threads(self, self._option("worker_threads"), self._option("worker_queue"))
        return self._pool.native

    def close(self) -> None:
        """Ends it at once; requests under way are cancelled. Never blocks, may be repeated."""
        if self._native is not None:
            self._native.close()
        self._end_threads()

    async def shutdown(self, timeout: Duration = 10.0, *, keep_registered: bool = False) -> None:
        """Ends it without losing an accepted request: leaves the registries, closes the listeners, waits for requests.

        `CallTimeout` when some were cut off at the end of ``timeout``.
        """
        native = self._started()
        future = get_running_loop().create_future()
        bridge = _bridge.of(get_running_loop()).native
        try:
            await _ended(future, native.start_shutdown(bridge, future, seconds(timeout), keep_registered))
        finally:
            self._end_threads()

    async def wait_closed(self) -> None:
        """Waits until it has ended, however that comes."""
        future = get_running_loop().create_future()
        running = self._started().start_wait(_bridge.of(get_running_loop()).native, future)
        await _ended(future, running)

    def _end_threads(self) -> None:
        if self._release is not None:
            self._release()
            self._release = None
        if self._pool is not None:
            self._pool.close()
        if self._executor is not None:
            self._executor.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        if self._native is None:
            await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
