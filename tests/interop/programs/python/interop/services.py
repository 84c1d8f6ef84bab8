"""The test services with async handlers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import rpcx

from . import arith
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
    pattern,
)
from .tally import Stopped, Tally

#: How long a cancelled handler holds its error back, so that the caller's own clock speaks first.
HOLD = 0.1
#: The largest reply that is made.
LARGEST = 1 << 30


class Arith:
    """Arithmetic in four formats. Numbers wrap around as Go's do."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    async def mul(self, ctx: rpcx.Context, args: ArithArgs) -> ArithReply:
        """Multiplies."""
        with self._tally.run(ctx):
            return ArithReply(arith.wrap(args.A * args.B))

    async def add(self, ctx: rpcx.Context, args: ArithArgs) -> ArithReply:
        """Adds."""
        with self._tally.run(ctx):
            return ArithReply(arith.wrap(args.A + args.B))

    async def div(self, ctx: rpcx.Context, args: ArithArgs) -> ArithReply:
        """Divides."""
        with self._tally.run(ctx):
            return arith.divide(args)

    async def say(self, ctx: rpcx.Context, name: str) -> str:
        """Greets."""
        with self._tally.run(ctx):
            return f"hello {name}"


class Echo:
    """What comes in goes out."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    async def raw(self, ctx: rpcx.Context, payload: rpcx.Payload) -> rpcx.Payload:
        """The payload as it is."""
        with self._tally.run(ctx):
            return payload

    async def value(self, ctx: rpcx.Context, value: object) -> object:
        """Decodes and encodes again."""
        with self._tally.run(ctx):
            return value

    async def types(self, ctx: rpcx.Context, types: Types) -> Types:
        """Decodes into a struct and encodes again."""
        with self._tally.run(ctx):
            return types

    async def meta(self, ctx: rpcx.Context, nothing: Nothing) -> Nothing:
        """Sends the metadata back."""
        with self._tally.run(ctx):
            echo_metadata(ctx)
            return nothing


class Hello:
    """The service of the rpcx benchmark, counted."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    async def say(self, ctx: rpcx.Context, message: BenchmarkMessage) -> BenchmarkMessage:
        """Sends the message back with field 1 set to `OK` and field 2 to 100."""
        with self._tally.run(ctx):
            message.field1, message.field2 = "OK", 100
            return message


class Test:
    """Time, failures, metadata, pushes, and what the server knows of its callers."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._clients: dict[str, rpcx.Client] = {}

    async def sleep(self, ctx: rpcx.Context, args: SleepArgs) -> SleepReply:
        """Waits; ends early when the call is cancelled."""
        await self._doze(ctx, args.Ms)
        return SleepReply(args.Ms)

    def block(self, ctx: rpcx.Context, args: SleepArgs) -> SleepReply:
        """The same, blocking its thread."""
        return block(self._tally, ctx, args)

    async def fail(self, ctx: rpcx.Context, args: TextArgs) -> None:
        """Fails with that text."""
        with self._tally.run(ctx):
            raise rpcx.ServiceError(args.Text)

    async def panic(self, ctx: rpcx.Context, args: TextArgs) -> None:
        """Fails as programs with mistakes do."""
        with self._tally.run(ctx):
            raise RuntimeError(args.Text)

    async def size(self, ctx: rpcx.Context, args: SizeArgs) -> SizeReply:
        """So many bytes."""
        with self._tally.run(ctx):
            return sized(args)

    async def count(self, ctx: rpcx.Context, args: CountArgs) -> CountReply:
        """How often a method ran."""
        with self._tally.run(ctx):
            return self._tally.of(args.Method)

    async def deadline(self, ctx: rpcx.Context) -> MsReply:
        """Milliseconds until the deadline."""
        with self._tally.run(ctx):
            return left(ctx)

    async def peer(self, ctx: rpcx.Context) -> PeerReply:
        """Who calls."""
        with self._tally.run(ctx):
            return PeerReply(ctx.peer, ctx.tls_subject or "")

    async def nested(self, ctx: rpcx.Context, args: NestedArgs) -> MsReply:
        """Calls itself at another server, as deep as asked for."""
        if args.Depth <= 0:
            await self._doze(ctx, args.Ms)
            echo_metadata(ctx)
            return left(ctx)
        with self._tally.run(ctx):
            client = self._clients.get(args.Address)
            if client is None:
                # No deadline but the one that a call inherits.
                client = self._clients[args.Address] = rpcx.Client(args.Address, timeout=0)
            inner = NestedArgs(args.Address, args.Depth - 1, args.Ms)
            response = await client.service("Test").call_response("Nested", inner, MsReply)
            for key, value in response.metadata.items():
                ctx.set_metadata(key, value)
            return response.value

    async def push(self, ctx: rpcx.Context, args: PushArgs) -> Nothing:
        """Pushes messages to the caller."""
        with self._tally.run(ctx):
            for n in range(args.Count):
                while not pushed(ctx, args.Text, n):
                    await asyncio.sleep(0.001)
            return Nothing()

    async def close(self, ctx: rpcx.Context) -> None:
        """Drops the caller's connection."""
        with self._tally.run(ctx):
            ctx.connection.close()

    async def _doze(self, ctx: rpcx.Context, ms: int) -> None:
        try:
            with self._tally.run(ctx):
                await asyncio.sleep(ms / 1000)
        except asyncio.CancelledError:
            await asyncio.sleep(HOLD)
            raise cancelled() from None


def services(tally: Tally) -> list[tuple[str, Any]]:
    """Every service by its name."""
    return [("Arith", Arith(tally)), ("Echo", Echo(tally)), ("Hello", Hello(tally)), ("Test", Test(tally))]


def greeter(tally: Tally) -> Any:
    """`Fn.Greet`, a single function."""

    async def greet(ctx: rpcx.Context, name: str) -> str:
        with tally.run(ctx):
            return f"hi {name}"

    return greet


def echo_metadata(ctx: rpcx.Context) -> None:
    """Sends the request's metadata back with `echo-` before each key."""
    for key, value in ctx.metadata.items():
        ctx.set_metadata(f"echo-{key}", value)


def sized(args: SizeArgs) -> SizeReply:
    """The reply of `Test.Size`."""
    if not 0 <= args.Bytes <= LARGEST:
        raise rpcx.ServiceError(f"{args.Bytes} bytes are not from 0 to {LARGEST}")
    return SizeReply(pattern(args.Bytes))


def left(ctx: rpcx.Context) -> MsReply:
    """Milliseconds until the caller's deadline."""
    remaining = ctx.remaining()
    return MsReply(-1 if remaining is None else int(remaining * 1000))


def pushed(ctx: rpcx.Context, text: str, n: int) -> bool:
    """Pushes a message; false when so many wait that the connection takes no more for now."""
    try:
        ctx.push("Test", "Pushed", f"{text}-{n}".encode(), {"n": str(n)})
    except rpcx.LimitExceeded:
        return False
    return True


def block(tally: Tally, ctx: rpcx.Context, args: SleepArgs) -> SleepReply:
    """Blocks a thread, unless the call is cancelled meanwhile."""
    try:
        with tally.run(ctx):
            until = time.monotonic() + args.Ms / 1000
            while (rest := until - time.monotonic()) > 0:
                if ctx.cancelled:
                    raise Stopped
                time.sleep(min(rest, 0.01))
            return SleepReply(args.Ms)
    except Stopped:
        time.sleep(HOLD)
        raise cancelled() from None


def cancelled() -> rpcx.ServiceError:
    """What a handler says that was stopped early."""
    return rpcx.ServiceError("the call was cancelled while its handler slept")
