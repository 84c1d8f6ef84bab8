"""Runs handlers: async ones in tasks of an event loop, plain ones on threads.

A handler that ends without ever waiting costs no task of its own: a task runs one after the other, each in a copy of
the server's context, until one waits. That one keeps the task, and another goes on with the rest.
"""

from __future__ import annotations

import asyncio
import threading
import types
import weakref
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from . import _bridge, _rpcx, codec
from ._core import current
from ._logs import LOGGER
from ._service import Handler
from .context import Context
from .errors import CodecError, RpcError

__all__ = ["AuthEntry", "Entry", "LoopDispatcher", "ServerCall", "Threads"]


@dataclass
class ServerCall:
    """A call as a server's interceptors see it; they may change the argument and the answer."""

    context: Context
    argument: Any

    @property
    def service(self) -> str:
        """The service path."""
        return self.context.service

    @property
    def method(self) -> str:
        """The service method."""
        return self.context.method


class Entry:
    """A registered method: what its requests are given, and how they are answered."""

    __slots__ = ("handler", "interceptors", "other_side", "panic_text", "service")

    def __init__(
        self,
        service: str,
        handler: Handler,
        interceptors: Sequence[Callable[..., Any]],
        panic_text: bool,
        other_side: Callable[[Callable[..., Any], tuple[Any, ...]], Any],
    ) -> None:
        self.service = service
        self.handler = handler
        self.interceptors = interceptors
        self.panic_text = panic_text
        #: Runs the handler where it belongs when the interceptors are of the other kind.
        self.other_side = other_side

    def begin(self, request: _rpcx.Request) -> Any:
        """Decodes the argument and calls the handler; of an async one this gives the coroutine."""
        handler = self.handler
        arguments: tuple[Any, ...] = ()
        if handler.takes_argument:
            arguments = (_decode(request, handler.argument),)
        if self.interceptors:
            return self._intercepted(request, arguments)
        if handler.takes_context:
            arguments = (Context(request), *arguments)
        return handler.function(*arguments)

    def _intercepted(self, request: _rpcx.Request, arguments: tuple[Any, ...]) -> Any:
        handler = self.handler

        def last(call: ServerCall) -> Any:
            given = (call.argument,) if handler.takes_argument else ()
            if handler.takes_context:
                given = (call.context, *given)
            return self.other_side(handler.function, given)

        def around(interceptor: Callable[..., Any], inner: Callable[[ServerCall], Any]) -> Callable[[ServerCall], Any]:
            return lambda call: interceptor(call, inner)

        step: Callable[[ServerCall], Any] = last
        for interceptor in reversed(self.interceptors):
            step = around(interceptor, step)
        return step(ServerCall(Context(request), arguments[0] if arguments else None))

    def answer(self, request: _rpcx.Request, value: object) -> None:
        """Answers with what the handler returned."""
        try:
            payload = codec.encode(value, request.serialize_type)
        except CodecError as error:
            LOGGER.error("%s: the reply cannot be encoded: %s", self._name(request), error)
            request.fail("codec.server", error.message)
        else:
            request.answer(payload)

    def fail(self, request: _rpcx.Request, error: BaseException) -> None:
        """Answers with what the handler raised."""
        if isinstance(error, _Undecodable):
            request.fail("codec.server", error.message)
        elif isinstance(error, RpcError):
            # The service's own word, whatever its kind meant where it came from.
            request.fail("service.error", error.message)
        elif isinstance(error, CancelledError):
            request.fail("cancelled.server", "the handler was cancelled")
        else:
            name = self._name(request)
            LOGGER.error("the handler of %s failed", name, exc_info=error)
            text = f": {type(error).__name__}: {error}" if self.panic_text else ""
            request.fail("service.panic", f"internal error in {name}{text}")

    def _name(self, request: _rpcx.Request) -> str:
        # A fallback has none of its own.
        return f"{self.service}.{self.handler.name}" if self.service else f"{request.service}.{request.method}"


class AuthEntry:
    """An authenticator: judges tokens in the same way as handlers run."""

    __slots__ = ("check",)

    def __init__(self, check: Callable[[_rpcx.AuthRequest], Any]) -> None:
        self.check = check

    def begin(self, request: _rpcx.AuthRequest) -> Any:
        """Asks the authenticator."""
        return self.check(request)

    def answer(self, request: _rpcx.AuthRequest, value: object) -> None:
        """Nothing and true let the request pass."""
        if value is None or value:
            request.accept()
        else:
            request.fail("auth.refused", "invalid token")

    def fail(self, request: _rpcx.AuthRequest, error: BaseException) -> None:
        """An error refuses it, with its text if that is meant for the caller."""
        if isinstance(error, RpcError):
            request.fail(error.reason, error.message)
        else:
            LOGGER.error("the authenticator failed", exc_info=error)
            request.fail("auth.refused", "the authenticator failed")


class _Undecodable(CodecError):
    """The arguments of a request do not fit its handler."""


def _decode(request: _rpcx.Request, kind: Any) -> Any:
    number = request.serialize_type
    try:
        return codec.decode(request.payload, number, kind)
    except CodecError as error:
        # Go's words, for callers that compare them.
        unknown = error.reason == "codec.unsupported"
        raise _Undecodable(f"can not find codec for {number}" if unknown else error.message) from error


def _first(coroutine: Coroutine[Any, Any, Any], request: Any) -> Any:
    if isinstance(request, _rpcx.Request):
        current.set(request)
    return coroutine.send(None)


class LoopDispatcher:
    """Runs async handlers on one event loop."""

    def __init__(self, bridge: _bridge.Bridge) -> None:
        self._ready: deque[Any] = deque()
        self._context = copy_context()
        self._tasks: set[asyncio.Task[None]] = set()
        self._active = False
        self._idle: asyncio.Future[None] | None = None
        self._servers = 0
        bridge.requests = self.take
        self.native = bridge.native

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> LoopDispatcher:
        """The dispatcher of a loop, which all servers there share."""
        bridge = _bridge.of(loop)
        if bridge.dispatcher is None:
            bridge.dispatcher = cls(bridge)
        found: LoopDispatcher = bridge.dispatcher
        return found

    def take(self, requests: list[Any]) -> None:
        """Requests have come, on the loop."""
        self._ready.extend(requests)
        if self._idle is not None:
            self._idle.set_result(None)
            self._idle = None
        elif not self._active:
            self._start()

    def _start(self) -> None:
        self._active = True
        task = asyncio.get_running_loop().create_task(self._task())
        # The loop itself refers to its tasks weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _task(self) -> None:
        await self._work()

    @types.coroutine
    def _work(self) -> Generator[Any, Any, None]:
        ready, base = self._ready, self._context
        while True:
            while ready:
                request = ready.popleft()
                entry = request.entry
                context: Any = base.copy()
                coroutine = None
                try:
                    coroutine = context.run(entry.begin, request)
                    waits_for = context.run(_first, coroutine, request)
                except StopIteration as stop:
                    entry.answer(request, stop.value)
                except (Exception, CancelledError) as error:
                    if coroutine is not None and not hasattr(coroutine, "send"):
                        # A plain function among the async ones: what it returned is the answer.
                        entry.answer(request, coroutine)
                    else:
                        entry.fail(request, error)
                else:
                    self._active = False
                    if ready:
                        self._start()
                    yield from self._go_on(entry, request, context, coroutine, waits_for)
                    return
            # What was answered last is not kept alive.
            request = entry = context = coroutine = None
            self._idle = asyncio.get_running_loop().create_future()
            try:
                yield from self._idle
            except CancelledError:
                self._active, self._idle = False, None
                return

    def _go_on(
        self, entry: Any, request: Any, context: Any, coroutine: Any, waits_for: Any
    ) -> Generator[Any, Any, None]:
        """A handler that waits, to its end."""
        task = asyncio.current_task()
        if task is not None and isinstance(request, _rpcx.Request) and not _runs_to_completion(entry):
            request.on_cancel(self.native, task.cancel)
        while True:
            step, value = coroutine.send, None
            try:
                value = yield waits_for
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                step, value = coroutine.throw, error
            try:
                waits_for = context.run(step, value)
            except StopIteration as stop:
                entry.answer(request, stop.value)
                return
            except (Exception, CancelledError) as error:
                entry.fail(request, error)
                return
            except BaseException as error:
                entry.fail(request, error)
                raise

    def hold(self) -> None:
        """A server has started here."""
        self._servers += 1

    def release(self) -> None:
        """A server has ended, on the loop: the last one ends the task that waits for requests."""
        self._servers -= 1
        if self._servers == 0 and self._idle is not None:
            self._idle.cancel()


def _runs_to_completion(entry: Any) -> bool:
    return isinstance(entry, Entry) and entry.handler.to_completion


class Threads:
    """Runs plain handlers, on as many threads as they need and the option ``worker_threads`` allows.

    The threads end with the owner.
    """

    def __init__(self, owner: object, threads: int, waiting: int) -> None:
        self.native = _rpcx.Workers(threads, waiting)
        weakref.finalize(owner, self.native.close)
        self._context = copy_context()
        if self.native.begin():
            self._start()

    def _start(self) -> None:
        threading.Thread(target=self._work, name="rpcx-worker", daemon=True).start()

    def _start_another(self) -> None:
        try:
            self._start()
        except RuntimeError as error:
            self.native.not_started()
            LOGGER.warning("no further thread for plain handlers: %s", error)

    def _work(self) -> None:
        take, needs_another, run, base = self.native.next, self.native.needs_another, self._run, self._context
        did = False
        while (request := take(did)) is not None:
            did = True
            if needs_another():
                self._start_another()
            base.copy().run(run, request)
            # The thread may wait for long; the request must not.
            del request

    @staticmethod
    def _run(request: Any) -> None:
        entry = request.entry
        current.set(request if isinstance(request, _rpcx.Request) else None)
        try:
            value = entry.begin(request)
        except BaseException as error:  # noqa: BLE001 - an exit of a handler is no exit of the process
            entry.fail(request, error)
        else:
            entry.answer(request, value)

    def close(self) -> None:
        """Ends the threads once they have done what has come."""
        self.native.close()
