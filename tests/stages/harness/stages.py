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
_BUT_MESSAGES = ("--exclude", "librpcx-macros")  # the compiler's messages are the same however it optimizes
# Without the tests that measure memory, of which the sanitizer itself takes most.
_SANITIZED = ("--locked", "--all-features", "-p", "librpcx", "-p", "librpcx-protocol", "-p", "rpcx-examples")
# Optimized as released, but for what makes linking each test program slow.
_OPTIMIZED = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_TARGET_DIR": str(ROOT / "target" / "deep"),
}

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


def deep(lengths: float) -> tuple[Stage, ...]:
    """What test-deep runs: 25 minutes on two idle cores, and `lengths` times as long where more time finds more."""

    def seconds(usual: int) -> str:
        return str(max(1, round(usual * lengths)))

    return (
        SETUP,
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
            (("cargo", "test", *_SANITIZED, "--no-fail-fast", "--lib", "--tests", "--target", _TARGET),),
            environment={
                "RUSTC_BOOTSTRAP": "1",
                "RUSTFLAGS": "-Zsanitizer=address",
                "CARGO_TARGET_DIR": str(ROOT / "target" / "address"),
            },
            minutes=40,
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
            "interop",
            (("tests/interop/run", "--deep"),) * max(1, round(5 * lengths)),
            minutes=10 + 15 * lengths,
            about="the whole grid again and again: what passes must always pass",
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
