"""Cases as data: reads `cases/*.json`, expands matrices and loops, and refuses what it does not know."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

from .languages import Languages
from .template import combinations, substitute

TRANSPORTS = ("tcp", "tls", "mtls", "unix", "unix+tls")

_FILE_KEYS = {"about", "define", "cases"}
_CASE_KEYS = {
    *("name", "about", "matrix", "needs", "transport", "server", "servers", "steps", "skip", "seconds", "quiet"),
    *("deep", "fresh_driver", "program"),
}
_SERVER_KEYS = {"args", "own", "transport", "listen", "stopped", "language"}
_PROGRAM_KEYS = {"role", "args", "stdin", "exit", "stdout", "stderr"}
_EXPECTATION_KEYS = {"expect", "took", "within", "save"}
_STEP_KEYS = {"for", "except", "background", "run", "line", *_EXPECTATION_KEYS}
_EXCEPTION_KEYS = {"client", "server", "either", "because", "omit", "expect", "took", "within"}
_SERVER_ACTIONS = ("terminate", "stopped", "kill", "restart", "pause", "resume")
_ACTIONS: dict[str, set[str]] = {**{name: {"server"} for name in _SERVER_ACTIONS}, "join": {"ids"}, "end": set()}


class BadCase(Exception):
    """A case file that the runner does not understand; the text says which and why."""


@dataclass(frozen=True)
class Exemption:
    """What differs when certain languages are on certain sides, and why."""

    client: tuple[str, ...]
    server: tuple[str, ...]
    either: tuple[str, ...]
    because: str
    changes: dict[str, Any] = field(default_factory=dict)

    def applies(self, client: str, server: str) -> bool:
        """Whether this is such a pair."""
        if self.either:
            return _names(self.either, client) or _names(self.either, server)
        return (not self.client or _names(self.client, client)) and (not self.server or _names(self.server, server))


def _names(languages: tuple[str, ...], language: str) -> bool:
    return language in languages or ("ours" in languages and language != "go")


@dataclass(frozen=True)
class Step:
    """A command for the driver (`command`), a line as it is (`line`), or an act of the runner (`action`)."""

    command: dict[str, Any]
    line: Optional[str] = None
    action: Optional[str] = None
    expect: Any = None
    took: Any = None
    within: int = 0
    background: bool = False
    save: dict[str, str] = field(default_factory=dict)
    exemptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True)
class ServerSpec:
    """A server that a case needs."""

    args: tuple[str, ...] = ()
    transport: str = "tcp"
    listen: tuple[str, ...] = ()
    stopped: Any = None
    side: str = "server"


@dataclass(frozen=True)
class Case:
    """One case with everything expanded except what is known only when it runs (addresses, file names)."""

    name: str
    transport: str
    servers: dict[str, ServerSpec]
    own_servers: bool
    steps: tuple[Step, ...]
    needs: tuple[str, ...] = ()
    skip: tuple[Exemption, ...] = ()
    seconds: float = 30.0
    quiet: bool = False
    deep: bool = False
    fresh_driver: bool = False
    program: Optional[dict[str, Any]] = None
    variables: dict[str, Any] = field(default_factory=dict)
    """What the matrix says of it: its transport, its codec."""


def load(folder: Path, patterns: Iterable[str], languages: Languages) -> list[Case]:
    """Reads every file of `folder` and returns the cases whose name matches one of the patterns."""
    cases: list[Case] = []
    seen: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        for case in _load_file(path, languages):
            if case.name in seen:
                raise BadCase(f"{path.name}: the name {case.name} is used in {seen[case.name]} already")
            seen[case.name] = path.name
            cases.append(case)
    wanted = list(patterns)
    return [case for case in cases if not wanted or any(fnmatch.fnmatch(case.name, one) for one in wanted)]


def _load_file(path: Path, languages: Languages) -> Iterable[Case]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadCase(f"{path.name}: {error}") from error
    _only_keys(data, _FILE_KEYS, path.name)
    for raw in data["cases"]:
        where = f"{path.name}: case {raw.get('name')}"
        _only_keys(raw, _CASE_KEYS, where)
        for cell in combinations(raw.get("matrix", {})):
            variables = {**data.get("define", {}), **cell}
            try:
                case = _case({key: value for key, value in raw.items() if key != "matrix"}, variables, languages)
                yield replace(case, variables=cell)
            except (BadCase, KeyError, TypeError, ValueError) as error:
                raise BadCase(f"{where}: {error}") from error


def _case(raw: dict[str, Any], variables: dict[str, Any], languages: Languages) -> Case:
    steps = tuple(_steps(raw.pop("steps", []), variables))
    data = substitute(raw, variables, keep_unknown=True)
    transport = data.get("transport", "tcp")
    if "servers" in data:
        servers = {name: _server(spec, transport) for name, spec in data["servers"].items()}
        own = True
    else:
        spec = data.get("server", {})
        servers = {"server": _server(spec, transport)}
        own = spec.get("own", False) or "stopped" in spec
    program = data.get("program")
    if program is not None:
        _only_keys(program, _PROGRAM_KEYS, "program")
        servers = {}
    needs = tuple(data.get("needs", ()))
    if any(step.action == "end" for step in steps) and not data.get("fresh_driver"):
        raise BadCase("a case that ends the input of its driver needs fresh_driver")
    for step in steps:
        if step.action in _SERVER_ACTIONS and not (own and step.command["server"] in servers):
            raise BadCase(f"{step.action} needs one of the case's own servers: {step.command.get('server')} is none")
    languages.check_features(needs)
    return Case(
        name=data["name"],
        transport=transport,
        servers=servers,
        own_servers=own,
        steps=steps,
        needs=needs,
        skip=tuple(_exemption(one) for one in data.get("skip", ())),
        seconds=float(data.get("seconds", 30)),
        quiet=data.get("quiet", False),
        deep=data.get("deep", False),
        fresh_driver=data.get("fresh_driver", False),
        program=program,
    )


def _server(raw: dict[str, Any], transport: str) -> ServerSpec:
    _only_keys(raw, _SERVER_KEYS, "server")
    chosen = raw.get("transport", transport)
    if chosen not in TRANSPORTS:
        raise BadCase(f"unknown transport {chosen}")
    side = raw.get("language", "server")
    if side not in ("client", "server"):
        raise BadCase(f"a server speaks the language of the client or of the server, not {side}")
    return ServerSpec(tuple(raw.get("args", ())), chosen, tuple(raw.get("listen", ())), raw.get("stopped"), side)


def _steps(raw: list[Any], variables: dict[str, Any]) -> Iterable[Step]:
    for one in raw:
        if isinstance(one, str):  # a list of steps under `define`
            one = substitute(one, variables, keep_unknown=True)
        if isinstance(one, list):
            yield from _steps(one, variables)
            continue
        rounds = substitute(one.get("for", [{}]), variables, keep_unknown=True)
        for extra in rounds:
            data = {key: value for key, value in one.items() if key != "for"}
            yield _step(substitute(data, {**variables, **extra}, keep_unknown=True))


def _step(data: dict[str, Any]) -> Step:
    command = {key: value for key, value in data.items() if key not in _STEP_KEYS}
    action = data.get("run")
    if action is not None:
        if action not in _ACTIONS:
            raise BadCase(f"unknown action {action}, known: {', '.join(_ACTIONS)}")
        _only_keys(command, _ACTIONS[action], f"action {action}")
    elif "line" in data:
        _only_keys(command, set(), "a step with a line")
    elif "do" not in command:
        raise BadCase(f"a step needs do, line or run: {data}")
    return Step(
        command=command,
        line=data.get("line"),
        action=action,
        expect=data.get("expect"),
        took=data.get("took"),
        within=data.get("within", 0),
        background=data.get("background", False),
        save=data.get("save", {}),
        exemptions=tuple(_exemption(one) for one in data.get("except", ())),
    )


def _exemption(raw: dict[str, Any]) -> Exemption:
    _only_keys(raw, _EXCEPTION_KEYS, "exception")
    if not raw.get("because"):
        raise BadCase(f"an exception needs its reason under because: {raw}")
    sides = [(value,) if isinstance(value := raw.get(side, ()), str) else tuple(value) for side in _SIDES]
    if not any(sides):
        raise BadCase(f"an exception needs client, server or either: {raw}")
    changes = {key: value for key, value in raw.items() if key not in (*_SIDES, "because")}
    return Exemption(sides[0], sides[1], sides[2], raw["because"], changes)


_SIDES = ("client", "server", "either")


def _only_keys(data: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(data) - known)
    if unknown:
        raise BadCase(f"{where}: unknown key {', '.join(unknown)}; known: {', '.join(sorted(known)) or 'none'}")
