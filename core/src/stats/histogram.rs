//! A latency histogram of fixed size that any thread may add to.
//!
//! Log-linear buckets: 32 to each power of two from 1 µs to 137 s, so that a reported value is at most 1.6 % off; 32
//! more, 32 ns wide, below. Longer times count in the last bucket.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets to a power of two, as a power of two.
const SUB_BITS: u32 = 5;
const SUB: usize = 1 << SUB_BITS;
/// The power of two at which logarithmic buckets begin: 1.024 µs.
const FIRST: u32 = 10;
/// The power of two at which they end.
const LAST: u32 = 37;
const BUCKETS: usize = SUB + (LAST - FIRST) as usize * SUB;

/// The upper bounds by which exporters count durations.
pub(super) const BOUNDS: [Duration; 17] = [
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// Counts durations. Adding one is a single relaxed atomic addition; 7 KiB in size.
pub struct Histogram {
    counts: [AtomicU64; BUCKETS],
}

impl Histogram {
    /// Adds one duration in nanoseconds.
    #[inline]
    pub fn record(&self, nanos: u64) {
        self.bucket(nanos).fetch_add(1, Ordering::Relaxed);
    }

    /// The counter of the bucket that a duration in nanoseconds falls into.
    #[inline]
    pub(super) fn bucket(&self, nanos: u64) -> &AtomicU64 {
        &self.counts[index(nanos)]
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BUCKETS] }
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut distribution = Distribution::default();
        distribution.add(self);
        distribution.fmt(f)
    }
}

/// What one or more histograms held when they were read.
#[derive(Clone, PartialEq, Eq)]
pub struct Distribution {
    counts: Box<[u64]>,
}

impl Default for Distribution {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS].into() }
    }
}

impl Distribution {
    /// Adds what a histogram holds now.
    pub fn add(&mut self, histogram: &Histogram) {
        for (sum, count) in self.counts.iter_mut().zip(&histogram.counts) {
            *sum += count.load(Ordering::Relaxed);
        }
    }

    /// Adds another distribution.
    pub fn merge(&mut self, other: &Distribution) {
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum += count;
        }
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The duration that the share `q` (0 to 1) of all does not exceed; zero when there is none.
    pub fn quantile(&self, q: f64) -> Duration {
        let count = self.count();
        let rank = ((q.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(middle(bucket));
            }
        }
        Duration::ZERO
    }

    /// The average; zero when there is none.
    pub fn mean(&self) -> Duration {
        let sum: u128 =
            self.counts.iter().enumerate().map(|(i, count)| u128::from(middle(i)) * u128::from(*count)).sum();
        let mean = sum.checked_div(u128::from(self.count())).unwrap_or(0);
        Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// How many durations each of [`BOUNDS`] was not exceeded by; a bucket that reaches over a bound counts by its middle.
    pub(super) fn cumulative(&self) -> [u64; BOUNDS.len()] {
        let mut counts = [0; BOUNDS.len()];
        for (bucket, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let middle = Duration::from_nanos(middle(bucket));
            let first = BOUNDS.partition_point(|bound| *bound < middle);
            counts[first..].iter_mut().for_each(|sum| *sum += count);
        }
        counts
    }

    /// The longest; zero when there is none.
    pub fn max(&self) -> Duration {
        self.counts.iter().rposition(|count| *count > 0).map_or(Duration::ZERO, |i| Duration::from_nanos(middle(i)))
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distribution")
            .field("count", &self.count())
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max())
            .finish()
    }
}

#[inline]
fn index(nanos: u64) -> usize {
    let nanos = nanos.min((1 << LAST) - 1);
    if nanos < 1 << FIRST {
        return (nanos >> (FIRST - SUB_BITS)) as usize;
    }
    let power = nanos.ilog2();
    let sub = (nanos >> (power - SUB_BITS)) as usize % SUB;
    SUB + (power - FIRST) as usize * SUB + sub
}

/// The value in the middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let power = (bucket / SUB).max(1) as u32 - 1 + FIRST;
    let width = 1_u64 << (power - SUB_BITS);
    let step = if bucket < SUB { bucket } else { SUB + bucket % SUB };
    step as u64 * width + width / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_bucket_holds_its_own_middle() {
        for bucket in 0..BUCKETS {
            assert_eq!(index(middle(bucket)), bucket);
        }
        assert_eq!(index(0), 0);
        assert_eq!(index(u64::MAX), BUCKETS - 1);
        assert!((0..200_000).map(index).is_sorted(), "buckets are in the order of their values");
    }

    #[test]
    fn nothing_counted_is_zero() {
        let empty = Distribution::default();
        assert_eq!((empty.count(), empty.mean(), empty.max()), (0, Duration::ZERO, Duration::ZERO));
        assert_eq!(empty.quantile(0.5), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_two_percent(
            mut values in proptest::collection::vec(1_000_u64..120_000_000_000, 1..300),
            q in 0.0..=1.0_f64,
        ) {
            let (left, right) = (Histogram::default(), Histogram::default());
            for (i, value) in values.iter().enumerate() {
                if i % 3 == 0 { left.record(*value) } else { right.record(*value) }
            }
            let (mut all, mut other) = (Distribution::default(), Distribution::default());
            all.add(&left);
            other.add(&right);
            all.merge(&other);
            values.sort_unstable();
            prop_assert_eq!(all.count(), values.len() as u64);
            let near = |got: Duration, exact: f64| (got.as_nanos() as f64 - exact).abs() <= exact * 0.017 + 1.0;
            let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len());
            prop_assert!(near(all.quantile(q), values[rank - 1] as f64));
            prop_assert!(near(all.max(), values[values.len() - 1] as f64));
            let mean = values.iter().map(|value| *value as f64).sum::<f64>() / values.len() as f64;
            prop_assert!(near(all.mean(), mean));
        }
    }
}
