//! What the calls to one server came to: the counts that outlier ejection judges by and statistics show.

use super::breaker::CallEnd;
use super::window::nanoseconds;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counts the calls to one server. Shared by all its callers; one call costs two relaxed additions.
///
/// On a cache line of its own, so that callers of different servers do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Tally {
    good: AtomicU64,
    bad: AtomicU64,
    /// Of the good ones together, in nanoseconds: lasts for 584 years of waiting.
    latency: AtomicU64,
}

/// The counts of a [`Tally`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls that ended well.
    pub good: u64,
    /// Calls that the server failed.
    pub bad: u64,
    /// How long the good ones took, added up.
    pub latency: Duration,
}

impl Tally {
    /// A call ended.
    #[inline]
    pub fn record(&self, how: CallEnd, latency: Duration) {
        match how {
            CallEnd::Good => {
                self.good.fetch_add(1, Relaxed);
                self.latency.fetch_add(nanoseconds(latency), Relaxed);
            }
            CallEnd::Bad => drop(self.bad.fetch_add(1, Relaxed)),
            CallEnd::Untold => {}
        }
    }

    /// The counts now. Those of one call may be seen in part.
    pub fn totals(&self) -> Totals {
        Totals {
            good: self.good.load(Relaxed),
            bad: self.bad.load(Relaxed),
            latency: Duration::from_nanos(self.latency.load(Relaxed)),
        }
    }
}

impl Totals {
    /// The average time of a good call; `None` if there was none.
    pub fn mean_latency(&self) -> Option<Duration> {
        let nanos = nanoseconds(self.latency).checked_div(self.good)?;
        Some(Duration::from_nanos(nanos))
    }
}
