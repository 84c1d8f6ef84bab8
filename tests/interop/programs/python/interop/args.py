"""A small command line: `--name VALUE…`, every name known in advance."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


class Args:
    """What was given, by name."""

    def __init__(self, usage: str, known: Sequence[str]) -> None:
        self._usage = usage
        self._given: dict[str, list[str]] = {}
        given = sys.argv[1:]
        if "--help" in given or "-h" in given:
            print(usage, end="")
            sys.exit(0)
        current: list[str] | None = None
        for arg in given:
            if arg.startswith("--"):
                if arg[2:] not in known:
                    self.refuse(f"unknown argument {arg}")
                current = self._given.setdefault(arg[2:], [])
            elif current is None:
                self.refuse(f"unknown argument {arg}")
            else:
                current.append(arg)
        for name, values in self._given.items():
            if not values:
                self.refuse(f"--{name} needs a value")

    def all(self, name: str) -> list[str]:
        """All values of a name."""
        return self._given.get(name, [])

    def one(self, name: str) -> str | None:
        """The value of a name that may be given once."""
        values = self.all(name)
        if len(values) > 1:
            self.refuse(f"--{name} is given once, but {values[1]} follows")
        return values[0] if values else None

    def number(self, name: str, unset: float) -> float:
        """A number that may be left out."""
        text = self.one(name)
        try:
            return unset if text is None else float(text)
        except ValueError:
            self.refuse(f"--{name} {text}: not a number")

    def refuse(self, misuse: str) -> NoReturn:
        """Says what is wrong with the command line and ends the process with status 2."""
        print(f"{misuse}\n\n{self._usage}", file=sys.stderr)
        sys.exit(2)
