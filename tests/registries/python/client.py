"""A Python client that calls without end: `client.py URL`.

It says how many calls were answered whenever it is told something; at the end of its input it ends, and says which
failed.
"""

from __future__ import annotations

import sys
import threading
import time

import rpcx


def main() -> None:
    """Calls on a thread, talks on this one."""
    ended = threading.Event()
    calls = 0
    errors: list[str] = []

    def call() -> None:
        nonlocal calls
        with rpcx.sync.Client(sys.argv[1]) as client:
            service = client.service("Arith")
            while not ended.is_set():
                try:
                    answer = service.call("Echo", b"x", reply=bytes, idempotent=True)
                    assert answer == b"x"
                    calls += 1
                except rpcx.RpcError as error:
                    errors.append(str(error))
                time.sleep(0.002)

    caller = threading.Thread(target=call)
    caller.start()
    for _ in sys.stdin:
        print("calls", calls, flush=True)
    ended.set()
    caller.join()
    for error in errors[:5]:
        print("error", error)
    print("ended", calls, len(errors), flush=True)


main()
