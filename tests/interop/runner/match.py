"""Compares an answer with what a case expects and names the first difference.

An expectation is JSON. Values must be equal; an object must have exactly the keys that are expected, except the answer
itself and its `error`, where more are allowed. An object with one key that begins with `$` is a matcher.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Optional

_MISSING: Any = object()
_OPEN = ("answer", "answer.error")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")

Difference = Optional[str]
"""None when all is well, else one line that says where and what."""


def first_difference(expected: Any, actual: Any, path: str = "answer") -> Difference:
    """Returns the first difference between an answer and its expectation."""
    if isinstance(expected, dict):
        if len(expected) == 1:
            name, argument = next(iter(expected.items()))
            if name in MATCHERS:
                return MATCHERS[name](argument, actual, path)
        if any(key.startswith("$") for key in expected):
            return f"{path}: the case has an unknown matcher among {sorted(expected)}"
        return _objects(expected, actual, path, path in _OPEN)
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            return _differ(path, expected, actual)
        for index, (one, other) in enumerate(zip(expected, actual)):
            difference = first_difference(one, other, f"{path}[{index}]")
            if difference:
                return difference
        return None
    if actual is _MISSING or isinstance(expected, bool) != isinstance(actual, bool) or expected != actual:
        return _differ(path, expected, actual)
    return None


def _objects(expected: dict[str, Any], actual: Any, path: str, more_allowed: bool) -> Difference:
    if not isinstance(actual, dict):
        return _differ(path, expected, actual)
    for key, value in expected.items():
        difference = first_difference(value, actual.get(key, _MISSING), f"{path}.{key}")
        if difference:
            return difference
    surplus = sorted(set(actual) - set(expected))
    if surplus and not more_allowed:
        return f"{path}: not expected: {', '.join(surplus)} (got {show(actual)})"
    return None


def _differ(path: str, expected: Any, actual: Any) -> str:
    return f"{path}: expected {show(expected)}, got {show(actual)}"


def show(value: Any, limit: int = 400) -> str:
    """The value as JSON on one line, cut in the middle when it is long."""
    if value is _MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[: limit - 60]} … {text[-40:]} ({len(text)} characters)"


def _any(_: Any, actual: Any, path: str) -> Difference:
    return f"{path}: expected any value, got nothing" if actual is _MISSING else None


def _absent(_: Any, actual: Any, path: str) -> Difference:
    return None if actual is _MISSING else f"{path}: expected nothing, got {show(actual)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _between(bounds: Any, actual: Any, path: str) -> Difference:
    low, high = bounds
    if _is_number(actual) and low <= actual <= high:
        return None
    return f"{path}: expected {show(low)} to {show(high)}, got {show(actual)}"


def _above(bound: Any, actual: Any, path: str) -> Difference:
    return None if _is_number(actual) and actual > bound else f"{path}: expected above {bound}, got {show(actual)}"


def _one_of(choices: Any, actual: Any, path: str) -> Difference:
    if any(first_difference(choice, actual, path) is None for choice in choices):
        return None
    return f"{path}: expected one of {show(choices)}, got {show(actual)}"


def _not(unwanted: Any, actual: Any, path: str) -> Difference:
    if first_difference(unwanted, actual, path) is None:
        return f"{path}: expected anything but {show(unwanted)}, got {show(actual)}"
    return None


def _regex(pattern: Any, actual: Any, path: str) -> Difference:
    if isinstance(actual, str) and re.search(pattern, actual, re.DOTALL):
        return None
    return f"{path}: expected text with /{pattern}/, got {show(actual)}"


def _has(part: Any, actual: Any, path: str) -> Difference:
    return _objects(part, actual, path, more_allowed=True)


def _length(length: Any, actual: Any, path: str) -> Difference:
    if isinstance(actual, (str, list, dict)) and len(actual) == length:
        return None
    return f"{path}: expected length {length}, got {show(actual)}"


def _sum(total: Any, actual: Any, path: str) -> Difference:
    """The numbers of an object, such as errors by kind; a missing object has the sum 0."""
    numbers = {} if actual is _MISSING else actual
    if not isinstance(numbers, dict) or not all(_is_number(number) for number in numbers.values()):
        return f"{path}: expected an object of numbers, got {show(actual)}"
    difference = first_difference(total, sum(numbers.values()), f"sum of {path}")
    return f"{difference} ({show(numbers)})" if difference else None


def _only(keys: Any, actual: Any, path: str) -> Difference:
    """An object of numbers in which no other key than these counts anything."""
    if not isinstance(actual, dict):
        return _differ(path, keys, actual)
    others = {key: number for key, number in actual.items() if number and key not in keys}
    return f"{path}: expected only {show(keys)}, got {show(others)} too" if others else None


def _all(matchers: Any, actual: Any, path: str) -> Difference:
    """Every one of several expectations."""
    return next(filter(None, (first_difference(matcher, actual, path) for matcher in matchers)), None)


def _in_any_order(expected: Any, actual: Any, path: str) -> Difference:
    """A list of which each expectation fits one item of its own; which, is found by trying."""
    if not isinstance(actual, list) or len(actual) != len(expected):
        return _differ(path, expected, actual)
    rest = list(actual)
    for one in expected:
        found = next((index for index, item in enumerate(rest) if first_difference(one, item, path) is None), None)
        if found is None:
            return f"{path}: expected one item to be {show(one)}, got {show(rest)}"
        del rest[found]
    return None


def _moment(expected: Any, actual: Any, path: str) -> Difference:
    """The same moment, however many decimals it is written with."""
    if isinstance(actual, str) and _instant(actual) is not None and _instant(actual) == _instant(expected):
        return None
    return f"{path}: expected the moment {expected}, got {show(actual)}"


def _float32(expected: Any, actual: Any, path: str) -> Difference:
    """The same single-precision number, whether it is written with its own digits or with those of a double."""
    if _is_number(actual) and abs(actual) < 3.5e38 and struct.pack("<f", expected) == struct.pack("<f", actual):
        return None
    return f"{path}: expected the float32 {expected}, got {show(actual)}"


def _instant(text: str) -> Optional[tuple[timedelta, int]]:
    found = _MOMENT.fullmatch(text)
    if not found:
        return None
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    seconds = datetime.strptime(found[1] + "+0000", "%Y-%m-%dT%H:%M:%S%z") - epoch
    return seconds, int((found[2] or "").ljust(9, "0"))


def pattern_bytes(size: int) -> bytes:
    """The bytes of `Test.Size`: byte i is (31 i + 7) mod 256."""
    period = bytes((31 * i + 7) % 256 for i in range(256))
    return (period * (size // 256 + 1))[:size]


def _pattern_digest(size: Any, actual: Any, path: str) -> Difference:
    return _digest_of(pattern_bytes(size), actual, path)


def _pattern_hex(size: Any, actual: Any, path: str) -> Difference:
    return first_difference(pattern_bytes(size).hex(), actual, path)


def _hex_digest(text: Any, actual: Any, path: str) -> Difference:
    return _digest_of(bytes.fromhex(text), actual, path)


def _digest_of(payload: bytes, actual: Any, path: str) -> Difference:
    digest = {"bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
    return first_difference(digest, actual, path)


MATCHERS: dict[str, Callable[[Any, Any, str], Difference]] = {
    "$any": _any,
    "$absent": _absent,
    "$between": _between,
    "$above": _above,
    "$one_of": _one_of,
    "$not": _not,
    "$regex": _regex,
    "$has": _has,
    "$length": _length,
    "$sum": _sum,
    "$only": _only,
    "$all": _all,
    "$in_any_order": _in_any_order,
    "$moment": _moment,
    "$float32": _float32,
    "$pattern_digest": _pattern_digest,
    "$pattern_hex": _pattern_hex,
    "$hex_digest": _hex_digest,
}
