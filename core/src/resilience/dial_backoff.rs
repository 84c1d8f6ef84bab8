//! How long a server that could not be dialled stays out of selection.

use std::time::{Duration, Instant};

/// How long a server stays out after its first failed dial, if the cap allows that much.
const FIRST: Duration = Duration::from_secs(1);

/// Whether a server may be selected, by how its dials ended: after a failure it is out for 1 s, after the next for 2 s,
/// 4 s … up to a cap, and back at once after a success. A connection that the server ends before it has said anything is a
/// failed dial too.
///
/// Out of selection is not closed: when every server is out, a client tries all of them.
///
/// ```
/// use rpcx::resilience::DialBackoff;
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let mut server = DialBackoff::new(Duration::from_secs(60));
/// server.failed(now);
/// assert!(!server.allows(now) && server.allows(now + Duration::from_secs(1)));
/// server.succeeded();
/// assert!(server.allows(now));
/// ```
#[derive(Clone, Debug)]
pub struct DialBackoff {
    cap: Duration,
    failures: u32,
    until: Option<Instant>,
}

impl DialBackoff {
    /// A server that may be selected. `cap` is the option `time_to_disallow`; 0: it is never out.
    pub fn new(cap: Duration) -> Self {
        Self { cap, failures: 0, until: None }
    }

    /// A dial failed at `now`. Dials that fail while the server is out already (they began before, or there was no other
    /// server) change nothing: many at once are one failure.
    pub fn failed(&mut self, now: Instant) {
        if !self.allows(now) {
            return;
        }
        let wait = FIRST.saturating_mul(1 << self.failures.min(31)).min(self.cap);
        self.failures = self.failures.saturating_add(1);
        self.until = if wait.is_zero() { None } else { now.checked_add(wait) };
    }

    /// A connection to the server works. That it was accepted is not enough: a server may close what it accepts.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.until = None;
    }

    /// Whether the server may be selected.
    pub fn allows(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// When the server is back in selection; `None` if no dial failed since the last success. May have passed.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How long the server is out after each of so many failures, each at the moment it is back.
    fn waits(cap: Duration, failures: usize) -> Vec<Duration> {
        let mut now = Instant::now();
        let mut server = DialBackoff::new(cap);
        let mut wait = || {
            server.failed(now);
            let until = server.until().unwrap_or(now);
            let wait = until - now;
            assert!(server.allows(until));
            assert_eq!(server.allows(now), wait.is_zero());
            now = until;
            wait
        };
        (0..failures).map(|_| wait()).collect()
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        assert_eq!(waits(60 * SECOND, 9), [1, 2, 4, 8, 16, 32, 60, 60, 60].map(|seconds| seconds * SECOND));
        assert_eq!(waits(SECOND / 2, 3), [SECOND / 2; 3]);
        assert_eq!(waits(Duration::ZERO, 3), [Duration::ZERO; 3]);
        assert_eq!(waits(Duration::MAX, 40).last(), Some(&((1 << 31) * SECOND)));
    }

    #[test]
    fn success_brings_it_back_and_forgets() {
        let now = Instant::now();
        let mut server = DialBackoff::new(60 * SECOND);
        server.failed(now);
        server.failed(now + SECOND);
        assert!(!server.allows(now + 2 * SECOND));
        server.succeeded();
        assert!(server.allows(now) && server.until().is_none());
        server.failed(now);
        assert_eq!(server.until(), Some(now + SECOND));
    }

    #[test]
    fn many_failures_at_once_are_one() {
        let now = Instant::now();
        let mut server = DialBackoff::new(60 * SECOND);
        for late in 0..10 {
            server.failed(now + late * SECOND / 11);
        }
        assert_eq!(server.until(), Some(now + SECOND));
    }
}
