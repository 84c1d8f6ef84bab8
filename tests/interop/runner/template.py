"""Variables in the data of cases: `{name}` in any string, matrices, and generated payloads."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

Variables = Mapping[str, Any]

_VARIABLE = re.compile(r"\{([a-z_][a-z0-9_.]*)\}")

SPREAD = "..."
"""The key whose value, an object, is merged into the object around it."""


class UnknownVariable(Exception):
    """A `{name}` that nothing defines."""


def substitute(value: Any, variables: Variables, *, keep_unknown: bool = False) -> Any:
    """Returns `value` with every `{name}` replaced.

    A string that is nothing but one variable takes the variable's value as it is, of whatever type; elsewhere the
    value is inserted as text. With `keep_unknown` a name that is not defined yet stays as it is written.
    """
    if isinstance(value, str):
        return _substitute_text(value, variables, keep_unknown)
    if isinstance(value, list):
        return [substitute(item, variables, keep_unknown=keep_unknown) for item in value]
    if isinstance(value, dict):
        result: dict[str, Any] = {}
        for key, item in value.items():
            new = substitute(item, variables, keep_unknown=keep_unknown)
            if key == SPREAD and isinstance(new, dict):
                result.update(new)
            else:
                result[_key(substitute(key, variables, keep_unknown=keep_unknown))] = new
        return result
    return value


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise UnknownVariable(f"the key {key!r} is no text after its variables were replaced")
    return key


def _substitute_text(text: str, variables: Variables, keep_unknown: bool) -> Any:
    whole = _VARIABLE.fullmatch(text)
    if whole and whole[1] in variables:
        value = variables[whole[1]]
        # A variable may be defined by others, but never by itself.
        rest = {name: other for name, other in variables.items() if name != whole[1]}
        return substitute(value, rest, keep_unknown=keep_unknown)

    def replace(found: re.Match[str]) -> str:
        if found[1] in variables:
            return str(variables[found[1]])
        if keep_unknown:
            return found[0]
        raise UnknownVariable(f"nothing defines {found[0]} in {text[:200]!r}")

    return _VARIABLE.sub(replace, text)


def combinations(matrix: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Yields the variables of every cell of a matrix.

    An axis is a list of values for the variable of the axis' name; a value that is an object gives several variables
    at once, so that what belongs together stays together.
    """
    for cell in itertools.product(*matrix.values()):
        variables: dict[str, Any] = {}
        for axis, value in zip(matrix, cell):
            if isinstance(value, dict):
                variables.update(value)
            else:
                variables[axis] = value
        yield variables


def generate(value: Any) -> Any:
    """Replaces `{"$repeat": [text, count]}` and `{"$concat": [text…]}`: long payloads that a file should not hold."""
    if isinstance(value, list):
        return [generate(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$repeat"}:
        text, count = value["$repeat"]
        return str(text) * int(count)
    if set(value) == {"$concat"}:
        return "".join(str(generate(part)) for part in value["$concat"])
    return {key: generate(item) for key, item in value.items()}
