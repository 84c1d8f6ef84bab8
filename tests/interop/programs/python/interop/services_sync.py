"""The test services with plain handlers; only what waits without blocking a thread is async."""

from __future__ import annotations

import threading
import time
from typing import Any

import rpcx
import rpcx.sync

from . import arith, services
from .arith import ArithArgs, ArithReply
from .benchmark_pb2 import BenchmarkMessage
from .messages import (
    CountArgs,
    CountReply,
    MsReply,
    NestedArgs,
    Nothing,
    PeerReply,
    PushArgs,
    SizeArgs,
    SizeReply,
    SleepArgs,
    SleepReply,
    TextArgs,
    Types,
)
from .tally import Tally


class Arith:
    """Arithmetic in four formats. Numbers wrap around as Go's do."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def mul(self, ctx: rpcx.Context, args: ArithArgs) -> ArithReply:
        """Multiplies."""
        with self._tally.run(ctx):
            return ArithReply(arith.wrap(args.A * args.B))

    def add(self, ctx: rpcx.Context, args: ArithArgs) -> ArithReply:
        """Adds."""
        with self._tally.run(ctx):
            return ArithReply(arith.wrap(args.A + args.B))

    def div(self, ctx: rpcx.Context, args: ArithArgs) -> ArithReply:
        """Divides."""
        with self._tally.run(ctx):
            return arith.divide(args)

    def say(self, ctx: rpcx.Context, name: str) -> str:
        """Greets."""
        with self._tally.run(ctx):
            return f"hello {name}"


class Echo:
    """What comes in goes out."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def raw(self, ctx: rpcx.Context, payload: rpcx.Payload) -> rpcx.Payload:
        """The payload as it is."""
        with self._tally.run(ctx):
            return payload

    def value(self, ctx: rpcx.Context, value: object) -> object:
        """Decodes and encodes again."""
        with self._tally.run(ctx):
            return value

    def types(self, ctx: rpcx.Context, types: Types) -> Types:
        """Decodes into a struct and encodes again."""
        with self._tally.run(ctx):
            return types

    def meta(self, ctx: rpcx.Context, nothing: Nothing) -> Nothing:
        """Sends the metadata back."""
        with self._tally.run(ctx):
            services.echo_metadata(ctx)
            return nothing


class Hello:
    """The service of the rpcx benchmark, counted."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def say(self, ctx: rpcx.Context, message: BenchmarkMessage) -> BenchmarkMessage:
        """Sends the message back with field 1 set to `OK` and field 2 to 100."""
        with self._tally.run(ctx):
            message.field1, message.field2 = "OK", 100
            return message


class Test:
    """Time, failures, metadata, pushes, and what the server knows of its callers."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._waiting = services.Test(tally)
        self._lock = threading.Lock()
        self._clients: dict[str, rpcx.sync.Client] = {}

    async def sleep(self, ctx: rpcx.Context, args: SleepArgs) -> SleepReply:
        """Waits without a thread; ends early when the call is cancelled."""
        return await self._waiting.sleep(ctx, args)

    def block(self, ctx: rpcx.Context, args: SleepArgs) -> SleepReply:
        """The same, blocking its thread."""
        return services.block(self._tally, ctx, args)

    def fail(self, ctx: rpcx.Context, args: TextArgs) -> None:
        """Fails with that text."""
        with self._tally.run(ctx):
            raise rpcx.ServiceError(args.Text)

    def panic(self, ctx: rpcx.Context, args: TextArgs) -> None:
        """Fails as programs with mistakes do."""
        with self._tally.run(ctx):
            raise RuntimeError(args.Text)

    def size(self, ctx: rpcx.Context, args: SizeArgs) -> SizeReply:
        """So many bytes."""
        with self._tally.run(ctx):
            return services.sized(args)

    def count(self, ctx: rpcx.Context, args: CountArgs) -> CountReply:
        """How often a method ran."""
        with self._tally.run(ctx):
            return self._tally.of(args.Method)

    def deadline(self, ctx: rpcx.Context) -> MsReply:
        """Milliseconds until the deadline."""
        with self._tally.run(ctx):
            return services.left(ctx)

    def peer(self, ctx: rpcx.Context) -> PeerReply:
        """Who calls."""
        with self._tally.run(ctx):
            return PeerReply(ctx.peer, ctx.tls_subject or "")

    def nested(self, ctx: rpcx.Context, args: NestedArgs) -> MsReply:
        """Calls itself at another server, as deep as asked for."""
        if args.Depth <= 0:
            services.block(self._tally, ctx, SleepArgs(args.Ms))
            services.echo_metadata(ctx)
            return services.left(ctx)
        with self._tally.run(ctx):
            inner = NestedArgs(args.Address, args.Depth - 1, args.Ms)
            test = self._client(args.Address).service("Test")
            response = test.call_response("Nested", inner, MsReply)
            for key, value in response.metadata.items():
                ctx.set_metadata(key, value)
            return response.value

    def push(self, ctx: rpcx.Context, args: PushArgs) -> Nothing:
        """Pushes messages to the caller."""
        with self._tally.run(ctx):
            for n in range(args.Count):
                while not services.pushed(ctx, args.Text, n):
                    time.sleep(0.001)
            return Nothing()

    def close(self, ctx: rpcx.Context) -> None:
        """Drops the caller's connection."""
        with self._tally.run(ctx):
            ctx.connection.close()

    def _client(self, address: str) -> rpcx.sync.Client:
        with self._lock:
            client = self._clients.get(address)
            if client is None:
                # No deadline but the one that a call inherits.
                client = self._clients[address] = rpcx.sync.Client(address, timeout=0)
            return client


def all_services(tally: Tally) -> list[tuple[str, Any]]:
    """Every service by its name."""
    return [("Arith", Arith(tally)), ("Echo", Echo(tally)), ("Hello", Hello(tally)), ("Test", Test(tally))]


def greeter(tally: Tally) -> Any:
    """`Fn.Greet`, a single function."""

    def greet(ctx: rpcx.Context, name: str) -> str:
        with tally.run(ctx):
            return f"hi {name}"

    return greet
