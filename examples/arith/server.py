"""The server of Go's own examples: clients of Go's rpcx and `client.py` find the service `Arith` here.

    python server.py [--addr tcp@127.0.0.1:8972]

It runs until Ctrl-C, then finishes what it has accepted.
"""

import argparse
import asyncio
import signal
from dataclasses import dataclass

import rpcx


@dataclass
class Args:
    """Go's `type Args struct { A, B int }`."""

    A: int
    B: int


@dataclass
class Reply:
    """Go's `type Reply struct { C int }`."""

    C: int


@rpcx.service
class Arith:
    """On the wire: `Arith` with `Mul`, `Add`, `Div` and `Say`."""

    async def mul(self, args: Args) -> Reply:
        """Multiplies."""
        return Reply(args.A * args.B)

    async def add(self, args: Args) -> Reply:
        """Adds."""
        return Reply(args.A + args.B)

    def div(self, args: Args) -> Reply:
        """Divides; a plain handler, on a thread."""
        if args.B == 0:
            raise rpcx.ServiceError("divide by zero")
        return Reply(int(args.A / args.B))

    async def say(self, ctx: rpcx.Context, name: str) -> str:
        """Greets."""
        print(f"{name} says hello from {ctx.peer}", flush=True)
        return f"hello {name}"


async def main(address: str) -> None:
    """Serves until Ctrl-C."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = rpcx.Server(address)
    server.add(Arith())
    async with server:
        print(f"listening on {server.addresses[0]}", flush=True)
        await ended.wait()
        print("shutting down", flush=True)
        await server.shutdown(5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--addr", default="tcp@127.0.0.1:8972")
    asyncio.run(main(parser.parse_args().addr))
