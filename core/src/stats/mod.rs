//! What a client or server has done so far: counters, latency histograms and their snapshots.
//!
//! Counting costs a call a few nanoseconds: each event is one relaxed addition to a cell that other threads rarely
//! touch, and nothing is locked. Reading adds the cells up, at any time and from any thread; figures of one snapshot
//! may be a few events apart. [`ClientStats`] and [`ServerStats`] are plain data with a [`SCHEMA`] number, for every
//! language the same.

mod histogram;
#[cfg(feature = "metrics-listener")]
mod listener;
mod prometheus;
mod recorder;
mod served;
mod snapshot;

pub use histogram::{Distribution, Histogram};
#[cfg(feature = "metrics-listener")]
pub use listener::MetricsListener;
pub use prometheus::{CONTENT_TYPE, Exposition, METRICS, MetricRow};
pub use recorder::{ClientRecorder, ConnectionRecorder, MethodRecorder, Refusal, ServerRecorder};
pub(crate) use served::ServedMetrics;
pub use snapshot::{
    ClientStats, ConnectionTotals, EndpointCalls, EndpointStats, ErrorCounts, LatencyStats, MethodStats, PushTotals,
    QueueTotals, RefusedTotals, SCHEMA, ServerStats, ServiceStats, Traffic,
};
