"""Arguments and replies of the test services. The names on the wire are Go's."""

from __future__ import annotations

from typing import Annotated

import msgspec
import rpcx
from msgspec import Meta

Int8 = Annotated[int, Meta(ge=-(1 << 7), le=(1 << 7) - 1)]
Int16 = Annotated[int, Meta(ge=-(1 << 15), le=(1 << 15) - 1)]
Int32 = Annotated[int, Meta(ge=-(1 << 31), le=(1 << 31) - 1)]
Int64 = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Uint8 = Annotated[int, Meta(ge=0, le=(1 << 8) - 1)]
Uint16 = Annotated[int, Meta(ge=0, le=(1 << 16) - 1)]
Uint32 = Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]
Uint64 = Annotated[int, Meta(ge=0)]


class Nothing(msgspec.Struct):
    """Nothing."""


class SleepArgs(msgspec.Struct):
    """Arguments of `Test.Sleep` and `Test.Block`."""

    Ms: Int64 = 0


class SleepReply(msgspec.Struct):
    """Milliseconds slept."""

    Slept: Int64 = 0


class TextArgs(msgspec.Struct):
    """Arguments of `Test.Fail` and `Test.Panic`."""

    Text: str = ""


class SizeArgs(msgspec.Struct):
    """Arguments of `Test.Size`; in raw a decimal number."""

    Bytes: Int64 = 0

    @classmethod
    def __rpcx_decode__(cls, payload: bytes, serialize_type: int) -> SizeArgs:
        return cls(int(payload)) if serialize_type == rpcx.codec.RAW else NotImplemented


class SizeReply(msgspec.Struct):
    """The reply of `Test.Size`; in raw the bytes alone."""

    Data: bytes = b""

    def __rpcx_encode__(self, serialize_type: int) -> bytes:
        return self.Data if serialize_type == rpcx.codec.RAW else NotImplemented


class CountArgs(msgspec.Struct):
    """Arguments of `Test.Count`: a `Service.Method`."""

    Method: str = ""


class CountReply(msgspec.Struct):
    """How often a method ran."""

    Started: Int64 = 0
    Finished: Int64 = 0
    Cancelled: Int64 = 0


class MsReply(msgspec.Struct):
    """Milliseconds until a deadline; −1 without one."""

    Ms: Int64 = 0


class PeerReply(msgspec.Struct):
    """Who calls."""

    Address: str = ""
    Tls: str = ""


class NestedArgs(msgspec.Struct):
    """Arguments of `Test.Nested`."""

    Address: str = ""
    Depth: Int64 = 0
    Ms: Int64 = 0


class PushArgs(msgspec.Struct):
    """Arguments of `Test.Push`."""

    Count: Int64 = 0
    Text: str = ""


class Pair(msgspec.Struct):
    """Two numbers, as part of `Types`."""

    A: Int64 = 0
    B: Int64 = 0


class Types(msgspec.Struct):
    """A field of every type."""

    Bool: bool = False
    I8: Int8 = 0
    I16: Int16 = 0
    I32: Int32 = 0
    I64: Int64 = 0
    U8: Uint8 = 0
    U16: Uint16 = 0
    U32: Uint32 = 0
    U64: Uint64 = 0
    F32: rpcx.Float32 = rpcx.Float32()
    F64: float = 0.0
    Str: str = ""
    Bytes: bytes = b""
    Time: rpcx.Timestamp = rpcx.Timestamp()
    Dur: Int64 = 0
    IntList: list[Int64] = []
    StrList: list[str] = []
    Map: dict[str, Int64] = {}
    Nested: Pair = msgspec.field(default_factory=Pair)
    Ptr: Pair | None = None
    List: list[Pair] = []


def pattern(size: int) -> bytes:
    """So many bytes: byte `i` is `(31·i + 7) mod 256`."""
    whole = bytes((31 * i + 7) % 256 for i in range(256))
    return (whole * (size // 256 + 1))[:size]
