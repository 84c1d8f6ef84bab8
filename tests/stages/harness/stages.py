"""What there is to run: the one list of stages."""

from __future__ import annotations

from .stage import ROOT, Stage

_RUN = "tests/stages/run"
_PYTHON = (
    *("tests/stages", "tests/interop", "tests/interop/run", "tests/stages/run"),
    *("bench/driver", "bench/run", "bench/idle"),
)
_GO_MODULES = ("tests/interop/programs/go", "tests/vectors/go", "bench/go", "bench/go/harness")
_CARGO = ("--locked", "--workspace", "--all-features")
_TARGET = "x86_64-unknown-linux-gnu"

SETUP = Stage("setup", ((_RUN, "setup"),), about="what the machine lacks is installed")

LINT = (
    Stage("rustfmt", (("cargo", "fmt", "--all", "--check"),)),
    Stage("clippy", (("cargo", "clippy", *_CARGO, "--all-targets", "--", "-D", "warnings"),)),
    Stage("rustdoc", (("cargo", "doc", *_CARGO, "--no-deps"),), environment={"RUSTDOCFLAGS": "-D warnings"}),
    Stage(
        "python",
        (
            ("ruff", "format", "--check", *_PYTHON),
            ("ruff", "check", *_PYTHON),
            ("sh", "-c", "cd tests/interop && mypy --strict --no-error-summary runner selftest run"),
            ("sh", "-c", "cd tests/stages && mypy --strict --no-error-summary harness run"),
            ("sh", "-c", "cd bench && mypy --strict --no-error-summary driver run"),
            ("sh", "-c", "cd bench && mypy --strict --no-error-summary driver idle"),
        ),
    ),
    Stage(
        "go",
        tuple(("go", "vet", "-C", module, "./...") for module in _GO_MODULES)
        + tuple(("sh", "-c", f'test -z "$(gofmt -l {module} | tee /dev/stderr)"') for module in _GO_MODULES),
    ),
)

PROGRAMS = Stage(
    "programs",
    (("sh", "-c", 'for build in tests/interop/programs/*/build*; do [ ! -x "$build" ] || "$build" || exit; done'),),
    about="the interop programs of every language",
)

TESTS = (
    Stage("cargo test", (("cargo", "test", *_CARGO, "--no-fail-fast"),), minutes=25),
    Stage("go test", tuple(("go", "test", "-C", module, "./...") for module in _GO_MODULES)),
    Stage("vectors", (("tests/vectors/go/check",),), about="a sample of the vectors, written afresh by Go"),
    PROGRAMS,
    Stage("interop runner", (("python3", "-m", "unittest", "discover", "-s", "selftest", "-t", "."),), "tests/interop"),
    Stage("interop", (("tests/interop/run",),), about="{rust, go} drivers on {rust, go} servers"),
)

TEST = (SETUP, *LINT, *TESTS)

DEEP = (
    SETUP,
    Stage("deny", ((_RUN, "install", "cargo-deny"), ("cargo", "deny", "--all-features", "check")), minutes=30),
    Stage("fuzz", ((_RUN, "fuzz", "--seconds", "120"),), minutes=60),
    Stage(
        "address sanitizer",
        (("cargo", "test", *_CARGO, "--no-fail-fast", "--lib", "--tests", "--target", _TARGET),),
        environment={
            "RUSTC_BOOTSTRAP": "1",
            "RUSTFLAGS": "-Zsanitizer=address",
            "CARGO_TARGET_DIR": str(ROOT / "target" / "address"),
        },
        minutes=60,
    ),
    PROGRAMS,
    Stage("interop, five times", (("tests/interop/run", "--deep"),) * 5, minutes=60),
    Stage(
        "soak",
        (("cargo", "test", *_CARGO, "--release", "--no-fail-fast", "--", "--ignored"),),
        minutes=120,
        about="the tests that are marked as ignored because they run for long",
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
