//! Work that is due at an interval and done by whoever comes by then, so that nothing need run in the background.

use crate::nanoseconds::{Epoch, nanoseconds};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Tells one caller in each interval that something is due.
///
/// ```
/// use rpcx::resilience::Ticker;
/// use std::time::{Duration, Instant};
///
/// let (now, second) = (Instant::now(), Duration::from_secs(1));
/// let ticker = Ticker::new(second, now);
/// assert!(!ticker.claim(now) && ticker.claim(now + 3 * second) && !ticker.claim(now + 3 * second));
/// ticker.hurry();
/// assert!(ticker.claim(now + 3 * second));
/// ```
#[derive(Debug)]
pub struct Ticker {
    interval: Duration,
    epoch: Epoch,
    /// In nanoseconds since the epoch.
    due: AtomicU64,
}

impl Ticker {
    /// A ticker that is first due one interval, of at least 1 ms, from `now`.
    pub fn new(interval: Duration, now: Instant) -> Self {
        let interval = interval.max(Duration::from_millis(1));
        Self { interval, epoch: Epoch::new(now), due: AtomicU64::new(nanoseconds(interval)) }
    }

    /// The time between two ticks, if somebody comes by.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Whether it is due and this caller is the one to act. One load when it is not.
    #[inline]
    pub fn claim(&self, now: Instant) -> bool {
        let now = self.epoch.nanoseconds(now);
        let due = self.due.load(Relaxed);
        now >= due && {
            let next = now.saturating_add(nanoseconds(self.interval));
            self.due.compare_exchange(due, next, Relaxed, Relaxed).is_ok()
        }
    }

    /// It is due at once.
    pub fn hurry(&self) {
        self.due.store(0, Relaxed);
    }
}
