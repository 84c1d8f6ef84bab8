"""The command line of the runner."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn, Optional

from .breadth import Breadth
from .case import BadCase, load
from .languages import Languages
from .process import Reaper
from .report import line_of, summary
from .scenario import Pair
from .schedule import FAILED, Result, Schedule

_HERE = Path(__file__).resolve().parent.parent
# So many times as many cases again while the cores are idle.
_MORE = 2
_LANGUAGES = sorted(folder.parent.name for folder in (_HERE / "programs").glob("*/client"))


def main(arguments: Optional[list[str]] = None) -> int:
    """Runs the grid; 0: all passed, 1: something failed, 2: it could not be run as asked."""
    options = _parse(arguments)
    patterns = [one for text in options.cases for one in text.split(",")]
    try:
        languages = Languages.load(_HERE / "languages.json")
        cases = load(_HERE / "cases", patterns, languages)
    except (BadCase, ValueError) as error:
        print(f"interop: {error}", file=sys.stderr)
        return 2
    left_out = [] if options.deep else [case for case in cases if case.deep]
    cases = [case for case in cases if case not in left_out]
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0
    missing = _missing(options)
    if missing or not cases:
        text = f"no program {missing}; make build makes it" if missing else f"no case matches {' '.join(patterns)}"
        print(f"interop: {text}", file=sys.stderr)
        return 2
    breadth = Breadth.load(_HERE / "breadth.json")
    pairs = [Pair(client, server) for client in options.clients for server in options.servers]
    everything = [(case, pair) for case in cases for pair in pairs if options.whole or breadth.takes(case, pair)]
    signal.signal(signal.SIGTERM, _interrupt)
    reaper = Reaper()
    try:
        # A short path: a unix socket's address has at most 107 bytes.
        with tempfile.TemporaryDirectory(prefix="interop-", dir="/tmp") as folder:
            schedule = Schedule(options.programs, Path(folder), languages, reaper)

            def done(result: Result) -> None:
                if options.verbose:
                    print(line_of(result), flush=True)

            results = list(schedule.run(everything, options.jobs, options.more, done))
    except KeyboardInterrupt:
        print("interop: interrupted", file=sys.stderr)
        return 130
    finally:
        reaper.close()
    if left_out:
        print(f"{len(left_out)} long cases are left to --deep.\n")
    print(summary(results, options.clients, options.servers))
    return 1 if any(result.status == FAILED for result in results) else 0


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _parse(arguments: Optional[list[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/interop/run", description="Every case on every pair of languages.")
    for role, verb in (("servers", "serve"), ("clients", "drive")):
        text = f"languages that {verb} ({','.join(_LANGUAGES)})"
        parser.add_argument(f"--{role}", type=_names, default=_LANGUAGES, metavar="LANGUAGE,…", help=text)
    parser.add_argument("--cases", action="append", default=[], metavar="GLOB,…", help="only cases with such names")
    parser.add_argument("--deep", action="store_true", help="run the long cases too")
    parser.add_argument("--whole", action="store_true", help="every case on every pair, not what breadth.json says")
    jobs = 2 * (os.cpu_count() or 1)  # a case waits more than it works
    text = f"exactly so many cases at a time (else {jobs}, two for each core, and more while the cores are idle)"
    parser.add_argument("--jobs", type=int, help=text)
    parser.add_argument("--programs", type=Path, default=_HERE / "programs", help="where the programs are")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and end")
    parser.add_argument("--verbose", action="store_true", help="print every result when it is known")
    options = parser.parse_args(arguments)
    options.more = 0
    if options.jobs is None:
        options.jobs, options.more = jobs, _MORE * jobs
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    return options


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _missing(options: argparse.Namespace) -> str:
    wanted = [(language, "server") for language in options.servers]
    wanted += [(language, "client") for language in options.clients]
    for language, role in wanted:
        path: Path = options.programs / language / role
        if not os.access(path, os.X_OK):
            return str(path)
    return ""
