"""What calls fail with: one class for each kind of error, whose numbers and names are the same in every language.

The table of all kinds and reasons is ``docs/ERRORS.md``.
"""

from __future__ import annotations

from typing import ClassVar, Literal

__all__ = [
    "AuthError",
    "CallCancelled",
    "CallTimeout",
    "Closed",
    "CodecError",
    "ConfigError",
    "ConnectError",
    "Delivery",
    "InternalError",
    "LimitExceeded",
    "NoServer",
    "Overloaded",
    "ProtocolError",
    "RpcError",
    "ServiceError",
    "ShuttingDown",
    "Unsupported",
]

Delivery = Literal["not_sent", "maybe_run", "answered"]
"""Whether a handler may have run: what a retry may assume."""


class RpcError(Exception):
    """Base of every error that this package raises.

    ``str(error)`` is the bare text; of a `ServiceError` exactly the server's words.

    A handler that raises one answers with it: ``raise rpcx.ServiceError("divide by zero")``.
    """

    kind: ClassVar[str] = "internal"
    """The kind's name, such as ``timeout``."""
    code: ClassVar[int] = 99
    """The kind's number, which never changes."""
    default_reason: ClassVar[str] = "internal.bug"

    reason: str
    """Why exactly, within the kind: ``limit.max_message_size``."""
    delivery: Delivery
    """``not_sent``, ``maybe_run`` or ``answered``."""
    attempts: int
    """How many attempts were made, failed dials included."""
    server: str | None
    """The server of the last attempt, as the discovery spells it."""

    def __init__(
        self,
        message: str = "",
        *,
        reason: str | None = None,
        delivery: Delivery = "not_sent",
        attempts: int = 0,
        server: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.delivery = delivery
        self.attempts = attempts
        self.server = server

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, reason={self.reason!r}, delivery={self.delivery!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.message, self.reason, self.delivery, self.attempts, self.server)


def _again(
    kind: type[RpcError], message: str, reason: str, delivery: Delivery, attempts: int, server: str | None
) -> RpcError:
    return kind(message, reason=reason, delivery=delivery, attempts=attempts, server=server)


class ConfigError(RpcError, ValueError):
    """An option, address or argument is not acceptable; the text names it. Nothing was sent."""

    kind, code, default_reason = "config", 1, "config.bad_argument"


class ConnectError(RpcError, ConnectionError):
    """No connection could be opened."""

    kind, code, default_reason = "connect", 2, "connect.other"


class NoServer(RpcError):
    """Discovery or the selector had no server to offer."""

    kind, code, default_reason = "no_server", 3, "no_server.empty"


class CallTimeout(RpcError, TimeoutError):
    """The deadline of the call passed. ``except TimeoutError`` catches it too."""

    kind, code, default_reason = "timeout", 4, "timeout.call"


class ServiceError(RpcError):
    """The service itself answered with an error; the text is its own. Raised in a handler, the caller gets the text."""

    kind, code, default_reason = "service", 5, "service.error"


class CallCancelled(RpcError):
    """The call was given up before its answer came, through a `Cancellation` or by the server.

    A task that is cancelled gets `asyncio.CancelledError` as always.
    """

    kind, code, default_reason = "cancelled", 6, "cancelled.caller"


class Overloaded(RpcError):
    """Refused because too much is waiting or running."""

    kind, code, default_reason = "overload", 7, "overload.server"


class ProtocolError(RpcError):
    """Bytes on the connection are not what the protocol allows."""

    kind, code, default_reason = "protocol", 8, "protocol.frame"


class CodecError(RpcError):
    """Arguments or a reply could not be encoded or decoded."""

    kind, code, default_reason = "codec", 9, "codec.encode"


class LimitExceeded(RpcError):
    """A size or count is above a limit, which the text names."""

    kind, code, default_reason = "limit", 10, "limit.server"


class AuthError(RpcError):
    """The server did not accept the caller's token."""

    kind, code, default_reason = "auth", 11, "auth.refused"


class Closed(RpcError):
    """The connection, the client or the server ended before the answer came, or was closed before the call."""

    kind, code, default_reason = "closed", 12, "closed.local"


class ShuttingDown(RpcError):
    """The server is going away and takes no new calls."""

    kind, code, default_reason = "shutting_down", 13, "shutting_down.server"


class Unsupported(RpcError):
    """This build or this peer cannot do what was asked."""

    kind, code, default_reason = "unsupported", 14, "unsupported.feature"


class InternalError(RpcError):
    """A broken invariant of the library: please report it."""

    kind, code, default_reason = "internal", 99, "internal.bug"


KINDS: dict[int, type[RpcError]] = {
    kind.code: kind
    for kind in (
        *(ConfigError, ConnectError, NoServer, CallTimeout, ServiceError, CallCancelled, Overloaded, ProtocolError),
        *(CodecError, LimitExceeded, AuthError, Closed, ShuttingDown, Unsupported, InternalError),
    )
}


def make(code: int, reason: str, delivery: Delivery, message: str, server: str | None, attempts: int) -> RpcError:
    """The exception of an error of the native module."""
    kind = KINDS.get(code, InternalError)
    return kind(message, reason=reason, delivery=delivery, attempts=attempts, server=server)
