"""A running interop driver: commands in, answers out, matched by id."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .match import show
from .process import Program, ProgramError, Reaper

_NO_ID = "null"


@dataclass(frozen=True)
class Answer:
    """An answer and when it came (monotonic seconds)."""

    data: dict[str, Any]
    at: float


def key_of(ident: Any) -> str:
    """Ids are of any JSON type; this is one to look up by."""
    return json.dumps(ident, sort_keys=True)


class Driver:
    """One driver process; serves one case at a time."""

    def __init__(self, program: Path, folder: Path, number: int, reaper: Reaper) -> None:
        """Starts the driver."""
        self.program = Program([str(program)], folder / f"client-{number}.log", reaper)
        self._answers: dict[str, list[Answer]] = {}

    def send(self, command: dict[str, Any], deadline: float) -> float:
        """Sends a command and returns the moment of it."""
        return self.send_line(json.dumps(command, ensure_ascii=False), deadline)

    def send_line(self, line: str, deadline: float) -> float:
        """Sends a line as it is and returns the moment of it."""
        before = time.monotonic()
        self.program.write_line(line, deadline)
        return before

    def answer(self, ident: Any, deadline: float) -> Answer:
        """Waits for the answer to a command; others that come first are kept for whoever asks for them."""
        key = key_of(ident)
        while not self._answers.get(key):
            line = self.program.read_line(deadline)
            at = time.monotonic()
            if line is None:
                raise ProgramError(f"the driver ended without an answer to {key}: {self.program.end_text()}")
            try:
                data = json.loads(line)
            except ValueError:
                data = None
            if not isinstance(data, dict):
                raise ProgramError(f"expected a line with one JSON object, got {show(line)}")
            self._answers.setdefault(key_of(data.get("id")), []).append(Answer(data, at))
        return self._answers[key].pop(0)

    def unclaimed(self) -> list[dict[str, Any]]:
        """Answers that came and that nobody asked for; they are forgotten."""
        surplus = [answer.data for answers in self._answers.values() for answer in answers]
        self._answers.clear()
        return surplus

    def end_input(self) -> None:
        """Ends the input; answers may still come."""
        self.program.close_input()

    def finish(self, deadline: float) -> str:
        """Ends the input and returns what was wrong with the end, or an empty text."""
        self.end_input()
        try:
            while (line := self.program.read_line(deadline)) is not None:
                self._answers.setdefault(_NO_ID, []).append(Answer({"line": line}, time.monotonic()))
            status = self.program.wait(deadline)
        except ProgramError as error:
            return f"at the end of its input: {error}"
        return "" if status == 0 else f"the driver's exit status: expected 0, got {status}"
