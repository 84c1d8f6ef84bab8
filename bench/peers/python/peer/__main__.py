"""The command line: `server|client --flavor async|blocking` and the options that every program of the benchmark has."""

from __future__ import annotations

import argparse
import asyncio

from . import client, server
from .window import Window


def main() -> None:
    """Serves or calls."""
    p = argparse.ArgumentParser(prog="grpc-python")
    p.add_argument("mode", choices=["server", "client"])
    p.add_argument("--addr", required=True, metavar="HOST:PORT")
    p.add_argument("--flavor", choices=["async", "blocking"], default="async")
    p.add_argument("--conns", type=int, default=1)
    p.add_argument("--concurrency", type=int, default=1)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--warmup", type=float, default=0.7)
    p.add_argument("--server-pid", type=int)
    a = p.parse_args()
    if a.mode == "server":
        if a.flavor == "async":
            asyncio.run(server.on_loop(a.addr))
        else:
            server.on_threads(a.addr)
        return
    concurrency = max(1, a.concurrency)
    window = Window(min(max(1, a.conns), concurrency), concurrency, a.seconds, a.warmup, a.server_pid)
    if a.flavor == "async":
        asyncio.run(client.on_loop(a.addr, window))
    else:
        client.on_threads(a.addr, window)


main()
