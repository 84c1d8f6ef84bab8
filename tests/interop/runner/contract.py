"""What every answer of a driver must look like, whatever the case: keys, types, kinds, numbers and delivery states."""

from __future__ import annotations

from typing import Any

from .match import Difference, show

KINDS = {
    "config": 1,
    "connect": 2,
    "no_server": 3,
    "timeout": 4,
    "service": 5,
    "cancelled": 6,
    "overload": 7,
    "protocol": 8,
    "codec": 9,
    "limit": 10,
    "auth": 11,
    "closed": 12,
    "shutting_down": 13,
    "unsupported": 14,
    "internal": 99,
}
DELIVERIES = ("not_sent", "maybe_run", "answered")

_CALLS = ("call", "broadcast", "fork")
_FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "call": {"metadata": (dict,), "server": (str,), "attempts": (int,), "ms": (int, float)},
    "burst": {
        "count": (int,),
        "errors": (dict,),
        "wrong": (int,),
        "servers": (dict,),
        "calls_per_s": (int, float),
        "p50_ms": (int, float),
        "p99_ms": (int, float),
    },
    "stats": {"stats": (dict,)},
    "pushes": {"pushes": (list,)},
    "batch": {"replies": (list,)},
    "inform": {"replies": (list,)},
}


def violation(command: str, answer: dict[str, Any]) -> Difference:
    """Returns what is wrong with the form of an answer to `command`."""
    ok = answer.get("ok")
    if ok is False:
        return _failure(answer.get("error"))
    if ok is not True:
        return f"answer.ok: expected true or false, got {show(ok)}"
    if "error" in answer:
        return f"answer.error: a good answer has none, got {show(answer['error'])}"
    name = "call" if command in _CALLS else command
    for field, types in _FIELDS.get(name, {}).items():
        value = answer.get(field)
        if not isinstance(value, types) or isinstance(value, bool):
            return f"answer.{field}: expected {' or '.join(t.__name__ for t in types)}, got {show(value)}"
    if name == "call":
        return _good_call(answer)
    if name in ("batch", "inform"):
        return _nested(answer["replies"]) or (_by_address(answer["replies"]) if name == "inform" else None)
    if name == "stats":
        return _statistics(answer["stats"])
    return None


def _failure(error: Any) -> Difference:
    if not isinstance(error, dict):
        return f"answer.error: expected an object, got {show(error)}"
    kind = error.get("kind")
    if kind not in KINDS:
        return f"answer.error.kind: expected one of the kinds, got {show(kind)}"
    if error.get("code") != KINDS[kind]:
        return f"answer.error.code: expected {KINDS[kind]} for {kind}, got {show(error.get('code'))}"
    if error.get("delivery") not in DELIVERIES:
        return f"answer.error.delivery: expected one of {show(DELIVERIES)}, got {show(error.get('delivery'))}"
    if not isinstance(error.get("message"), str):
        return f"answer.error.message: expected text, got {show(error.get('message'))}"
    if kind != "service" and not error["message"]:
        return "answer.error.message: expected text, got an empty one"
    return None


def _good_call(answer: dict[str, Any]) -> Difference:
    if "reply" not in answer:
        return "answer.reply: expected a reply, got nothing"
    if answer["attempts"] < 1:
        return f"answer.attempts: expected at least 1, got {answer['attempts']}"
    reserved = [key for key in answer["metadata"] if key.startswith("__")]
    if reserved:
        return f"answer.metadata: reserved keys {show(reserved)} must be left out"
    return None


def _nested(replies: list[Any]) -> Difference:
    for index, reply in enumerate(replies):
        if not isinstance(reply, dict):
            return f"answer.replies[{index}]: expected an object, got {show(reply)}"
        difference = violation("call", reply)
        if difference:
            return difference.replace("answer", f"answer.replies[{index}]", 1)
    return None


def _by_address(replies: list[Any]) -> Difference:
    """An inform says of each answer whose it is, in the order of the addresses."""
    servers = [reply.get("server") if reply["ok"] else reply["error"].get("server") for reply in replies]
    if not all(isinstance(server, str) for server in servers):
        return f"answer.replies: expected the server of each, got {show(servers)}"
    if servers != sorted(servers):
        return f"answer.replies: expected them sorted by address, got {show(servers)}"
    return None


def _statistics(stats: dict[str, Any]) -> Difference:
    for name in ("calls", "in_flight", "bytes_in", "bytes_out"):
        if not isinstance(stats.get(name), int):
            return f"answer.stats.{name}: expected a whole number, got {show(stats.get(name))}"
    if not isinstance(stats.get("errors"), dict):
        return f"answer.stats.errors: expected an object, got {show(stats.get('errors'))}"
    connections = stats.get("connections")
    wanted = ("opened", "failed", "closed")
    if not isinstance(connections, dict) or not all(isinstance(connections.get(name), int) for name in wanted):
        return f"answer.stats.connections: expected opened, failed and closed, got {show(connections)}"
    return None
