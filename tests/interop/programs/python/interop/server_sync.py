"""The interop server with plain handlers."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading

import rpcx
import rpcx.sync

from . import services_sync
from .args import Args
from .server import KNOWN, PATIENCE, USAGE, options, ready
from .tally import Tally


def main() -> None:
    """Serves until SIGTERM."""
    args = Args(USAGE, KNOWN)
    token, tally = args.one("auth"), Tally()

    def check(request: rpcx.AuthRequest) -> None:
        if request.token != token:
            raise rpcx.AuthError("invalid token")

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        server = rpcx.sync.Server(*args.all("listen"), authenticator=check if token else None, **options(args))
        for name, service in services_sync.all_services(tally):
            server.add(service, name)
        server.function("Fn", "Greet", services_sync.greeter(tally))
        server.alias("Alias", "Times", "Arith", "Mul")
        server.start()
    except rpcx.ConfigError as error:
        args.refuse(str(error))
    ready("python-sync", server.addresses)
    # The system may give the signal to another thread, which does not wake this one.
    while not ended.wait(0.1):
        pass
    try:
        server.shutdown(PATIENCE)
    except rpcx.RpcError as error:
        print(error, file=sys.stderr)
    print(json.dumps(tally.stopped()), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    main()
