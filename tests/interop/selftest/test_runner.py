"""A runner that finds no difference where there is one would make every grid green."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from runner import spare
from runner.breadth import Breadth
from runner.case import BadCase, Case, load
from runner.contract import violation
from runner.languages import Languages
from runner.match import first_difference, pattern_bytes
from runner.scenario import Pair
from runner.template import UnknownVariable, combinations, generate, substitute

_CALL = {"id": 1, "ok": True, "reply": {"C": 42}, "metadata": {}, "server": "tcp@x:1", "attempts": 1, "ms": 0.5}
_ERROR = {"kind": "timeout", "code": 4, "delivery": "maybe_run", "message": "late", "server": "tcp@x:1", "attempts": 1}


class Spare(unittest.TestCase):
    """When more cases than usual may run."""

    def test_one_case_an_interval_while_half_of_the_time_is_idle(self) -> None:
        """Ticks as the kernel counts them: idle, all."""
        clock, ticks = mock.Mock(return_value=0.0), mock.Mock(return_value=(0, 0))
        with mock.patch("time.monotonic", clock), mock.patch.object(spare, "_ticks", ticks):
            look = spare.Spare()
            for now, counted, expected in (
                (0.3, (60, 60), False),  # too soon
                (0.5, (60, 100), True),
                (0.6, (200, 240), False),  # somebody has just begun one
                (1.0, (100, 200), False),  # 40 of the last 100
                (1.5, (151, 300), True),
                (2.0, (151, 300), False),  # nothing was counted
            ):
                clock.return_value, ticks.return_value = now, counted
                self.assertEqual(look.take(), expected, now)


class Match(unittest.TestCase):
    """Expectations against answers."""

    def test_what_matches(self) -> None:
        """Equal values, open answers, and every matcher on a value that it accepts."""
        for expected, actual in (
            ({"reply": {"C": 42}}, _CALL),
            ({"ok": False, "error": {"kind": "timeout"}}, {"id": 1, "ok": False, "error": _ERROR}),
            ({"a": {"$any": True}, "b": {"$absent": True}}, {"a": None}),
            ({"a": {"$between": [1, 2]}}, {"a": 1.5}),
            ({"a": {"$one_of": [None, []]}}, {"a": []}),
            ({"a": {"$not": 5}}, {"a": 6}),
            ({"a": {"$regex": "^x.z$"}}, {"a": "xyz"}),
            ({"a": {"$has": {"b": 1}}}, {"a": {"b": 1, "c": 2}}),
            ({"a": {"$sum": 0}}, {"a": {"timeout": 0}}),
            ({"a": {"$only": ["closed"]}}, {"a": {"closed": 7, "timeout": 0}}),
            ({"a": {"$all": [{"$length": 2}, {"$sum": 3}]}}, {"a": {"x": 1, "y": 2}}),
            ({"a": {"$in_any_order": [{"$above": 5}, 1, 1]}}, {"a": [1, 6, 1]}),
            ({"a": {"$moment": "2026-01-01T00:00:00Z"}}, {"a": "2026-01-01T00:00:00.000Z"}),
            ({"a": {"$float32": 0.1}}, {"a": 0.10000000149011612}),
            ({"a": {"$pattern_hex": 3}}, {"a": pattern_bytes(3).hex()}),
        ):
            with self.subTest(expected=expected):
                self.assertIsNone(first_difference(expected, actual))

    def test_what_differs(self) -> None:
        """The same with values that differ, and where the difference is."""
        for expected, actual, where in (
            ({"reply": {"C": 42}}, {"reply": {"C": 41}}, "answer.reply.C"),
            ({"reply": {"C": 42}}, {"reply": {"C": 42, "D": 1}}, "answer.reply"),
            ({"reply": {"C": 42}}, {"reply": {"C": "42"}}, "answer.reply.C"),
            ({"a": 1}, {"a": True}, "answer.a"),
            ({"a": None}, {}, "answer.a"),
            ({"a": [1, 2]}, {"a": [1]}, "answer.a"),
            ({"a": {"$any": True}}, {}, "answer.a"),
            ({"a": {"$absent": True}}, {"a": None}, "answer.a"),
            ({"a": {"$between": [1, 2]}}, {"a": True}, "answer.a"),
            ({"a": {"$sum": 0}}, {"a": {"timeout": 1}}, "answer.a"),
            ({"a": {"$only": ["closed"]}}, {"a": {"timeout": 1}}, "answer.a"),
            ({"a": {"$all": [{"$length": 2}, {"$sum": 3}]}}, {"a": {"x": 1, "y": 1}}, "answer.a"),
            ({"a": {"$in_any_order": [1, 1, 2]}}, {"a": [2, 1, 2]}, "answer.a"),
            ({"a": {"$in_any_order": [1]}}, {"a": [1, 1]}, "answer.a"),
            ({"a": {"$moment": "2026-01-01T00:00:00Z"}}, {"a": "2026-01-01T00:00:00.000000001Z"}, "answer.a"),
            ({"a": {"$float32": 0.1}}, {"a": 0.10000001}, "answer.a"),
            ({"a": {"$typo": 1}}, {"a": 1}, "answer.a"),
        ):
            with self.subTest(expected=expected):
                self.assertIn(where, first_difference(expected, actual) or "")

    def test_the_pattern(self) -> None:
        """Byte i is (31 i + 7) mod 256, beyond one period too."""
        self.assertEqual(pattern_bytes(600), bytes((31 * i + 7) % 256 for i in range(600)))


class Contract(unittest.TestCase):
    """The form of answers."""

    def test_good_answers(self) -> None:
        """What the programs' description shows is accepted."""
        self.assertIsNone(violation("call", _CALL))
        self.assertIsNone(violation("call", {"id": 2, "ok": False, "error": _ERROR}))

    def test_bad_answers(self) -> None:
        """Missing fields, wrong numbers and states, and keys that must not be shown."""
        without = {key: value for key, value in _CALL.items() if key != "attempts"}
        for answer in (
            without,
            {**_CALL, "metadata": {"__rpcx_code": "4"}},
            {"id": 1, "ok": False, "error": {**_ERROR, "code": 5}},
            {"id": 1, "ok": False, "error": {**_ERROR, "delivery": "lost"}},
            {"id": 1, "ok": False, "error": {**_ERROR, "kind": "late"}},
            {"id": 1},
        ):
            with self.subTest(answer=answer):
                self.assertIsNotNone(violation("call", answer))


class Data(unittest.TestCase):
    """Variables, matrices and what a case file may say."""

    def test_variables(self) -> None:
        """A lone variable keeps its type; text is inserted; what nothing defines is an error."""
        self.assertEqual(substitute({"{k}": "{n}", "t": "a{n}b"}, {"k": "x", "n": 5}), {"x": 5, "t": "a5b"})
        self.assertEqual(substitute({"a": 1, "...": "{more}"}, {"more": {"b": 2}}), {"a": 1, "b": 2})
        self.assertRaises(UnknownVariable, substitute, "{nobody}", {})
        self.assertEqual(generate({"hex": {"$concat": ["00", {"$repeat": ["ff", 3]}]}}), {"hex": "00ffffff"})
        self.assertEqual(len(list(combinations({"a": [1, 2], "b": [{"c": 1}, {"c": 2}]}))), 4)

    def test_a_case(self) -> None:
        """A matrix gives a case each, with every variable in its place."""
        step = {
            "do": "call",
            "codec": "{codec}",
            "for": [{"n": 1}, {"n": 2}],
            "args": "{n}",
            "expect": {"reply": "{n}"},
        }
        cases = self._load({"name": "x/{codec}", "matrix": {"codec": ["json", "raw"]}, "steps": [step]})
        self.assertEqual([case.name for case in cases], ["x/json", "x/raw"])
        self.assertEqual([one.command["args"] for one in cases[1].steps], [1, 2])

    def test_bad_cases(self) -> None:
        """Unknown keys, transports, features and acts are refused, and an exception needs its reason."""
        call = {"do": "call"}
        for case in (
            {"name": "x", "stpes": []},
            {"name": "x", "steps": [], "transport": "pigeon"},
            {"name": "x", "steps": [], "needs": ["wings"]},
            {"name": "x", "steps": [{"run": "dance"}]},
            {"name": "x", "steps": [{"run": "kill", "server": "server"}]},
            {"name": "x", "servers": {"a": {}}, "steps": [{"run": "kill", "server": "b"}]},
            {"name": "x", "steps": [{**call, "except": [{"client": "go", "omit": True}]}]},
        ):
            with self.subTest(case=case), self.assertRaises(BadCase):
                self._load(case)

    def test_exceptions(self) -> None:
        """`ours` is every language but Go; `either` looks at both sides."""
        exception = {"either": "go", "because": "of a reason", "omit": True}
        case = self._load({"name": "x", "steps": [{"do": "call", "except": [exception]}]})[0]
        exemption = case.steps[0].exemptions[0]
        self.assertTrue(exemption.applies("go", "rust") and exemption.applies("rust", "go"))
        self.assertFalse(exemption.applies("rust", "python"))

    def test_the_real_cases(self) -> None:
        """The committed files are understood."""
        here = Path(__file__).resolve().parents[1]
        self.assertGreater(len(load(here / "cases", [], Languages.load(here / "languages.json"))), 200)

    def test_breadth(self) -> None:
        """Two of the whole run everything, others what the file says; each of its patterns says something."""
        here = Path(__file__).resolve().parents[1]
        cases = load(here / "cases", [], Languages.load(here / "languages.json"))
        breadth = Breadth.load(here / "breadth.json")
        self.assertEqual(breadth.idle(cases), [])

        def names(client: str, server: str) -> set[str]:
            return {case.name for case in cases if breadth.takes(case, Pair(client, server))}

        self.assertEqual(len(names("rust", "go")), len(cases))
        beside = names("java", "rust")
        self.assertTrue({"call/json/none/tcp", "metadata/tcp", "program/client/empty-input", "no-server"} <= beside)
        self.assertFalse({"call/json/gzip/tcp", "metadata/tls", "error/json/none/tcp"} & beside)
        self.assertEqual(
            names("java", "rust") - names("java", "go"), {name for name in beside if self._of_client(name)}
        )
        among = names("java", "node")
        self.assertTrue(30 <= len(among) <= 70 and among <= {case.name for case in cases}, len(among))

    @staticmethod
    def _of_client(name: str) -> bool:
        return name.startswith("program/client/") or name == "program/help/client"

    @staticmethod
    def _load(case: dict[str, Any]) -> list[Case]:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "x.json").write_text(json.dumps({"about": "x", "cases": [case]}), encoding="utf-8")
            return load(Path(folder), [], Languages({"thrift": ""}, {}))


if __name__ == "__main__":
    unittest.main()
