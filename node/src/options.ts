// The options of clients, calls and servers, by their names in docs/CONFIGURATION.md. Generated from the library's tables by
// `npm run options`.

/** Milliseconds, or text with a unit: `500ms`, `15s`, `2m`. */
export type Duration = number | string
/** Bytes, or text with a unit: `64KiB`, `16MiB`. */
export type Size = number | string

/** Options of a client. */
export interface ClientOptions {
  /** Time for a whole call, all attempts included; 0: no deadline, only the connection's health ends the call. Default `30s`. */
  timeout?: Duration | undefined
  /** Time to open one connection, name look-up and TLS handshake included. Default `1s`. */
  connect_timeout?: Duration | undefined
  /** How arguments and replies are encoded. Default `msgpack`. */
  serialize_type?: 'raw' | 'json' | 'protobuf' | 'msgpack' | 'thrift' | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | undefined
  /** How payloads above `compress_min_size` are compressed. Default `none`. */
  compress_type?: 'none' | 'gzip' | 'snappy' | 'zstd' | 'lz4' | 5 | 6 | 7 | undefined
  /** Payloads of at most this size are sent plain; Go's rpcx has the same threshold. Default `1KiB`. */
  compress_min_size?: Size | undefined
  /** What to do when an attempt fails. Default `failover`. */
  fail_mode?: 'failover' | 'failfast' | 'failtry' | 'failbackup' | undefined
  /** How the server of a call is selected. Default `round_robin`. */
  select_mode?: 'random' | 'round_robin' | 'weighted_round_robin' | 'weighted_icmp' | 'consistent_hash' | 'closest' | 'least_loaded' | undefined
  /** How often select mode `weighted_icmp` measures the servers: by ICMP echo, or where that is not permitted or not answered by the time of a TCP connect. Default `10s`. */
  ping_interval?: Duration | undefined
  /** Attempts after the first. Default `3`. */
  retries?: number | undefined
  /** First step of the jittered exponential wait before another attempt. A move to another server after an attempt that was not sent does not wait. Default `10ms`. */
  retry_interval?: Duration | undefined
  /** Whether calls that may have run are tried again though they are not `idempotent`, as Go's rpcx does. A handler may then run more than once for one call. Default `false`. */
  retry_maybe_run?: boolean | undefined
  /** How long fail mode `failbackup` waits for the first server before it asks a second. Default `10ms`. */
  backup_latency?: Duration | undefined
  /** Calls that took at least so long, retries included, are logged, at most ten a second (level `WARN`, target `rpcx::slow`). Default `0`. */
  slow_call?: Duration | undefined
  /** Whether a span is made of each call (`tracing` level `INFO`, target `rpcx::trace`) under the `traceparent` of its metadata (W3C Trace Context), else as a new trace; the servers find the span's own place there. Default `false`. */
  trace?: boolean | undefined
  /** Where the statistics are served to Prometheus, over HTTP on `/metrics`, until the client ends: a port on loopback, or an IP address with a port. Nobody is asked who he is. Needs the feature `metrics-listener`. */
  metrics_address?: string | undefined
  /** Whether running a handler twice does no harm, so that a call that may have run is tried again. Default `false`. */
  idempotent?: boolean | undefined
  /** Token for the servers' authenticator, sent with every call. */
  auth?: string | undefined
  /** Only nodes whose metadata names this group are used. */
  group?: string | undefined
  /** Degrees north, for select mode `closest`. */
  latitude?: number | undefined
  /** Degrees east, for select mode `closest`. */
  longitude?: number | undefined
  /** Whether the selected server is kept until it fails. Default `false`. */
  sticky?: boolean | undefined
  /** Connections to each server. Default `1`. */
  connections?: number | undefined
  /** After this time without a byte from the server it is asked for a sign of life; also the hello by which peers of this library learn what the other can do. 0: neither, as with Go's rpcx. Default `15s`. */
  heartbeat_interval?: Duration | undefined
  /** A connection on which nothing at all came for so long is closed. Default `30s`. */
  heartbeat_timeout?: Duration | undefined
  /** With calls pending and nothing coming for so long, the server is asked for a sign of life; after as long again the connection is replaced. Off when `heartbeat_interval` is 0. Default `10s`. */
  stuck_timeout?: Duration | undefined
  /** A connection on which nothing is pending and nothing but heartbeats has moved for so long is closed. Default `0`. */
  idle_timeout?: Duration | undefined
  /** A connection that takes no bytes for so long is closed. Default `30s`. */
  write_timeout?: Duration | undefined
  /** Idle time after which TCP itself probes the peer. Default `1m`. */
  tcp_keepalive?: Duration | undefined
  /** Whether TCP sends small packets at once. Default `true`. */
  tcp_nodelay?: boolean | undefined
  /** Largest frame, sent or received, without its 16-byte header. Default `64MiB`. */
  max_message_size?: Size | undefined
  /** Largest payload after decompression; a small one can claim to be huge. Default `64MiB`. */
  max_decompressed_size?: Size | undefined
  /** Largest metadata of one message, as encoded. Default `64KiB`. */
  max_metadata_size?: Size | undefined
  /** Most metadata pairs of one message. Default `128`. */
  max_metadata_pairs?: number | undefined
  /** Most calls of one connection that wait for their answers; further ones fail with `overload`. Default `65536`. */
  max_in_flight?: number | undefined
  /** Most requests of one connection that wait to be written. When the queue is full the oldest fail with `overload`. Default `65536`. */
  max_queued_requests?: number | undefined
  /** Most bytes of one connection that wait to be written, with the same rule. Default `64MiB`. */
  max_queued_bytes?: Size | undefined
  /** A connection with more calls given up after sending and not yet answered is drained and replaced. Default `4096`. */
  max_lingering?: number | undefined
  /** Longest time that a server which could not be dialled stays out of selection: it begins at 1 s, doubles with each failure, and begins anew once a connection has brought a frame. A connection that the server ends before its first frame counts as a failure too. 0: it stays in. A server that fell silent (`closed.stuck`, `closed.heartbeat`) is out in any case until it has answered a heartbeat on a new connection. Default `1m`. */
  time_to_disallow?: Duration | undefined
  /** Whether the statistics count the calls, failures and latency of each server too. They do anyway with a breaker, with ejection, and in select mode `least_loaded`. Default `false`. */
  server_stats?: boolean | undefined
  /** How long a call waits for the first answer of the discovery. Default `5s`. */
  discovery_timeout?: Duration | undefined
  /** Metadata keys that a call made inside a handler takes over from the handler's own call. Default `traceparent,tracestate,baggage`. */
  propagate_metadata?: string | readonly string[] | undefined
  /** Most server pushes that wait to be read. Default `1024`. */
  push_queue?: number | undefined
  /** What happens to a push when that queue is full. Default `drop_newest`. */
  push_overflow?: 'drop_newest' | 'drop_oldest' | 'block' | undefined
  /** Options of the group `retry_budget`. */
  retry_budget?: {
    /** Retries that are always allowed within the window. Default `10`. */
    min?: number | undefined
    /** Retries allowed beyond that, as a share of the window's calls. Default `0.2`. */
    ratio?: number | undefined
    /** The time over which calls and retries are counted. Default `10s`. */
    window?: Duration | undefined
  } | undefined
  /** Options of the group `breaker`. */
  breaker?: {
    /** Whether servers have breakers. Failed dials, lost connections, refusals for overload and passed deadlines count as failures. Default `false`. */
    enabled?: boolean | undefined
    /** Failures in a row that open it. 0: however many. Default `5`. */
    failures?: number | undefined
    /** The share of the window's calls that must fail to open it. 0: whatever the share. Default `0.5`. */
    ratio?: number | undefined
    /** Calls that the window must hold before `breaker.ratio` is looked at. Default `20`. */
    min_calls?: number | undefined
    /** The time over which `breaker.ratio` is taken. Default `10s`. */
    window?: Duration | undefined
    /** How long it stays open before it lets probes through; each time up to a fifth longer, at random, so that breakers which opened together do not probe together. Default `5s`. */
    open_time?: Duration | undefined
    /** Calls that are let through as probes; it closes when all of them succeed and opens again when one fails. Default `3`. */
    probes?: number | undefined
    /** Whether errors that the service itself returned count as failures too. Default `false`. */
    service_errors?: boolean | undefined
  } | undefined
  /** Options of the group `ejection`. */
  ejection?: {
    /** Whether servers are ejected. Default `false`. */
    enabled?: boolean | undefined
    /** How often the servers are compared. Default `1s`. */
    interval?: Duration | undefined
    /** A server with fewer calls lately (of the last interval or two) is not judged. Default `10`. */
    min_calls?: number | undefined
    /** Ejects a server whose share of failed calls is above the median of all by more than this. 1: none. Default `0.2`. */
    error_margin?: number | undefined
    /** Ejects a server whose average latency is above the median of all by more than this factor. 0: none. Default `3`. */
    latency_factor?: number | undefined
    /** How much longer than the median its calls must take besides. Default `5ms`. */
    latency_margin?: Duration | undefined
    /** How long a server is ejected the first time. Each further time takes twice as long. Default `10s`. */
    base_time?: Duration | undefined
    /** The longest time that a server is ejected. Default `5m`. */
    max_time?: Duration | undefined
    /** No more than this share of a service's servers is ejected at once, rounded down. Default `0.5`. */
    max_share?: number | undefined
    /** Whether errors that the service itself returned count as failures too. Default `false`. */
    service_errors?: boolean | undefined
  } | undefined
  /** Options of the group `tls`. */
  tls?: {
    /** Whether connections use TLS, with the system's authorities unless `tls.ca` names others. Default `false`. */
    enabled?: boolean | undefined
    /** PEM file with the authorities that server certificates must come from. */
    ca?: string | undefined
    /** PEM file with the client's certificate chain, for servers that ask for one. */
    cert?: string | undefined
    /** PEM file with the key of `tls.cert`. */
    key?: string | undefined
    /** Name to ask for and to expect in the server's certificate; the address's host when unset. */
    server_name?: string | undefined
  } | undefined
}

/** Options of one call; what is left out takes the client's value. */
export interface CallSettings {
  /** Time for the whole call, all attempts included; 0: no deadline, an inherited one aside. */
  timeout?: Duration | undefined
  /** How arguments and reply are encoded. */
  serialize_type?: 'raw' | 'json' | 'protobuf' | 'msgpack' | 'thrift' | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | undefined
  /** How the payload is compressed when it is large enough. */
  compress_type?: 'none' | 'gzip' | 'snappy' | 'zstd' | 'lz4' | 5 | 6 | 7 | undefined
  /** What to do when an attempt fails. */
  fail_mode?: 'failover' | 'failfast' | 'failtry' | 'failbackup' | undefined
  /** Attempts after the first. */
  retries?: number | undefined
  /** First step of the jittered exponential wait before another attempt. */
  retry_interval?: Duration | undefined
  /** Whether the call is tried again when it may have run, though it is not `idempotent`. */
  retry_maybe_run?: boolean | undefined
  /** How long fail mode `failbackup` waits for the first server before it asks a second. */
  backup_latency?: Duration | undefined
  /** Whether running the handler twice does no harm. */
  idempotent?: boolean | undefined
  /** Key for select mode `consistent_hash`; unset: service, method and payload. */
  hash_key?: string | undefined
  /** The only server to use, spelled as the discovery does; unset: by select mode. */
  target?: string | undefined
}

/** Options of a server. */
export interface ServerOptions {
  /** Largest frame, sent or received, without its 16-byte header. Default `64MiB`. */
  max_message_size?: Size | undefined
  /** Largest payload after decompression; a small one can claim to be huge. Default `64MiB`. */
  max_decompressed_size?: Size | undefined
  /** Largest metadata of one message, as encoded. Default `64KiB`. */
  max_metadata_size?: Size | undefined
  /** Most metadata pairs of one message. Default `128`. */
  max_metadata_pairs?: number | undefined
  /** Most open connections; further ones are closed as soon as they are accepted. Default `10000`. */
  max_connections?: number | undefined
  /** Most requests of one connection whose handlers run. Default `4096`. */
  max_in_flight?: number | undefined
  /** Most requests of all connections whose handlers run. Default `262144`. */
  max_server_in_flight?: number | undefined
  /** What happens to requests beyond these two limits. Default `backpressure`. */
  in_flight_policy?: 'backpressure' | 'reject' | undefined
  /** Most blocking handlers that run at once, each on a thread of its own. Default `32`. */
  worker_threads?: number | undefined
  /** Most requests that wait for such a thread; further ones are answered `overload`. Default `4096`. */
  worker_queue?: number | undefined
  /** An asynchronous handler whose first poll took longer than this no longer starts on its connection's own task; 0: none does. Default `50us`. */
  inline_limit?: Duration | undefined
  /** A frame that has begun must be complete within this time, however it drips. Default `30s`. */
  read_timeout?: Duration | undefined
  /** A connection on which nothing is pending and nothing but heartbeats has moved for so long is closed. Default `0`. */
  idle_timeout?: Duration | undefined
  /** A connection that takes no bytes for so long is closed. Default `30s`. */
  write_timeout?: Duration | undefined
  /** Time for the TLS handshake and the first byte that tells the protocol. Default `10s`. */
  handshake_timeout?: Duration | undefined
  /** Time for the authenticator to decide about one request. Default `10s`. */
  auth_timeout?: Duration | undefined
  /** How long the authenticator is not asked again about a token that it has accepted on the same connection for the same method. For one that decides by these alone. Default `0`. */
  auth_cache?: Duration | undefined
  /** Calls whose handler took at least so long are logged, at most ten a second (level `WARN`, target `rpcx::slow`); from 100 ms on to within a tick of the kernel's clock, 1 to 10 ms. Default `0`. */
  slow_call?: Duration | undefined
  /** Whether a span is made of each call (`tracing` level `INFO`, target `rpcx::trace`) under the `traceparent` of the request's metadata (W3C Trace Context); the handler and its nested calls find the span's own place there. Default `false`. */
  trace?: boolean | undefined
  /** Where the statistics are served to Prometheus, over HTTP on `/metrics`, until the server ends: a port on loopback, or an IP address with a port. Nobody is asked who he is. Needs the feature `metrics-listener`. */
  metrics_address?: string | undefined
  /** A cancelled asynchronous handler that still runs after this time is dropped. Default `1s`. */
  cancel_grace?: Duration | undefined
  /** How long a shutdown without calls in progress waits for the clients to leave by themselves. Default `500ms`. */
  shutdown_linger?: Duration | undefined
  /** Most bytes of one connection that wait to be written; above it the connection is not read. Default `64MiB`. */
  max_queued_bytes?: Size | undefined
  /** Most pushes that wait for one connection; further ones fail with `limit`. Default `1024`. */
  push_queue?: number | undefined
  /** Whether clients that did not say that they take pushes get them, as Go's clients need. Default `true`. */
  push_to_unknown?: boolean | undefined
  /** Whether the answer of a handler that panicked contains the panic's own text. Default `true`. */
  panic_text?: boolean | undefined
  /** Replies of at most this size are sent plain though the request was compressed; Go's rpcx has the same threshold. Default `1KiB`. */
  compress_min_size?: Size | undefined
  /** Second names of methods: `Old.Times=Arith.Mul`. A request under the first name is one under the second. */
  aliases?: string | readonly string[] | undefined
  /** Addresses that registries are told instead of those that the server listens on. */
  advertise?: string | readonly string[] | undefined
  /** Metadata announced with every service that was given none of its own, such as `weight=7&group=a`. */
  metadata?: string | undefined
  /** How long the start of a server waits for the registries to take its services, and its end for them to let go. A registry that takes longer is tried on in the background. Default `5s`. */
  registry_timeout?: Duration | undefined
  /** Idle time after which TCP itself probes the peer. Default `1m`. */
  tcp_keepalive?: Duration | undefined
  /** Whether TCP sends small packets at once. Default `true`. */
  tcp_nodelay?: boolean | undefined
  /** Connections that the system completes before they are accepted. Default `1024`. */
  backlog?: number | undefined
  /** Options of the group `access`. */
  access?: {
    /** Only these may connect; empty: everyone. */
    allow?: string | readonly string[] | undefined
    /** These may not connect, even if `access.allow` has them. */
    deny?: string | readonly string[] | undefined
  } | undefined
  /** Options of the group `rate_limit`. */
  rate_limit?: {
    /** Connections a second that all listeners accept together. Default `0`. */
    connections?: number | undefined
    /** What becomes of further connections. Default `reject`. */
    connection_policy?: 'reject' | 'block' | undefined
    /** Requests a second of all clients together; heartbeats are free. Default `0`. */
    requests?: number | undefined
    /** Requests a second of one client: of all connections from one IPv4 address or one IPv6 network of 64 bits. Default `0`. */
    requests_per_peer?: number | undefined
    /** Requests a second of single services: `Arith=100,Search=5`. */
    services?: string | readonly string[] | undefined
    /** What becomes of further requests. Default `reject`. */
    request_policy?: 'reject' | 'block' | undefined
    /** What a bucket holds after a pause: as much as its rate gives in this time, at least one. Default `1s`. */
    burst?: Duration | undefined
  } | undefined
  /** Options of the group `tls`. */
  tls?: {
    /** PEM file with the server's certificate chain. */
    cert?: string | undefined
    /** PEM file with the key of `tls.cert`. */
    key?: string | undefined
    /** PEM file with the authorities that client certificates must come from; every client then needs one. */
    client_ca?: string | undefined
  } | undefined
}
