"""A Python server that announces itself: the talk of `src/server.rs`."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

import rpcx


def talk(server: rpcx.sync.Server) -> None:
    """Ends the server at the end of the input; after the line `keep` without leaving the registry."""
    keep = False
    for line in sys.stdin:
        keep = keep or line.strip() == "keep"
    server.shutdown(keep_registered=keep)


def main() -> None:
    """Serves until it is told to end."""
    url, *given = sys.argv[1:]
    options: dict[str, Any] = dict(argument.split("=", 1) for argument in given)
    bind = options.pop("bind", "tcp@127.0.0.1:0")
    services = options.pop("services", "Arith,Arith2").split(",")
    metadata = options.pop("metadata", "")
    announce = dict.fromkeys(services, metadata)
    server = rpcx.sync.Server(bind, registries=[url], announce=announce, **options)

    def echo(payload: bytes) -> bytes:
        return payload

    def multiply(factors: dict[str, int]) -> dict[str, int]:
        return {"C": factors["A"] * factors["B"]}

    for service in services:
        server.function(service, "Echo", echo)
        server.function(service, "Mul", multiply)
    server.start()
    # Python's handlers of signals run on the main thread, which must not be inside of the library for ever.
    signal.signal(signal.SIGTERM, lambda *_: server.shutdown())
    print("serving", server.addresses[0], flush=True)
    threading.Thread(target=talk, args=(server,), daemon=True).start()
    server.wait_closed()
    print("ended", flush=True)


main()
