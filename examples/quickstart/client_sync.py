"""The client of the Python quickstart without an event loop."""
# README: the text from here on.

import rpcx.sync

with rpcx.sync.Client("tcp@127.0.0.1:8972", timeout=5) as client:
    reply = client.service("Arith").call("Mul", {"A": 6, "B": 7})
    print(f"6 x 7 = {reply['C']}")
