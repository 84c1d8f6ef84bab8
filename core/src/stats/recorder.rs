//! What the engine counts with: one recorder a client or server, one a method, one for the traffic of all connections.

mod method;

pub use method::MethodRecorder;

use super::snapshot::{
    ClientStats, ConnectionTotals, ErrorCounts, MethodStats, PushTotals, QueueTotals, RefusedTotals, SCHEMA,
    ServerStats, Traffic,
};
use crate::error::Reason;
use crate::striped::{Striped, Writers};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Methods that are counted apart. Names may come from outside (a proxy's do), so those beyond share the recorder
/// `*.*`.
const MAX_METHODS: usize = 4096;

/// A counter: relaxed, because a figure that is read a moment late is still right.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    #[inline]
    fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// For one of a striped value's copies.
    #[inline]
    fn add_by(&self, writers: Writers, n: u64) {
        writers.add(&self.0, n);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Errors by reason.
#[derive(Debug)]
struct Errors([Count; Reason::ALL.len()]);

impl Default for Errors {
    fn default() -> Self {
        Self([const { Count(AtomicU64::new(0)) }; Reason::ALL.len()])
    }
}

impl Errors {
    fn add(&self, reason: Reason) {
        self.add_by(Writers::Several, reason);
    }

    fn add_by(&self, writers: Writers, reason: Reason) {
        self.0[reason as usize].add_by(writers, 1);
    }

    fn read_into(&self, counts: &mut ErrorCounts) {
        for (reason, count) in Reason::ALL.iter().zip(&self.0) {
            counts.add(*reason, count.get());
        }
    }
}

/// Counts the bytes and system calls of a client's or server's connections. Shared by all of them.
#[derive(Debug, Default)]
pub struct ConnectionRecorder {
    cells: Striped<TrafficCells>,
}

#[derive(Debug, Default)]
struct TrafficCells {
    bytes_in: Count,
    bytes_out: Count,
    reads: Count,
    writes: Count,
}

impl ConnectionRecorder {
    /// One read brought so many bytes.
    #[inline]
    pub fn read(&self, bytes: usize) {
        let (cells, writers) = self.cells.mine();
        cells.bytes_in.add_by(writers, bytes as u64);
        cells.reads.add_by(writers, 1);
    }

    /// One write took so many bytes.
    #[inline]
    pub fn wrote(&self, bytes: usize) {
        let (cells, writers) = self.cells.mine();
        cells.bytes_out.add_by(writers, bytes as u64);
        cells.writes.add_by(writers, 1);
    }

    fn snapshot(&self) -> Traffic {
        self.cells.all().fold(Traffic::default(), |sum, cells| Traffic {
            bytes_in: sum.bytes_in + cells.bytes_in.get(),
            bytes_out: sum.bytes_out + cells.bytes_out.get(),
            reads: sum.reads + cells.reads.get(),
            writes: sum.writes + cells.writes.get(),
        })
    }
}

type MethodName = (String, String);

#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}

/// The sums over all methods.
#[derive(Default)]
struct Totals {
    calls: u64,
    retries: u64,
    cancelled: u64,
    panics: u64,
    errors: ErrorCounts,
}

/// What both sides count.
#[derive(Debug, Default)]
struct Common {
    methods: Mutex<BTreeMap<MethodName, Arc<MethodRecorder>>>,
    traffic: Arc<ConnectionRecorder>,
    opened: Count,
    failed: Count,
    closed: Count,
    /// Errors outside of any method.
    errors: Errors,
    /// Server pushes that were sent or that came.
    pushes: Count,
    pushes_dropped: Count,
}

impl Common {
    fn method(&self, service: &str, method: &str) -> Arc<MethodRecorder> {
        let mut methods = self.methods.lock().unwrap_or_else(PoisonError::into_inner);
        let name: MethodName = (service.into(), method.into());
        if let Some(known) = methods.get(&name) {
            return known.clone();
        }
        let name = if methods.len() < MAX_METHODS { name } else { ("*".into(), "*".into()) };
        methods.entry(name).or_default().clone()
    }

    fn methods(&self, side: Side) -> (Vec<MethodStats>, Totals) {
        let mut totals = Totals::default();
        self.errors.read_into(&mut totals.errors);
        // Adding up thousands of histograms takes a while: not under the lock that new methods need.
        let recorders = self.methods.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let methods = recorders.iter().map(|(name, recorder)| recorder.snapshot(name, side, &mut totals)).collect();
        (methods, totals)
    }

    fn connections(&self) -> ConnectionTotals {
        // Closed first: one that opens in between must not seem to have closed before it opened.
        let closed = self.closed.get();
        let opened = self.opened.get();
        ConnectionTotals { opened, failed: self.failed.get(), closed, open: opened.saturating_sub(closed) }
    }

    fn pushes(&self) -> PushTotals {
        PushTotals { count: self.pushes.get(), dropped: self.pushes_dropped.get() }
    }
}

/// Counts for one client.
#[derive(Debug, Default)]
pub struct ClientRecorder {
    common: Common,
}

impl ClientRecorder {
    /// The recorder of a method: always the same for the same names. Keep it; the look-up takes a lock.
    pub fn method(&self, service: &str, method: &str) -> Arc<MethodRecorder> {
        self.common.method(service, method)
    }

    /// The recorder for a connection's traffic.
    pub fn connection(&self) -> Arc<ConnectionRecorder> {
        self.common.traffic.clone()
    }

    /// A connection was opened.
    pub fn opened(&self) {
        self.common.opened.add(1);
    }

    /// A connection that was opened has ended.
    pub fn closed(&self) {
        self.common.closed.add(1);
    }

    /// A connection could not be opened.
    pub fn failed(&self) {
        self.common.failed.add(1);
    }

    /// A server push came.
    pub fn push_received(&self) {
        self.common.pushes.add(1);
    }

    /// A server push was dropped because the queue was full.
    pub fn push_dropped(&self) {
        self.common.pushes_dropped.add(1);
    }

    /// The figures now. `in_flight` are the calls that wait for their answers, `queue` is what waits to be written. What the
    /// client alone knows, its servers and its retry budget, it adds itself.
    pub fn snapshot(&self, in_flight: usize, queue: QueueTotals) -> ClientStats {
        let (methods, totals) = self.common.methods(Side::Client);
        ClientStats {
            schema: SCHEMA,
            calls: totals.calls,
            errors: totals.errors,
            in_flight: in_flight as u64,
            retries: totals.retries,
            traffic: self.common.traffic.snapshot(),
            connections: self.common.connections(),
            queue,
            pushes: self.common.pushes(),
            methods,
            retry_budget_left: 0,
            services: Vec::new(),
            servers: Vec::new(),
        }
    }
}

/// The rule by which a server refused a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The client's address may not connect.
    AccessList,
    /// Connections came too fast.
    RateLimit,
    /// There are `max_connections` already.
    MaxConnections,
}

/// Counts for one server.
#[derive(Debug, Default)]
pub struct ServerRecorder {
    common: Common,
    refused: [Count; 3],
}

impl ServerRecorder {
    /// The recorder of a method: always the same for the same names. Keep it; the look-up takes a lock.
    pub fn method(&self, service: &str, method: &str) -> Arc<MethodRecorder> {
        self.common.method(service, method)
    }

    /// The recorder for a connection's traffic.
    pub fn connection(&self) -> Arc<ConnectionRecorder> {
        self.common.traffic.clone()
    }

    /// A connection was opened.
    pub fn opened(&self) {
        self.common.opened.add(1);
    }

    /// A connection that was opened has ended.
    pub fn closed(&self) {
        self.common.closed.add(1);
    }

    /// A connection was refused, or its handshake failed.
    pub fn failed(&self) {
        self.common.failed.add(1);
    }

    /// A connection was closed without a byte.
    pub fn refused_connection(&self, refusal: Refusal) {
        self.failed();
        self.refused[refusal as usize].add(1);
    }

    /// A request was answered with this error and no handler was started.
    pub fn refused(&self, reason: Reason) {
        self.common.errors.add(reason);
    }

    /// A push was queued for a client.
    pub fn push_sent(&self) {
        self.common.pushes.add(1);
    }

    /// A push was refused because too many wait.
    pub fn push_dropped(&self) {
        self.common.pushes_dropped.add(1);
    }

    /// The figures now. `in_flight` are the requests whose handlers run, `queue` is what waits to be written.
    pub fn snapshot(&self, in_flight: usize, queue: QueueTotals) -> ServerStats {
        let (methods, totals) = self.common.methods(Side::Server);
        ServerStats {
            schema: SCHEMA,
            calls: totals.calls,
            errors: totals.errors,
            in_flight: in_flight as u64,
            cancelled: totals.cancelled,
            panics: totals.panics,
            traffic: self.common.traffic.snapshot(),
            connections: self.common.connections(),
            refused: RefusedTotals {
                access_list: self.refused[Refusal::AccessList as usize].get(),
                rate_limit: self.refused[Refusal::RateLimit as usize].get(),
                max_connections: self.refused[Refusal::MaxConnections as usize].get(),
            },
            queue,
            pushes: self.common.pushes(),
            methods,
        }
    }
}

#[cfg(test)]
mod tests;
