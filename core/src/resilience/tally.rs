//! What the calls to one server came to: the counts that outlier ejection judges by and statistics show.

use super::breaker::CallEnd;
use crate::nanoseconds::nanoseconds;
use crate::striped::Striped;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counts the calls to one server. Shared by all its callers; one call costs two additions to counts of the thread's own.
#[derive(Debug, Default)]
pub struct Tally(Striped<Counts>);

#[derive(Default)]
struct Counts {
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
        let (counts, writers) = self.0.mine();
        match how {
            CallEnd::Good => {
                writers.add(&counts.good, 1);
                writers.add(&counts.latency, nanoseconds(latency));
            }
            CallEnd::Bad => writers.add(&counts.bad, 1),
            CallEnd::Untold => {}
        }
    }

    /// The counts now. Those of one call may be seen in part.
    pub fn totals(&self) -> Totals {
        let sum = |of: fn(&Counts) -> &AtomicU64| self.0.all().map(|counts| of(counts).load(Relaxed)).sum();
        Totals {
            good: sum(|counts| &counts.good),
            bad: sum(|counts| &counts.bad),
            latency: Duration::from_nanos(sum(|counts| &counts.latency)),
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
