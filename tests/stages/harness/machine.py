"""The machine that everything runs on: where programs are found, and how they are run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .stage import CACHE, ROOT

VENV = CACHE / "venv"
SERVERS = CACHE / "registries"


class Missing(Exception):
    """Something that only the user can install; the text is the command to run."""


def environment() -> dict[str, str]:
    """The environment of every stage: the project's own tools come first."""
    found = dict(os.environ)
    cargo = Path(found.get("CARGO_HOME", Path.home() / ".cargo")) / "bin"
    unpacked = (SERVERS / "usr" / "bin", SERVERS / "usr" / "sbin")
    folders = [VENV / "bin", CACHE / "cargo" / "bin", *unpacked, cargo, Path("/usr/local/go/bin")]
    # Last, where Debian puts servers: a user's own path may lack it.
    found["PATH"] = os.pathsep.join([*(str(folder) for folder in folders), found.get("PATH", ""), "/usr/sbin"])
    found.setdefault("CARGO_TERM_COLOR", "never")
    found.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    # Where nothing was compiled yet, what would help the next compilation only makes the first one longer.
    if not (Path(found.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "incremental").is_dir():
        found.setdefault("CARGO_INCREMENTAL", "0")
    return found


def which(name: str) -> bool:
    """Whether there is such a program."""
    return shutil.which(name, path=environment()["PATH"]) is not None


def run(*command: str, folder: Path = ROOT) -> None:
    """Runs a command that must succeed; `Missing` if it does not."""
    print(f"$ {' '.join(command)}", flush=True)
    if not runs(*command, folder=folder):
        raise Missing(f"failed: {' '.join(command)}")


def runs(*command: str, folder: Path) -> bool:
    """Runs a command, and says whether it has succeeded."""
    done = subprocess.run(command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, check=False)
    return done.returncode == 0
