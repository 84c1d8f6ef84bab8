"""Options by the names of ``docs/CONFIGURATION.md``: Python values in, the library's texts out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal, TypedDict, Union

from . import _rpcx
from .errors import ConfigError
from .option_types import Duration

__all__ = ["CallOptions", "Duration", "OptionValue"]

OptionValue = Union[str, float, bool, timedelta, Iterable[str], Mapping[str, Any], None]
"""What an option may be given as; None: as if it were left out. A group may be a mapping."""

Scope = Literal["client", "call", "server"]


class CallOptions(TypedDict, total=False):
    """Options of one call, as keywords. What is left out takes the client's value."""

    timeout: Duration | None
    """Time for the whole call, all attempts included; 0: no deadline."""
    serialize_type: str | None
    """``raw``, ``json``, ``protobuf``, ``msgpack``, ``thrift``, ``5`` to ``15``; left out: by the argument's type."""
    compress_type: str | None
    fail_mode: Literal["failover", "failfast", "failtry", "failbackup"] | None
    retries: int | None
    retry_interval: Duration | None
    retry_maybe_run: bool | None
    backup_latency: Duration | None
    idempotent: bool | None
    """Running the handler twice does no harm, so the call may be sent again though it may have run."""
    hash_key: str | None
    target: str | None
    """The only server to use, spelled as the discovery does."""
    metadata: Mapping[str, str] | None
    """Pairs of text that the handler can read."""
    parent: Any
    """The `Context` of the call that this one is made for; False: none, though it is made in a handler."""
    cancel: _rpcx.Cancellation | None
    """Ends the call from anywhere."""


@lru_cache(maxsize=1)
def rows() -> dict[tuple[str, str], str]:
    """The type of each option by scope and name."""
    return {(row["scope"], row["name"]): row["type"] for row in json.loads(_rpcx.options_json())}


def pairs(scope: Scope, options: Mapping[str, OptionValue]) -> list[tuple[str, str]]:
    """Options as the library takes them; groups are taken apart."""
    found: list[tuple[str, str]] = []
    for name, value in options.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            inner = {f"{name}.{key}": item for key, item in value.items()}
            found += pairs(scope, inner)
        else:
            found.append((name, text(scope, name, value)))
    return found


def text(scope: Scope, name: str, value: object) -> str:
    """An option's value as text: numbers of a duration are seconds, those of a size bytes."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)}us"
    if isinstance(value, (int, float)):
        if rows().get((scope, name)) == "duration":
            return _seconds(name, value)
        return repr(value)
    if isinstance(value, Iterable):
        return ",".join(text(scope, name, item) for item in value)
    raise ConfigError(f"option {name}: {value!r} is no value of an option", reason="config.bad_value")


def _seconds(name: str, value: float) -> str:
    nanoseconds = value * 1e9
    if not 0 <= nanoseconds < 1e20:
        raise ConfigError(f"option {name}: {value!r} is no number of seconds", reason="config.bad_value")
    return f"{round(nanoseconds)}ns"


def seconds(value: Duration) -> float:
    """A duration as seconds; of texts only those that are a number of seconds and a unit are known here."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        for unit, factor in _UNITS:
            if value.endswith(unit):
                try:
                    return float(value.removesuffix(unit)) * factor
                except ValueError:
                    break
        raise ConfigError(f"{value!r} is no time such as 500ms or 15s", reason="config.bad_value")
    return float(value)


_UNITS = (("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0))
