"""The interop server: every test service, on the addresses that the command line names."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from typing import Any

import rpcx

from . import services
from .args import Args
from .tally import Tally

USAGE = """\
usage: server --listen ADDRESS… [--registry URL…] [--meta QUERY] [--auth TOKEN] [--option NAME=VALUE…]
              [--tls-cert FILE --tls-key FILE [--tls-client-ca FILE]]

Serves the interop test services until SIGTERM. What ends in … takes several values or is repeated.

  --listen ADDRESS         tcp@127.0.0.1:0, unix@/run/x.sock, …; port 0 is chosen by the system
  --registry URL           a registry to announce the services to
  --meta QUERY             metadata for the registry
  --auth TOKEN             every other token is refused
  --option NAME=VALUE      a server option by its name
  --tls-cert, --tls-key    PEM files; --tls-client-ca asks clients for a certificate
"""
KNOWN = ("listen", "registry", "meta", "auth", "option", "tls-cert", "tls-key", "tls-client-ca")
FILES = {"tls-cert": "tls.cert", "tls-key": "tls.key", "tls-client-ca": "tls.client_ca"}
#: How many seconds a stop waits for calls in progress.
PATIENCE = 10


def options(args: Args) -> dict[str, Any]:
    """What a server is made with, as the command line says."""
    if not args.all("listen"):
        args.refuse("--listen ADDRESS is missing")
    given: dict[str, Any] = {}
    for option in args.all("option"):
        name, equals, value = option.partition("=")
        if not equals:
            args.refuse(f"--option {option}: write it as NAME=VALUE")
        given[name] = value
    for argument, option in FILES.items():
        if (path := args.one(argument)) is not None:
            given[option] = path
    meta = args.one("meta")
    return {"registries": args.all("registry"), "announce": {} if meta is None else {"": meta}, **given}


def ready(language: str, addresses: list[str]) -> None:
    """Prints the line that the runner waits for."""
    line = {"ready": True, "language": language, "version": rpcx.__version__, "addresses": addresses}
    print(json.dumps(line), flush=True)


async def main() -> None:
    """Serves until SIGTERM."""
    args = Args(USAGE, KNOWN)
    token, tally = args.one("auth"), Tally()

    async def check(request: rpcx.AuthRequest) -> None:
        if request.token != token:
            raise rpcx.AuthError("invalid token")

    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        server = rpcx.Server(*args.all("listen"), authenticator=check if token else None, **options(args))
        for name, service in services.services(tally):
            server.add(service, name)
        server.function("Fn", "Greet", services.greeter(tally))
        server.alias("Alias", "Times", "Arith", "Mul")
        await server.start()
    except rpcx.ConfigError as error:
        args.refuse(str(error))
    ready("python", server.addresses)
    await ended.wait()
    try:
        await server.shutdown(PATIENCE)
    except rpcx.RpcError as error:
        print(error, file=sys.stderr)
    print(json.dumps(tally.stopped()), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main())
