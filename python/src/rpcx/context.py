"""What a handler knows of the call that it runs for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from . import _core, _rpcx

__all__ = ["Connection", "Context", "current_context"]


class Connection:
    """A client's connection to a server: to push to, or to close. May be kept longer than the call."""

    __slots__ = ("_native",)

    def __init__(self, native: _rpcx.Connection) -> None:
        self._native = native

    @property
    def id(self) -> int:
        """A number that no other connection of this process has."""
        return self._native.id

    @property
    def peer(self) -> str:
        """The client's address."""
        return self._native.peer

    @property
    def is_open(self) -> bool:
        """It has not ended."""
        return self._native.is_open

    def push(self, service: str, method: str, payload: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Sends a message to the client; `LimitExceeded` when too many wait."""
        self._native.push(service, method, dict(metadata or {}), bytes(payload))

    def close(self) -> None:
        """Ends it without a word."""
        self._native.close()


class Context:
    """The call that a handler runs for. A handler that wants it takes it as its first parameter.

    >>> async def mul(ctx: rpcx.Context, args: Args) -> Reply: ...

    It can be read until the handler has answered.
    """

    __slots__ = ("_metadata", "_request")

    def __init__(self, request: _rpcx.Request) -> None:
        self._request = request
        self._metadata: dict[str, str] | None = None

    @property
    def service(self) -> str:
        """The service path; what it stands for, if the caller used an alias."""
        return self._request.service

    @property
    def method(self) -> str:
        """The service method; what it stands for, if the caller used an alias."""
        return self._request.method

    @property
    def metadata(self) -> dict[str, str]:
        """The request's metadata, without the protocol's own keys."""
        if self._metadata is None:
            self._metadata = _core.without_reserved(self._request.metadata())
        return self._metadata

    @property
    def serialize_type(self) -> int:
        """The number of the request's serialize type, which is the answer's too."""
        return self._request.serialize_type

    @property
    def is_oneway(self) -> bool:
        """The caller waits for no answer."""
        return self._request.is_oneway

    @property
    def peer(self) -> str:
        """The caller's address: ``host:port``, or a Unix socket's path, which may be empty."""
        return self._request.peer

    @property
    def tls_subject(self) -> str | None:
        """The subject of the caller's TLS certificate, as RFC 4514 writes it, if it showed one."""
        return self._request.tls_subject

    def remaining(self) -> float | None:
        """Seconds until the caller stops waiting, 0 when that has passed; None without a deadline."""
        return self._request.remaining()

    @property
    def deadline(self) -> datetime | None:
        """When the caller stops waiting."""
        left = self.remaining()
        return None if left is None else datetime.now(timezone.utc) + timedelta(seconds=left)

    @property
    def cancelled(self) -> bool:
        """The caller cancelled, its deadline has passed, or its connection ended.

        The task of an async handler is cancelled then; a plain handler looks here.
        """
        return self._request.is_cancelled

    def set_metadata(self, key: str, value: str) -> None:
        """Adds a pair to the answer's metadata, in place of an earlier one of that key."""
        self._request.set_metadata(key, value)

    def push(self, service: str, method: str, payload: bytes, metadata: Mapping[str, str] | None = None) -> None:
        """Sends a message to the caller's client, before the answer; `LimitExceeded` when too many wait."""
        self._request.push(service, method, dict(metadata or {}), bytes(payload))

    @property
    def connection(self) -> Connection:
        """The connection on which the call came."""
        return Connection(self._request.connection())


def current_context() -> Context | None:
    """The context of the call whose handler runs here; None outside of handlers."""
    request = _core.current.get()
    return None if request is None else Context(request)
