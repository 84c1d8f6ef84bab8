//! The statistics as data: what programs print, exporters send and other languages read.

use super::histogram::Distribution;
use crate::error::{ErrorKind, Reason};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use std::time::Duration;

/// The version of the statistics' form. It rises when a field changes its meaning or goes; new fields do not raise it.
pub const SCHEMA: u32 = 1;

/// What a client has done since it was made.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct ClientStats {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Calls begun, oneway ones too; a call with retries is one.
    pub calls: u64,
    /// Failed calls: in JSON `errors` by kind and `reasons` by reason.
    #[serde(flatten)]
    pub errors: ErrorCounts,
    /// Calls that wait for their answers now.
    pub in_flight: u64,
    /// Attempts after the first, of all calls.
    pub retries: u64,
    /// Bytes and system calls.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Connections to all servers.
    pub connections: ConnectionTotals,
    /// What waits to be written now.
    pub queue: QueueTotals,
    /// Server pushes that came.
    pub pushes: PushTotals,
    /// Each method that was called, by service and name.
    pub methods: Vec<MethodStats>,
    /// Retries that the budget still allows now.
    pub retry_budget_left: u64,
    /// What discovery knows of each service that was used, by name.
    pub services: Vec<ServiceStats>,
    /// Each server of each service that was used, by service and address.
    pub servers: Vec<EndpointStats>,
}

/// What discovery knows of a service.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct ServiceStats {
    /// The service path.
    pub service: String,
    /// How far its list of servers is to be believed: `unknown` before the first answer, `live`, or `stale` while the
    /// registry cannot be reached or its answer is in doubt.
    pub state: &'static str,
    /// Servers on the list, those that get no calls too.
    pub nodes: u64,
    /// Since when the list is `stale`, in milliseconds.
    pub stale_ms: Option<u64>,
    /// Why the registry cannot be reached, where it cannot.
    pub problem: Option<String>,
}

impl ServiceStats {
    pub(crate) fn new(
        service: &str,
        nodes: usize,
        problem: Option<&str>,
        stale: Option<Duration>,
        known: bool,
    ) -> Self {
        let state = match (known, stale) {
            (false, _) => "unknown",
            (true, None) => "live",
            (true, Some(_)) => "stale",
        };
        Self {
            service: service.to_owned(),
            state,
            nodes: nodes as u64,
            stale_ms: stale.map(|since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            problem: problem.map(str::to_owned),
        }
    }
}

/// One server as a client sees it, for one of its services.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct EndpointStats {
    /// The service path.
    pub service: String,
    /// The address, as discovery spells it.
    pub server: String,
    /// Where its circuit breaker stands: `closed`, `open`, `half_open`; `None` without one.
    pub breaker: Option<&'static str>,
    /// How often that has opened, for all services together.
    pub breaker_opened: u64,
    /// Whether it is ejected as an outlier.
    pub ejected: bool,
    /// How often it was.
    pub ejections: u64,
    /// Whether it waits out a failed dial without having another connection, or fell silent and has answered on no new one.
    pub disallowed: bool,
    /// Connections that are open, for all services together.
    pub connections: u64,
    /// Calls that wait for its answers now, of all services together.
    pub in_flight: u64,
    /// Attempts after the first that went to it, of all services together.
    pub retries: u64,
    /// What became of its calls; `None` unless they are counted, see the option `server_stats`.
    pub calls: Option<EndpointCalls>,
}

/// What became of the attempts that one server got.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct EndpointCalls {
    /// It answered, if only with an error of the service (unless the options count those as failures).
    pub good: u64,
    /// It could not be reached, broke off, refused, or did not answer in time.
    pub failed: u64,
    /// How long the good ones took on average, in microseconds.
    pub mean_us: f64,
}

impl EndpointCalls {
    pub(crate) fn new(good: u64, failed: u64, mean: Option<Duration>) -> Self {
        Self { good, failed, mean_us: mean.unwrap_or_default().as_nanos() as f64 / 1e3 }
    }
}

/// What a server has done since it was made.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct ServerStats {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Calls of handlers that ended, in whatever way; those that still run are in `in_flight`.
    pub calls: u64,
    /// Errors answered: kind `service` for those of handlers (panics too), other kinds for requests that reached none.
    /// In JSON `errors` by kind and `reasons` by reason.
    #[serde(flatten)]
    pub errors: ErrorCounts,
    /// Requests whose handlers run now.
    pub in_flight: u64,
    /// Handlers that were stopped early; not in `errors`.
    pub cancelled: u64,
    /// Handlers that panicked.
    pub panics: u64,
    /// Bytes and system calls.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Connections of all listeners.
    pub connections: ConnectionTotals,
    /// Connections that were closed without a byte, by the rule that refused them.
    pub refused: RefusedTotals,
    /// What waits to be written now.
    pub queue: QueueTotals,
    /// Pushes to clients.
    pub pushes: PushTotals,
    /// Each method that is served, by service and name.
    pub methods: Vec<MethodStats>,
}

/// Bytes and system calls of all connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Traffic {
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Reads that brought bytes.
    pub reads: u64,
    /// Writes that took bytes; fewer than calls when calls leave together.
    pub writes: u64,
}

/// Connections by their fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ConnectionTotals {
    /// Opened, handshake included.
    pub opened: u64,
    /// Not opened: dial or handshake failed, or a limit refused them.
    pub failed: u64,
    /// Opened and ended.
    pub closed: u64,
    /// Open now.
    pub open: u64,
}

/// Why a server refused connections; they are in [`ConnectionTotals::failed`] too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct RefusedTotals {
    /// The options `access.allow` and `access.deny`.
    pub access_list: u64,
    /// The option `rate_limit.connections`.
    pub rate_limit: u64,
    /// The option `max_connections`.
    pub max_connections: u64,
}

/// What waits to be written, on all connections, because a peer or its network takes it too slowly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct QueueTotals {
    /// A client's requests that have not left whole. Zero on a server: its answers and pushes are told in bytes alone.
    pub frames: u64,
    /// Bytes of all kinds of frames.
    pub bytes: u64,
}

impl std::ops::AddAssign for QueueTotals {
    fn add_assign(&mut self, other: QueueTotals) {
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}

/// Messages that a server sends on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PushTotals {
    /// Sent, or on a client received, dropped ones included there.
    pub count: u64,
    /// Dropped or refused because a queue was full.
    pub dropped: u64,
}

/// One method's figures.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct MethodStats {
    /// The service path; `*` where the names of too many methods are counted together.
    pub service: String,
    /// The method.
    pub method: String,
    /// Calls, counted as for the whole client or server.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Attempts after the first (client).
    pub retries: u64,
    /// Handlers that were stopped early (server).
    pub cancelled: u64,
    /// Handlers that panicked (server).
    pub panics: u64,
    /// Time from call to answer; on a server of the handler alone.
    pub latency: LatencyStats,
}

/// A latency histogram's figures, in microseconds, at most 1.6 % off.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct LatencyStats {
    /// Calls that were measured: those that the service answered, with an error of its own too.
    pub count: u64,
    /// The average.
    pub mean_us: f64,
    /// Half of the calls took at most this.
    pub p50_us: f64,
    /// Nine in ten took at most this.
    pub p90_us: f64,
    /// 99 % took at most this.
    pub p99_us: f64,
    /// 99.9 % took at most this.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
    /// For exporters: how many took at most 50 µs, 100 µs, … 10 s, the bounds of `docs/METRICS.md`.
    #[serde(skip)]
    pub buckets: [u64; 17],
}

impl LatencyStats {
    pub(super) fn of(distribution: &Distribution) -> Self {
        let us = |duration: Duration| duration.as_nanos() as f64 / 1e3;
        Self {
            count: distribution.count(),
            mean_us: us(distribution.mean()),
            p50_us: us(distribution.quantile(0.5)),
            p90_us: us(distribution.quantile(0.9)),
            p99_us: us(distribution.quantile(0.99)),
            p999_us: us(distribution.quantile(0.999)),
            max_us: us(distribution.max()),
            buckets: distribution.cumulative(),
        }
    }
}

/// How often each reason of failure occurred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCounts([u64; Reason::ALL.len()]);

impl Default for ErrorCounts {
    fn default() -> Self {
        Self([0; Reason::ALL.len()])
    }
}

impl ErrorCounts {
    /// All errors.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Those of a kind.
    pub fn of_kind(&self, kind: ErrorKind) -> u64 {
        self.iter().filter(|(reason, _)| reason.kind() == kind).map(|(_, count)| count).sum()
    }

    /// Those of a reason: for a limit, how often it was exceeded.
    pub fn of_reason(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// Every reason with its count, by kind.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.iter().copied().zip(self.0)
    }

    pub(super) fn add(&mut self, reason: Reason, count: u64) {
        self.0[reason as usize] += count;
    }

    pub(super) fn merge(&mut self, other: &ErrorCounts) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }
}

/// `errors` with every kind, zeros too, so that a reader finds each; `reasons` with those that occurred.
impl Serialize for ErrorCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct ByKind<'a>(&'a ErrorCounts);
        impl Serialize for ByKind<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(ErrorKind::ALL.iter().map(|kind| (kind.as_str(), self.0.of_kind(*kind))))
            }
        }
        struct ByReason<'a>(&'a ErrorCounts);
        impl Serialize for ByReason<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                for (reason, count) in self.0.iter().filter(|(_, count)| *count > 0) {
                    map.serialize_entry(reason.as_str(), &count)?;
                }
                map.end()
            }
        }
        let mut fields = serializer.serialize_struct("ErrorCounts", 2)?;
        fields.serialize_field("errors", &ByKind(self))?;
        fields.serialize_field("reasons", &ByReason(self))?;
        fields.end()
    }
}
