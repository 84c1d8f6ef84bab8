"""The client of Go's own examples: calls the service `Arith` of a Go server or of `server.py`.

python client.py [--addr tcp@127.0.0.1:8972]
"""

import argparse
import asyncio
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


async def main(address: str) -> None:
    """Calls everything once."""
    async with rpcx.Client(address) as client:
        arith = client.service("Arith")
        print("10 x 20 =", (await arith.call("Mul", Args(10, 20), Reply)).C)
        # A server of Go's examples may have only `Mul`: what it lacks it says, and the program goes on.
        try:
            print("10 + 20 =", (await arith.call("Add", Args(10, 20), Reply)).C)
        except rpcx.RpcError as error:
            print("10 + 20:", error)
        for args in (Args(20, 10), Args(20, 0)):
            try:
                print(f"{args.A} / {args.B} =", (await arith.call("Div", args, Reply)).C)
            except rpcx.RpcError as error:
                print(f"{args.A} / {args.B}:", error)
        try:
            print(await arith.call("Say", "ada", str))
        except rpcx.RpcError as error:
            print("say:", error)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--addr", default="tcp@127.0.0.1:8972")
    asyncio.run(main(parser.parse_args().addr))
