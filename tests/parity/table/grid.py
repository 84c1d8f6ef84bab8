"""Which interop cases the grid runs with a language, by the grid's own rules."""

from __future__ import annotations

import fnmatch
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Union

ROOT = Path(__file__).resolve().parents[3]
INTEROP = ROOT / "tests" / "interop"
if str(INTEROP) not in sys.path:
    sys.path.insert(0, str(INTEROP))

from runner.breadth import Breadth  # noqa: E402
from runner.case import Case, load  # noqa: E402
from runner.languages import Languages  # noqa: E402
from runner.scenario import Pair  # noqa: E402


@dataclass(frozen=True)
class Lacks:
    """A language cannot do it, for this reason."""

    reason: str


class Grid:
    """The cases, the breadth of the grid, and what languages lack."""

    def __init__(self, folder: Path = INTEROP) -> None:
        self.languages = Languages.load(folder / "languages.json")
        self.breadth = Breadth.load(folder / "breadth.json")
        self.cases = [case for case in load(folder / "cases", [], self.languages) if not case.deep]
        self.programs = {path.parent.name for path in (folder / "programs").glob("*/client")} & {
            path.parent.name for path in (folder / "programs").glob("*/server")
        }

        self._files = {
            path.name: [re.sub(r"\{[^}]*\}", "*", raw["name"]) for raw in json.loads(path.read_text("utf-8"))["cases"]]
            for path in sorted((folder / "cases").glob("*.json"))
        }

    def file_of(self, name: str) -> str:
        """The file that a case of this name is in, relative to the cases' folder."""
        for matches in (str.__eq__, fnmatch.fnmatchcase):
            for file, names in self._files.items():
                if any(matches(name, one) for one in names):
                    return file
        return ""

    def matching(self, pattern: str) -> list[Case]:
        """The cases of such a name."""
        return [case for case in self.cases if fnmatch.fnmatchcase(case.name, pattern)]

    def proof(self, patterns: tuple[str, ...], language: str, roles: tuple[str, ...]) -> Union[list[str], Lacks, None]:
        """The cases that `language` runs beside Rust in each of `roles`; None if there are none for a pattern."""
        if language not in self.programs:
            return None
        names: list[str] = []
        for pattern in patterns:
            for role in roles:
                run, lack = self._run(self.matching(pattern), language, role)
                if not run:
                    return Lacks(lack) if lack else None
                names += [name for name in run if name not in names]
        return names or None

    def _run(self, cases: list[Case], language: str, role: str) -> tuple[list[str], str]:
        """The names of those that run, and a reason why others do not."""
        pair = Pair(language, "rust") if role == "client" else Pair("rust", language)
        run, lack = [], ""
        for case in cases:
            if not self.breadth.takes(case, pair) or any(one.applies(pair.client, pair.server) for one in case.skip):
                continue
            reason = self.languages.inability(case.needs, language, role)
            if reason:
                lack = reason
            else:
                run.append(case.name)
        return run, lack
