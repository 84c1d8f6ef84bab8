"""The examples run, and the README shows what runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LIMIT

import rpcx

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(rpcx.__file__).parents[1])}
MARKER = "# README: the text from here on.\n\n"


@pytest.mark.parametrize("name", ["server", "client", "client_sync"])
def test_the_readme_shows_the_quickstart(name: str) -> None:
    """Word for word."""
    program = (EXAMPLES / f"quickstart/{name}.py").read_text(encoding="utf-8").split(MARKER)[1]
    assert f"```python\n{program}```" in (ROOT / "python/README.md").read_text(encoding="utf-8")


def test_the_quickstart_runs(tmp_path: Path) -> None:
    """On a socket of its own in place of the README's port."""
    address = f"unix@{tmp_path}/socket"
    for name in ("server", "client", "client_sync"):
        text = (EXAMPLES / f"quickstart/{name}.py").read_text(encoding="utf-8")
        (tmp_path / f"{name}.py").write_text(text.replace("tcp@127.0.0.1:8972", address), encoding="utf-8")
    with start(str(tmp_path / "server.py")) as server:
        for name in ("client", "client_sync"):
            assert output(str(tmp_path / f"{name}.py")) == "6 x 7 = 42\n"
        server.kill()


def test_arith_runs(tmp_path: Path) -> None:
    """The client says what Go's says."""
    address = f"unix@{tmp_path}/socket"
    with start(str(EXAMPLES / "arith/server.py"), "--addr", address) as server:
        said = output(str(EXAMPLES / "arith/client.py"), "--addr", address)
        assert said == "10 x 20 = 200\n10 + 20 = 30\n20 / 10 = 2\n20 / 0: divide by zero\nhello ada\n"
        server.terminate()
        assert server.stdout is not None
        assert server.stdout.read().endswith("shutting down\n")
        assert server.wait(LIMIT) == 0


def start(*command: str) -> subprocess.Popen[str]:
    """Starts a server and waits until it listens."""
    server = subprocess.Popen([sys.executable, *command], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdout.readline().startswith("listening on ")
    return server


def output(*command: str) -> str:
    """What a program prints."""
    return subprocess.run(
        [sys.executable, *command], env=ENVIRONMENT, check=True, capture_output=True, text=True, timeout=LIMIT
    ).stdout
