"""The server of the Python quickstart."""
# README: the text from here on.

import asyncio
from dataclasses import dataclass

import rpcx


@dataclass
class Args:
    A: int
    B: int


@dataclass
class Reply:
    C: int


@rpcx.service
class Arith:
    async def mul(self, ctx: rpcx.Context, args: Args) -> Reply:
        print(f"{args.A} x {args.B} for {ctx.peer}")
        return Reply(C=args.A * args.B)


async def main() -> None:
    server = rpcx.Server("tcp@127.0.0.1:8972")
    server.add(Arith())
    async with server:
        print(f"listening on {server.addresses[0]}", flush=True)
        await server.wait_closed()


asyncio.run(main())
