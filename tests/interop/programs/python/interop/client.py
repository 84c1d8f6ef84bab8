"""The interop driver on asyncio: reads commands, one JSON object a line, answers each with a line of the same id."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import rpcx

from .args import Args
from .calls import Call, cancelled, client_options, discovery, summary
from .fields import Fields
from .line import Misfit, failure, shown

USAGE = """\
usage: client

Drives the interop test services. Reads commands from stdin, one JSON object a line, and answers each on stdout with a
line of the same id:

  {"id":1,"do":"client","name":"c","discovery":"tcp@127.0.0.1:8972"}
  {"id":2,"do":"call","client":"c","service":"Arith","method":"Mul","args":{"A":6,"B":7}}

do: client update call oneway oneshot batch broadcast fork inform burst cancel pushes stats shutdown close sleep. At the
end of input every client is closed.
"""
#: How many seconds `shutdown` waits for running calls when the case does not say.
PATIENCE = 10.0

Answer = dict[str, Any]
Work = Awaitable[Answer]


@dataclass
class Named:
    """A client with what its commands need besides."""

    client: rpcx.Client
    codec: str


class Driver:
    """Obeys commands; what takes time goes on beside the next line."""

    def __init__(self) -> None:
        self._clients: dict[str, Named] = {}
        self._running: dict[asyncio.Task[None], str] = {}

    async def line(self, line: bytes) -> None:
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
                await self.finish()
            work = self._begin(Fields(fields))
        except rpcx.RpcError as error:
            answer(number, failure(error))
            return
        if work is None:
            answer(number, {"ok": True})
            return
        task = asyncio.ensure_future(self._go_on(number, work))
        self._running[task] = json.dumps(number)
        task.add_done_callback(self._running.pop)
        # Its beginning, so that commands begin in the order of their lines.
        await asyncio.sleep(0)

    async def _go_on(self, number: Any, work: Work) -> None:
        try:
            answer(number, await work)
        except rpcx.RpcError as error:
            answer(number, failure(error))
        except asyncio.CancelledError:
            answer(number, failure(cancelled()))

    async def finish(self) -> None:
        """Waits for everything that runs."""
        while self._running:
            await asyncio.wait(list(self._running))

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

    def _read(self, fields: Fields) -> tuple[rpcx.Service, Call]:
        named = self._named(fields)
        call = Call.read(fields, named.codec)
        fields.done()
        return named.client.service(call.service), call

    def _do_client(self, fields: Fields) -> None:
        name, where, options = fields.text("name"), discovery(fields.take("discovery")), client_options(fields)
        fields.done()
        made = Named(rpcx.Client(where, **options), options.get("serialize_type", "msgpack"))
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
        found = [task for task, number in self._running.items() if number == wanted]
        if not found:
            raise Misfit(f"call: {wanted} does not run")
        found[-1].cancel()

    def _call(self, kind: str, fields: Fields) -> Work:
        service, call = self._read(fields)
        make = service.call_response if kind == "call" else getattr(service, kind)

        async def work() -> Answer:
            began = time.perf_counter()
            response = await make(call.method, call.argument, call.reply, **call.options)
            return call.answer(response, time.perf_counter() - began)

        return work()

    def _do_inform(self, fields: Fields) -> Work:
        service, call = self._read(fields)

        async def work() -> Answer:
            began = time.perf_counter()
            replies = await service.inform(call.method, call.argument, call.reply, **call.options)
            took = time.perf_counter() - began
            return {"ok": True, "replies": [call.outcome(one.result, took) for one in replies]}

        return work()

    def _do_oneway(self, fields: Fields) -> Work:
        service, call = self._read(fields)

        async def work() -> Answer:
            await service.oneway(call.method, call.argument, **call.options)
            return {"ok": True}

        return work()

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

        async def work() -> Answer:
            began = time.perf_counter()
            results = await batch.run()
            took = time.perf_counter() - began
            return {"ok": True, "replies": [call.outcome(result, took) for call, result in zip(calls, results)]}

        return work()

    def _do_burst(self, fields: Fields) -> Work:
        count, concurrency = fields.count("count", 1) or 1, fields.count("concurrency", 1) or 1
        service, call = self._read(fields)
        return burst(service, call, count, min(concurrency, count))

    def _do_pushes(self, fields: Fields) -> Work:
        pushes = self._named(fields).client.pushes()
        count, timeout = fields.count("count"), fields.milliseconds("timeout")
        fields.done()
        return take(pushes, 1 if count is None else count, timeout)

    def _do_stats(self, fields: Fields) -> Work:
        client = self._named(fields).client
        fields.done()

        async def work() -> Answer:
            return {"ok": True, "stats": client.stats()}

        return work()

    def _do_shutdown(self, fields: Fields) -> Work:
        client, timeout = self._named(fields).client, fields.milliseconds("timeout")
        fields.done()

        async def work() -> Answer:
            with contextlib.suppress(rpcx.CallTimeout):  # The calls that it cut off say so themselves.
                await client.shutdown(PATIENCE if timeout is None else timeout)
            return {"ok": True}

        return work()

    def _do_close(self, fields: Fields) -> Work:
        client = self._named(fields).client
        fields.take("timeout")
        fields.done()

        async def work() -> Answer:
            client.close()
            return {"ok": True}

        return work()

    def _do_sleep(self, fields: Fields) -> Work:
        seconds = fields.milliseconds("ms")
        fields.done()
        if seconds is None:
            raise Misfit("ms is missing")

        async def work() -> Answer:
            await asyncio.sleep(seconds)
            return {"ok": True}

        return work()


async def burst(service: rpcx.Service, call: Call, count: int, concurrency: int) -> Answer:
    """Many calls, summed up."""
    indices = iter(range(count))
    each: list[float] = []
    results: list[tuple[str, str]] = []
    wrong = 0

    async def caller() -> None:
        nonlocal wrong
        for index in indices:
            one = call.numbered(index)
            began = time.perf_counter()
            try:
                response = await service.call_response(one.method, one.argument, one.reply, **one.options)
            except rpcx.RpcError as error:
                results.append(("", error.kind))
            else:
                results.append((response.server, ""))
                wrong += not one.is_right(one.shown(response.value))
            each.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return summary(count, time.perf_counter() - began, each, results, wrong)


async def take(pushes: rpcx.Pushes, count: int, timeout: float | None) -> Answer:
    """The next messages, or those that came in time."""
    until = None if timeout is None else time.monotonic() + timeout
    came: list[Answer] = []
    while len(came) < count:
        try:
            push = await pushes.next(None if until is None else max(0.0, until - time.monotonic()))
        except TimeoutError:
            break
        if push is None:
            break
        came.append(show_push(push))
    return {"ok": True, "pushes": came}


def show_push(push: rpcx.Push) -> Answer:
    """A message that a server sent on its own."""
    return {
        "service": push.service,
        "method": push.method,
        "metadata": push.metadata,
        "hex": shown(push.payload),
    }


def answer(number: Any, fields: Answer) -> None:
    """Writes an answer."""
    sys.stdout.write(json.dumps({"id": number, **fields}) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Obeys the commands of standard input until it ends."""
    Args(USAGE, ())
    driver = Driver()
    reader = asyncio.StreamReader(limit=1 << 30)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        if line.strip():
            await driver.line(line)
    driver.close()
    await driver.finish()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(main())
