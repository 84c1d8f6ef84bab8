"""What the asyncio client and its blocking twin share: options, encoding, and the values that calls give."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, Union

from . import _logs, _rpcx, codec, options
from .errors import ConfigError, RpcError
from .types import Payload

__all__ = ["ClientCall", "Discovery", "InformReply", "Push", "Response"]

T = TypeVar("T")

Discovery = Union[str, Sequence[str]]
"""Where servers are: an address or URL, or a list of addresses that may be replaced."""

current: ContextVar[_rpcx.Request | None] = ContextVar("rpcx_request", default=None)
"""The request whose handler runs: what its nested calls inherit from."""

PREPARED = 256  # sets of options that a client keeps ready


@dataclass(frozen=True)
class Response(Generic[T]):
    """A reply with what came beside it."""

    value: T
    metadata: dict[str, str] = field(default_factory=dict)
    """The response metadata, without the protocol's own keys."""
    server: str = ""
    """The server that answered, as the discovery spells it."""
    attempts: int = 1
    """Attempts that were made, failed dials included."""


@dataclass(frozen=True)
class InformReply(Generic[T]):
    """What one of all servers answered: a response or an error."""

    server: str
    result: Response[T] | RpcError

    @property
    def response(self) -> Response[T] | None:
        """The response, unless it was an error."""
        return None if isinstance(self.result, RpcError) else self.result

    @property
    def error(self) -> RpcError | None:
        """The error, if it was one."""
        return self.result if isinstance(self.result, RpcError) else None


@dataclass(frozen=True)
class Push:
    """A message that a server sent on its own."""

    service: str
    method: str
    metadata: dict[str, str]
    payload: bytes
    """As it came; `decode` reads it."""
    serialize_type: int
    server: str

    def decode(self, kind: type[T]) -> T:
        """The message as a type."""
        value: T = codec.decode(self.payload, self.serialize_type, kind)
        return value


@dataclass
class ClientCall:
    """A call as interceptors see it, before it is encoded. What they change is what is sent."""

    service: str
    method: str
    argument: object
    reply: Any
    """The type of the reply."""
    options: dict[str, Any]
    """Options by name, as the caller gave them; the metadata is there too."""

    @property
    def metadata(self) -> dict[str, str]:
        """The request's metadata, to be read and changed."""
        metadata: dict[str, str] = dict(self.options.get("metadata") or {})
        self.options["metadata"] = metadata
        return metadata


Prepared = tuple[bytes, int, "_rpcx.Options | None", "_rpcx.Cancellation | None"]
"""Payload, its serialize type, and what the native module needs beside it."""


class Core:
    """A native client with what its calls are prepared by."""

    def __init__(self, discovery: Discovery, threads: int, given: Mapping[str, Any]) -> None:
        if not isinstance(discovery, (str, Sequence)):
            raise ConfigError(f"discovery: {discovery!r} is neither an address or URL nor a list of addresses")
        _logs.start()
        where = discovery if isinstance(discovery, str) else list(discovery)
        self.native = _rpcx.Client(where, options.pairs("client", given), threads)
        self.explicit = given.get("serialize_type") is not None
        self.serialize_type = codec.number(given.get("serialize_type") or codec.MSGPACK)
        self._by_type = {number: _rpcx.Options([("serialize_type", _name(number))]) for number in range(16)}
        self._by_options: dict[Any, _rpcx.Options] = {}

    def prepare(self, argument: object, reply: Any, given: Mapping[str, Any]) -> Prepared:
        """Encodes an argument and makes the options of its call."""
        if given or current.get() is not None:
            return self._prepare(argument, reply, dict(given))
        number = self._number(argument, reply)
        chosen = None if number == self.serialize_type else self._by_type[number]
        return codec.encode(argument, number), number, chosen, None

    def _number(self, argument: object, reply: Any) -> int:
        number = codec.natural(type(argument))
        if number is None:
            if argument is None and isinstance(reply, type) and (own := codec.natural(reply)) is not None and own:
                return own
            return self.serialize_type
        return self.serialize_type if self.explicit and number == codec.RAW else number

    def _prepare(self, argument: object, reply: Any, given: dict[str, Any]) -> Prepared:
        named = given.pop("serialize_type", None)
        metadata = given.pop("metadata", None)
        cancel = given.pop("cancel", None)
        parent = given.pop("parent", None)
        number = self._number(argument, reply) if named is None else codec.number(named)
        request = current.get() if parent is None else getattr(parent, "_request", None) if parent else None
        if request is None and parent not in (None, False):
            raise ConfigError(f"parent: {parent!r} is no Context")
        if not metadata and request is None:
            chosen = self._chosen(number, given)
        else:
            pairs = [("serialize_type", _name(number)), *options.pairs("call", given)]
            chosen = _rpcx.Options(pairs, _texts(metadata), request)
        return codec.encode(argument, number), number, chosen, cancel

    def _chosen(self, number: int, given: dict[str, Any]) -> _rpcx.Options:
        """Options without anything of a single call, made once."""
        if not given:
            return self._by_type[number]
        try:
            key = (number, *sorted(given.items()))
            found = self._by_options.get(key)
        except TypeError:
            return _rpcx.Options([("serialize_type", _name(number)), *options.pairs("call", given)])
        if found is None:
            found = _rpcx.Options([("serialize_type", _name(number)), *options.pairs("call", given)])
            if len(self._by_options) < PREPARED:
                self._by_options[key] = found
        return found

    def stats(self) -> dict[str, Any]:
        """What the client has counted."""
        counted: dict[str, Any] = json.loads(self.native.stats())
        return counted


def _name(number: int) -> str:
    return next((name for name, known in codec.NAMES.items() if known == number), str(number))


def _texts(metadata: Mapping[str, str] | None) -> dict[str, str] | None:
    if metadata is None:
        return None
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise ConfigError(f"metadata: {key!r}: {value!r} is no text")
    return dict(metadata)


def response(native: tuple[bytes, dict[str, str], str, int], number: int, reply: Any) -> Response[Any]:
    """A native reply, decoded."""
    payload, metadata, server, attempts = native
    try:
        value = codec.decode(payload, number, reply)
    except RpcError as error:
        error.server, error.attempts = server, attempts
        raise
    return Response(value, without_reserved(metadata), server, attempts)


def outcome(native: Any, number: int, reply: Any) -> Response[Any] | RpcError:
    """A native reply or error, as a batch gives it."""
    if isinstance(native, RpcError):
        return native
    try:
        return response(native, number, reply)
    except RpcError as error:
        return error


def inform_replies(native: list[tuple[str, Any]], number: int, reply: Any) -> list[InformReply[Any]]:
    """What each server answered."""
    return [InformReply(server, outcome(answer, number, reply)) for server, answer in native]


def without_reserved(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata without the protocol's own keys."""
    if any(key.startswith("__") for key in metadata):
        return {key: value for key, value in metadata.items() if not key.startswith("__")}
    return metadata


def push(native: tuple[str, str, dict[str, str], bytes, int, str]) -> Push:
    """A native message."""
    service, method, metadata, payload, number, server = native
    return Push(service, method, without_reserved(metadata), Payload(payload), number, server)
