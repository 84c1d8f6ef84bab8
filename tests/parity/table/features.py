"""Reads `features.json`: the columns, the features in their groups, and what each says of each language."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

_COLUMN_KEYS = {"id", "title", "tests", "grid"}
_FEATURE_KEYS = {"name", "cases", "roles"}
_ROLES = ("client", "server")


class BadTable(Exception):
    """`features.json` says something that cannot be; the text names the place."""


@dataclass(frozen=True)
class Column:
    """A language: the folder of its tests, and the name under which it is in the interop grid, if it is."""

    id: str
    title: str
    tests: str
    grid: Optional[str]


@dataclass(frozen=True)
class Feature:
    """A row: interop cases, tests by language, and reasons of languages that have no such thing."""

    name: str
    cases: tuple[str, ...]
    roles: tuple[str, ...]
    tests: dict[str, tuple[str, ...]]
    reasons: dict[str, str]


@dataclass(frozen=True)
class Group:
    """Rows under one heading."""

    title: str
    features: tuple[Feature, ...]


@dataclass(frozen=True)
class Features:
    """The whole file."""

    columns: tuple[Column, ...]
    groups: tuple[Group, ...]


def load(path: Path) -> Features:
    """Reads the file; raises BadTable for keys and references that it does not know."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadTable(f"{path.name}: {error}") from error
    columns = tuple(_column(raw) for raw in data["columns"])
    reasons: dict[str, str] = data["reasons"]
    ids = {column.id for column in columns}
    groups = []
    used: set[str] = set()
    names: set[str] = set()
    for group in data["groups"]:
        rows = []
        for raw in group["features"]:
            feature, of_these = _feature(raw, ids, reasons)
            if feature.name in names:
                raise BadTable(f"{feature.name}: there are two rows of this name")
            names.add(feature.name)
            used |= of_these
            rows.append(feature)
        groups.append(Group(group["title"], tuple(rows)))
    if idle := sorted(set(reasons) - used):
        raise BadTable(f"nothing refers to the reasons {', '.join(idle)}")
    return Features(columns, tuple(groups))


def _column(raw: dict[str, Any]) -> Column:
    if set(raw) != _COLUMN_KEYS:
        raise BadTable(f"a column has the keys {', '.join(sorted(_COLUMN_KEYS))}, not {', '.join(sorted(raw))}")
    return Column(raw["id"], raw["title"], raw["tests"], raw["grid"])


def _feature(raw: dict[str, Any], columns: set[str], reasons: dict[str, str]) -> tuple[Feature, set[str]]:
    name = raw.get("name", "")
    if not name:
        raise BadTable("a feature has no name")
    if unknown := sorted(set(raw) - _FEATURE_KEYS - columns):
        raise BadTable(f"{name}: unknown keys {', '.join(unknown)}")
    roles = tuple(raw.get("roles", _ROLES))
    if not roles or not set(roles) <= set(_ROLES):
        raise BadTable(f"{name}: roles are {' and '.join(_ROLES)}, not {', '.join(roles)}")
    tests: dict[str, tuple[str, ...]] = {}
    why: dict[str, str] = {}
    used: set[str] = set()
    for column in sorted(columns & set(raw)):
        said = raw[column]
        if isinstance(said, dict):
            if set(said) != {"none"} or said["none"] not in reasons:
                raise BadTable(f'{name}: {column}: expected {{"none": one of the reasons}}, not {said}')
            used.add(said["none"])
            why[column] = reasons[said["none"]]
        else:
            tests[column] = (said,) if isinstance(said, str) else tuple(said)
    return Feature(name, tuple(raw.get("cases", ())), roles, tests, why), used
