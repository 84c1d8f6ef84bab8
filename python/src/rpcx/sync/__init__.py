"""The same client and server for programs without an event loop: every call waits, other threads run meanwhile.

>>> with rpcx.sync.Client("tcp@127.0.0.1:8972", timeout=5) as client:
...     print(client.service("Arith").call("Mul", {"A": 6, "B": 7}))

Ctrl-C ends a call that waits on the main thread; a `rpcx.Cancellation` ends calls from any other.
"""

# As `typing` has it, which is not worth an import here.
TYPE_CHECKING = False

if TYPE_CHECKING:
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

_CLIENT = frozenset({"Batch", "Client", "Interceptor", "Method", "Next", "Pushes", "Service"})


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(".client" if name in _CLIENT else ".server", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
