//! What is counted of one method: its calls, how they ended, how long they took.

use super::{Count, Errors, MethodName, Side, Totals};
use crate::error::{ErrorKind, Reason};
use crate::nanoseconds::nanoseconds;
use crate::stats::histogram::{Distribution, Histogram};
use crate::stats::snapshot::{ErrorCounts, LatencyStats, MethodStats};
use crate::striped::Striped;
use std::time::Duration;

/// Counts the calls of one method, on either side. Shared by all that call or serve it.
#[derive(Debug, Default)]
pub struct MethodRecorder {
    cells: Striped<MethodCells>,
}

#[derive(Debug, Default)]
struct MethodCells {
    /// Calls begun, on a client.
    began: Count,
    /// Calls that failed without an answer of the service, by reason; on a server handlers that failed.
    errors: Errors,
    retries: Count,
    cancelled: Count,
    panics: Count,
    /// Of calls that the service answered; on a server of handlers that ended by themselves.
    latency: Histogram,
}

impl MethodRecorder {
    /// A client's call began.
    #[inline]
    pub fn began(&self) {
        let (cells, writers) = self.cells.mine();
        cells.began.add_by(writers, 1);
    }

    /// A client's call ended after `elapsed`, with this error if it failed.
    ///
    /// Its time counts when the service answered, well or with an error of its own; the time to a refused dial or a
    /// passed deadline would say nothing about the method.
    #[inline]
    pub fn ended(&self, error: Option<Reason>, elapsed: Duration) {
        let (cells, writers) = self.cells.mine();
        if let Some(reason) = error {
            cells.errors.add_by(writers, reason);
            if reason.kind() != ErrorKind::Service {
                return;
            }
        }
        writers.add(cells.latency.bucket(nanoseconds(elapsed)), 1);
    }

    /// A client's call made another attempt.
    pub fn retried(&self) {
        let (cells, writers) = self.cells.mine();
        cells.retries.add_by(writers, 1);
    }

    /// A server's handler ended by itself after `elapsed`.
    #[inline]
    pub fn finished(&self, failed: bool, elapsed: Duration) {
        let (cells, writers) = self.cells.mine();
        writers.add(cells.latency.bucket(nanoseconds(elapsed)), 1);
        if failed {
            cells.errors.add_by(writers, Reason::ServiceError);
        }
    }

    /// So many handlers of one batch ended by themselves, `failed` of them with an error, `elapsed` after the batch came.
    #[inline]
    pub fn finished_batch(&self, calls: u32, failed: u32, elapsed: Duration) {
        let (cells, writers) = self.cells.mine();
        writers.add(cells.latency.bucket(nanoseconds(elapsed)), u64::from(calls));
        for _ in 0..failed {
            cells.errors.add_by(writers, Reason::ServiceError);
        }
    }

    /// A server's handler was stopped early. How long it ran says nothing about the method.
    pub fn cancelled(&self) {
        let (cells, writers) = self.cells.mine();
        cells.cancelled.add_by(writers, 1);
    }

    /// A server's handler panicked; its end is counted beside.
    pub fn panicked(&self) {
        let (cells, writers) = self.cells.mine();
        cells.panics.add_by(writers, 1);
    }

    pub(super) fn snapshot(&self, name: &MethodName, side: Side, totals: &mut Totals) -> MethodStats {
        let mut latency = Distribution::default();
        let mut errors = ErrorCounts::default();
        let (mut began, mut retries, mut cancelled, mut panics) = (0, 0, 0, 0);
        for cells in self.cells.all() {
            latency.add(&cells.latency);
            cells.errors.read_into(&mut errors);
            began += cells.began.get();
            retries += cells.retries.get();
            cancelled += cells.cancelled.get();
            panics += cells.panics.get();
        }
        let calls = match side {
            Side::Client => began,
            Side::Server => latency.count() + cancelled,
        };
        totals.calls += calls;
        totals.retries += retries;
        totals.cancelled += cancelled;
        totals.panics += panics;
        totals.errors.merge(&errors);
        MethodStats {
            service: name.0.clone(),
            method: name.1.clone(),
            calls,
            errors: errors.total(),
            retries,
            cancelled,
            panics,
            latency: LatencyStats::of(&latency),
        }
    }
}
