"""The fields of a command, taken one by one; what is left over is refused by name."""

from __future__ import annotations

from typing import Any

from .line import Misfit


class Fields:
    """The fields not yet taken."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = dict(fields)

    def take(self, name: str) -> Any:
        """Any value; None when there is none."""
        return self._fields.pop(name, None)

    def text(self, name: str) -> str:
        """Text that must be there."""
        text = self.optional_text(name)
        if text is None:
            raise Misfit(f"{name} is missing")
        return text

    def optional_text(self, name: str) -> str | None:
        """Text, or nothing."""
        value = self.take(name)
        if value is not None and not isinstance(value, str):
            raise Misfit(f"{name}: {value!r} is no text")
        return value

    def count(self, name: str, least: int = 0) -> int | None:
        """A whole number."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise Misfit(f"{name}: {value!r} is no whole number from {least}")
        return value

    def flag(self, name: str, unset: bool) -> bool:
        """True or false."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise Misfit(f"{name}: {value!r} is neither true nor false")
        return unset if value is None else value

    def object(self, name: str) -> dict[str, Any]:
        """An object; nothing is an empty one."""
        value = self.take(name)
        if value is not None and not isinstance(value, dict):
            raise Misfit(f"{name}: {value!r} is no object")
        return value or {}

    def milliseconds(self, name: str) -> float | None:
        """A time in milliseconds, or text with a unit, in seconds."""
        value = self.take(name)
        if value is None:
            return None
        units = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
        try:
            if isinstance(value, str):
                number = value.rstrip("abcdefghijklmnopqrstuvwxyz")
                return float(number) * units[value[len(number) :] or "ms"]
            return float(value) / 1000
        except (TypeError, ValueError, KeyError):
            raise Misfit(f"{name}: {value!r} is no time in milliseconds") from None

    def done(self) -> None:
        """Refuses a field that nobody took."""
        for name in self._fields:
            raise Misfit(f"unknown field {name!r}")
