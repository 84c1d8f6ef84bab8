"""The client of the Python quickstart."""
# README: the text from here on.

import asyncio

import rpcx


async def main() -> None:
    async with rpcx.Client("tcp@127.0.0.1:8972", timeout=5) as client:
        arith = client.service("Arith")
        reply = await arith.call("Mul", {"A": 6, "B": 7})
        print(f"6 x 7 = {reply['C']}")


asyncio.run(main())
