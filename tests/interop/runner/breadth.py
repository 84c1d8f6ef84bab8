"""Which cases run on which pairs: `breadth.json`."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass
from pathlib import Path

from .case import Case
from .scenario import Pair


@dataclass(frozen=True)
class Breadth:
    """The rule by which a pair of languages gets its cases."""

    whole: frozenset[str]
    variables: dict[str, list[str]]
    besides: list[str]
    among: list[str]

    @classmethod
    def load(cls, path: Path) -> Breadth:
        """Reads the file."""
        data = json.loads(path.read_text(encoding="utf-8"))
        beside = data["beside"]
        return cls(frozenset(data["whole"]), beside["variables"], beside["besides"], data["among"])

    def takes(self, case: Case, pair: Pair) -> bool:
        """Whether `pair` runs `case`."""
        whole = [language in self.whole for language in (pair.client, pair.server)]
        if all(whole):
            return True
        if not any(whole):
            return _matches(case.name, self.among)
        if case.program is not None:
            # One side alone is tried; the other is not started.
            return pair.server == "rust" if case.program["role"] == "client" else pair.client == "rust"
        usual = all(case.variables[name] in values for name, values in self.variables.items() if name in case.variables)
        return (usual and case.transport in self.variables["transport"]) or _matches(case.name, self.besides)

    def idle(self, cases: list[Case]) -> list[str]:
        """Patterns that match none of `cases`."""
        return [one for one in [*self.besides, *self.among] if not any(_matches(case.name, [one]) for case in cases)]


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, one) for one in patterns)
