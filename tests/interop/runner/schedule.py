"""All cases on all pairs, side by side: worker threads, servers that cases share, drivers that are used again."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import queue
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from . import dns
from .case import Case, ServerSpec
from .certificates import Certificates
from .driver import Driver
from .languages import Languages
from .process import ProgramError, Reaper
from .registries import PREFIX, Registries
from .scenario import Failure, Pair, Scenario, Unsupported
from .server import Server
from .spare import Spare
from .template import UnknownVariable

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

_FINISH_SECONDS = 20.0
_LOOK_AGAIN = 0.2  # seconds


@dataclass(frozen=True)
class Result:
    """What came of a case on a pair."""

    case: str
    pair: Pair
    status: str
    text: str = ""
    server_stderr: str = ""
    client_stderr: str = ""
    seconds: float = 0.0


class Schedule:
    """Runs cases; owns every process of the run."""

    def __init__(self, programs: Path, folder: Path, languages: Languages, reaper: Reaper) -> None:
        """Makes the run's certificates in `folder`."""
        self._programs = programs
        self._folder = folder
        self._languages = languages
        self._reaper = reaper
        self._certificates = Certificates(folder)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._starting: dict[tuple[str, ServerSpec], threading.Lock] = {}
        self._shared: dict[tuple[str, ServerSpec], Server] = {}
        self._retired: list[tuple[str, Server]] = []
        self._idle: dict[str, list[Driver]] = {}
        self._dns = ""
        self._dns_lock = threading.Lock()
        self._registries = Registries(folder, reaper)
        self._refused = socket.socket()
        self._refused.bind(("127.0.0.1", 0))  # bound and not listening: whoever dials it is refused

    def run(
        self, everything: list[tuple[Case, Pair]], jobs: int, more: int, done: Callable[[Result], None]
    ) -> Iterable[Result]:
        """Runs cases on pairs; `done` sees each result at once.

        `jobs` run side by side, and up to `more` beside them while the processors have time to spare. Quiet cases run
        last and alone.
        """
        results: list[Result] = []
        spare = Spare()
        for quiet, workers, extra in ((False, jobs, more), (True, 1, 0)):
            tasks: queue.SimpleQueue[tuple[Case, Pair]] = queue.SimpleQueue()
            for case, pair in everything:
                if case.quiet == quiet:
                    tasks.put((case, pair))
            given = [None] * workers + [spare] * extra
            threads = [threading.Thread(target=self._work, args=(tasks, results, done, only)) for only in given]
            for thread in threads:
                thread.daemon = True
                thread.start()
            for thread in threads:
                thread.join()
        return results + self._end()

    def _work(
        self,
        tasks: queue.SimpleQueue[tuple[Case, Pair]],
        results: list[Result],
        done: Callable[[Result], None],
        spare: Optional[Spare],
    ) -> None:
        while True:
            while spare is not None and not tasks.empty() and not spare.take():
                time.sleep(_LOOK_AGAIN)
            try:
                case, pair = tasks.get_nowait()
            except queue.Empty:
                return
            begin = time.monotonic()
            try:
                result = self._one(case, pair)
            except Exception as error:  # a fault of the runner itself is a failure of the case, never a lost one
                result = Result(case.name, pair, FAILED, f"the runner: {type(error).__name__}: {error}")
            result = Result(**{**result.__dict__, "seconds": time.monotonic() - begin})
            with self._lock:
                results.append(result)
                done(result)

    def _one(self, case: Case, pair: Pair) -> Result:
        for exemption in case.skip:
            if exemption.applies(pair.client, pair.server):
                return Result(case.name, pair, SKIPPED, exemption.because)
        reason = self._languages.inability(case.needs, pair.server, "server")
        if reason:
            return Result(case.name, pair, SKIPPED, reason)
        if case.program is not None:
            return self._program(case, pair)
        return self._scenario(case, pair)

    def _scenario(self, case: Case, pair: Pair) -> Result:
        servers: dict[str, Server] = {}
        driver: Optional[Driver] = None
        client_log = 0
        server_logs: dict[str, int] = {}
        failure = ""
        skipped = ""
        try:
            variables = self._variables(case, pair)
            for name, spec in case.servers.items():
                spec = _resolved(spec, variables)
                language = pair.client if spec.side == "client" else pair.server
                servers[name] = self._start(language, spec) if case.own_servers else self._share(language, spec)
                server_logs[name] = 0 if case.own_servers else servers[name].program.stderr_size()
            driver = self._driver(pair.client, fresh=case.fresh_driver)
            client_log = driver.program.stderr_size()
            try:
                Scenario(case, pair, servers, driver, variables).run()
                if case.fresh_driver:
                    failure = driver.finish(time.monotonic() + _FINISH_SECONDS)
            except Unsupported as error:
                skipped = self._languages.inability(case.needs, pair.client, "client") or ""
                if not skipped:
                    failure = f"{error}\nand languages.json lists no such inability among what the case needs"
        except (Failure, ProgramError, UnknownVariable) as error:
            failure = str(error)
        if case.own_servers:
            for name, server in servers.items():
                difference = server.stop()
                failure = failure or (f"server {name}: {difference}" if difference else "")
        logs = [server.program.stderr_tail(server_logs[name]) for name, server in servers.items() if failure]
        client_stderr = driver.program.stderr_tail(client_log) if driver and failure else ""
        self._release(case, pair, servers, driver, reuse=not failure and not skipped)
        if skipped:
            return Result(case.name, pair, SKIPPED, skipped)
        if failure:
            return Result(case.name, pair, FAILED, failure, "\n".join(filter(None, logs)), client_stderr)
        return Result(case.name, pair, PASSED)

    def _variables(self, case: Case, pair: Pair) -> dict[str, str]:
        host, port = self._refused.getsockname()
        found = {**self._certificates.variables(), "dead": f"tcp@{host}:{port}", "folder": str(self._folder)}
        found["pair"] = f"{pair.client}-{pair.server}"
        if "dns" in case.needs:
            found["dns"] = self._dns_server()
        for need in case.needs:
            if need.startswith(PREFIX):
                found["registry"] = self._registries.url(need.removeprefix(PREFIX))
        return found

    def _dns_server(self) -> str:
        with self._dns_lock:
            self._dns = self._dns or dns.start(self._folder, self._reaper)
            return self._dns

    def _start(self, language: str, spec: ServerSpec) -> Server:
        number = next(self._numbers)
        return Server(
            self._programs / language / "server", spec, self._folder, number, self._certificates, self._reaper
        )

    def _share(self, language: str, spec: ServerSpec) -> Server:
        key = (language, spec)
        with self._lock:
            starting = self._starting.setdefault(key, threading.Lock())
        with starting:
            server = self._shared.get(key)
            if server is None:
                server = self._shared[key] = self._start(language, spec)
            return server

    def _driver(self, language: str, fresh: bool) -> Driver:
        with self._lock:
            idle = self._idle.setdefault(language, [])
            if idle and not fresh:
                return idle.pop()
        return Driver(self._programs / language / "client", self._folder, next(self._numbers), self._reaper)

    def _release(
        self, case: Case, pair: Pair, servers: dict[str, Server], driver: Optional[Driver], reuse: bool
    ) -> None:
        """Keeps what others may use; after a failure neither driver nor server is trusted any more."""
        if driver is not None:
            if reuse and not case.fresh_driver:
                with self._lock:
                    self._idle[pair.client].append(driver)
            else:
                driver.program.kill()
        if case.own_servers:
            for server in servers.values():
                server.program.kill()
                server.release()
        elif not reuse:
            for server in servers.values():
                with self._lock:
                    for key in [key for key, shared in self._shared.items() if shared is server]:
                        self._retired.append((pair.server, self._shared.pop(key)))

    def _program(self, case: Case, pair: Pair) -> Result:
        """A case that only starts a program and looks at its end."""
        assert case.program is not None
        role = case.program["role"]
        language = pair.client if role == "client" else pair.server
        command = [str(self._programs / language / role)]
        command += [argument.replace("{folder}", str(self._folder)) for argument in case.program.get("args", [])]
        try:
            done = subprocess.run(
                command,
                input=case.program.get("stdin", ""),
                capture_output=True,
                text=True,
                timeout=case.seconds,
                check=False,
                start_new_session=True,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Result(case.name, pair, FAILED, str(error))
        problem = ""
        if done.returncode != case.program["exit"]:
            problem = f"exit status: expected {case.program['exit']}, got {done.returncode}"
        for stream, text in (("stdout", done.stdout), ("stderr", done.stderr)):
            pattern = case.program.get(stream)
            if not problem and pattern is not None and not re.search(pattern, text, re.DOTALL):
                problem = f"{stream}: expected text with /{pattern}/, got {text[:400]!r}"
        if problem:
            return Result(case.name, pair, FAILED, f"{' '.join(command)}\n{problem}", client_stderr=done.stderr[-4000:])
        return Result(case.name, pair, PASSED)

    def _end(self) -> list[Result]:
        """Ends what the cases shared; a program that does not end well is one more failure."""
        results: list[Result] = []
        for language, drivers in self._idle.items():
            for driver in drivers:
                problem = driver.finish(time.monotonic() + _FINISH_SECONDS)
                if problem:
                    logged = driver.program.stderr_tail()
                    pair = Pair(language, "-")
                    results.append(Result("end of a driver", pair, FAILED, problem, client_stderr=logged))
                driver.program.kill()
        running = [(language, server) for (language, _), server in self._shared.items()] + self._retired
        for _, server in running:
            server.terminate()
        for language, server in running:
            difference = server.stop()
            if difference:
                text = f"{' '.join(server.program.command)}\n{difference}"
                pair = Pair("-", language)
                results.append(Result("end of a server", pair, FAILED, text, server.program.stderr_tail()))
            server.program.kill()
            server.release()
        with contextlib.suppress(OSError):
            self._refused.close()
        return results


def _resolved(spec: ServerSpec, variables: dict[str, str]) -> ServerSpec:
    """The server's arguments with the file names and registries of the run."""

    def text(argument: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: variables.get(found[1], found[0]), argument)

    listen = tuple(text(address) for address in spec.listen)
    return dataclasses.replace(spec, args=tuple(text(argument) for argument in spec.args), listen=listen)
