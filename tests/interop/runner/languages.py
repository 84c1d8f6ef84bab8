"""What each language's programs cannot do, and why: `languages.json`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional


@dataclass(frozen=True)
class Languages:
    """Features that cases may need, and who lacks them. A language that is not named lacks nothing."""

    features: dict[str, str]
    lacks: dict[str, dict[str, dict[str, str]]]

    @classmethod
    def load(cls, path: Path) -> Languages:
        """Reads the file and checks that only known features are named."""
        data = json.loads(path.read_text(encoding="utf-8"))
        languages = cls(data["features"], data["lacks"])
        for roles in languages.lacks.values():
            for features in roles.values():
                languages.check_features(features)
        return languages

    def check_features(self, needs: Iterable[str]) -> None:
        """Raises ValueError for a feature that the file does not describe."""
        unknown = sorted(set(needs) - set(self.features))
        if unknown:
            raise ValueError(f"unknown feature {', '.join(unknown)}; known: {', '.join(self.features)}")

    def inability(self, needs: Iterable[str], language: str, role: str) -> Optional[str]:
        """The reason why `language` as `role` cannot do one of `needs`, or None."""
        lacking = self.lacks.get(language, {}).get(role, {})
        return next((lacking[feature] for feature in needs if feature in lacking), None)
