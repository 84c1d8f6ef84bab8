"""The options of clients and servers as keywords. Written by `option_types.py` from the table of options."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TypedDict, Union

Duration = Union[float, timedelta, str]
"""A time: seconds, a `timedelta`, or text such as ``500ms``."""
Size = Union[int, str]
"""A number of bytes, or text such as ``16MiB``."""


class ClientRetryBudgetOptions(TypedDict, total=False):
    """Options `retry_budget.…` of a client."""

    min: int | None
    """Retries that are always allowed within the window. Default ``10``."""
    ratio: float | None
    """Retries allowed beyond that, as a share of the window's calls. Default ``0.2``."""
    window: Duration | None
    """The time over which calls and retries are counted. Default ``10s``."""


class ClientBreakerOptions(TypedDict, total=False):
    """Options `breaker.…` of a client."""

    enabled: bool | None
    """Whether servers have breakers. Failed dials, lost connections, refusals for overload and passed deadlines
    count as failures. Default ``false``."""
    failures: int | None
    """Failures in a row that open it. 0: however many. Default ``5``."""
    ratio: float | None
    """The share of the window's calls that must fail to open it. 0: whatever the share. Default ``0.5``."""
    min_calls: int | None
    """Calls that the window must hold before ``breaker.ratio`` is looked at. Default ``20``."""
    window: Duration | None
    """The time over which ``breaker.ratio`` is taken. Default ``10s``."""
    open_time: Duration | None
    """How long it stays open before it lets probes through; each time up to a fifth longer, at random, so that
    breakers which opened together do not probe together. Default ``5s``."""
    probes: int | None
    """Calls that are let through as probes; it closes when all of them succeed and opens again when one fails.
    Default ``3``."""
    service_errors: bool | None
    """Whether errors that the service itself returned count as failures too. Default ``false``."""


class ClientEjectionOptions(TypedDict, total=False):
    """Options `ejection.…` of a client."""

    enabled: bool | None
    """Whether servers are ejected. Default ``false``."""
    interval: Duration | None
    """How often the servers are compared. Default ``1s``."""
    min_calls: int | None
    """A server with fewer calls lately (of the last interval or two) is not judged. Default ``10``."""
    error_margin: float | None
    """Ejects a server whose share of failed calls is above the median of all by more than this. 1: none.
    Default ``0.2``."""
    latency_factor: float | None
    """Ejects a server whose average latency is above the median of all by more than this factor. 0: none.
    Default ``3``."""
    latency_margin: Duration | None
    """How much longer than the median its calls must take besides. Default ``5ms``."""
    base_time: Duration | None
    """How long a server is ejected the first time. Each further time takes twice as long. Default ``10s``."""
    max_time: Duration | None
    """The longest time that a server is ejected. Default ``5m``."""
    max_share: float | None
    """No more than this share of a service's servers is ejected at once, rounded down. Default ``0.5``."""
    service_errors: bool | None
    """Whether errors that the service itself returned count as failures too. Default ``false``."""


class ClientTlsOptions(TypedDict, total=False):
    """Options `tls.…` of a client."""

    enabled: bool | None
    """Whether connections use TLS, with the system's authorities unless ``tls.ca`` names others. Default
    ``false``."""
    ca: str | None
    """PEM file with the authorities that server certificates must come from."""
    cert: str | None
    """PEM file with the client's certificate chain, for servers that ask for one."""
    key: str | None
    """PEM file with the key of ``tls.cert``."""
    server_name: str | None
    """Name to ask for and to expect in the server's certificate; the address's host when unset."""


class ClientOptions(TypedDict, total=False):
    """Options of a client; what is left out or None has its default."""

    timeout: Duration | None
    """Time for a whole call, all attempts included; 0: no deadline, only the connection's health ends the call.
    Default ``30s``."""
    connect_timeout: Duration | None
    """Time to open one connection, name look-up and TLS handshake included. Default ``1s``."""
    serialize_type: str | None
    """How arguments and replies are encoded. Default ``msgpack``."""
    compress_type: str | None
    """How payloads above ``compress_min_size`` are compressed. Default ``none``."""
    compress_min_size: Size | None
    """Payloads of at most this size are sent plain; Go's rpcx has the same threshold. Default ``1KiB``."""
    fail_mode: str | None
    """What to do when an attempt fails. Default ``failover``."""
    select_mode: str | None
    """How the server of a call is selected. Default ``round_robin``."""
    ping_interval: Duration | None
    """How often select mode ``weighted_icmp`` measures the servers: by ICMP echo, or where that is not
    permitted or not answered by the time of a TCP connect. Default ``10s``."""
    retries: int | None
    """Attempts after the first. Default ``3``."""
    retry_interval: Duration | None
    """First step of the jittered exponential wait before another attempt. A move to another server after an
    attempt that was not sent does not wait. Default ``10ms``."""
    retry_maybe_run: bool | None
    """Whether calls that may have run are tried again though they are not ``idempotent``, as Go's rpcx does. A
    handler may then run more than once for one call. Default ``false``."""
    backup_latency: Duration | None
    """How long fail mode ``failbackup`` waits for the first server before it asks a second. Default ``10ms``."""
    slow_call: Duration | None
    """Calls that took at least so long, retries included, are logged, at most ten a second (level ``WARN``,
    target ``rpcx::slow``). Default ``0``."""
    trace: bool | None
    """Whether a span is made of each call (``tracing`` level ``INFO``, target ``rpcx::trace``) under the
    ``traceparent`` of its metadata (W3C Trace Context), else as a new trace; the servers find the span's own
    place there. Default ``false``."""
    metrics_address: str | None
    """Where the statistics are served to Prometheus, over HTTP on ``/metrics``, until the client ends: a port
    on loopback, or an IP address with a port. Nobody is asked who he is. Needs the feature
    ``metrics-listener``."""
    idempotent: bool | None
    """Whether running a handler twice does no harm, so that a call that may have run is tried again. Default
    ``false``."""
    auth: str | None
    """Token for the servers' authenticator, sent with every call."""
    group: str | None
    """Only nodes whose metadata names this group are used."""
    latitude: float | None
    """Degrees north, for select mode ``closest``."""
    longitude: float | None
    """Degrees east, for select mode ``closest``."""
    sticky: bool | None
    """Whether the selected server is kept until it fails. Default ``false``."""
    connections: int | None
    """Connections to each server. Default ``1``."""
    heartbeat_interval: Duration | None
    """After this time without a byte from the server it is asked for a sign of life; also the hello by which
    peers of this library learn what the other can do. 0: neither, as with Go's rpcx. Default ``15s``."""
    heartbeat_timeout: Duration | None
    """A connection on which nothing at all came for so long is closed. Default ``30s``."""
    stuck_timeout: Duration | None
    """With calls pending and nothing coming for so long, the server is asked for a sign of life; after as long
    again the connection is replaced. Off when ``heartbeat_interval`` is 0. Default ``10s``."""
    idle_timeout: Duration | None
    """A connection on which nothing is pending and nothing but heartbeats has moved for so long is closed.
    Default ``0``."""
    write_timeout: Duration | None
    """A connection that takes no bytes for so long is closed. Default ``30s``."""
    tcp_keepalive: Duration | None
    """Idle time after which TCP itself probes the peer. Default ``1m``."""
    tcp_nodelay: bool | None
    """Whether TCP sends small packets at once. Default ``true``."""
    max_message_size: Size | None
    """Largest frame, sent or received, without its 16-byte header. Default ``64MiB``."""
    max_decompressed_size: Size | None
    """Largest payload after decompression; a small one can claim to be huge. Default ``64MiB``."""
    max_metadata_size: Size | None
    """Largest metadata of one message, as encoded. Default ``64KiB``."""
    max_metadata_pairs: int | None
    """Most metadata pairs of one message. Default ``128``."""
    max_in_flight: int | None
    """Most calls of one connection that wait for their answers; further ones fail with ``overload``. Default
    ``65536``."""
    max_queued_requests: int | None
    """Most requests of one connection that wait to be written. When the queue is full the oldest fail with
    ``overload``. Default ``65536``."""
    max_queued_bytes: Size | None
    """Most bytes of one connection that wait to be written, with the same rule. Default ``64MiB``."""
    max_lingering: int | None
    """A connection with more calls given up after sending and not yet answered is drained and replaced. Default
    ``4096``."""
    time_to_disallow: Duration | None
    """Longest time that a server which could not be dialled stays out of selection: it begins at 1 s, doubles
    with each failure, and begins anew once a connection has brought a frame. A connection that the server ends
    before its first frame counts as a failure too. 0: it stays in. A server that fell silent (``closed.stuck``,
    ``closed.heartbeat``) is out in any case until it has answered a heartbeat on a new connection. Default
    ``1m``."""
    server_stats: bool | None
    """Whether the statistics count the calls, failures and latency of each server too. They do anyway with a
    breaker, with ejection, and in select mode ``least_loaded``. Default ``false``."""
    discovery_timeout: Duration | None
    """How long a call waits for the first answer of the discovery. Default ``5s``."""
    propagate_metadata: str | Iterable[str] | None
    """Metadata keys that a call made inside a handler takes over from the handler's own call. Default
    ``traceparent,tracestate,baggage``."""
    push_queue: int | None
    """Most server pushes that wait to be read. Default ``1024``."""
    push_overflow: str | None
    """What happens to a push when that queue is full. Default ``drop_newest``."""
    retry_budget: ClientRetryBudgetOptions | None
    breaker: ClientBreakerOptions | None
    ejection: ClientEjectionOptions | None
    tls: ClientTlsOptions | None


class ServerAccessOptions(TypedDict, total=False):
    """Options `access.…` of a server."""

    allow: str | Iterable[str] | None
    """Only these may connect; empty: everyone."""
    deny: str | Iterable[str] | None
    """These may not connect, even if ``access.allow`` has them."""


class ServerRateLimitOptions(TypedDict, total=False):
    """Options `rate_limit.…` of a server."""

    connections: float | None
    """Connections a second that all listeners accept together. Default ``0``."""
    connection_policy: str | None
    """What becomes of further connections. Default ``reject``."""
    requests: float | None
    """Requests a second of all clients together; heartbeats are free. Default ``0``."""
    requests_per_peer: float | None
    """Requests a second of one client: of all connections from one IPv4 address or one IPv6 network of 64 bits.
    Default ``0``."""
    services: str | Iterable[str] | None
    """Requests a second of single services: ``Arith=100,Search=5``."""
    request_policy: str | None
    """What becomes of further requests. Default ``reject``."""
    burst: Duration | None
    """What a bucket holds after a pause: as much as its rate gives in this time, at least one. Default ``1s``."""


class ServerTlsOptions(TypedDict, total=False):
    """Options `tls.…` of a server."""

    cert: str | None
    """PEM file with the server's certificate chain."""
    key: str | None
    """PEM file with the key of ``tls.cert``."""
    client_ca: str | None
    """PEM file with the authorities that client certificates must come from; every client then needs one."""


class ServerOptions(TypedDict, total=False):
    """Options of a server; what is left out or None has its default."""

    max_message_size: Size | None
    """Largest frame, sent or received, without its 16-byte header. Default ``64MiB``."""
    max_decompressed_size: Size | None
    """Largest payload after decompression; a small one can claim to be huge. Default ``64MiB``."""
    max_metadata_size: Size | None
    """Largest metadata of one message, as encoded. Default ``64KiB``."""
    max_metadata_pairs: int | None
    """Most metadata pairs of one message. Default ``128``."""
    max_connections: int | None
    """Most open connections; further ones are closed as soon as they are accepted. Default ``10000``."""
    max_in_flight: int | None
    """Most requests of one connection whose handlers run. Default ``4096``."""
    max_server_in_flight: int | None
    """Most requests of all connections whose handlers run. Default ``262144``."""
    in_flight_policy: str | None
    """What happens to requests beyond these two limits. Default ``backpressure``."""
    worker_threads: int | None
    """Most blocking handlers that run at once, each on a thread of its own. Default ``32``."""
    worker_queue: int | None
    """Most requests that wait for such a thread; further ones are answered ``overload``. Default ``4096``."""
    inline_limit: Duration | None
    """An asynchronous handler whose first poll took longer than this no longer starts on its connection's own
    task; 0: none does. Default ``50us``."""
    read_timeout: Duration | None
    """A frame that has begun must be complete within this time, however it drips. Default ``30s``."""
    idle_timeout: Duration | None
    """A connection on which nothing is pending and nothing but heartbeats has moved for so long is closed.
    Default ``0``."""
    write_timeout: Duration | None
    """A connection that takes no bytes for so long is closed. Default ``30s``."""
    handshake_timeout: Duration | None
    """Time for the TLS handshake and the first byte that tells the protocol. Default ``10s``."""
    auth_timeout: Duration | None
    """Time for the authenticator to decide about one request. Default ``10s``."""
    auth_cache: Duration | None
    """How long the authenticator is not asked again about a token that it has accepted on the same connection
    for the same method. For one that decides by these alone. Default ``0``."""
    slow_call: Duration | None
    """Calls whose handler took at least so long are logged, at most ten a second (level ``WARN``, target
    ``rpcx::slow``); from 100 ms on to within a tick of the kernel's clock, 1 to 10 ms. Default ``0``."""
    trace: bool | None
    """Whether a span is made of each call (``tracing`` level ``INFO``, target ``rpcx::trace``) under the
    ``traceparent`` of the request's metadata (W3C Trace Context); the handler and its nested calls find the
    span's own place there. Default ``false``."""
    metrics_address: str | None
    """Where the statistics are served to Prometheus, over HTTP on ``/metrics``, until the server ends: a port
    on loopback, or an IP address with a port. Nobody is asked who he is. Needs the feature
    ``metrics-listener``."""
    cancel_grace: Duration | None
    """A cancelled asynchronous handler that still runs after this time is dropped. Default ``1s``."""
    shutdown_linger: Duration | None
    """How long a shutdown without calls in progress waits for the clients to leave by themselves. Default
    ``500ms``."""
    max_queued_bytes: Size | None
    """Most bytes of one connection that wait to be written; above it the connection is not read. Default
    ``64MiB``."""
    push_queue: int | None
    """Most pushes that wait for one connection; further ones fail with ``limit``. Default ``1024``."""
    push_to_unknown: bool | None
    """Whether clients that did not say that they take pushes get them, as Go's clients need. Default ``true``."""
    panic_text: bool | None
    """Whether the answer of a handler that panicked contains the panic's own text. Default ``true``."""
    compress_min_size: Size | None
    """Replies of at most this size are sent plain though the request was compressed; Go's rpcx has the same
    threshold. Default ``1KiB``."""
    aliases: str | Iterable[str] | None
    """Second names of methods: ``Old.Times=Arith.Mul``. A request under the first name is one under the second."""
    advertise: str | Iterable[str] | None
    """Addresses that registries are told instead of those that the server listens on."""
    metadata: str | None
    """Metadata announced with every service that was given none of its own, such as ``weight=7&group=a``."""
    registry_timeout: Duration | None
    """How long the start of a server waits for the registries to take its services, and its end for them to let
    go. A registry that takes longer is tried on in the background. Default ``5s``."""
    tcp_keepalive: Duration | None
    """Idle time after which TCP itself probes the peer. Default ``1m``."""
    tcp_nodelay: bool | None
    """Whether TCP sends small packets at once. Default ``true``."""
    backlog: int | None
    """Connections that the system completes before they are accepted. Default ``1024``."""
    access: ServerAccessOptions | None
    rate_limit: ServerRateLimitOptions | None
    tls: ServerTlsOptions | None
