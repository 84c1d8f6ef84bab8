"""Formats: what goes out, what comes in, and what Go writes."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

import rpcx
from rpcx import codec

VECTORS = Path(__file__).parents[2] / "tests/vectors"


@dataclasses.dataclass
class Point:
    """A dataclass."""

    X: int
    Y: list[int]
    Name: str
    Next: Point | None = None


class Moment(msgspec.Struct):
    """A moment and a number of single precision."""

    At: rpcx.Timestamp = rpcx.Timestamp()
    Size: rpcx.Float32 = rpcx.Float32()


@pytest.mark.parametrize("form", [codec.MSGPACK, codec.JSON])
def test_values_of_every_sort_come_back(form: int) -> None:
    """Typed and untyped."""
    point = Point(1, [2, 3], "größe 🚀", Point(0, [], ""))
    encoded = codec.encode(point, form)
    assert codec.decode(encoded, form, Point) == point
    assert codec.decode(encoded, form, object)["Next"] == {"X": 0, "Y": [], "Name": "", "Next": None}
    assert codec.decode(codec.encode({"a": [1, None, "x"]}, form), form, dict[str, Any]) == {"a": [1, None, "x"]}


@pytest.mark.parametrize("form", [codec.MSGPACK, codec.JSON])
def test_nil_and_missing_fields_are_zero(form: int) -> None:
    """As Go writes nil slices, and as it leaves fields out."""
    encoded = codec.encode({"X": None, "Y": None, "Next": {"Y": [1]}}, form)
    assert codec.decode(encoded, form, Point) == Point(0, [], "", Point(0, [1], ""))
    assert codec.decode(codec.encode(None, form), form, list[int]) == []
    assert codec.decode(codec.encode(None, form), form, Point) == Point(0, [], "")


@pytest.mark.parametrize("form", [codec.MSGPACK, codec.JSON])
@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999999Z", "2514-05-30T01:53:04.5Z"])
def test_moments_are_exact_to_the_nanosecond(form: int, text: str) -> None:
    """With a type that says so."""
    moment = Moment(rpcx.Timestamp.parse(text))
    assert codec.decode(codec.encode(moment, form), form, Moment) == moment


def test_moments_are_datetimes_too() -> None:
    """In microseconds."""
    moment = datetime(2026, 11, 21, 4, 22, 38, 123456, timezone.utc)
    payload = codec.encode({"At": moment}, codec.MSGPACK)
    assert codec.decode(payload, codec.MSGPACK, dict[str, datetime]) == {"At": moment}
    assert rpcx.Timestamp.of(moment).datetime() == moment
    assert str(rpcx.Timestamp.parse("2023-11-15T00:13:20.5+02:00")) == "2023-11-14T22:13:20.5Z"
    with pytest.raises(ValueError, match="noon"):
        rpcx.Timestamp.parse("noon")


def test_single_precision_keeps_its_width() -> None:
    """Go refuses a float64 for a float32."""
    assert codec.encode(rpcx.Float32(1.5), codec.MSGPACK) == b"\xca\x3f\xc0\x00\x00"
    with pytest.raises(rpcx.CodecError, match="float"):
        codec.encode(rpcx.Float32(1e39), codec.MSGPACK)


def test_payloads_are_left_alone() -> None:
    """In every serialize type."""
    for form in range(16):
        assert codec.encode(rpcx.Payload(b"\xc1"), form) == b"\xc1"
        assert codec.decode(b"\xc1", form, rpcx.Payload) == b"\xc1"


def test_what_has_no_form_is_refused() -> None:
    """With an error that names it."""
    for value, form in [(1, codec.RAW), ({}, codec.PROTOBUF), ({}, codec.THRIFT), (object(), codec.JSON), ({}, 9)]:
        with pytest.raises(rpcx.CodecError) as caught:
            codec.encode(value, form)
        assert caught.value.delivery == "not_sent"
    for payload, kind in [(b"\xc1", Point), (b"", Point), (b"\x81", object), (b"\xa1a", int)]:
        with pytest.raises(rpcx.CodecError) as caught:
            codec.decode(payload, codec.MSGPACK, kind)
        assert caught.value.delivery == "answered"


def test_a_type_brings_a_format_of_its_own() -> None:
    """For the free numbers too."""

    class Decimal(msgspec.Struct):
        value: int

        def __rpcx_encode__(self, serialize_type: int) -> bytes:
            return str(self.value).encode() if serialize_type in (codec.RAW, 9) else NotImplemented

        @classmethod
        def __rpcx_decode__(cls, payload: bytes, serialize_type: int) -> Decimal:
            return cls(int(payload)) if serialize_type in (codec.RAW, 9) else NotImplemented

    for form in (codec.RAW, 9, codec.JSON):
        assert codec.decode(codec.encode(Decimal(42), form), form, Decimal) == Decimal(42)
    assert codec.encode(Decimal(42), 9) == b"42"


#: But what is described instead of written out, and text that is no UTF-8, which Python's str cannot hold.
GO = [
    case
    for case in json.loads((VECTORS / "payloads.json").read_text(encoding="utf-8"))["encode"]
    if "/len-" not in case["name"] and "msgpack" in case and case["name"] != "string/invalid-utf8"
]


@pytest.mark.parametrize("case", GO, ids=[case["name"] for case in GO])
def test_what_go_wrote_is_read(case: dict[str, Any]) -> None:
    """Every MessagePack and JSON payload that Go's codecs wrote."""
    codec.decode(bytes.fromhex(case["msgpack"]), codec.MSGPACK, object)
    if case.get("json"):
        codec.decode(case["json"].encode(), codec.JSON, object)
