"""The public surface: the two clients and servers have the same names, and the tables are those of every language."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import rpcx
from rpcx import _rpcx, errors, options

ROOT = Path(__file__).parents[2]


def public(cls: type) -> set[str]:
    """The names that users see."""
    return {name for name in dir(cls) if not name.startswith("_")}


@pytest.mark.parametrize("name", ["Client", "Service", "Method", "Batch", "Pushes", "Server"])
def test_the_blocking_twins_have_the_same_names(name: str) -> None:
    """Every method, with the same parameters."""
    one, other = getattr(rpcx, name), getattr(rpcx.sync, name)
    assert public(one) == public(other)
    for method in public(one) | {"__init__"}:
        first, second = (inspect.getattr_static(cls, method) for cls in (one, other))
        if inspect.isfunction(first):
            shapes = [
                [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]
                for function in (first, second)
            ]
            assert shapes[0] == shapes[1], method


def test_everything_public_says_what_it_is() -> None:
    """Classes, functions and their methods have docstrings."""
    for name in rpcx.__all__:
        value = getattr(rpcx, name)
        if not inspect.isclass(value) or value.__module__.startswith(("rpcx._rpcx", "collections", "typing")):
            continue
        assert value.__doc__, name
        for method in public(value):
            member = inspect.getattr_static(value, method)
            if inspect.isfunction(member) or isinstance(member, property):
                assert member.__doc__, f"{name}.{method}"


def test_an_import_takes_along_only_what_is_used() -> None:
    """In a process of its own: nothing large for the package itself, no event loop for the blocking client."""
    text = """
        import sys
        import rpcx
        large = {"asyncio", "msgspec", "inspect", "logging", "typing", "rpcx._rpcx"}
        assert not large & set(sys.modules), large & set(sys.modules)
        assert set(rpcx.__all__) <= set(dir(rpcx))
        assert set(rpcx.sync.__all__) <= set(dir(rpcx.sync))
        rpcx.sync.Client([]).close()
        assert "asyncio" not in sys.modules
        for module in (rpcx, rpcx.sync):
            for name in module.__all__:
                # Whatever was imported before, it is the same thing, and what `from` gives.
                value = getattr(module, name)
                scope = {}
                exec(f"from {module.__name__} import {name}", scope)
                assert scope[name] is value, name
            for name in ("nothing", "service_", "_HOME_"):
                try:
                    getattr(module, name)
                except AttributeError as error:
                    assert name in str(error)
                else:
                    raise AssertionError(name)
        assert callable(rpcx.service) and callable(rpcx.method)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        env={**os.environ, "PYTHONPATH": str(Path(rpcx.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_errors_are_those_of_the_table() -> None:
    """One class for each kind, with its number."""
    table = json.loads((ROOT / "tests/vectors/errors.json").read_text(encoding="utf-8"))
    assert {row["code"]: row["kind"] for row in table["kinds"]} == {
        code: kind.kind for code, kind in errors.KINDS.items()
    }
    for code, kind in errors.KINDS.items():
        assert kind.code == code
        assert issubclass(kind, rpcx.RpcError)
    reasons = {row["reason"]: row["kind"] for row in table["reasons"]}
    for kind in errors.KINDS.values():
        assert reasons[kind.default_reason] == kind.kind
    assert set(table["deliveries"]) == set(errors.Delivery.__args__)  # type: ignore[attr-defined]
    native = json.loads(_rpcx.errors_json())
    assert {row["reason"]: row["kind"] for row in native["reasons"]} == reasons


def test_options_of_a_call_are_those_of_the_table() -> None:
    """The keywords that editors offer, and no others."""
    table = {name for scope, name in options.rows() if scope == "call"}
    assert set(options.CallOptions.__annotations__) == table | {"metadata", "parent", "cancel"}


def test_options_of_clients_and_servers_are_those_of_the_table() -> None:
    """The file that the table writes is current."""
    sys.path.insert(0, str(ROOT / "python"))
    try:
        import option_types
    finally:
        sys.path.pop(0)
    assert option_types.FILE.read_text(encoding="utf-8") == option_types.text(), "run python/option_types.py"


def test_values_of_options_as_python_has_them() -> None:
    """Numbers of a time are seconds, those of a size bytes; groups are mappings."""
    given: dict[str, Any] = {
        "timeout": 0.5,
        "connect_timeout": timedelta(milliseconds=20),
        "max_message_size": 1024,
        "retry_budget": {"window": 2, "ratio": 0.5},
        "breaker.enabled": True,
        "group": None,
        "propagate_metadata": ["a", "b"],
        "fail_mode": "failfast",
    }
    assert options.pairs("client", given) == [
        ("timeout", "500000000ns"),
        ("connect_timeout", "20000us"),
        ("max_message_size", "1024"),
        ("retry_budget.window", "2000000000ns"),
        ("retry_budget.ratio", "0.5"),
        ("breaker.enabled", "true"),
        ("propagate_metadata", "a,b"),
        ("fail_mode", "failfast"),
    ]
    rpcx.sync.Client([], **given).close()
    for bad in (-1, float("nan"), object()):
        with pytest.raises(rpcx.ConfigError, match="timeout"):
            options.pairs("client", {"timeout": bad})  # type: ignore[dict-item]
