"""Finds tests by name in sources of every language: a name that is only mentioned is no test."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Callable


def missing(root: Path, path: str, name: str) -> str:
    """Why `path` under `root` has no test `name`; empty when it has."""
    file = root / path
    if not file.is_file():
        return f"there is no file {path}"
    finder = _FINDERS.get(file.suffix)
    if finder is None:
        return f"{path}: tests are not looked for in files *{file.suffix}"
    return "" if finder(_text(file), name) else f"{path} has no test {name}"


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _rust(text: str, name: str) -> bool:
    """A function with an attribute such as `#[test]` or `#[tokio::test(…)]` among those above it."""
    match = re.search(rf"^((?:[ \t]*(?:#\[.*|///.*)\n)+)[ \t]*(?:async )?fn {re.escape(name)}\(", text, re.MULTILINE)
    return match is not None and re.search(r"#\[(?:\w+::)*test\b", match[1]) is not None


def _python(text: str, name: str) -> bool:
    """A function or method that pytest collects."""
    pattern = rf"^[ \t]*(?:async )?def {re.escape(name)}\("
    return name.startswith("test_") and re.search(pattern, text, re.MULTILINE) is not None


def _java(text: str, name: str) -> bool:
    """A method with JUnit's annotation."""
    pattern = rf"@(?:Test|ParameterizedTest)\b(?:\s*@[^\n]*\n)*\s*(?:public )?void {re.escape(name)}\("
    return re.search(pattern, text) is not None


def _javascript(text: str, name: str) -> bool:
    """A test of node:test by its title."""
    return re.search(rf"\b(?:test|it)\(\s*(['\"`]){re.escape(name)}\1", text) is not None


def _c(text: str, name: str) -> bool:
    """A function that is defined and then used: called by the program's main, or handed over to be called."""
    defined = re.search(rf"^[\w:<>*& ]+\b{re.escape(name)}\([^;]*?\)\s*\{{", text, re.MULTILINE)
    return defined is not None and re.search(rf"\b{re.escape(name)}\b", text[defined.end() :]) is not None


_FINDERS: dict[str, Callable[[str, str], bool]] = {
    ".rs": _rust,
    ".py": _python,
    ".java": _java,
    ".mjs": _javascript,
    ".c": _c,
    ".cpp": _c,
}
