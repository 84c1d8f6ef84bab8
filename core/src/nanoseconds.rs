//! Times and durations as one number, which an atomic variable can hold.

use std::time::{Duration, Instant};

/// A duration in nanoseconds; 64 bits hold 584 years, and no longer one becomes more.
#[inline]
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}

/// The moment from which somebody counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(Instant);

impl Epoch {
    pub(crate) fn new(now: Instant) -> Self {
        Self(now)
    }

    /// How long after the epoch `now` is; 0 for a time before it.
    #[inline]
    pub(crate) fn nanoseconds(self, now: Instant) -> u64 {
        nanoseconds(now.saturating_duration_since(self.0))
    }

    /// The moment so long after the epoch, if there is such a time.
    pub(crate) fn after(self, duration: Duration) -> Option<Instant> {
        self.0.checked_add(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::{Epoch, nanoseconds};
    use std::time::{Duration, Instant};

    #[test]
    fn what_does_not_fit_is_the_most_that_does() {
        assert_eq!(nanoseconds(Duration::new(3, 7)), 3_000_000_007);
        assert_eq!(nanoseconds(Duration::MAX), u64::MAX);
    }

    #[test]
    fn nothing_was_before_the_epoch() {
        let now = Instant::now();
        let epoch = Epoch::new(now + Duration::from_secs(1));
        assert_eq!([now, now + Duration::from_secs(3)].map(|at| epoch.nanoseconds(at)), [0, 2_000_000_000]);
        assert_eq!(epoch.after(Duration::ZERO), Some(now + Duration::from_secs(1)));
    }
}
