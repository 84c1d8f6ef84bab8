//! The table of client options.

use super::allowed::{
    any, between, hours, kib, mib, ms, not_empty, off_or, secs, socket_addresses, unset_or, us, user_keys,
};
use super::choice::{FailMode, PushOverflow, SelectMode};
use super::secret::Secret;
use super::table::conflict;
use crate::error::Result;
use rpcx_protocol::{CompressType, SerializeType};
use std::path::PathBuf;
use std::time::Duration;

options! {
    /// What a client does unless a call says otherwise. Cheap to make; the client keeps its own copy.
    ///
    /// A `usize` is a size in bytes. A duration of zero turns the thing off where the range allows it.
    ClientOptions in Client {
        /// Time for a whole call, all attempts included; 0: no deadline, only the connection's health ends the call.
        timeout: Duration = secs(30), off_or(ms(1), hours(8760)), Start;
        /// Time to open one connection, name look-up and TLS handshake included.
        connect_timeout: Duration = secs(1), between(ms(1), secs(600)), Start;
        /// How arguments and replies are encoded.
        serialize_type: SerializeType = SerializeType::MSGPACK, any(), Start;
        /// How payloads above `compress_min_size` are compressed.
        compress_type: CompressType = CompressType::NONE, any(), Start;
        /// Payloads of at most this size are sent plain; Go's rpcx has the same threshold.
        compress_min_size: usize = kib(1), between(0, mib(4095)), Start;
        /// What to do when an attempt fails.
        fail_mode: FailMode = FailMode::Failover, any(), Start;
        /// How the server of a call is selected.
        select_mode: SelectMode = SelectMode::RoundRobin, any(), Start;
        /// How often select mode `weighted_icmp` measures the servers: by ICMP echo, or where that is not
        /// permitted or not answered by the time of a TCP connect.
        ping_interval: Duration = secs(10), between(secs(1), hours(1)), Start;
        /// Attempts after the first.
        retries: u32 = 3, between(0, 100), Start;
        /// First step of the jittered exponential wait before another attempt. A move to another server after an
        /// attempt that was not sent does not wait.
        retry_interval: Duration = ms(10), between(Duration::ZERO, secs(600)), Start;
        /// Whether calls that may have run are tried again though they are not `idempotent`, as Go's rpcx does. A
        /// handler may then run more than once for one call.
        retry_maybe_run: bool = false, any(), Start;
        /// How long fail mode `failbackup` waits for the first server before it asks a second.
        backup_latency: Duration = ms(10), between(Duration::ZERO, secs(600)), Start;
        /// Calls that took at least so long, retries included, are logged, at most ten a second (level `WARN`, target
        /// `rpcx::slow`).
        slow_call: Duration = Duration::ZERO, off_or(us(1), hours(1)), Start;
        /// Whether a span is made of each call (`tracing` level `INFO`, target `rpcx::trace`) under the `traceparent` of its
        /// metadata (W3C Trace Context), else as a new trace; the servers find the span's own place there.
        trace: bool = false, any(), Start;
        /// Where the statistics are served to Prometheus, over HTTP on `/metrics`, until the client ends: a port on loopback,
        /// or an IP address with a port. Nobody is asked who he is. Needs the feature `metrics-listener`.
        metrics_address: Option<String> = None, unset_or(socket_addresses()), Start;
        /// Whether running a handler twice does no harm, so that a call that may have run is tried again.
        idempotent: bool = false, any(), Start;
        /// Token for the servers' authenticator, sent with every call.
        auth: Option<Secret> = None, any(), Start;
        /// Only nodes whose metadata names this group are used.
        group: Option<String> = None, unset_or(not_empty()), Start;
        /// Degrees north, for select mode `closest`.
        latitude: Option<f64> = None, unset_or(between(-90.0, 90.0)), Start;
        /// Degrees east, for select mode `closest`.
        longitude: Option<f64> = None, unset_or(between(-180.0, 180.0)), Start;
        /// Whether the selected server is kept until it fails.
        sticky: bool = false, any(), Start;
        /// Connections to each server.
        connections: u32 = 1, between(1, 1024), Start;
        /// After this time without a byte from the server it is asked for a sign of life; also the hello by which peers
        /// of this library learn what the other can do. 0: neither, as with Go's rpcx.
        heartbeat_interval: Duration = secs(15), off_or(ms(1), hours(24)), Start;
        /// A connection on which nothing at all came for so long is closed.
        heartbeat_timeout: Duration = secs(30), off_or(ms(1), hours(24)), Start;
        /// With calls pending and nothing coming for so long, the server is asked for a sign of life; after as long
        /// again the connection is replaced. Off when `heartbeat_interval` is 0.
        stuck_timeout: Duration = secs(10), off_or(ms(1), hours(24)), Start;
        /// A connection on which nothing is pending and nothing but heartbeats has moved for so long is closed.
        idle_timeout: Duration = Duration::ZERO, off_or(ms(1), hours(8760)), Start;
        /// A connection that takes no bytes for so long is closed.
        write_timeout: Duration = secs(30), off_or(ms(1), hours(24)), Start;
        /// Idle time after which TCP itself probes the peer.
        tcp_keepalive: Duration = secs(60), off_or(secs(1), hours(9)), Start;
        /// Whether TCP sends small packets at once.
        tcp_nodelay: bool = true, any(), Start;
        /// Largest frame, sent or received, without its 16-byte header.
        max_message_size: usize = mib(64), between(256, mib(4095)), Start;
        /// Largest payload after decompression; a small one can claim to be huge.
        max_decompressed_size: usize = mib(64), between(1, mib(4095)), Start;
        /// Largest metadata of one message, as encoded.
        max_metadata_size: usize = kib(64), between(128, mib(4095)), Start;
        /// Most metadata pairs of one message.
        max_metadata_pairs: u32 = 128, between(1, 1_000_000), Start;
        /// Most calls of one connection that wait for their answers; further ones fail with `overload`.
        max_in_flight: u32 = 65_536, between(1, 16_777_216), Start;
        /// Most requests of one connection that wait to be written. When the queue is full the oldest fail with
        /// `overload`.
        max_queued_requests: u32 = 65_536, between(1, 16_777_216), Start;
        /// Most bytes of one connection that wait to be written, with the same rule.
        max_queued_bytes: usize = mib(64), between(kib(1), mib(4095)), Start;
        /// A connection with more calls given up after sending and not yet answered is drained and replaced.
        max_lingering: u32 = 4096, between(1, 16_777_216), Start;
        /// Longest time that a server which could not be dialled stays out of selection: it begins at 1 s, doubles with
        /// each failure, and begins anew once a connection has brought a frame. A connection that the server ends before
        /// its first frame counts as a failure too. 0: it stays in. A server that fell silent (`closed.stuck`,
        /// `closed.heartbeat`) is out in any case until it has answered a heartbeat on a new connection.
        time_to_disallow: Duration = secs(60), off_or(ms(1), hours(24)), Start;
        /// Whether the statistics count the calls, failures and latency of each server too. They do anyway with a breaker,
        /// with ejection, and in select mode `least_loaded`.
        server_stats: bool = false, any(), Start;
        /// How long a call waits for the first answer of the discovery.
        discovery_timeout: Duration = secs(5), between(ms(1), secs(600)), Start;
        /// Metadata keys that a call made inside a handler takes over from the handler's own call.
        propagate_metadata: Vec<String> =
            ["traceparent", "tracestate", "baggage"].map(String::from).to_vec(), user_keys(), Start;
        /// Most server pushes that wait to be read.
        push_queue: u32 = 1024, between(1, 16_777_216), Start;
        /// What happens to a push when that queue is full.
        push_overflow: PushOverflow = PushOverflow::DropNewest, any(), Start;
    }

    /// Keeps retries from multiplying an overload: at most `min` plus `ratio` of the client's calls within `window`.
    retry_budget: RetryBudgetOptions {
        /// Retries that are always allowed within the window.
        min: u32 = 10, between(0, 1_000_000), Start;
        /// Retries allowed beyond that, as a share of the window's calls.
        ratio: f64 = 0.2, between(0.0, 100.0), Start;
        /// The time over which calls and retries are counted.
        window: Duration = secs(10), between(secs(1), secs(600)), Start;
    }

    /// A circuit breaker for each server: after too many failures no call goes there for a while, then a few do as probes.
    breaker: BreakerOptions {
        /// Whether servers have breakers. Failed dials, lost connections, refusals for overload and passed deadlines count
        /// as failures.
        enabled: bool = false, any(), Start;
        /// Failures in a row that open it. 0: however many.
        failures: u32 = 5, between(0, 1_000_000), Start;
        /// The share of the window's calls that must fail to open it. 0: whatever the share.
        ratio: f64 = 0.5, between(0.0, 1.0), Start;
        /// Calls that the window must hold before `breaker.ratio` is looked at.
        min_calls: u32 = 20, between(1, 1_000_000), Start;
        /// The time over which `breaker.ratio` is taken.
        window: Duration = secs(10), between(secs(1), secs(600)), Start;
        /// How long it stays open before it lets probes through; each time up to a fifth longer, at random, so that
        /// breakers which opened together do not probe together.
        open_time: Duration = secs(5), between(ms(1), hours(24)), Start;
        /// Calls that are let through as probes; it closes when all of them succeed and opens again when one fails.
        probes: u32 = 3, between(1, 10_000), Start;
        /// Whether errors that the service itself returned count as failures too.
        service_errors: bool = false, any(), Start;
    }

    /// Outlier ejection: a server whose failures or latency stand out among the servers of a service leaves selection for
    /// a while.
    ejection: EjectionOptions {
        /// Whether servers are ejected.
        enabled: bool = false, any(), Start;
        /// How often the servers are compared.
        interval: Duration = secs(1), between(ms(10), secs(600)), Start;
        /// A server with fewer calls lately (of the last interval or two) is not judged.
        min_calls: u32 = 10, between(1, 1_000_000), Start;
        /// Ejects a server whose share of failed calls is above the median of all by more than this. 1: none.
        error_margin: f64 = 0.2, between(0.0, 1.0), Start;
        /// Ejects a server whose average latency is above the median of all by more than this factor. 0: none.
        latency_factor: f64 = 3.0, between(0.0, 1000.0), Start;
        /// How much longer than the median its calls must take besides.
        latency_margin: Duration = ms(5), between(Duration::ZERO, secs(600)), Start;
        /// How long a server is ejected the first time. Each further time takes twice as long.
        base_time: Duration = secs(10), between(ms(1), hours(24)), Start;
        /// The longest time that a server is ejected.
        max_time: Duration = secs(300), between(ms(1), hours(24)), Start;
        /// No more than this share of a service's servers is ejected at once, rounded down.
        max_share: f64 = 0.5, between(0.0, 1.0), Start;
        /// Whether errors that the service itself returned count as failures too.
        service_errors: bool = false, any(), Start;
    }

    /// TLS to every server of a `tcp` or `unix` address. Setting any of the paths or the name turns it on.
    tls: ClientTlsOptions {
        /// Whether connections use TLS, with the system's authorities unless `tls.ca` names others.
        enabled: bool = false, any(), Start;
        /// PEM file with the authorities that server certificates must come from.
        ca: Option<PathBuf> = None, any(), Start;
        /// PEM file with the client's certificate chain, for servers that ask for one.
        cert: Option<PathBuf> = None, any(), Start;
        /// PEM file with the key of `tls.cert`.
        key: Option<PathBuf> = None, any(), Start;
        /// Name to ask for and to expect in the server's certificate; the address's host when unset.
        server_name: Option<String> = None, unset_or(not_empty()), Start;
    }
}

impl ClientOptions {
    fn check_combinations(&self) -> Result<()> {
        if self.latitude.is_some() != self.longitude.is_some() {
            return Err(conflict("options `latitude` and `longitude` go together: set both or none"));
        }
        if self.select_mode == SelectMode::Closest && self.latitude.is_none() {
            return Err(conflict("option `select_mode`: `closest` needs `latitude` and `longitude`"));
        }
        if self.breaker.enabled && self.breaker.failures == 0 && self.breaker.ratio == 0.0 {
            return Err(conflict(
                "option `breaker.enabled`: nothing opens it with `breaker.failures` and `breaker.ratio` 0",
            ));
        }
        if self.ejection.base_time > self.ejection.max_time {
            return Err(conflict("option `ejection.base_time` must not be above `ejection.max_time`"));
        }
        if self.tls.cert.is_some() != self.tls.key.is_some() {
            return Err(conflict("options `tls.cert` and `tls.key` go together: set both or none"));
        }
        Ok(())
    }
}

impl ClientTlsOptions {
    /// Whether connections use TLS: asked for by `enabled` or by any of the others.
    pub fn is_on(&self) -> bool {
        self.enabled || self.ca.is_some() || self.cert.is_some() || self.key.is_some() || self.server_name.is_some()
    }
}
