"""The blocking server: the names of `rpcx.server`, without await."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .. import _rpcx
from .._dispatch import AuthEntry, Entry, LoopDispatcher, ServerCall, Threads
from .._service import Handler, is_async
from .._serving import Registrations
from ..options import Duration, seconds

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ..option_types import ServerOptions

__all__ = ["Authenticator", "Server", "ServerInterceptor", "ServerNext"]

ServerNext = Callable[[ServerCall], Any]
"""What an interceptor hands the call on to."""
ServerInterceptor = Callable[[ServerCall, ServerNext], Any]
"""Code around every handler: it gets the decoded argument and gives the answer."""
Authenticator = Callable[[_rpcx.AuthRequest], Any]
"""Judges a token: returns nothing or true to let the request pass, raises `AuthError` to refuse it. Async or plain."""


def _direct(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)


def _on_loop(thread: _LoopThread, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return asyncio.run_coroutine_threadsafe(function(*arguments), thread.loop).result()


class Server(Registrations):
    """A server for programs without an event loop. See `rpcx.Server`.

    Plain handlers run on threads, ``async def`` ones on an event loop in a thread of its own.

    >>> server = rpcx.sync.Server("tcp@127.0.0.1:8972")
    >>> server.add(Arith())
    >>> with server:
    ...     server.wait_closed()
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
        self._pool: Threads | None = None
        self._loop: _LoopThread | None = None

    def start(self) -> None:
        """Binds and serves; `ConfigError` for an address that cannot be bound."""
        self._begin()
        methods: list[tuple[str, str, object, _rpcx.Bridge | _rpcx.Workers, bool]] = []
        for (service, _), handler in self._handlers.items():
            methods.append((service, handler.name, *self._entry(service, handler), handler.to_completion))
        try:
            self._native = _rpcx.Server.start(
                self._listen,
                self._options,
                self._registries,
                list(self._metadata.items()),
                self._threads,
                methods,
                None if self._fallback is None else self._entry("", self._fallback),
                self._aliases,
                self._judge(),
            )
        except BaseException:
            self._end_threads()
            raise

    def _entry(self, service: str, handler: Handler) -> tuple[Entry, _rpcx.Bridge | _rpcx.Workers]:
        entry = Entry(service, handler, self._interceptors, self._panic_text(), self._inner(handler.is_async))
        on_loop = handler.is_async and not self._interceptors
        return entry, self._loop_for_async().dispatcher.native if on_loop else self._threads_for_plain()

    def _inner(self, is_async: bool) -> Callable[[Callable[..., Any], tuple[Any, ...]], Any]:
        return partial(_on_loop, self._loop_for_async()) if is_async and self._interceptors else _direct

    def _judge(self) -> tuple[AuthEntry, Any] | None:
        check = self._authenticator
        if check is None:
            return None
        target = self._loop_for_async().dispatcher.native if is_async(check) else self._threads_for_plain()
        return AuthEntry(check), target

    def _threads_for_plain(self) -> _rpcx.Workers:
        if self._pool is None:
            self._pool = Threads(self, self._option("worker_threads"), self._option("worker_queue"))
        return self._pool.native

    def _loop_for_async(self) -> _LoopThread:
        if self._loop is None:
            self._loop = _LoopThread()
            weakref.finalize(self, self._loop.close)
        return self._loop

    def close(self) -> None:
        """Ends it at once; requests under way are cancelled. Never blocks, may be repeated."""
        if self._native is not None:
            self._native.close()
        self._end_threads()

    def shutdown(self, timeout: Duration = 10.0, *, keep_registered: bool = False) -> None:
        """Ends it without losing an accepted request: leaves the registries, closes the listeners, waits for requests.

        `CallTimeout` when some were cut off at the end of ``timeout``.
        """
        try:
            self._started().shutdown(seconds(timeout), keep_registered)
        finally:
            self._end_threads()

    def wait_closed(self) -> None:
        """Waits until it has ended, however that comes."""
        self._started().wait()

    def _end_threads(self) -> None:
        if self._pool is not None:
            self._pool.close()
        if self._loop is not None:
            self._loop.close()

    def __enter__(self) -> Self:
        if self._native is None:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _LoopThread:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.dispatcher = LoopDispatcher.of(self.loop)
        threading.Thread(target=self._run, name="rpcx-loop", daemon=True).start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    def close(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
