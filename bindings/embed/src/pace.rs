//! How calls that threads wait for follow one another: when it pays to have such a thread drive its shard.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// To come in costs two hand-overs, as many as a call without that, and saves them from the next call on.
#[derive(Default)]
pub(crate) struct Pace {
    /// When the last one ended, and when the shard was last needed by others, in microseconds of [`now`].
    ended: AtomicU64,
    disturbed: AtomicU64,
    /// How many have followed one another quickly.
    row: AtomicUsize,
}

/// Calls that follow within so many microseconds make a row.
const QUICK: u64 = 1_000;
/// As long must a row be, and as long, in microseconds, must the shard have been the caller's alone.
const ROW: usize = 8;
const ALONE: u64 = 50_000;

/// Microseconds since some moment of this process.
fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    // Some hundred thousand years.
    START.elapsed().as_micros() as u64
}

impl Pace {
    /// Something else has needed the shard.
    pub(crate) fn disturb(&self) {
        self.disturbed.store(now(), Ordering::Relaxed);
        self.row.store(0, Ordering::Relaxed);
    }

    /// Whether the next one is to drive, if that means to come in first.
    pub(crate) fn is_steady(&self) -> bool {
        let now = now();
        if now.saturating_sub(self.ended.load(Ordering::Relaxed)) > QUICK {
            self.row.store(0, Ordering::Relaxed);
            return false;
        }
        self.row.load(Ordering::Relaxed) >= ROW && now.saturating_sub(self.disturbed.load(Ordering::Relaxed)) > ALONE
    }

    /// One has ended.
    pub(crate) fn end(&self) {
        self.ended.store(now(), Ordering::Relaxed);
        self.row.fetch_add(1, Ordering::Relaxed);
    }
}
