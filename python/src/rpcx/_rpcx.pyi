"""The native module: bytes in, bytes out. Not for users: `rpcx` is."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, final

__all__ = [
    "__version__",
    "AuthRequest",
    "Bridge",
    "Call",
    "Cancellation",
    "Client",
    "Connection",
    "Method",
    "Options",
    "Pushes",
    "Request",
    "Server",
    "Workers",
    "configure",
    "errors_json",
    "mark_main_thread",
    "msgpack_values",
    "options_json",
    "set_logs",
    "take_logs",
]

__version__: str

_Reply = tuple[bytes, dict[str, str], str, int]

def options_json() -> str: ...
def errors_json() -> str: ...
def configure(threads: int | None = None, name: str | None = None) -> None:
    """Says how the library's threads are made from now on: at least so many, with this name before their number."""

def mark_main_thread() -> None: ...
def msgpack_values(payload: bytes, moment: Callable[[int, int], object]) -> Any: ...
def set_logs(level: int) -> None: ...
def take_logs() -> list[tuple[int, str, str]]: ...

@final
class Bridge:
    def __new__(cls) -> Bridge: ...
    def fileno(self) -> int: ...
    def drain(self, watch: Callable[[int, bool], object]) -> list[Any] | None: ...
    def turn(self, watch: Callable[[int, bool], object]) -> list[Any] | None: ...
    def close(self) -> None: ...

@final
class Cancellation:
    """Ends calls from any thread: give it to them as the option ``cancel``. One may be given to any number of calls."""

    def __new__(cls) -> Cancellation: ...
    def cancel(self) -> None:
        """Ends every call that this was given to, and those that it is given to later, with `CallCancelled`."""

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""

@final
class Options:
    def __new__(
        cls, pairs: Sequence[tuple[str, str]], metadata: dict[str, str] | None = None, parent: Request | None = None
    ) -> Options: ...

@final
class Call:
    def cancel(self) -> None: ...

@final
class Method:
    def start(
        self,
        bridge: Bridge,
        future: object,
        payload: bytes,
        options: Options | None = None,
        kind: int = 0,
        full: bool = False,
        cancel: Cancellation | None = None,
    ) -> Call: ...
    def start_inform(
        self,
        bridge: Bridge,
        future: object,
        payload: bytes,
        options: Options | None = None,
        cancel: Cancellation | None = None,
    ) -> Call: ...
    def start_oneway(
        self,
        bridge: Bridge,
        future: object,
        payload: bytes,
        options: Options | None = None,
        cancel: Cancellation | None = None,
    ) -> Call: ...
    def oneshot(self, payload: bytes, options: Options | None = None) -> None: ...
    def call(
        self,
        payload: bytes,
        options: Options | None = None,
        kind: int = 0,
        full: bool = False,
        cancel: Cancellation | None = None,
    ) -> Any: ...
    def inform(
        self, payload: bytes, options: Options | None = None, cancel: Cancellation | None = None
    ) -> list[tuple[str, Any]]: ...
    def oneway(self, payload: bytes, options: Options | None = None, cancel: Cancellation | None = None) -> None: ...
    @staticmethod
    def batch(calls: Sequence[tuple[Method, bytes, Options | None, Cancellation | None]]) -> list[Any]: ...

@final
class Client:
    def __new__(cls, discovery: str | list[str], options: list[tuple[str, str]], threads: int) -> Client: ...
    def method(self, service: str, method: str) -> Method: ...
    def set_nodes(self, nodes: list[str]) -> None: ...
    def stats(self) -> str: ...
    def metrics(self, name: str) -> str: ...
    def pushes(self) -> Pushes: ...
    def close(self) -> None: ...
    def start_shutdown(self, bridge: Bridge, future: object, seconds: float) -> Call: ...
    def shutdown(self, seconds: float) -> None: ...

@final
class Pushes:
    def pop(self) -> tuple[str, str, dict[str, str], bytes, int, str] | Literal[False] | None: ...
    def start_wait(self, bridge: Bridge, future: object) -> None: ...
    def wait(self, seconds: float | None = None) -> bool: ...

@final
class Request:
    @property
    def entry(self) -> Any: ...
    @property
    def service(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def serialize_type(self) -> int: ...
    @property
    def payload(self) -> bytes: ...
    def metadata(self) -> dict[str, str]: ...
    @property
    def is_oneway(self) -> bool: ...
    @property
    def peer(self) -> str: ...
    @property
    def tls_subject(self) -> str | None: ...
    def remaining(self) -> float | None: ...
    @property
    def is_cancelled(self) -> bool: ...
    def on_cancel(self, bridge: Bridge, tell: Callable[[], object]) -> None: ...
    def set_metadata(self, key: str, value: str) -> None: ...
    def push(self, service: str, method: str, metadata: dict[str, str], payload: bytes) -> None: ...
    def connection(self) -> Connection: ...
    def answer(self, payload: bytes) -> None: ...
    def fail(self, reason: str, message: str) -> None: ...

@final
class AuthRequest:
    """A request's token, which an authenticator judges."""

    @property
    def entry(self) -> Any: ...
    @property
    def token(self) -> str:
        """The token; empty when the request has none."""

    @property
    def service(self) -> str:
        """The service path asked for."""

    @property
    def method(self) -> str:
        """The service method asked for."""

    def metadata(self) -> dict[str, str]:
        """The request's metadata."""

    @property
    def peer(self) -> str:
        """The caller's address."""

    @property
    def tls_subject(self) -> str | None:
        """The subject of the caller's TLS certificate, if it showed one."""

    def accept(self) -> None: ...
    def fail(self, reason: str, message: str) -> None: ...

@final
class Connection:
    @property
    def id(self) -> int: ...
    @property
    def peer(self) -> str: ...
    @property
    def is_open(self) -> bool: ...
    def push(self, service: str, method: str, metadata: dict[str, str], payload: bytes) -> None: ...
    def close(self) -> None: ...

@final
class Server:
    @staticmethod
    def start_on(
        bridge: Bridge,
        future: object,
        listen: list[str],
        options: list[tuple[str, str]],
        registries: list[str],
        metadata: list[tuple[str, str]],
        threads: int,
        methods: list[tuple[str, str, object, Bridge | Workers, bool]],
        fallback: tuple[object, Bridge | Workers] | None,
        aliases: list[tuple[str, str, str, str]],
        authenticator: tuple[object, Bridge | Workers] | None,
    ) -> Call: ...
    @staticmethod
    def start(
        listen: list[str],
        options: list[tuple[str, str]],
        registries: list[str],
        metadata: list[tuple[str, str]],
        threads: int,
        methods: list[tuple[str, str, object, Bridge | Workers, bool]],
        fallback: tuple[object, Bridge | Workers] | None,
        aliases: list[tuple[str, str, str, str]],
        authenticator: tuple[object, Bridge | Workers] | None,
    ) -> Server: ...
    def addresses(self) -> list[str]: ...
    def stats(self) -> str: ...
    def metrics(self, name: str) -> str: ...
    def set_metadata(self, service: str, metadata: str) -> None: ...
    def connections(self) -> list[Connection]: ...
    def close(self) -> None: ...
    def start_shutdown(self, bridge: Bridge, future: object, seconds: float, keep_registered: bool) -> Call: ...
    def shutdown(self, seconds: float, keep_registered: bool) -> None: ...
    def start_wait(self, bridge: Bridge, future: object) -> Call: ...
    def wait(self) -> None: ...

@final
class Workers:
    def __new__(cls, threads: int, waiting: int) -> Workers: ...
    def next(self, did: bool, more: Callable[[], object]) -> Any: ...
    def begin(self) -> bool: ...
    def close(self) -> None: ...
