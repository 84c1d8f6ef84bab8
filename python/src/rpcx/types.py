"""Values that Python has no type of its own for."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import total_ordering

__all__ = ["Float32", "Payload", "Timestamp"]

_NANOS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ZERO = -62_135_596_800  # 0001-01-01, Go's zero time
_TEXT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)")


class Payload(bytes):
    """Bytes that are a payload as they are: sent without encoding in whatever serialize type the call has.

    As a reply type it gives the payload that came, decompressed and undecoded.
    """

    __slots__ = ()


class Float32(float):
    """A number that travels in single precision, as Go's ``float32`` asks for in MessagePack."""

    __slots__ = ()


@total_ordering
class Timestamp:
    """A moment to the nanosecond, in UTC. Use it in place of `datetime` where microseconds are not enough.

    >>> str(Timestamp.parse("2023-11-15T00:13:20.5+02:00"))
    '2023-11-14T22:13:20.5Z'
    """

    __slots__ = ("nanoseconds", "seconds")

    seconds: int
    """Whole seconds since 1970, negative before it."""
    nanoseconds: int
    """Nanoseconds after `seconds`, from 0 to 999,999,999."""

    def __init__(self, seconds: int = _ZERO, nanoseconds: int = 0) -> None:
        if not 0 <= nanoseconds < _NANOS:
            raise ValueError(f"{nanoseconds} nanoseconds are not from 0 to 999999999")
        self.seconds = seconds
        self.nanoseconds = nanoseconds

    @classmethod
    def parse(cls, text: str) -> Timestamp:
        """Reads RFC 3339; raises ValueError for what is none."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no moment as RFC 3339 has it")
        day, time, fraction, zone = found.groups()
        zone = "+00:00" if zone in "Zz" else zone
        whole = datetime.fromisoformat(f"{day}T{time}+00:00")
        sign = -1 if zone[0] == "-" else 1
        offset = sign * (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60)
        seconds = (whole - _EPOCH) // timedelta(seconds=1) - offset
        return cls(seconds, int((fraction or "").ljust(9, "0")))

    @classmethod
    def of(cls, moment: datetime) -> Timestamp:
        """The moment of a `datetime` that has a time zone."""
        if moment.tzinfo is None:
            raise ValueError("a datetime without a time zone is no moment")
        since = moment - _EPOCH
        return cls(since // timedelta(seconds=1), since.microseconds * 1000)

    def datetime(self) -> datetime:
        """As a `datetime` in UTC; what is below a microsecond is cut off."""
        return _EPOCH + timedelta(seconds=self.seconds, microseconds=self.nanoseconds // 1000)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Timestamp):
            return NotImplemented
        return (self.seconds, self.nanoseconds) == (other.seconds, other.nanoseconds)

    def __lt__(self, other: Timestamp) -> bool:
        return (self.seconds, self.nanoseconds) < (other.seconds, other.nanoseconds)

    def __hash__(self) -> int:
        return hash((self.seconds, self.nanoseconds))

    def __repr__(self) -> str:
        return f"Timestamp({self.seconds}, {self.nanoseconds})"

    def __str__(self) -> str:
        whole = (_EPOCH + timedelta(seconds=self.seconds)).replace(tzinfo=None).isoformat()
        fraction = f".{self.nanoseconds:09}".rstrip("0") if self.nanoseconds else ""
        return f"{whole}{fraction}Z"
