"""One case on one pair: sends the commands, compares the answers, stops at the first difference."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import Any, Optional

from .case import Case, Step
from .contract import violation
from .driver import Answer, Driver
from .match import first_difference, show
from .process import ProgramError
from .server import Server
from .template import generate, substitute

_CONNECT_TIMEOUT = "10s"


class Failure(Exception):
    """What differed, with the step that showed it."""


class Unsupported(Exception):
    """The driver says that it cannot do what the case needs; the text is its own."""


@dataclass(frozen=True)
class Pair:
    """The languages of the two sides."""

    client: str
    server: str


@dataclass
class _Sent:
    step: Step
    command: dict[str, Any]
    expect: Any
    ident: Any
    at: float
    label: str


@dataclass
class Scenario:
    """Runs the steps of a case; `variables` are those of the run, such as certificate paths."""

    case: Case
    pair: Pair
    servers: dict[str, Server]
    driver: Driver
    variables: dict[str, Any]
    _pending: list[_Sent] = field(default_factory=list)
    _clients: list[str] = field(default_factory=list)
    _deadline: float = 0.0

    def run(self) -> None:
        """Raises Failure, Unsupported or ProgramError; returns when all is as expected."""
        self._deadline = time.monotonic() + self.case.seconds
        for name, server in self.servers.items():
            self.variables[name] = server.addresses[0]
            self.variables[f"{name}.port"] = server.addresses[0].rpartition(":")[2]
            for index, address in enumerate(server.addresses):
                self.variables[f"{name}.{index}"] = address
        for index, step in enumerate(self.case.steps):
            effective = self._for_pair(step)
            if effective is not None:
                self._step(index, effective)
        self._join(None)
        self._close_clients()

    def _for_pair(self, step: Step) -> Optional[Step]:
        for exemption in step.exemptions:
            if exemption.applies(self.pair.client, self.pair.server):
                changes = dict(exemption.changes)
                return None if changes.pop("omit", False) else dataclasses.replace(step, **changes)
        return step

    def _step(self, index: int, step: Step) -> None:
        if step.action is not None:
            self._act(step)
            return
        command = generate(substitute(step.command, self.variables))
        label = (
            f"step {index + 1} ({' '.join(str(command[key]) for key in ('do', 'service', 'method') if key in command)})"
        )
        if step.line is not None:
            label = f"step {index + 1} (line {show(step.line, 80)})"
        ident = command.setdefault("id", index + 1) if step.line is None else None
        if command.get("do") == "client":
            self._prepare_client(command)
        end = time.monotonic() + step.within / 1000
        while True:
            expect = generate(substitute(step.expect, self.variables))
            at = self._send(step, command)
            sent = _Sent(step, command, expect, ident, at, label)
            if step.background:
                self._pending.append(sent)
                return
            try:
                self._check(sent)
                return
            except Failure:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.02)  # the condition is looked at again until the step's own deadline

    def _send(self, step: Step, command: dict[str, Any]) -> float:
        if step.line is not None:
            return self.driver.send_line(step.line, self._deadline)
        return self.driver.send(command, self._deadline)

    def _prepare_client(self, command: dict[str, Any]) -> None:
        options = command.setdefault("options", {})
        if isinstance(options, dict):
            # A second is little for a TLS handshake on a machine that runs other cases beside.
            options.setdefault("connect_timeout", _CONNECT_TIMEOUT)
        if "tls" in self.case.transport and "tls" not in command:
            command["tls"] = {"ca": self.variables["ca"]}
            if self.case.transport == "mtls":
                command["tls"].update(cert=self.variables["client_cert"], key=self.variables["client_key"])
        if command.get("tls", 0) is None:  # null in a case: no TLS, whatever the transport
            del command["tls"]

    def _check(self, sent: _Sent) -> None:
        answer = self._await(sent)
        if _kind(answer.data) == "unsupported" and _kind(sent.expect) != "unsupported":
            raise Unsupported(f"{sent.label}: {answer.data['error'].get('message')}")
        expect = {"ok": True} if sent.expect is None else sent.expect
        if "ok" not in expect and not any(key.startswith("$") for key in expect):
            expect = {"ok": "error" not in expect, **expect}
        difference = first_difference(expect, answer.data) or violation(str(sent.command.get("do")), answer.data)
        took = (answer.at - sent.at) * 1000
        if difference is None and sent.step.took is not None:
            difference = first_difference(sent.step.took, round(took, 1), "milliseconds until the answer")
        if difference:
            raise Failure(
                f"{sent.label}: {difference}\nsent:   {show(sent.command)}\nanswer: {show(answer.data, 1200)}"
            )
        name = sent.command.get("name")
        if sent.command.get("do") == "client" and answer.data["ok"] and name not in self._clients:
            self._clients.append(str(name))
        for name, path in sent.step.save.items():
            self.variables[name] = _dig(answer.data, path, sent.label)

    def _await(self, sent: _Sent) -> Answer:
        try:
            return self.driver.answer(sent.ident, self._deadline)
        except ProgramError as error:
            raise Failure(f"{sent.label}: {error}\nsent:   {show(sent.command)}") from error

    def _act(self, step: Step) -> None:
        if step.action == "join":
            self._join(step.command["ids"])
            return
        if step.action == "end":
            self.driver.end_input()
            self._clients.clear()
            return
        name = step.command["server"]
        server = self.servers[name]
        if step.action == "stopped":
            difference = server.stop()
            if difference:
                raise Failure(f"server {name}: {difference}")
            return
        acts = {
            "terminate": server.terminate,
            "kill": server.kill,
            "restart": server.restart,
            "pause": server.pause,
            "resume": server.resume,
        }
        acts[str(step.action)]()

    def _join(self, idents: Optional[list[Any]]) -> None:
        """Waits for the background commands with these ids, or for all."""
        wanted = [sent for sent in self._pending if idents is None or sent.ident in idents]
        self._pending = [sent for sent in self._pending if sent not in wanted]
        for sent in wanted:
            self._check(sent)

    def _close_clients(self) -> None:
        for name in self._clients:
            ident = f"close {name}"
            at = self.driver.send({"id": ident, "do": "close", "client": name}, self._deadline)
            step = Step({"do": "close", "client": name})
            self._check(_Sent(step, step.command, None, ident, at, f"closing {name}"))
        surplus = self.driver.unclaimed()
        if surplus:
            raise Failure(f"answers to nothing that was sent: {show(surplus)}")


def _kind(answer: Any) -> Any:
    error = answer.get("error") if isinstance(answer, dict) else None
    return error.get("kind") if isinstance(error, dict) else None


def _dig(data: Any, path: str, label: str) -> Any:
    for key in path.split("."):
        if not isinstance(data, dict) or key not in data:
            raise Failure(f"{label}: answer.{path}: expected a value to keep, got nothing")
        data = data[key]
    return data
