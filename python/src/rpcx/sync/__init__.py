"""The same client and server for programs without an event loop: every call waits, other threads run meanwhile.

>>> with rpcx.sync.Client("tcp@127.0.0.1:8972", timeout=5) as client:
...     print(client.service("Arith").call("Mul", {"A": 6, "B": 7}))

Ctrl-C ends a call that waits on the main thread; a `rpcx.Cancellation` ends calls from any other.
"""

from .client import Batch, Client, Interceptor, Method, Next, Pushes, Service
from .server import Authenticator, Server, ServerInterceptor, ServerNext

__all__ = [
    "Authenticator",
    "Batch",
    "Client",
    "Interceptor",
    "Method",
    "Next",
    "Pushes",
    "Server",
    "ServerInterceptor",
    "ServerNext",
    "Service",
]
