//! A token bucket: so many events a second, and some more at once after a pause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::nanoseconds::{Epoch, nanoseconds};

/// More threads than this hardly take tokens at once.
const THREADS: u64 = 256;

/// Events at a bounded rate, with bursts. Time is an argument; any number of threads may take tokens at once, without a
/// lock.
///
/// It keeps one number, the time at which the bucket will be full again (the *generic cell rate algorithm*): taking a
/// token moves that time on by the time that a token needs to come.
///
/// ```
/// use rpcx::interceptor::TokenBucket;
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let bucket = TokenBucket::new(10.0, 3, now);
/// assert!((0..3).all(|_| bucket.try_take(now).is_ok()));
/// assert_eq!(bucket.try_take(now), Err(Duration::from_millis(100)));
/// assert!(bucket.try_take(now + Duration::from_millis(100)).is_ok());
/// ```
#[derive(Debug)]
pub struct TokenBucket {
    /// Nanoseconds between two tokens.
    interval: u64,
    /// How far ahead of now the bucket may be empty: the time of all tokens but one.
    tolerance: u64,
    epoch: Epoch,
    /// When the bucket is full, in nanoseconds after the epoch.
    full_at: AtomicU64,
}

impl TokenBucket {
    /// A full bucket of `burst` tokens (at least one) into which `per_second` come a second.
    ///
    /// The rate is kept to whole nanoseconds between tokens: up to 10 million a second it is at most half a percent off.
    /// A rate that is no positive number gives a token every 584 years.
    pub fn new(per_second: f64, burst: u32, now: Instant) -> TokenBucket {
        let interval = if per_second > 0.0 { (1e9 / per_second).round().max(1.0) as u64 } else { u64::MAX };
        let tolerance = interval.saturating_mul(u64::from(burst.max(1)) - 1);
        TokenBucket { interval, tolerance, epoch: Epoch::new(now), full_at: AtomicU64::new(0) }
    }

    /// A full bucket that holds what comes in `burst`, at least one token.
    pub fn with_burst_of(per_second: f64, burst: Duration, now: Instant) -> TokenBucket {
        // A little more, so that a rate of 0.3 holds three tokens in ten seconds.
        TokenBucket::new(per_second, (per_second * burst.as_secs_f64() + 1e-6) as u32, now)
    }

    /// Takes a token.
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub fn try_take(&self, now: Instant) -> Result<(), Duration> {
        self.reserve(now, Duration::ZERO).map(drop)
    }

    /// Takes a token that comes within `longest`, and says how long to wait for it: zero if it is there. It cannot be given
    /// back.
    ///
    /// # Errors
    /// How long the wait would be; nothing was taken.
    pub fn reserve(&self, now: Instant, longest: Duration) -> Result<Duration, Duration> {
        let now = self.epoch.nanoseconds(now);
        let longest = nanoseconds(longest);
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            let base = full_at.max(now);
            let wait = (base - now).saturating_sub(self.tolerance);
            if wait > longest {
                return Err(Duration::from_nanos(wait));
            }
            let next = base.saturating_add(self.interval);
            match self.full_at.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(Duration::from_nanos(wait)),
                Err(changed) => full_at = changed,
            }
        }
    }

    /// How many tokens may be taken and [settled](Self::settle) later, all at once: of those that are there so small a part
    /// that as many threads as a machine has can do so together.
    pub(crate) fn credit(&self, now: Instant) -> u32 {
        let missing = self.full_at.load(Ordering::Relaxed).saturating_sub(self.epoch.nanoseconds(now));
        let there = (self.tolerance.saturating_add(self.interval)).saturating_sub(missing) / self.interval;
        (there / THREADS).min(u64::from(u32::MAX)) as u32
    }

    /// Pays for tokens that were taken as [credit](Self::credit). Should others have emptied the bucket meanwhile, it lacks
    /// these as well, and they have to come before anybody gets another.
    pub(crate) fn settle(&self, taken: u32, now: Instant) {
        let now = self.epoch.nanoseconds(now);
        let cost = self.interval.saturating_mul(u64::from(taken));
        let pay = |full_at: u64| Some(full_at.max(now).saturating_add(cost));
        let _ = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
    }

    /// Nothing is missing: a new one would behave the same.
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at.load(Ordering::Relaxed) <= self.epoch.nanoseconds(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Tokens that can be taken at one moment.
    fn take_all(bucket: &TokenBucket, now: Instant) -> usize {
        (0..1_000_000).take_while(|_| bucket.try_take(now).is_ok()).count()
    }

    #[test]
    fn a_pause_fills_the_bucket_and_no_more() {
        let start = Instant::now();
        let bucket = TokenBucket::new(100.0, 5, start);
        assert!(bucket.is_full(start));
        assert_eq!(take_all(&bucket, start), 5);
        assert!(!bucket.is_full(start));
        assert_eq!(take_all(&bucket, start + Duration::from_millis(20)), 2);
        assert_eq!(take_all(&bucket, start + 3600 * SECOND), 5);
        assert!(bucket.is_full(start + 7200 * SECOND));
    }

    #[test]
    fn a_burst_is_what_comes_in_its_time_and_at_least_one() {
        let now = Instant::now();
        for (rate, burst, tokens) in
            [(100.0, 1000, 100), (0.5, 1000, 1), (0.3, 10_000, 3), (7.0, 0, 1), (1e7, 10, 100_000)]
        {
            let bucket = TokenBucket::with_burst_of(rate, Duration::from_millis(burst), now);
            assert_eq!(take_all(&bucket, now), tokens, "{rate}/s, {burst} ms");
        }
    }

    #[test]
    fn reservations_line_up_and_stop_at_the_longest_wait() {
        let now = Instant::now();
        let bucket = TokenBucket::new(10.0, 2, now);
        let waits: Vec<_> = (0..5).map(|_| bucket.reserve(now, SECOND / 4)).collect();
        let ms = |n| Duration::from_millis(n);
        assert_eq!(waits, [Ok(ms(0)), Ok(ms(0)), Ok(ms(100)), Ok(ms(200)), Err(ms(300))]);
        assert_eq!(bucket.try_take(now + ms(300)), Ok(()), "a refusal takes nothing");
    }

    #[test]
    fn odd_arguments_neither_panic_nor_give_more() {
        let now = Instant::now();
        for rate in [0.0, -1.0, f64::NAN, f64::MIN_POSITIVE] {
            let bucket = TokenBucket::new(rate, u32::MAX, now);
            assert!(bucket.try_take(now).is_ok());
            bucket.reserve(now, Duration::MAX).unwrap();
            bucket.reserve(now, Duration::MAX).unwrap();
        }
        let bucket = TokenBucket::new(1.0, 0, now + SECOND);
        assert!(bucket.try_take(now).is_ok(), "time before its beginning is its beginning");
        assert!(bucket.try_take(now).is_err());
    }

    #[test]
    fn threads_share_the_tokens() {
        let now = Instant::now();
        let bucket = TokenBucket::new(1.0, 1000, now);
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| take_all(&bucket, now))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 1000);
    }

    proptest! {
        /// Against the textbook's bucket: a level that rises with time.
        #[test]
        fn it_gives_what_a_bucket_with_a_level_gives(
            rate in 1_u32..2000,
            burst in 1_u32..50,
            pauses in proptest::collection::vec(0_u64..3_000_000, 1..400),
        ) {
            let start = Instant::now();
            let bucket = TokenBucket::new(f64::from(rate), burst, start);
            let interval = (1e9 / f64::from(rate)).round() as u128;
            // The level in nanoseconds' worth of tokens, so that both count exactly.
            let full = interval * u128::from(burst);
            let mut level = full;
            let mut now = start;
            for pause in pauses {
                let pause = Duration::from_nanos(pause);
                now += pause;
                level = full.min(level + pause.as_nanos());
                let expected = level >= interval;
                if expected {
                    level -= interval;
                }
                match bucket.try_take(now) {
                    Ok(()) => prop_assert!(expected),
                    Err(wait) => {
                        prop_assert!(!expected);
                        prop_assert_eq!(wait.as_nanos(), interval - level);
                    }
                }
            }
        }
    }
}
