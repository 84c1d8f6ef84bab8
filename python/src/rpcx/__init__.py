"""rpcx for Python: call, and serve, any rpcx service in any language.

>>> import asyncio, rpcx
>>> async def main():
...     async with rpcx.Client("tcp@127.0.0.1:8972") as client:
...         print(await client.service("Arith").call("Mul", {"A": 6, "B": 7}))
>>> asyncio.run(main())

`rpcx.Client` and `rpcx.Server` are for asyncio; `rpcx.sync` has their blocking twins with the same names. Options,
errors and behaviour are the same in every language of the library: ``docs/CONFIGURATION.md``, ``docs/ERRORS.md``.
"""

import os as _os
import threading as _threading

from . import codec, errors, sync
from ._core import ClientCall, Discovery, InformReply, Push, Response
from ._dispatch import ServerCall
from ._logs import refresh as refresh_logging
from ._rpcx import AuthRequest, Cancellation, __version__, configure
from ._rpcx import mark_main_thread as _mark_main_thread
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
from .service import method, service
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

if _threading.current_thread() is _threading.main_thread():
    _mark_main_thread()
# The thread that forks is the child's main thread, where Python handles signals.
_os.register_at_fork(after_in_child=_mark_main_thread)
