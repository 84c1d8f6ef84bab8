"""Values in the driver's lines: bytes in hexadecimal, integers beyond 2⁵³ as decimal text, moments in RFC 3339."""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Any

import msgspec
import rpcx
from msgspec import inspect

EXACT = 1 << 53


class Misfit(rpcx.ConfigError):
    """A command that cannot be obeyed; nothing was sent."""


def typed(kind: Any, value: Any) -> Any:
    """Arguments as a type, from their form in a line. A field that the type lacks is refused, missing ones are zero."""
    try:
        return msgspec.convert(_read(value, inspect.type_info(kind), "args"), kind, dec_hook=_custom)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise Misfit(f"args: {error}") from None


def _read(value: Any, at: inspect.Type, name: str) -> Any:
    """The value with texts made bytes and integers, and nulls made zeros."""
    if isinstance(at, inspect.UnionType):
        others = [one for one in at.types if not isinstance(one, inspect.NoneType)]
        return None if value is None else _read(value, others[0], name)
    if isinstance(at, inspect.StructType):
        if value is not None and not isinstance(value, dict):
            raise Misfit(f"{name}: {value!r} is no object")
        fields = {field.encode_name: field for field in at.fields}
        if unknown := (value or {}).keys() - fields.keys():
            raise Misfit(f"{name}: unknown field {', '.join(sorted(unknown))}")
        return {key: _read(item, fields[key].type, key) for key, item in (value or {}).items() if item is not None}
    if isinstance(at, inspect.ListType):
        return [_read(item, at.item_type, name) for item in value or ()]
    if isinstance(at, inspect.DictType):
        return {key: _read(item, at.value_type, key) for key, item in (value or {}).items()}
    if isinstance(at, inspect.IntType) and isinstance(value, str):
        return int(value)
    if isinstance(at, inspect.BytesType):
        return hexadecimal(name, value or "")
    if value is None and isinstance(at, inspect.StrType):
        return ""
    return value


def _custom(kind: type, value: Any) -> Any:
    if kind is rpcx.Float32:
        struct.pack(">f", value)
        return rpcx.Float32(value)
    if kind is rpcx.Timestamp and isinstance(value, str):
        return rpcx.Timestamp.parse(value)
    raise ValueError(f"{value!r} is no {kind.__name__}")


def hexadecimal(name: str, text: Any) -> bytes:
    """The bytes of hexadecimal text."""
    try:
        if len(text) % 2 == 0 and text.isalnum() or text == "":
            return bytes.fromhex(text)
    except (TypeError, ValueError, AttributeError):
        pass
    raise Misfit(f"{name}: {text!r} is no hexadecimal text")


def shown(value: Any) -> Any:
    """A value as the driver's lines have it."""
    if isinstance(value, msgspec.Struct):
        return {name: shown(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(shown(key)): shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, datetime):
        return str(rpcx.Timestamp.of(value))
    if isinstance(value, rpcx.Timestamp):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and not -EXACT <= value <= EXACT:
        return str(value)
    return value


def failure(error: rpcx.RpcError) -> dict[str, Any]:
    """An error as an answer."""
    return {
        "ok": False,
        "error": {
            "kind": error.kind,
            "code": error.code,
            "delivery": error.delivery,
            "message": str(error),
            "server": error.server,
            "attempts": error.attempts,
        },
    }
