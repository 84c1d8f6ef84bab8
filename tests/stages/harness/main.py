"""The command line of the stages."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn, Optional

from . import fuzz, machine, report, servers, setup, stages
from .order import run_all
from .stage import ROOT, Outcome, Stage

_LENGTHS = "RPCX_DEEP"  # how many times as long as usual the deep run fuzzes, soaks and repeats

_LISTS: dict[str, tuple[Stage, ...]] = {
    "test": stages.TEST,
    "deep": stages.deep(1),
    "lint": (stages.SETUP, *stages.LINT),
    "programs": (stages.PROGRAMS,),
    "format": (stages.FORMAT,),
}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs what is asked for; 0 when all went well."""
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if options.what == "setup":
            setup.prepare()
            return 0
        if options.what == "servers":
            servers.prepare(*options.only)
            return 0
        if options.what == "install":
            setup.cargo_tool("cargo-deny", setup.CARGO_DENY)
            return 0
        if options.what == "fuzz":
            return fuzz.fuzz(options.seconds, options.only)
        return _stages(options.what, options.only)
    except machine.Missing as error:
        print(f"stages: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stages: interrupted", file=sys.stderr)
        return 130


def _stages(what: str, only: list[str]) -> int:
    listed = stages.deep(_lengths()) if what == "deep" else _LISTS[what]
    chosen = [stage for stage in listed if not only or stage.name in only]
    unknown = sorted(set(only) - {stage.name for stage in chosen})
    if unknown:
        print(f"stages: no stage {', '.join(unknown)} in {what}", file=sys.stderr)
        return 2
    environment = machine.environment()
    deep = report.DeepRun(listed, ROOT / "docs" / "reports" / "deep.md") if what == "deep" else None
    outcomes: list[Outcome] = []
    for outcome in run_all(chosen, environment):
        outcomes.append(outcome)
        print(report.finished(outcome), flush=True)
        if deep:
            deep.add(outcome)
    if deep and deep.missing():
        print(f"docs/reports/deep.md is written when these have run too: {', '.join(deep.missing())}")
    if len(outcomes) > 1:
        print(f"\n{report.table(outcomes)}\n")
        print(report.counts(outcomes))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _lengths() -> float:
    text = os.environ.get(_LENGTHS, "1")
    with contextlib.suppress(ValueError):
        if 0 < float(text) <= 1000:
            return float(text)
    raise SystemExit(f"stages: {_LENGTHS}={text}: it must be a number above 0, up to 1000")


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _parse(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests/stages/run", description="The stages of the tests; logs: .cache/stages"
    )
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, listed in _LISTS.items():
        command = commands.add_parser(name, help=", ".join(stage.name for stage in listed))
        command.add_argument("only", nargs="*", metavar="STAGE", help="only these stages")
    commands.add_parser("setup", help="install what the machine lacks to build everything")
    registries = commands.add_parser("servers", help="install the servers of the registries' tests")
    parts = ", ".join(servers.PARTS)
    registries.add_argument("only", nargs="*", type=_part, metavar="PART", help=f"only these parts ({parts})")
    install = commands.add_parser("install", help="compile a tool into .cache")
    install.add_argument("tool", choices=["cargo-deny"])
    fuzzing = commands.add_parser("fuzz", help="fuzz every target")
    fuzzing.add_argument("only", nargs="*", metavar="TARGET", help="only these targets")
    fuzzing.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    return parser.parse_args(arguments)


def _part(name: str) -> str:
    if name not in servers.PARTS:
        raise argparse.ArgumentTypeError(f"no part {name}")
    return name
