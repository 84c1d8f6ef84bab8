"""The messages of `Arith` in four formats: msgspec writes MessagePack and JSON, the other two are the types' own."""

from __future__ import annotations

from typing import Any

import msgspec
import rpcx
from thrift.Thrift import TType

from .arith_pb2 import ArithArgs as PbArgs
from .arith_pb2 import ArithReply as PbReply

_I32 = range(-(1 << 31), 1 << 31)


class Numbers:
    """A struct of `i32` fields, written as Apache Thrift's compiler would."""

    thrift_spec = ()
    fields: tuple[str, ...] = ()

    def __init__(self, **values: int) -> None:
        for field in self.fields:
            setattr(self, field, values.get(field, 0))

    def read(self, protocol: Any) -> None:
        """Reads the fields that are known, skips the others."""
        protocol.readStructBegin()
        while True:
            _, kind, number = protocol.readFieldBegin()
            if kind == TType.STOP:
                break
            if kind == TType.I32 and 1 <= number <= len(self.fields):
                setattr(self, self.fields[number - 1], protocol.readI32())
            else:
                protocol.skip(kind)
            protocol.readFieldEnd()
        protocol.readStructEnd()

    def write(self, protocol: Any) -> None:
        """Writes every field; a number that is no i32 is an error."""
        protocol.writeStructBegin(type(self).__name__)
        for number, field in enumerate(self.fields, 1):
            value = getattr(self, field)
            if value not in _I32:
                raise ValueError(f"{field}: {value} is no i32")
            protocol.writeFieldBegin(field, TType.I32, number)
            protocol.writeI32(value)
            protocol.writeFieldEnd()
        protocol.writeFieldStop()
        protocol.writeStructEnd()


class ThriftArgs(Numbers):
    """`ArithArgs` for Thrift."""

    fields = ("A", "B")


class ThriftReply(Numbers):
    """`ArithReply` for Thrift."""

    fields = ("C",)


def _fields(message: Any) -> dict[str, int]:
    return {name: getattr(message, name) for name in message.__struct_fields__}


class _Everywhere:
    """A message that has a form in Protocol Buffers and Thrift besides."""

    _pb: Any
    _thrift: Any

    def __rpcx_encode__(self, serialize_type: int) -> Any:
        other = {rpcx.codec.PROTOBUF: self._pb, rpcx.codec.THRIFT: self._thrift}.get(serialize_type)
        if other is None:
            return NotImplemented
        encoded: bytes = rpcx.codec.encode(other(**_fields(self)), serialize_type)
        return encoded

    @classmethod
    def __rpcx_decode__(cls, payload: bytes, serialize_type: int) -> Any:
        other = {rpcx.codec.PROTOBUF: cls._pb, rpcx.codec.THRIFT: cls._thrift}.get(serialize_type)
        if other is None:
            return NotImplemented
        read = rpcx.codec.decode(payload, serialize_type, other)
        return cls(**{name: getattr(read, name) for name in cls.__struct_fields__})  # type: ignore[attr-defined]


class ArithArgs(msgspec.Struct, _Everywhere):
    """Two numbers."""

    A: int = 0
    B: int = 0


class ArithReply(msgspec.Struct, _Everywhere):
    """What came of them."""

    C: int = 0


for _message, _pb, _thrift in ((ArithArgs, PbArgs, ThriftArgs), (ArithReply, PbReply, ThriftReply)):
    _message._pb, _message._thrift = _pb, _thrift


def wrap(number: int) -> int:
    """The number as Go's int64 has it."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def divide(args: ArithArgs) -> ArithReply:
    """Truncates toward zero."""
    if args.B == 0:
        raise rpcx.ServiceError("divide by zero")
    quotient = abs(args.A) // abs(args.B)
    return ArithReply(wrap(quotient if (args.A < 0) == (args.B < 0) else -quotient))
