"""Arguments and replies as bytes, in the formats that rpcx has numbers for.

What a value is made of decides how it travels:

===================================================  ==========================================
dict, list, str, numbers, dataclass, msgspec.Struct  the client's ``serialize_type``: MessagePack or JSON
a protobuf message                                   Protocol Buffers
a struct that Apache Thrift generated                Thrift's binary protocol (install ``librpcx[thrift]``)
``bytes``                                            as they are (raw)
`Payload`                                            as it is, in whatever serialize type the call has
===================================================  ==========================================

A type may bring formats of its own, the free numbers 5 to 15 included, with two methods::

    class Number(msgspec.Struct):
        value: int

        def __rpcx_encode__(self, serialize_type: int) -> bytes:      # or NotImplemented
            return str(self.value).encode() if serialize_type == rpcx.codec.RAW else NotImplemented

        @classmethod
        def __rpcx_decode__(cls, payload: bytes, serialize_type: int) -> "Number":
            return cls(int(payload)) if serialize_type == rpcx.codec.RAW else NotImplemented

MessagePack and JSON are read as Go writes them: nil and missing fields are the zero value of a field that cannot be
None.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from . import _rpcx, zero
from .errors import CodecError, ConfigError
from .types import Float32, Payload, Timestamp

__all__ = ["JSON", "MSGPACK", "NAMES", "PROTOBUF", "RAW", "THRIFT", "decode", "encode", "natural", "number"]

RAW, JSON, PROTOBUF, MSGPACK, THRIFT = range(5)
"""The numbers of rpcx's serialize types."""

NAMES = {"raw": RAW, "json": JSON, "protobuf": PROTOBUF, "msgpack": MSGPACK, "thrift": THRIFT}
"""The same by name."""

_SHOWN = {number: name for name, number in NAMES.items()}

Encoder = Callable[[Any], bytes]
Decoder = Callable[[bytes], Any]


def number(name: str | int) -> int:
    """The number of a serialize type by its name or number."""
    found = NAMES.get(name) if isinstance(name, str) else name
    if found is None and isinstance(name, str) and name.isdecimal():
        found = int(name)
    if found is None or not 0 <= found < 16:
        known = ", ".join(NAMES)
        raise ConfigError(f"serialize_type: {name!r} is none of {known}, 5 to 15", reason="config.bad_value")
    return found


_natural: dict[type, int | None] = {}


def natural(kind: type) -> int | None:
    """The serialize type that values of a type have of themselves; None: that of the client."""
    try:
        return _natural[kind]
    except KeyError:
        found = _natural[kind] = _find_natural(kind)
        return found


def _find_natural(kind: type) -> int | None:
    if issubclass(kind, Payload):
        return None
    if issubclass(kind, (bytes, bytearray, memoryview)):
        return RAW
    if _is_protobuf(kind):
        return PROTOBUF
    if _is_thrift(kind):
        return THRIFT
    return None


def _is_protobuf(kind: object) -> bool:
    return hasattr(kind, "SerializeToString") and hasattr(kind, "FromString")


def _is_thrift(kind: object) -> bool:
    return hasattr(kind, "thrift_spec") and hasattr(kind, "write") and hasattr(kind, "read")


# ---- encoding

_encoders: list[dict[type, Encoder]] = [{} for _ in range(16)]


def encode(value: object, serialize_type: int) -> bytes:
    """Encodes a value; raises CodecError for what the serialize type cannot hold."""
    kind = type(value)
    try:
        encoder = _encoders[serialize_type][kind]
    except KeyError:
        encoder = _encoders[serialize_type][kind] = _encoder(kind, serialize_type)
    try:
        return encoder(value)
    except CodecError:
        raise
    except Exception as error:
        name = _SHOWN.get(serialize_type, serialize_type)
        raise CodecError(f"{kind.__name__} as {name}: {error}", reason="codec.encode") from error


def _encoder(kind: type, serialize_type: int) -> Encoder:
    if issubclass(kind, Payload):
        return bytes
    standard = _standard_encoder(kind, serialize_type)
    if not hasattr(kind, "__rpcx_encode__"):
        return standard

    def own(value: Any) -> bytes:
        encoded = value.__rpcx_encode__(serialize_type)
        return standard(value) if encoded is NotImplemented else bytes(encoded)

    return own


def _standard_encoder(kind: type, serialize_type: int) -> Encoder:
    if serialize_type == MSGPACK:
        return _msgpack_encoder.encode
    if serialize_type == JSON:
        return _json_encoder.encode
    if serialize_type == PROTOBUF and _is_protobuf(kind):
        serialize: Encoder = kind.SerializeToString  # type: ignore[attr-defined]
        return serialize
    if serialize_type == THRIFT and _is_thrift(kind):
        return _write_thrift
    if serialize_type == RAW and issubclass(kind, (bytes, bytearray, memoryview)):
        return bytes
    if kind is type(None) and serialize_type in (RAW, PROTOBUF):
        return lambda _: b""
    return lambda _: _no_codec(kind, serialize_type, "codec.encode")


def _no_codec(kind: object, serialize_type: int, reason: str) -> Any:
    shown = getattr(kind, "__name__", str(kind))
    name = _SHOWN.get(serialize_type, f"serialize type {serialize_type}")
    raise CodecError(f"{shown} has no form in {name}", reason=reason)


def _msgpack_hook(value: object) -> object:
    if isinstance(value, Float32):
        return msgspec.Raw(struct.pack(">Bf", 0xCA, value))
    if isinstance(value, Timestamp):
        return msgspec.msgpack.Ext(-1, _timestamp_bytes(value))
    raise NotImplementedError(f"{type(value).__name__} has no form in MessagePack")


def _timestamp_bytes(moment: Timestamp) -> bytes:
    seconds, nanoseconds = moment.seconds, moment.nanoseconds
    if 0 <= seconds < 1 << 34:
        if nanoseconds == 0 and seconds < 1 << 32:
            return struct.pack(">I", seconds)
        return struct.pack(">Q", nanoseconds << 34 | seconds)
    return struct.pack(">Iq", nanoseconds, seconds)


def _json_hook(value: object) -> object:
    if isinstance(value, Float32):
        return float(value)
    if isinstance(value, Timestamp):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no form in JSON")


_msgpack_encoder = msgspec.msgpack.Encoder(enc_hook=_msgpack_hook)
_json_encoder = msgspec.json.Encoder(enc_hook=_json_hook)


# ---- decoding

_decoders: list[dict[Any, Decoder]] = [{} for _ in range(16)]


def decode(payload: bytes, serialize_type: int, kind: Any) -> Any:
    """Decodes a payload as a type, `object` for what it holds by itself; raises CodecError for what does not fit."""
    try:
        decoder = _decoders[serialize_type][kind]
    except KeyError:
        decoder = _decoders[serialize_type][kind] = _decoder(kind, serialize_type)
    try:
        return decoder(payload)
    except CodecError:
        raise
    except Exception as error:
        shown = getattr(kind, "__name__", str(kind))
        name = _SHOWN.get(serialize_type, serialize_type)
        raise CodecError(f"{name} as {shown}: {error}", reason="codec.decode", delivery="answered") from error


def _decoder(kind: Any, serialize_type: int) -> Decoder:
    if kind is None or kind is type(None):
        return lambda _: None
    if isinstance(kind, type) and issubclass(kind, Payload):
        return kind
    standard = _standard_decoder(kind, serialize_type)
    if not hasattr(kind, "__rpcx_decode__"):
        return standard

    def own(payload: bytes) -> Any:
        value = kind.__rpcx_decode__(payload, serialize_type)
        return standard(payload) if value is NotImplemented else value

    return own


def _standard_decoder(kind: Any, serialize_type: int) -> Decoder:
    untyped = kind is object or kind is Any
    if serialize_type in (JSON, MSGPACK) and not _is_protobuf(kind):
        return _msgspec_decoder(object if untyped else kind, serialize_type)
    if serialize_type == PROTOBUF and _is_protobuf(kind):
        parse: Decoder = kind.FromString
        return parse
    if serialize_type == THRIFT and _is_thrift(kind):
        return lambda payload: _read_thrift(kind, payload)
    if untyped or (kind is bytes and serialize_type == RAW):
        return bytes
    return lambda _: _no_codec(kind, serialize_type, "codec.unsupported")


def _msgspec_decoder(kind: Any, serialize_type: int) -> Decoder:
    """msgspec's own decoder; what it refuses is read once more with nil as the zero value."""
    if kind is object:
        decoder: Decoder = _values[serialize_type]
        return lambda payload: decoder(payload) if payload else None
    again = _lenient(kind, serialize_type)
    if serialize_type == MSGPACK and zero.holds(kind, Timestamp):
        # msgspec cuts moments to microseconds.
        return again
    if serialize_type == MSGPACK:
        fast: Decoder = msgspec.msgpack.Decoder(kind, dec_hook=_dec_hook).decode
    else:
        fast = msgspec.json.Decoder(kind, dec_hook=_dec_hook).decode

    def read(payload: bytes) -> Any:
        try:
            return fast(payload)
        except msgspec.ValidationError:
            return again(payload)

    return read


def _lenient(kind: Any, serialize_type: int) -> Decoder:
    shape = zero.shape(kind)

    def read(payload: bytes) -> Any:
        exact = serialize_type == MSGPACK
        value = _rpcx.msgpack_values(payload, Timestamp) if exact else msgspec.json.decode(payload)
        filled = zero.fill(value, shape)
        return msgspec.convert(filled, kind, dec_hook=_dec_hook, str_keys=serialize_type == JSON)

    return read


def _dec_hook(kind: type, value: Any) -> Any:
    if isinstance(value, kind):
        return value
    if kind is Float32 and isinstance(value, (int, float)) and not isinstance(value, bool):
        return Float32(value)
    if kind is Timestamp:
        if isinstance(value, str):
            return Timestamp.parse(value)
        if isinstance(value, datetime):
            return Timestamp.of(value)
    if issubclass(kind, datetime) and isinstance(value, Timestamp):
        return value.datetime()
    raise ValueError(f"{type(value).__name__} is no {kind.__name__}")


_values: dict[int, Decoder] = {
    JSON: msgspec.json.Decoder().decode,
    MSGPACK: msgspec.msgpack.Decoder().decode,
}


# ---- Thrift, where Apache's library is installed


def _write_thrift(value: Any) -> bytes:
    protocol, buffer = _thrift(b"")
    value.write(protocol)
    written: bytes = buffer.getvalue()
    return written


def _read_thrift(kind: Any, payload: bytes) -> Any:
    protocol, _ = _thrift(payload)
    value = kind()
    # Structs that cannot change are made by the class.
    read = value.read(protocol)
    return value if read is None else read


def _thrift(payload: bytes) -> tuple[Any, Any]:
    try:
        from thrift.protocol.TBinaryProtocol import TBinaryProtocol
        from thrift.transport.TTransport import TMemoryBuffer
    except ImportError as error:
        text = "Thrift needs Apache's library: pip install 'librpcx[thrift]'"
        raise CodecError(text, reason="codec.unsupported") from error
    buffer = TMemoryBuffer(payload) if payload else TMemoryBuffer()
    size = len(payload) or None
    protocol = TBinaryProtocol(buffer, string_length_limit=size, container_length_limit=size)
    return protocol, buffer
