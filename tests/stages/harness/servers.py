"""The servers of the registries' tests, unpacked into .cache and not installed: Debian would start them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .machine import SERVERS, Missing, environment, run, runs, which

# Each program with its package and the libraries that are with neither.
_SERVERS = {
    "etcd": ("etcd-server",),
    "avahi-daemon": ("avahi-daemon", "libavahi-core7", "libavahi-common3", "libdaemon0"),
    "avahi-resolve": ("avahi-utils", "libavahi-client3"),
}
# ZooKeeper is no program: a library for Java, and what it needs. That by which it is known to be there comes last.
_ZOOKEEPER = ("libslf4j-java", "libnetty-java", "libdropwizard-metrics-java", "libsnappy-java", "libzookeeper-java")
# The last release of Debian that has Consul, and the package on amd64; later ones run what is in it.
_CONSUL, _CONSUL_SHA256 = "bullseye", "e4e888bba104daba1d9161f49bfc52649a7e4efd45b1a7ead5bc54f2cb9c89d9"
# A Nacos, which no distribution has: compiled, once.
_RNACOS = "0.8.8"


def prepare(*parts: str) -> None:
    """Makes the servers of these parts ready, or all; needs no root where the lists of packages are current."""
    for part in parts or PARTS:
        PARTS[part]()


def _packages() -> None:
    for program, packages in _SERVERS.items():
        if not which(program):
            _unpack(program, packages)
    jar = Path("usr/share/java/zookeeper.jar")
    if not (Path("/") / jar).is_file() and not (SERVERS / jar).is_file():
        _unpack("ZooKeeper", _ZOOKEEPER)
    _redis()
    _consul()


def _unpack(program: str, packages: tuple[str, ...]) -> None:
    if not which("apt-get"):
        raise Missing(f"{program} is missing: put it on the PATH, or install the Debian package {packages[0]}")
    SERVERS.mkdir(parents=True, exist_ok=True)
    for package in packages:
        with tempfile.TemporaryDirectory() as folder:
            download = ["apt-get", "-o", "APT::Sandbox::User=root", "download", package]
            if os.geteuid() == 0 and not runs(*download, folder=Path(folder)):
                run("apt-get", "update", "-q")
            if not list(Path(folder).glob("*.deb")):
                run(*download, folder=Path(folder))
            for file in Path(folder).glob("*.deb"):
                run("dpkg-deb", "-x", str(file), str(SERVERS))


def _redis() -> None:
    """The package of the server starts it, and holds nothing but a second name of a program that is in another one."""
    if which("redis-server"):
        return
    redis = SERVERS / "usr" / "bin" / "redis-server"
    redis.parent.mkdir(parents=True, exist_ok=True)
    redis.unlink(missing_ok=True)
    redis.symlink_to(shutil.which("redis-check-rdb", path=environment()["PATH"]) or "redis-check-rdb")


def _consul() -> None:
    """Unpacks Consul from where this machine has its packages, without touching the lists of them."""
    if which("consul"):
        return
    targets = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main")
    listed = subprocess.run(targets, capture_output=True, text=True, check=False).stdout if which("apt-get") else ""
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
        run(*apt, "update")
        run(*apt, "download", "consul", folder=folder)
        (package,) = folder.glob("consul_*.deb")
        if hashlib.sha256(package.read_bytes()).hexdigest() != _CONSUL_SHA256:
            raise Missing(f"{package.name} is not the package that is expected: put consul on the PATH")
        SERVERS.mkdir(parents=True, exist_ok=True)
        run("dpkg-deb", "-x", str(package), str(SERVERS))


def _rnacos() -> None:
    """Compiles r-nacos into .cache, which takes two to five minutes on two cores: less without debug information."""
    if which("rnacos"):
        return
    print(f"Compiling r-nacos {_RNACOS}, a server of the registries' tests: some minutes, once.", flush=True)
    fast = ("CARGO_PROFILE_DEV_DEBUG=0", "CARGO_PROFILE_DEV_STRIP=symbols", "CARGO_INCREMENTAL=0")
    install = (
        "cargo",
        "install",
        "--locked",
        "--debug",
        "--root",
        str(SERVERS / "usr"),
        "--version",
        _RNACOS,
        "rnacos",
    )
    run("env", *fast, *install)


# What is unpacked, and what is compiled.
PARTS = {"packages": _packages, "nacos": _rnacos}
