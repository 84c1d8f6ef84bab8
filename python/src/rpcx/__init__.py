"""rpcx for Python: call, and serve, any rpcx service in any language.

>>> import asyncio, rpcx
>>> async def main():
...     async with rpcx.Client("tcp@127.0.0.1:8972") as client:
...         print(await client.service("Arith").call("Mul", {"A": 6, "B": 7}))
>>> asyncio.run(main())

`rpcx.Client` and `rpcx.Server` are for asyncio; `rpcx.sync` has their blocking twins with the same names. Options,
errors and behaviour are the same in every language of the library: ``docs/CONFIGURATION.md``, ``docs/ERRORS.md``.
"""

# As `typing` has it, which is not worth an import here.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from . import codec, errors, sync
    from ._core import ClientCall, Discovery, InformReply, Push, Response
    from ._dispatch import ServerCall
    from ._logs import refresh as refresh_logging
    from ._rpcx import AuthRequest, Cancellation, __version__, configure
    from ._service import method, service
    from .client import Batch, Client, Interceptor, Method, Next, Pushes, Service
    from .context import Connection, Context, current_context
    from .errors import (
        AuthError,
        CallCancelled,
        CallTimeout,
        Closed,
        CodecError,
        ConfigError,
        ConnectError,
        Delivery,
        InternalError,
        LimitExceeded,
        NoServer,
        Overloaded,
        ProtocolError,
        RpcError,
        ServiceError,
        ShuttingDown,
        Unsupported,
    )
    from .option_types import ClientOptions, ServerOptions
    from .options import CallOptions
    from .server import Authenticator, Server, ServerInterceptor, ServerNext
    from .types import Float32, Payload, Timestamp

__all__ = [
    "AuthError",
    "AuthRequest",
    "Authenticator",
    "Batch",
    "CallCancelled",
    "CallOptions",
    "CallTimeout",
    "Cancellation",
    "Client",
    "ClientCall",
    "ClientOptions",
    "Closed",
    "CodecError",
    "ConfigError",
    "ConnectError",
    "Connection",
    "Context",
    "Delivery",
    "Discovery",
    "Float32",
    "InformReply",
    "Interceptor",
    "InternalError",
    "LimitExceeded",
    "Method",
    "Next",
    "NoServer",
    "Overloaded",
    "Payload",
    "ProtocolError",
    "Push",
    "Pushes",
    "Response",
    "RpcError",
    "Server",
    "ServerCall",
    "ServerInterceptor",
    "ServerNext",
    "ServerOptions",
    "Service",
    "ServiceError",
    "ShuttingDown",
    "Timestamp",
    "Unsupported",
    "__version__",
    "codec",
    "configure",
    "current_context",
    "errors",
    "method",
    "refresh_logging",
    "service",
    "sync",
]

# Imported when it is used first, so that a program pays for what it needs: no event loop for `rpcx.sync`, say.
_FROM = {
    "._core": "ClientCall Discovery InformReply Push Response",
    "._dispatch": "ServerCall",
    "._logs": "refresh_logging",
    "._rpcx": "AuthRequest Cancellation __version__ configure",
    ".client": "Batch Client Interceptor Method Next Pushes Service",
    ".context": "Connection Context current_context",
    ".errors": (
        "AuthError CallCancelled CallTimeout Closed CodecError ConfigError ConnectError Delivery InternalError "
        "LimitExceeded NoServer Overloaded ProtocolError RpcError ServiceError ShuttingDown Unsupported"
    ),
    ".option_types": "ClientOptions ServerOptions",
    ".options": "CallOptions",
    ".server": "Authenticator Server ServerInterceptor ServerNext",
    "._service": "method service",
    ".types": "Float32 Payload Timestamp",
}
_HOME = {name: module for module, names in _FROM.items() for name in names.split()}
_HOME |= {name: f".{name}" for name in ("codec", "errors", "sync")}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(home, __name__)
    value: object = module if home == f".{name}" else getattr(module, "refresh" if name == "refresh_logging" else name)
    # Next time it is found without coming here.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
