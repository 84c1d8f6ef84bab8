"""A table that finds a test where there is none would make every cell green."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from table import page
from table.features import BadTable, Features, load
from table.grid import Grid, Lacks
from table.source import missing

_SOURCES = {
    "a.rs": "/// Says.\n#[tokio::test(flavor = 'x')]\nasync fn works() {}\n#[inline]\nfn helper() {}\nfn plain() {}\n",
    "a.py": "async def test_works() -> None:\n    helper()\n\ndef helper() -> None: ...\n# def test_gone(): ...\n",
    "A.java": "@Test\nvoid works() throws Exception {}\n\nvoid helper() {}\n",
    "a.test.mjs": "test('it works, too', async (t) => {})\n// 'not this'\n",
    "a.c": "static void works(int *x) {\n}\n\nstatic void unused(void) {\n}\n\nint main(void) {\n  works(0);\n}\n",
    "a.cpp": "rpcx::Detached waits(rpcx::Method echo, Count& done) {\n}\n\nint main() { waits(echo, done); }\n",
    "a.txt": "works",
}
_COLUMN = {"id": "rust", "title": "Rust", "tests": "", "grid": "rust"}


def _features(folder: Path, row: dict[str, Any], **more: Any) -> Features:
    data = {"columns": [_COLUMN], "reasons": {}, "groups": [{"title": "All", "features": [row]}], **more}
    path = folder / "features.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return load(path)


class Sources(unittest.TestCase):
    """Tests by name."""

    def test_what_is_there_and_what_only_looks_so(self) -> None:
        """Each language has one that is found, and others that are not tests."""
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            for file, text in _SOURCES.items():
                (root / file).write_text(text, encoding="utf-8")
            for file, test in (
                ("a.rs", "works"),
                ("a.py", "test_works"),
                ("A.java", "works"),
                ("a.test.mjs", "it works, too"),
                ("a.c", "works"),
                ("a.cpp", "waits"),
            ):
                self.assertEqual(missing(root, file, test), "", file)
            for file, test in (
                ("a.rs", "helper"),
                ("a.rs", "plain"),
                ("a.rs", "work"),
                ("a.py", "helper"),
                ("a.py", "test_gone"),
                ("A.java", "helper"),
                ("a.test.mjs", "not this"),
                ("a.test.mjs", "it works"),
                ("a.c", "unused"),
                ("a.c", "main"),
                ("a.cpp", "main"),
                ("a.txt", "works"),
                ("none.rs", "works"),
            ):
                self.assertNotEqual(missing(root, file, test), "", f"{file}::{test}")


class TheGrid(unittest.TestCase):
    """Proof by interop cases, by the grid's own rules."""

    def test_what_runs(self) -> None:
        """Cases of a language in both roles, reasons of those that cannot, nothing for what the breadth leaves out."""
        grid = Grid()
        self.assertEqual(
            grid.proof(("call/msgpack/none/tcp",), "python", ("client", "server")), ["call/msgpack/none/tcp"]
        )
        self.assertIsNone(grid.proof(("call/json/gzip/tls",), "python", ("client", "server")))
        self.assertIsNone(grid.proof(("call/msgpack/none/tcp", "no/such"), "python", ("client",)))
        self.assertIsNone(grid.proof(("call/msgpack/none/tcp",), "cobol", ("client",)))
        self.assertIsInstance(grid.proof(("batch/tcp",), "go", ("client",)), Lacks)
        self.assertEqual(grid.proof(("batch/tcp",), "go", ("server",)), ["batch/tcp"])
        self.assertEqual(
            [grid.file_of(name) for name in ("call/json/none/tcp", "target", "no/such")],
            ["call.json", "select.json", ""],
        )


class Table(unittest.TestCase):
    """Rows and their cells."""

    def test_a_cell_is_proven_reasoned_missing_or_a_mistake(self) -> None:
        """And nothing else."""
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            (root / "a.rs").write_text(_SOURCES["a.rs"], encoding="utf-8")
            reasons = {"reasons": {"why": "because"}}
            for row, expected, more in (
                ({"name": "x", "rust": "/a.rs::works"}, (1, 0, 0, 0), {}),
                ({"name": "x", "rust": "/a.rs::gone"}, (1, 0, 0, 1), {}),
                ({"name": "x", "rust": ["/a.rs::works", "/b.rs::works"]}, (1, 0, 0, 1), {}),
                ({"name": "x", "cases": ["metadata/tcp"]}, (1, 0, 0, 0), {}),
                ({"name": "x", "cases": ["no/such"]}, (0, 0, 1, 1), {}),
                ({"name": "x"}, (0, 0, 1, 0), {}),
                ({"name": "x", "rust": {"none": "why"}}, (0, 1, 0, 0), reasons),
            ):
                _, cells = page.write(_features(root, row, **more), Grid(), root)
                found = (cells.proven, cells.reasoned, len(cells.missing), len(cells.mistakes))
                self.assertEqual(found, expected, row)

    def test_what_the_file_may_not_say(self) -> None:
        """Unknown keys and reasons, reasons that nothing uses, a row without a name."""
        with tempfile.TemporaryDirectory() as name:
            for row, more in (
                ({"name": "x", "cobol": "a.rs::works"}, {}),
                ({"name": "x", "rust": {"none": "unknown"}}, {}),
                ({"name": "x"}, {"reasons": {"idle": "because"}}),
                ({"name": "x", "roles": ["both"]}, {}),
                ({"rust": "a.rs::works"}, {}),
            ):
                with self.assertRaises(BadTable, msg=str(row)):
                    _features(Path(name), row, **more)


if __name__ == "__main__":
    unittest.main()
