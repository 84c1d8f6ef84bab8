"""What commands say, read and checked: calls with their types, clients with their options. Nothing here waits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import rpcx

from . import arith, messages
from .arith import ArithArgs, ArithReply
from .fields import Fields
from .line import Misfit, failure, hexadecimal, shown, typed

#: Arguments and reply of the methods that are known here. All others take any value.
KNOWN: dict[tuple[str, str], tuple[Any, Any]] = {
    **{("Arith", name): (ArithArgs, ArithReply) for name in ("Mul", "Add", "Div")},
    ("Alias", "Times"): (ArithArgs, ArithReply),
    ("Arith", "Say"): (str, str),
    ("Fn", "Greet"): (str, str),
    ("Echo", "Types"): (messages.Types, messages.Types),
    ("Echo", "Meta"): (messages.Nothing, messages.Nothing),
    ("Test", "Sleep"): (messages.SleepArgs, messages.SleepReply),
    ("Test", "Block"): (messages.SleepArgs, messages.SleepReply),
    ("Test", "Fail"): (messages.TextArgs, messages.Nothing),
    ("Test", "Panic"): (messages.TextArgs, messages.Nothing),
    ("Test", "Size"): (messages.SizeArgs, messages.SizeReply),
    ("Test", "Count"): (messages.CountArgs, messages.CountReply),
    ("Test", "Deadline"): (messages.Nothing, messages.MsReply),
    ("Test", "Peer"): (messages.Nothing, messages.PeerReply),
    ("Test", "Nested"): (messages.NestedArgs, messages.MsReply),
    ("Test", "Push"): (messages.PushArgs, messages.Nothing),
    ("Test", "Close"): (messages.Nothing, messages.Nothing),
}
COMPRESS = ("none", "gzip", "snappy", "zstd", "lz4")
INDEX = "$i"


@dataclass(frozen=True)
class Call:
    """A call as a command describes it."""

    service: str
    method: str
    codec: str
    argument: Any
    reply: Any
    options: dict[str, Any]
    show: str
    #: The arguments as the line has them; None when the payload was given.
    args: Any = None
    #: What the arguments are typed as.
    kind: Any = object

    @classmethod
    def read(cls, fields: Fields, default: str) -> Call:
        """Takes the fields of a call; `default` is the client's serialize type. A `$i` in the arguments is 0."""
        service, method = fields.text("service"), fields.text("method")
        given = fields.object("options")
        options = {name: option(name, value) for name, value in given.items()}
        codec = fields.optional_text("codec")
        if codec is not None and codec not in rpcx.codec.NAMES:
            raise Misfit(f"codec: {codec!r} is none of {', '.join(rpcx.codec.NAMES)}")
        codec = codec or options.get("serialize_type") or default
        compress = fields.optional_text("compress")
        if compress is not None:
            if compress not in COMPRESS:
                raise Misfit(f"compress: {compress!r} is none of {', '.join(COMPRESS)}")
            options["compress_type"] = compress
        options["serialize_type"] = codec
        metadata = fields.object("metadata")
        for key, value in metadata.items():
            if not isinstance(value, str):
                raise Misfit(f"metadata: {key}: {value!r} is no text")
        if metadata:
            options["metadata"] = metadata
        show = fields.optional_text("reply") or "value"
        if show not in ("value", "hex", "digest"):
            raise Misfit(f"reply: {show!r} is none of value, hex, digest")
        is_typed = fields.flag("typed", True)
        known = KNOWN.get((service, method), (object, object))
        if not is_typed and codec in ("msgpack", "json"):
            known = (object, object)
        payload = _payload(fields)
        call = cls(service, method, codec, payload, _reply(known[1], codec, show), options, show)
        return call if payload is not None else call._with_args(known[0], fields.take("args"))

    def _with_args(self, kind: Any, args: Any) -> Call:
        if self.codec == "raw":
            if args is not None:
                raise Misfit("args: the codec raw takes hex or size")
            return replace(self, argument=rpcx.Payload())
        first = _numbered(args, 0)
        argument = first if kind is object else typed(kind, first if first is not None or kind is str else {})
        return replace(self, argument=argument, kind=kind, args={} if args is None else args)

    def numbered(self, index: int) -> Call:
        """The same with its own number in its arguments."""
        args = _numbered(self.args, index)
        if self.args is None or args == self.args:
            return self
        return replace(self, argument=args if self.kind is object else typed(self.kind, args), args=args)

    def is_right(self, value: Any) -> bool:
        """Whether an answer of `Arith` is right; what the driver does not know is."""
        if self.args is None or self.service != "Arith" or self.show != "value":
            return True
        return self.method not in _RIGHT or value == shown(_RIGHT[self.method](typed(ArithArgs, self.args)))

    def answer(self, response: rpcx.Response[Any], took: float) -> dict[str, Any]:
        """A response as an answer."""
        return {
            "ok": True,
            "reply": self.shown(response.value),
            "metadata": response.metadata,
            "server": response.server,
            "attempts": response.attempts,
            "ms": round(took * 1000, 3),
        }

    def outcome(self, result: rpcx.Response[Any] | rpcx.RpcError, took: float) -> dict[str, Any]:
        """A response or an error as an answer."""
        return failure(result) if isinstance(result, rpcx.RpcError) else self.answer(result, took)

    def shown(self, value: Any) -> Any:
        """The reply as the command wants to see it."""
        if self.show == "digest":
            return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
        return shown(value)


_RIGHT = {
    "Mul": lambda args: ArithReply(arith.wrap(args.A * args.B)),
    "Add": lambda args: ArithReply(arith.wrap(args.A + args.B)),
    "Div": arith.divide,
}


def _payload(fields: Fields) -> rpcx.Payload | None:
    """`hex` or `size`; None when there are arguments, or nothing at all."""
    text, size = fields.optional_text("hex"), fields.count("size")
    if text is None and size is None:
        return None
    if (text is not None and size is not None) or fields.take("args") is not None:
        raise Misfit("args, hex and size exclude each other")
    return rpcx.Payload(messages.pattern(size) if text is None and size is not None else hexadecimal("hex", text))


def _reply(kind: Any, codec: str, show: str) -> Any:
    """The type of the reply: the bytes where no type has a form in that codec."""
    has_form = codec in ("msgpack", "json") or (kind is ArithReply and codec in ("protobuf", "thrift"))
    return kind if has_form and show == "value" else rpcx.Payload


def _numbered(args: Any, index: int) -> Any:
    if isinstance(args, str):
        return index if args == INDEX else args.replace(INDEX, str(index))
    if isinstance(args, list):
        return [_numbered(item, index) for item in args]
    if isinstance(args, dict):
        return {name: _numbered(item, index) for name, item in args.items()}
    return args


def option(name: str, value: Any) -> Any:
    """An option's value as text, in which a bare number of a time is milliseconds; a group may be an object."""
    if isinstance(value, dict):
        return {key: option(f"{name}.{key}", item) for key, item in value.items()}
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(option(name, item)) for item in value)
    return "" if value is None else str(value)


def client_options(fields: Fields) -> dict[str, Any]:
    """The options of a client, which has no deadline unless a case sets one."""
    given = {"timeout": "0", **{name: option(name, value) for name, value in fields.object("options").items()}}
    tls = fields.take("tls")
    if tls is not None:
        if not isinstance(tls, dict):
            raise Misfit(f"tls: {tls!r} is no object")
        given["tls"] = {"enabled": "true", **option("tls", tls)}
    return given


def discovery(value: Any) -> str | list[str]:
    """An address or URL, or a list of addresses."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise Misfit(f"discovery: {value!r} is neither an address or URL nor a list of addresses")


def summary(count: int, took: float, each: list[float], results: list[tuple[str, str]], wrong: int) -> dict[str, Any]:
    """What a burst came to; a result is a server and nothing, or nothing and a kind of error."""
    errors: dict[str, int] = {}
    servers: dict[str, int] = {}
    for server, kind in results:
        counted, key = (errors, kind) if kind else (servers, server)
        counted[key] = counted.get(key, 0) + 1
    each.sort()
    return {
        "ok": True,
        "count": count,
        "errors": errors,
        "wrong": wrong,
        "servers": servers,
        "calls_per_s": count / max(took, 1e-9),
        "p50_ms": each[int(0.5 * (len(each) - 1))] * 1000,
        "p99_ms": each[int(0.99 * (len(each) - 1))] * 1000,
    }


def cancelled() -> rpcx.CallCancelled:
    """What a command answers that was cancelled. Nobody tells how often it was tried: once, as most are."""
    return rpcx.CallCancelled("the command was cancelled", delivery="maybe_run", attempts=1)
