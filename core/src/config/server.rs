//! The table of server options.

use super::allowed::{
    aliases, any, between, hours, kib, mib, ms, networks, off_or, secs, service_rates, socket_addresses, unset_or, us,
};
use super::choice::{InFlightPolicy, LimitPolicy};
use super::item::{Alias, RATES, ServiceRate};
use super::network::Network;
use super::table::conflict;
use crate::error::Result;
use std::path::PathBuf;
use std::time::Duration;

options! {
    /// What a server allows and how long it waits. Cheap to make; the server keeps its own copy.
    ///
    /// A `usize` is a size in bytes. A duration of zero turns the thing off where the range allows it.
    ServerOptions in Server {
        /// Largest frame, sent or received, without its 16-byte header.
        max_message_size: usize = mib(64), between(256, mib(4095)), Start;
        /// Largest payload after decompression; a small one can claim to be huge.
        max_decompressed_size: usize = mib(64), between(1, mib(4095)), Start;
        /// Largest metadata of one message, as encoded.
        max_metadata_size: usize = kib(64), between(128, mib(4095)), Start;
        /// Most metadata pairs of one message.
        max_metadata_pairs: u32 = 128, between(1, 1_000_000), Start;
        /// Most open connections; further ones are closed as soon as they are accepted.
        max_connections: u32 = 10_000, between(1, 16_777_216), Start;
        /// Most requests of one connection whose handlers run.
        max_in_flight: u32 = 4096, between(1, 16_777_216), Start;
        /// Most requests of all connections whose handlers run.
        max_server_in_flight: u32 = 262_144, off_or(1, 16_777_216), Start;
        /// What happens to requests beyond these two limits.
        in_flight_policy: InFlightPolicy = InFlightPolicy::Backpressure, any(), Start;
        /// Most blocking handlers that run at once, each on a thread of its own.
        worker_threads: u32 = 32, between(1, 4096), Start;
        /// Most requests that wait for such a thread; further ones are answered `overload`.
        worker_queue: u32 = 4096, between(0, 16_777_216), Start;
        /// An asynchronous handler whose first poll took longer than this no longer starts on its connection's own
        /// task; 0: none does.
        inline_limit: Duration = us(50), between(Duration::ZERO, secs(1)), Start;
        /// A frame that has begun must be complete within this time, however it drips.
        read_timeout: Duration = secs(30), off_or(ms(1), hours(24)), Start;
        /// A connection on which nothing is pending and nothing but heartbeats has moved for so long is closed.
        idle_timeout: Duration = Duration::ZERO, off_or(ms(1), hours(8760)), Start;
        /// A connection that takes no bytes for so long is closed.
        write_timeout: Duration = secs(30), off_or(ms(1), hours(24)), Start;
        /// Time for the TLS handshake and the first byte that tells the protocol.
        handshake_timeout: Duration = secs(10), off_or(ms(1), secs(600)), Start;
        /// Time for the authenticator to decide about one request.
        auth_timeout: Duration = secs(10), off_or(ms(1), secs(600)), Start;
        /// How long the authenticator is not asked again about a token that it has accepted on the same connection for the same
        /// method. For one that decides by these alone.
        auth_cache: Duration = Duration::ZERO, off_or(ms(1), hours(24)), Start;
        /// Calls whose handler took at least so long are logged, at most ten a second (level `WARN`, target `rpcx::slow`); from
        /// 100 ms on to within a tick of the kernel's clock, 1 to 10 ms.
        slow_call: Duration = Duration::ZERO, off_or(us(1), hours(1)), Start;
        /// Whether a span is made of each call (`tracing` level `INFO`, target `rpcx::trace`) under the `traceparent` of the
        /// request's metadata (W3C Trace Context); the handler and its nested calls find the span's own place there.
        trace: bool = false, any(), Start;
        /// Where the statistics are served to Prometheus, over HTTP on `/metrics`, until the server ends: a port on loopback,
        /// or an IP address with a port. Nobody is asked who he is. Needs the feature `metrics-listener`.
        metrics_address: Option<String> = None, unset_or(socket_addresses()), Start;
        /// A cancelled asynchronous handler that still runs after this time is dropped.
        cancel_grace: Duration = secs(1), between(Duration::ZERO, secs(600)), Start;
        /// How long a shutdown without calls in progress waits for the clients to leave by themselves.
        shutdown_linger: Duration = ms(500), between(Duration::ZERO, secs(600)), Start;
        /// Most bytes of one connection that wait to be written; above it the connection is not read.
        max_queued_bytes: usize = mib(64), between(kib(1), mib(4095)), Start;
        /// Most pushes that wait for one connection; further ones fail with `limit`.
        push_queue: u32 = 1024, between(1, 16_777_216), Start;
        /// Whether clients that did not say that they take pushes get them, as Go's clients need.
        push_to_unknown: bool = true, any(), Start;
        /// Whether the answer of a handler that panicked contains the panic's own text.
        panic_text: bool = true, any(), Start;
        /// Replies of at most this size are sent plain though the request was compressed; Go's rpcx has the same
        /// threshold.
        compress_min_size: usize = kib(1), between(0, mib(4095)), Start;
        /// Second names of methods: `Old.Times=Arith.Mul`. A request under the first name is one under the second.
        aliases: Vec<Alias> = Vec::new(), aliases(), Start;
        /// Addresses that registries are told instead of those that the server listens on.
        advertise: Vec<String> = Vec::new(), any(), Start;
        /// Metadata announced with every service that was given none of its own, such as `weight=7&group=a`.
        metadata: Option<String> = None, any(), Start;
        /// How long the start of a server waits for the registries to take its services, and its end for them to let go.
        /// A registry that takes longer is tried on in the background.
        registry_timeout: Duration = secs(5), between(Duration::ZERO, secs(600)), Start;
        /// Idle time after which TCP itself probes the peer.
        tcp_keepalive: Duration = secs(60), off_or(secs(1), hours(9)), Start;
        /// Whether TCP sends small packets at once.
        tcp_nodelay: bool = true, any(), Start;
        /// Connections that the system completes before they are accepted.
        backlog: u32 = 1024, between(1, 65_535), Start;
    }

    /// Who may connect, whatever protocol is spoken. An entry is an address, a network such as `10.0.0.0/8` or `fd00::/8`,
    /// or `local` for clients without an IP address (Unix sockets, the same process).
    access: AccessOptions {
        /// Only these may connect; empty: everyone.
        allow: Vec<Network> = Vec::new(), networks(), Start;
        /// These may not connect, even if `access.allow` has them.
        deny: Vec<Network> = Vec::new(), networks(), Start;
    }

    /// Token buckets for connections and requests. Rates are per second; 0 means no limit.
    rate_limit: RateLimitOptions {
        /// Connections a second that all listeners accept together.
        connections: f64 = 0.0, off_or(*RATES.start(), *RATES.end()), Start;
        /// What becomes of further connections.
        connection_policy: LimitPolicy = LimitPolicy::Reject, any(), Start;
        /// Requests a second of all clients together; heartbeats are free.
        requests: f64 = 0.0, off_or(*RATES.start(), *RATES.end()), Start;
        /// Requests a second of one client: of all connections from one IPv4 address or one IPv6 network of 64 bits.
        requests_per_peer: f64 = 0.0, off_or(*RATES.start(), *RATES.end()), Start;
        /// Requests a second of single services: `Arith=100,Search=5`.
        services: Vec<ServiceRate> = Vec::new(), service_rates(), Start;
        /// What becomes of further requests.
        request_policy: LimitPolicy = LimitPolicy::Reject, any(), Start;
        /// What a bucket holds after a pause: as much as its rate gives in this time, at least one.
        burst: Duration = secs(1), between(Duration::ZERO, hours(1)), Start;
    }

    /// TLS on every `tcp` and `unix` listener, on when `cert` and `key` are set.
    tls: ServerTlsOptions {
        /// PEM file with the server's certificate chain.
        cert: Option<PathBuf> = None, any(), Start;
        /// PEM file with the key of `tls.cert`.
        key: Option<PathBuf> = None, any(), Start;
        /// PEM file with the authorities that client certificates must come from; every client then needs one.
        client_ca: Option<PathBuf> = None, any(), Start;
    }
}

impl ServerOptions {
    fn check_combinations(&self) -> Result<()> {
        if self.tls.cert.is_some() != self.tls.key.is_some() {
            return Err(conflict("options `tls.cert` and `tls.key` go together: set both or none"));
        }
        if self.tls.client_ca.is_some() && !self.tls.is_on() {
            return Err(conflict("option `tls.client_ca` needs `tls.cert` and `tls.key`"));
        }
        Ok(())
    }
}

impl ServerTlsOptions {
    /// Whether listeners use TLS.
    pub fn is_on(&self) -> bool {
        self.cert.is_some()
    }
}
