"""Go's zero values: nil, and a field that is missing, become the zero value of a type that has no None."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from msgspec import inspect

from .types import Float32, Timestamp

_ZEROS: tuple[tuple[type[inspect.Type], Any], ...] = (
    (inspect.BoolType, False),
    (inspect.IntType, 0),
    (inspect.FloatType, 0.0),
    (inspect.StrType, ""),
    (inspect.BytesType, b""),
    (inspect.ByteArrayType, b""),
    (inspect.DateTimeType, datetime(1, 1, 1, tzinfo=timezone.utc)),
    (inspect.TimeDeltaType, timedelta()),
)
_RECORDS = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType, inspect.NamedTupleType)
_LISTS = (inspect.ListType, inspect.SetType, inspect.FrozenSetType, inspect.VarTupleType)


def shape(kind: Any) -> inspect.Type:
    """What a type is made of."""
    return inspect.type_info(kind)


def holds(kind: Any, wanted: type) -> bool:
    """Whether values of a type have values of another one in them."""
    seen: set[Any] = set()

    def look(at: inspect.Type) -> bool:
        if isinstance(at, inspect.CustomType):
            return at.cls is wanted
        if isinstance(at, _RECORDS):
            if at.cls in seen:
                return False
            seen.add(at.cls)
            return any(look(field.type) for field in at.fields)
        if isinstance(at, _LISTS):
            return look(at.item_type)
        if isinstance(at, inspect.TupleType):
            return any(map(look, at.item_types))
        if isinstance(at, inspect.DictType):
            return look(at.key_type) or look(at.value_type)
        return isinstance(at, inspect.UnionType) and any(map(look, at.types))

    return look(shape(kind))


def fill(value: Any, at: inspect.Type) -> Any:
    """The value with zeros in the place of nil, as far as the type has no None there."""
    if isinstance(at, inspect.UnionType):
        if value is None and any(isinstance(one, inspect.NoneType) for one in at.types):
            return None
        others = [one for one in at.types if not isinstance(one, inspect.NoneType)]
        return fill(value, others[0]) if len(others) == 1 else value
    if isinstance(at, _RECORDS):
        return _fill_record({} if value is None else value, at.fields) if _is_map(value) else value
    if isinstance(at, _LISTS):
        return [fill(item, at.item_type) for item in value or ()] if value is None or _is_list(value) else value
    if isinstance(at, inspect.DictType):
        if not _is_map(value):
            return value
        pairs = (value or {}).items()
        return {fill(key, at.key_type): fill(item, at.value_type) for key, item in pairs}
    return _zero(at) if value is None else value


def _is_map(value: object) -> bool:
    return value is None or isinstance(value, dict)


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple))


def _fill_record(value: dict[Any, Any], fields: tuple[inspect.Field, ...]) -> dict[Any, Any]:
    filled = dict(value)
    for field in fields:
        name = field.encode_name
        if value.get(name) is not None:
            filled[name] = fill(value[name], field.type)
        elif name in value or field.required:
            zero = fill(None, field.type)
            filled[name] = zero
    return filled


def _zero(at: inspect.Type) -> Any:
    for kind, zero in _ZEROS:
        if isinstance(at, kind):
            return zero
    if isinstance(at, inspect.CustomType):
        if issubclass(at.cls, Timestamp):
            return Timestamp()
        if issubclass(at.cls, Float32):
            return Float32()
    return None
