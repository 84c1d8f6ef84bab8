"""The interop driver with the blocking client: a thread for each command that takes time."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import rpcx
import rpcx.sync

from .args import Args
from .calls import Call, cancelled, client_options, discovery, summary
from .client import PATIENCE, USAGE, show_push
from .fields import Fields
from .line import Misfit, failure

Answer = dict[str, Any]


@dataclass
class Named:
    """A client with what its commands need besides."""

    client: rpcx.sync.Client
    codec: str


@dataclass(eq=False)
class Running:
    """A command under way."""

    number: str
    cancellation: rpcx.Cancellation = field(default_factory=rpcx.Cancellation)
    ended: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)


Work = Callable[[Running], Answer]


class Driver:
    """Obeys commands; what takes time goes on beside the next line."""

    def __init__(self) -> None:
        self._clients: dict[str, Named] = {}
        self._running: list[Running] = []

    def line(self, line: bytes) -> None:
        """Obeys one line."""
        try:
            fields = json.loads(line)
            if not isinstance(fields, dict):
                raise ValueError
        except ValueError:
            answer(None, failure(Misfit("a command is a JSON object on one line")))
            return
        number = fields.pop("id", None)
        try:
            wait = fields.pop("wait", False)
            if not isinstance(wait, bool):
                raise Misfit(f"wait: {wait!r} is neither true nor false")
            if wait:
                self.finish()
            work = self._begin(Fields(fields))
        except rpcx.RpcError as error:
            answer(number, failure(error))
            return
        if work is None:
            answer(number, {"ok": True})
            return
        running = Running(json.dumps(number))
        self._running = [one for one in self._running if not one.ended.is_set()] + [running]
        threading.Thread(target=self._go_on, args=(number, work, running), daemon=True).start()
        # Its beginning, so that commands begin in the order of their lines.
        running.begun.wait()

    def _go_on(self, number: Any, work: Work, running: Running) -> None:
        running.begun.set()
        try:
            done = work(running)
        except rpcx.RpcError as error:
            done = failure(cancelled() if running.cancellation.cancelled else error)
        running.ended.set()
        answer(number, done)

    def finish(self) -> None:
        """Waits for everything that runs."""
        for running in self._running:
            running.ended.wait()

    def close(self) -> None:
        """Closes every client, which ends the calls that still run."""
        for named in self._clients.values():
            named.client.close()

    def _begin(self, fields: Fields) -> Work | None:
        name = fields.text("do")
        command: Callable[[Fields], Work | None] | None = getattr(self, f"_do_{name}", None)
        if name in ("call", "broadcast", "fork"):
            return self._call(name, fields)
        if command is None:
            raise Misfit(f"unknown command {name!r}")
        return command(fields)

    def _named(self, fields: Fields) -> Named:
        name = fields.text("client")
        if name not in self._clients:
            raise Misfit(f"unknown client {name!r}")
        return self._clients[name]

    def _read(self, fields: Fields) -> tuple[rpcx.sync.Service, Call]:
        named = self._named(fields)
        call = Call.read(fields, named.codec)
        fields.done()
        return named.client.service(call.service), call

    def _do_client(self, fields: Fields) -> None:
        name, where, options = fields.text("name"), discovery(fields.take("discovery")), client_options(fields)
        fields.done()
        made = Named(rpcx.sync.Client(where, **options), options.get("serialize_type", "msgpack"))
        if old := self._clients.get(name):
            old.client.close()
        self._clients[name] = made

    def _do_update(self, fields: Fields) -> None:
        named, where = self._named(fields), discovery(fields.take("discovery"))
        fields.done()
        named.client.set_nodes([where] if isinstance(where, str) else where)

    def _do_cancel(self, fields: Fields) -> None:
        wanted = json.dumps(fields.take("call"))
        fields.done()
        found = [one for one in self._running if one.number == wanted and not one.ended.is_set()]
        if not found:
            raise Misfit(f"call: {wanted} does not run")
        found[-1].cancellation.cancel()

    def _call(self, kind: str, fields: Fields) -> Work:
        service, call = self._read(fields)
        make = service.call_response if kind == "call" else getattr(service, kind)

        def work(running: Running) -> Answer:
            began = time.perf_counter()
            options = {**call.options, "cancel": running.cancellation}
            response = make(call.method, call.argument, call.reply, **options)
            return call.answer(response, time.perf_counter() - began)

        return work

    def _do_inform(self, fields: Fields) -> Work:
        service, call = self._read(fields)

        def work(running: Running) -> Answer:
            began = time.perf_counter()
            options = {**call.options, "cancel": running.cancellation}
            replies = service.inform(call.method, call.argument, call.reply, **options)
            took = time.perf_counter() - began
            return {"ok": True, "replies": [call.outcome(one.result, took) for one in replies]}

        return work

    def _do_oneway(self, fields: Fields) -> Work:
        service, call = self._read(fields)

        def work(running: Running) -> Answer:
            service.oneway(call.method, call.argument, **call.options, cancel=running.cancellation)
            return {"ok": True}

        return work

    def _do_oneshot(self, fields: Fields) -> None:
        service, call = self._read(fields)
        service.oneshot(call.method, call.argument, **call.options)

    def _do_batch(self, fields: Fields) -> Work:
        named, listed = self._named(fields), fields.take("calls")
        fields.done()
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise Misfit("calls: expected a list of calls")
        calls, batch = [], named.client.batch()
        for one in listed:
            inner = Fields(one)
            calls.append(call := Call.read(inner, named.codec))
            inner.done()
            batch.add(call.service, call.method, call.argument, call.reply, **call.options)

        def work(_: Running) -> Answer:
            began = time.perf_counter()
            results = batch.run()
            took = time.perf_counter() - began
            return {"ok": True, "replies": [call.outcome(result, took) for call, result in zip(calls, results)]}

        return work

    def _do_burst(self, fields: Fields) -> Work:
        count, concurrency = fields.count("count", 1) or 1, fields.count("concurrency", 1) or 1
        service, call = self._read(fields)
        return lambda _: burst(service, call, count, min(concurrency, count))

    def _do_pushes(self, fields: Fields) -> Work:
        pushes = self._named(fields).client.pushes()
        count, timeout = fields.count("count"), fields.milliseconds("timeout")
        fields.done()
        return lambda _: take(pushes, 1 if count is None else count, timeout)

    def _do_stats(self, fields: Fields) -> Work:
        client = self._named(fields).client
        fields.done()
        return lambda _: {"ok": True, "stats": client.stats()}

    def _do_shutdown(self, fields: Fields) -> Work:
        client, timeout = self._named(fields).client, fields.milliseconds("timeout")
        fields.done()

        def work(_: Running) -> Answer:
            with contextlib.suppress(rpcx.CallTimeout):  # The calls that it cut off say so themselves.
                client.shutdown(PATIENCE if timeout is None else timeout)
            return {"ok": True}

        return work

    def _do_close(self, fields: Fields) -> Work:
        client = self._named(fields).client
        fields.take("timeout")
        fields.done()

        def work(_: Running) -> Answer:
            client.close()
            return {"ok": True}

        return work

    def _do_sleep(self, fields: Fields) -> Work:
        seconds = fields.milliseconds("ms")
        fields.done()
        if seconds is None:
            raise Misfit("ms is missing")

        def work(_: Running) -> Answer:
            time.sleep(seconds)
            return {"ok": True}

        return work


def burst(service: rpcx.sync.Service, call: Call, count: int, concurrency: int) -> Answer:
    """Many calls, summed up."""
    indices = iter(range(count))
    lock = threading.Lock()
    each: list[float] = []
    results: list[tuple[str, str]] = []
    wrong: list[int] = []

    def caller() -> None:
        while True:
            with lock:
                index = next(indices, None)
            if index is None:
                return
            one = call.numbered(index)
            began = time.perf_counter()
            try:
                response = service.call_response(one.method, one.argument, one.reply, **one.options)
            except rpcx.RpcError as error:
                results.append(("", error.kind))
            else:
                results.append((response.server, ""))
                if not one.is_right(one.shown(response.value)):
                    wrong.append(index)
            each.append(time.perf_counter() - began)

    began = time.perf_counter()
    callers = [threading.Thread(target=caller) for _ in range(concurrency)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    return summary(count, time.perf_counter() - began, each, results, len(wrong))


def take(pushes: rpcx.sync.Pushes, count: int, timeout: float | None) -> Answer:
    """The next messages, or those that came in time."""
    until = None if timeout is None else time.monotonic() + timeout
    came: list[Answer] = []
    while len(came) < count:
        try:
            push = pushes.next(None if until is None else max(0.0, until - time.monotonic()))
        except TimeoutError:
            break
        if push is None:
            break
        came.append(show_push(push))
    return {"ok": True, "pushes": came}


_output = threading.Lock()


def answer(number: Any, fields: Answer) -> None:
    """Writes an answer."""
    with _output:
        sys.stdout.write(json.dumps({"id": number, **fields}) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Obeys the commands of standard input until it ends."""
    Args(USAGE, ())
    driver = Driver()
    for line in sys.stdin.buffer:
        if line.strip():
            driver.line(line)
    driver.close()
    driver.finish()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    main()
