//! How long to wait before a call is tried again: exponential, with jitter.

use std::time::Duration;

/// The longest step, unless the first one is longer already.
const MAX_STEP: Duration = Duration::from_secs(1);

/// The waits between the attempts of one call. The step doubles with each retry, up to 1 s; the wait is a random time
/// between half of the step and the whole of it, so that calls that failed together do not come back together.
///
/// ```
/// use rpcx::resilience::Backoff;
/// use std::time::Duration;
///
/// let backoff = Backoff::new(Duration::from_millis(10));
/// assert_eq!(backoff.wait(1, u64::MAX), Duration::from_millis(10));
/// assert_eq!(backoff.wait(3, u64::MAX), Duration::from_millis(40));
/// assert_eq!(backoff.wait(3, 0), Duration::from_millis(20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
}

impl Backoff {
    /// Waits whose first step is `first`; 0: no waits at all.
    pub fn new(first: Duration) -> Self {
        Self { first }
    }

    /// How long to wait before the retry of this number, counted from 1. `random` are new random bits.
    pub fn wait(&self, retry: u32, random: u64) -> Duration {
        let doublings = retry.saturating_sub(1).min(31);
        let step = self.first.saturating_mul(1 << doublings).min(MAX_STEP.max(self.first));
        // The upper 32 bits as a fraction of 1: all ones are the whole.
        let fraction = (random >> 32) as f64 / f64::from(u32::MAX);
        step.saturating_sub((step / 2).mul_f64(1.0 - fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn steps_double_up_to_the_longest() {
        let backoff = Backoff::new(10 * MS);
        let waits: Vec<_> = (1..10).map(|retry| backoff.wait(retry, u64::MAX).as_millis()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(backoff.wait(u32::MAX, u64::MAX), MAX_STEP);
        assert_eq!(backoff.wait(0, u64::MAX), 10 * MS);
    }

    #[test]
    fn a_long_first_step_stays_and_none_is_none() {
        assert_eq!(Backoff::new(5 * MAX_STEP).wait(4, u64::MAX), 5 * MAX_STEP);
        assert_eq!(Backoff::new(Duration::ZERO).wait(7, u64::MAX), Duration::ZERO);
        let longest = Backoff::new(Duration::MAX).wait(40, u64::MAX);
        assert_eq!(longest, Duration::MAX);
        assert!(Backoff::new(Duration::MAX).wait(40, 0) >= Duration::MAX / 3);
    }

    proptest! {
        #[test]
        fn a_wait_is_between_half_a_step_and_a_whole(first in 0..10_000_000_u64, retry in 1..40_u32, random in any::<u64>()) {
            let backoff = Backoff::new(Duration::from_micros(first));
            let step = backoff.wait(retry, u64::MAX);
            let wait = backoff.wait(retry, random);
            prop_assert!(wait >= step / 2 && wait <= step, "{:?} of {:?}", wait, step);
        }

        #[test]
        fn waits_spread_over_the_half(random in any::<u64>()) {
            let wait = Backoff::new(Duration::from_secs(1)).wait(1, random).as_secs_f64();
            prop_assert!((wait - 0.5 - random as f64 / u64::MAX as f64 / 2.0).abs() < 1e-6);
        }
    }
}
