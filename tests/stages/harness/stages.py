"""What there is to run: the one list of stages."""

from __future__ import annotations

from dataclasses import replace

from .setup import REGISTRY_PEERS
from .stage import ROOT, Stage, Turn

_RUN = "tests/stages/run"
_PYTHON = (
    "examples/demo/languages",
    *("tests/stages", "tests/interop", "tests/interop/run", "tests/stages/run", "tests/parity", "tests/parity/run"),
    *("bench/driver", "bench/selftest", "bench/run", "bench/idle", "bench/peers/python"),
    *("ffi/tests/run", "ffi/tests/cpp/run", "packaging/package", "tests/packaging/c", "tests/registries/python"),
)
_GO_MODULES = (
    "tests/interop/programs/go",
    "tests/vectors/go",
    *REGISTRY_PEERS,
    "bench/go",
    "bench/go/harness",
)
_CARGO = ("--locked", "--workspace", "--all-features")
# The debug libraries with the features that `cargo test` has compiled everything with.
_LIBRARIES = ("cargo", "build", *_CARGO, "--lib", "--tests")
# Named, targets have the features that clippy has compiled everything with. The C library has the crate's name, and its
# documentation in its header.
_DOCUMENT = ("cargo", "doc", *_CARGO, "--no-deps", "--lib", "--bins", "--examples", "--exclude", "librpcx-ffi")
_EMBEDDED = "--test=registries"  # of librpcx-embed
_REGISTRIES = (*(f"--test={folder.name}" for folder in sorted((ROOT / "tests/registries/tests").iterdir())), _EMBEDDED)
_LONG = "calls_go_on_while_servers_and_registry_are_killed_and_come_back"
# The registries' tests wait for leases and sessions to end for three quarters of their time.
_WAITING = "8"
# Those of core wait for deadlines half of theirs.
_CALLING = "4"
_TARGET = "x86_64-unknown-linux-gnu"
_BUT_MESSAGES = ("--exclude", "librpcx-macros")  # the compiler's messages are the same however it optimizes
# Without the tests that measure memory, of which the sanitizer itself takes most.
_SANITIZED = (
    *("--locked", "--all-features", "-p", "librpcx", "-p", "librpcx-protocol", "-p", "rpcx-examples"),
    *("-p", "librpcx-embed", "-p", "librpcx-ffi"),
)
# Without what makes linking slow: a hundred test programs, or eight libraries and programs.
_QUICK_LINKS = {"CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16"}
# Optimized as released but for that.
_OPTIMIZED = {**_QUICK_LINKS, "CARGO_TARGET_DIR": str(ROOT / "target" / "deep")}
# Quickly compiled, yet quick enough for tests that count to a million and for the grid.
_QUICK = {**_QUICK_LINKS, "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1", "CARGO_PROFILE_RELEASE_DEBUG": "none"}
_PACKAGES = ".cache/packages"  # not in dist: nobody shall publish them

SETUP = Stage("setup", ((_RUN, "setup"),), about="what the machine lacks is installed")
SERVERS = Stage(
    "servers",
    ((_RUN, "servers", "packages"),),
    about="the registries that tests talk to are installed",
    turn=Turn.BESIDE,
)
NACOS = Stage(
    "nacos",
    ((_RUN, "servers", "nacos"),),
    minutes=60,
    about="a Nacos for them, which is compiled",
    turn=Turn.SPARE,
)

LINT = (
    Stage(
        "rust",
        (
            ("cargo", "clippy", *_CARGO, "--all-targets", "--", "-D", "warnings"),
            _DOCUMENT,
        ),
        # A folder of its own, since cargo lets only one command at a time compile in one.
        environment={"RUSTDOCFLAGS": "-D warnings", "CARGO_TARGET_DIR": str(ROOT / "target" / "lint")},
        minutes=60,
        turn=Turn.SPARE,
    ),
    Stage("rustfmt", (("cargo", "fmt", "--all", "--check"),), turn=Turn.BESIDE),
    Stage(
        "python",
        (
            ("ruff", "format", "--check", *_PYTHON),
            ("ruff", "check", *_PYTHON),
            ("sh", "-c", "cd tests/interop && mypy --strict --no-error-summary runner selftest run"),
            ("sh", "-c", "cd tests/stages && mypy --strict --no-error-summary harness selftest run"),
            ("sh", "-c", "cd tests/parity && MYPYPATH=../interop mypy --strict --no-error-summary table selftest run"),
            ("sh", "-c", "cd bench && mypy --strict --no-error-summary driver selftest run"),
            ("sh", "-c", "cd bench && mypy --strict --no-error-summary driver idle"),
            ("sh", "-c", "cd python && mypy --no-error-summary src/rpcx tests"),
            ("mypy", "--no-error-summary", "--config-file", "tests/interop/programs/python/mypy.ini"),
            ("sh", "-c", "cd python && mypy --no-error-summary ../tests/registries/python/*.py"),
            ("mypy", "--strict", "--no-error-summary", "ffi/tests/run"),
            ("mypy", "--strict", "--no-error-summary", "ffi/tests/cpp/run"),
            ("mypy", "--strict", "--no-error-summary", "packaging/package"),
            ("mypy", "--strict", "--no-error-summary", "tests/packaging/c"),
            # without gRPC, which only the benchmark installs
            ("sh", "-c", "cd bench/peers/python && mypy --strict --ignore-missing-imports --no-error-summary peer"),
        ),
        turn=Turn.BESIDE,
    ),
    Stage(
        "go",
        tuple(("go", "vet", "-C", module, "./...") for module in _GO_MODULES)
        + tuple(("sh", "-c", f'test -z "$(gofmt -l {module} | tee /dev/stderr)"') for module in _GO_MODULES),
        turn=Turn.BESIDE,
    ),
)

_NPM_CI = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix")

PROGRAMS = Stage(
    "programs",
    (("sh", "-c", 'for build in tests/interop/programs/*/build.sh; do "$build" || exit; done'),),
    minutes=30,
    about="the interop programs of every language",
)

# What the tests run. Compiled beside each other and the lints: one alone leaves a processor idle while it links. What
# has deadlines comes after that, and has the machine for itself but for what yields to it.
COMPILE = (
    replace(PROGRAMS, environment=_QUICK, turn=Turn.BESIDE),
    Stage(
        "compile",
        (_LIBRARIES, ("cargo", "test", *_CARGO, "--no-run")),
        minutes=25,
        about="the tests of cargo",
        turn=Turn.BESIDE,
    ),
)

TESTS = (
    Stage(
        "cargo test",
        (("cargo", "test", *_CARGO, "--no-fail-fast"),),
        environment={"RUST_TEST_THREADS": _CALLING},
        minutes=25,
    ),
    Stage(
        "java",
        (
            ("java/native",),
            ("mvn", "-B", "-f", "java/pom.xml", "verify"),
        ),
        environment={**_QUICK, "MAVEN_OPTS": "-Xmx512m"},
        about="the Java package: lints, tests with -Xcheck:jni, documentation",
    ),
    Stage(
        "python package",
        (
            ("pytest", "-q", "-p", "no:cacheprovider"),
            ("sh", "-c", "PYTHONPATH=src stubtest --mypy-config-file pyproject.toml rpcx._rpcx"),
        ),
        folder="python",
        about="unit tests, lifetimes, examples; the stubs against the module",
    ),
    Stage(
        "node",
        (
            # The programs' build has compiled the package; its declarations are compared with what the addon has.
            ("node", "node/scripts/native.mjs", "--check"),
            (*_NPM_CI, "node/lint"),
            ("npm", "run", "--silent", "--prefix", "node/lint", "lint"),
            ("npm", "run", "--silent", "--prefix", "node", "test"),
        ),
        environment=_QUICK,
        about="the npm package: types, lints, units, lifetimes",
    ),
    # Nothing in these hurries.
    Stage(
        "package",
        (
            ("packaging/package", "--out", _PACKAGES),
            *((f"tests/packaging/{language}",) for language in ("c", "java", "node", "python")),
        ),
        environment={**_QUICK, "RPCX_PACKAGES": _PACKAGES},
        minutes=20,
        about="the packages of every language, each installed into a clean folder and used there, without a compiler",
        turn=Turn.BESIDE,
    ),
    Stage(
        "c",
        (_LIBRARIES, ("ffi/tests/run",)),
        about="the C library: header, layout, symbols, ABI, programs under the address sanitizer",
        turn=Turn.BESIDE,
    ),
    Stage(
        "c++",
        (_LIBRARIES, ("ffi/tests/cpp/run",)),
        about="rpcx.hpp: its headers alone and twice, programs under the address sanitizer",
        turn=Turn.BESIDE,
    ),
    Stage("go test", tuple(("go", "test", "-C", module, "./...") for module in _GO_MODULES), turn=Turn.BESIDE),
    Stage(
        "vectors",
        (("tests/vectors/go/check",),),
        about="a sample of the vectors, written afresh by Go",
        turn=Turn.BESIDE,
    ),
    Stage(
        "parity",
        (
            ("sh", "-c", "cd tests/parity && python3 -m unittest discover -s selftest -t ."),
            ("tests/parity/run", "--check"),
        ),
        about="docs/PARITY.md is current, and every test that it names is there",
        turn=Turn.BESIDE,
    ),
    Stage(
        "bench driver",
        (("python3", "-m", "unittest", "discover", "-s", "selftest", "-t", "."),),
        "bench",
        turn=Turn.BESIDE,
    ),
    Stage(
        "stage runner",
        (("python3", "-m", "unittest", "discover", "-s", "selftest", "-t", "."),),
        "tests/stages",
        turn=Turn.BESIDE,
    ),
    Stage(
        "interop runner",
        (("python3", "-m", "unittest", "discover", "-s", "selftest", "-t", "."),),
        "tests/interop",
        turn=Turn.BESIDE,
    ),
    Stage(
        "registries",
        (("cargo", "test", *_CARGO, "--no-fail-fast", *_REGISTRIES, "--", "--include-ignored", "--skip", _LONG),),
        environment={"PYTHONPATH": str(ROOT / "python/src"), "RUST_TEST_THREADS": _WAITING},
        minutes=20,
        about="every registry as it is: Go's programs, servers and callers in Rust and in Python while it fails",
        after=("nacos",),
    ),
    Stage(
        "interop",
        (("tests/interop/run",),),
        minutes=30,
        about="drivers of all languages on servers of all languages",
        after=("nacos", "rust"),  # it fills the machine by itself
    ),
)

TEST = (SETUP, NACOS, *LINT, SERVERS, *COMPILE, *TESTS)


def deep(lengths: float) -> tuple[Stage, ...]:
    """What test-deep runs: two hours on two idle cores, and `lengths` times as long where more time finds more."""

    def seconds(usual: int) -> str:
        return str(max(1, round(usual * lengths)))

    return (
        SETUP,
        NACOS,
        SERVERS,
        Stage(
            "deny",
            (
                (_RUN, "install", "cargo-deny"),
                ("cargo", "deny", "--all-features", "check", "bans", "licenses", "sources"),
            ),
            minutes=30,
            about="licences, forbidden crates and origins of what is linked in",
        ),
        Stage(
            "fuzz",
            ((_RUN, "fuzz", "--seconds", seconds(60)),),
            minutes=20 + 10 * lengths,
            about="every target of core/fuzz",
        ),
        Stage(
            "address sanitizer",
            (("cargo", "test", *_SANITIZED, "--no-fail-fast", "--lib", "--tests", _EMBEDDED, "--target", _TARGET),),
            environment={
                "RUSTC_BOOTSTRAP": "1",
                "RUSTFLAGS": "-Zsanitizer=address",
                "CARGO_TARGET_DIR": str(ROOT / "target" / "address"),
            },
            minutes=40,
            after=("nacos",),
            about="tests and demo with the address and leak sanitizers",
        ),
        Stage(
            "release",
            (("cargo", "test", *_CARGO, *_BUT_MESSAGES, "--release", "--no-fail-fast", "--lib", "--tests"),),
            environment=_OPTIMIZED,
            minutes=45,
            about="the tests as optimized code, without overflow checks and debug assertions",
        ),
        Stage(
            "soak",
            (("cargo", "test", *_CARGO, "--release", "--test", "faults", "--", "--ignored", "--nocapture"),),
            environment={**_OPTIMIZED, "RPCX_SOAK": seconds(180)},
            minutes=10 + 5 * lengths,
            about="faults in any order on connections under load",
        ),
        PROGRAMS,
        Stage(
            "registries",
            (
                (
                    "cargo",
                    "test",
                    *_CARGO,
                    "--release",
                    "--no-fail-fast",
                    *_REGISTRIES,
                    "--",
                    "--include-ignored",
                    "--nocapture",
                ),
            ),
            environment={**_OPTIMIZED, "PYTHONPATH": str(ROOT / "python/src")},
            minutes=30,
            about="a minute of faults for every registry, and its tests with servers and callers in Python",
            after=("nacos",),
        ),
        Stage(
            "interop",
            (("tests/interop/run", "--deep"),) * max(1, round(2 * lengths)),
            minutes=20 + 45 * lengths,
            about="the grid again and again: what passes must always pass",
            after=("nacos",),
        ),
        Stage(
            "whole grid",
            (("tests/interop/run", "--deep", "--whole"),) * max(1, round(lengths)),
            minutes=60 + 45 * lengths,
            about="every case on every pair of languages",
            after=("nacos",),
        ),
    )


FORMAT = Stage(
    "format",
    (
        ("ruff", "format", *_PYTHON),
        ("ruff", "check", "--fix", *_PYTHON),
        ("gofmt", "-w", *_GO_MODULES),
    ),
)
