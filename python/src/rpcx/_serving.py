"""What the asyncio server and its blocking twin share: what is registered before they start."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from . import _logs, _rpcx, options
from ._service import Handler, handlers, name_of
from .context import Connection
from .errors import Closed, ConfigError

__all__ = ["Registrations"]

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULTS = {"worker_threads": 32, "worker_queue": 4096}


class Registrations:
    """Everything about a server but how it waits."""

    def __init__(
        self,
        listen: tuple[str, ...],
        registries: Sequence[str],
        metadata: Mapping[str, str],
        threads: int,
        interceptors: Sequence[Callable[..., Any]],
        authenticator: Callable[..., Any] | None,
        given: Mapping[str, Any],
    ) -> None:
        self._listen = list(listen)
        self._registries = list(registries)
        self._metadata = dict(metadata)
        self._threads = threads
        self._interceptors = tuple(interceptors)
        self._authenticator = authenticator
        self._options = options.pairs("server", given)
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._fallback: Handler | None = None
        self._aliases: list[tuple[str, str, str, str]] = []
        self._native: _rpcx.Server | None = None

    def add(self, service: object, name: str | None = None, *, metadata: str | None = None) -> None:
        """Adds a service: an instance of a class with methods, see `rpcx.service`.

        ``metadata`` is announced to registries with it, such as ``weight=7&group=a``.
        """
        name = name or name_of(service)
        found = list(handlers(service))
        if not found:
            raise ConfigError(f"{name}: a service without methods")
        for handler in found:
            self._register(name, handler)
        if metadata is not None:
            self._metadata[name] = metadata

    @overload
    def function(self, service: str, method: str, handler: F, *, to_completion: bool = False) -> F: ...
    @overload
    def function(
        self, service: str, method: str, handler: None = None, *, to_completion: bool = False
    ) -> Callable[[F], F]: ...
    def function(
        self, service: str, method: str, handler: F | None = None, *, to_completion: bool = False
    ) -> F | Callable[[F], F]:
        """Adds a single function, also as a decorator: ``@server.function("Fn", "Greet")``."""

        def add(function: F) -> F:
            self._register(service, Handler.of(function, method, to_completion=to_completion))
            return function

        return add if handler is None else add(handler)

    @overload
    def fallback(self, handler: F) -> F: ...
    @overload
    def fallback(self, handler: None = None) -> Callable[[F], F]: ...
    def fallback(self, handler: F | None = None) -> F | Callable[[F], F]:
        """Takes the requests that no method takes, also as a decorator.

        `Context.service` and `Context.method` say what was asked for. A handler as any other; one that should take
        every serialize type has a `Payload` as its argument.

        >>> @server.fallback
        ... async def other(ctx: rpcx.Context, payload: rpcx.Payload) -> None:
        ...     raise rpcx.ServiceError(f"{ctx.service}.{ctx.method} has moved")
        """

        def add(function: F) -> F:
            self._not_started("a fallback")
            self._fallback = Handler.of(function, "", to_completion=False)
            return function

        return add if handler is None else add(handler)

    def alias(self, service: str, method: str, real_service: str, real_method: str) -> None:
        """Gives a method another name."""
        self._not_started(f"{service}.{method}")
        self._aliases.append((service, method, real_service, real_method))

    def _register(self, service: str, handler: Handler) -> None:
        self._not_started(f"{service}.{handler.name}")
        self._handlers[service, handler.name] = handler

    def _not_started(self, what: str) -> None:
        if self._native is not None:
            raise ConfigError(f"{what}: the server has started: add services before")

    @property
    def addresses(self) -> list[str]:
        """Where it listens, in the order given, with the real ports."""
        return self._started().addresses()

    def stats(self) -> dict[str, Any]:
        """What it has counted."""
        counted: dict[str, Any] = json.loads(self._started().stats())
        return counted

    def metrics(self, name: str = "server") -> str:
        """The same as Prometheus reads it; ``name`` tells several servers apart."""
        return self._started().metrics(name)

    def set_metadata(self, metadata: str, service: str = "") -> None:
        """Replaces what registries are told beside the address, of one service or of all."""
        self._started().set_metadata(service, metadata)

    def connections(self) -> list[Connection]:
        """The connections of its clients."""
        return [Connection(native) for native in self._started().connections()]

    def _started(self) -> _rpcx.Server:
        if self._native is None:
            raise Closed("the server has not been started")
        return self._native

    def _option(self, name: str) -> int:
        """A whole number among the options, which the native module checks."""
        value = next((value for known, value in reversed(self._options) if known == name), None)
        return int(value) if value is not None and value.isdecimal() else _DEFAULTS[name]

    def _panic_text(self) -> bool:
        return ("panic_text", "false") not in self._options

    def _begin(self) -> None:
        if self._native is not None:
            raise ConfigError("the server has been started before: make a new one")
        _logs.start()
