//! How long handlers take in place and how many there were, with few looks at the clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::stats::MethodRecorder;

/// Ready answers of one batch leave after this time, while the rest of the batch is still being worked on.
const FLUSH_AFTER: Duration = Duration::from_micros(100);
/// Calls between two looks at the clock.
const CALLS_PER_LOOK: u32 = 8;
/// Slow calls of so long or longer are found by the ticks of the kernel's coarse clock, 1 to 10 ms apart, which costs a fifth
/// of a look at the precise one.
const BY_TICKS: Duration = Duration::from_millis(100);

/// The pace of a connection's handlers.
pub(super) struct Pace {
    /// When the batch came.
    came: Instant,
    looked: Instant,
    /// When answers of the batch last left.
    flushed: Instant,
    /// Calls of this batch since the last look.
    calls: u32,
    /// Calls of all batches since then: those of one call each are looked at now and then, too.
    unseen: u32,
    /// Calls that are timed one by one, to find which method is slow.
    precise: u32,
    looks: Looks,
}

/// Which calls are followed by a look at the clock.
#[derive(Clone, Copy)]
enum Looks {
    /// One in [`CALLS_PER_LOOK`].
    Few,
    /// And those during which the coarse clock has ticked since it was at this.
    Ticked(coarsetime::Instant),
    /// Every one.
    All,
}

/// What a look at the clock says.
pub(super) struct Look {
    /// The call that has just ended was by itself too slow to run in place, soon after others that were.
    pub(super) slow: bool,
    /// The time since the last look, by which `slow` was judged.
    pub(super) took: Duration,
    /// Answers have waited for long enough.
    pub(super) batch_is_long: bool,
}

impl Pace {
    /// `slow_call`: how long a call takes that [`Pace::called`] has to find, to within a tick where that is a tenth or less.
    pub(super) fn new(now: Instant, slow_call: Option<Duration>) -> Pace {
        let looks = match slow_call {
            None => Looks::Few,
            Some(long) if long >= BY_TICKS => Looks::Ticked(coarsetime::Instant::now_without_cache_update()),
            Some(_) => Looks::All,
        };
        Pace { came: now, looked: now, flushed: now, calls: 0, unseen: 0, precise: 0, looks }
    }

    pub(super) fn batch_came(&mut self, now: Instant) {
        *self = Pace { came: now, looked: now, flushed: now, calls: 0, ..*self };
    }

    /// A handler was polled in place; `limit` is how long that may take. `None`: it was not looked at the clock.
    pub(super) fn called(&mut self, limit: Duration) -> Option<Look> {
        self.calls += 1;
        self.unseen += 1;
        if self.precise == 0 && self.unseen < CALLS_PER_LOOK && !self.looks.at_this() {
            return None;
        }
        let now = Instant::now();
        let took = now.saturating_duration_since(self.looked);
        let one = self.calls == 1;
        let is_slow = if one { took > limit } else { took / self.calls > limit };
        // Once is no proof: the kernel may have given the core to somebody else meanwhile.
        let slow = is_slow && one && self.precise > 0;
        self.precise = if is_slow && !slow { 2 * CALLS_PER_LOOK } else { self.precise.saturating_sub(1) };
        self.looked = now;
        (self.calls, self.unseen) = (0, 0);
        let batch_is_long = now.saturating_duration_since(self.flushed) > FLUSH_AFTER;
        if batch_is_long {
            self.flushed = now;
        }
        Some(Look { slow, took, batch_is_long })
    }
}

impl Looks {
    #[inline]
    fn at_this(&mut self) -> bool {
        match self {
            Looks::Few => false,
            Looks::Ticked(last) => {
                let now = coarsetime::Instant::now_without_cache_update();
                now != std::mem::replace(last, now)
            }
            Looks::All => true,
        }
    }
}

/// Calls of one method, answered in place, that are not counted yet: calls come in runs of one method.
#[derive(Default)]
pub(super) struct Answered(Option<Run>);

struct Run {
    recorder: Arc<MethodRecorder>,
    calls: u32,
    failed: u32,
}

impl Answered {
    /// An answer was given in place.
    pub(super) fn add(&mut self, recorder: &Arc<MethodRecorder>, failed: bool, pace: &Pace) {
        match &mut self.0 {
            Some(run) if Arc::ptr_eq(&run.recorder, recorder) => {
                run.calls += 1;
                run.failed += u32::from(failed);
            }
            _ => {
                self.count(pace);
                self.0 = Some(Run { recorder: recorder.clone(), calls: 1, failed: u32::from(failed) });
            }
        }
    }

    /// Hands the counts over. What an answer in place took is the time since its batch came.
    pub(super) fn count(&mut self, pace: &Pace) {
        if let Some(run) = &mut self.0
            && run.calls > 0
        {
            run.recorder.finished_batch(run.calls, run.failed, pace.came.elapsed());
            (run.calls, run.failed) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::MAX;
    const SLOW: Duration = Duration::ZERO;

    /// No log of slow calls, one by the coarse clock, one by the precise clock.
    const LOGS: [Option<Duration>; 3] = [None, Some(BY_TICKS), Some(Duration::from_micros(1))];

    /// For each call whether it was found too slow, when it took longer or shorter than the limit.
    fn found(log: Option<Duration>, limits: &[Duration]) -> Vec<bool> {
        let mut pace = Pace::new(Instant::now(), log);
        pace.batch_came(Instant::now());
        limits.iter().map(|limit| pace.called(*limit).is_some_and(|look| look.slow)).collect()
    }

    #[test]
    fn a_call_that_was_interrupted_once_is_not_slow() {
        for log in LOGS {
            let mut limits = [QUICK; 64];
            limits[7] = SLOW;
            limits[47] = SLOW;
            assert_eq!(found(log, &limits), [false; 64], "{log:?}");
        }
    }

    #[test]
    fn calls_that_are_slow_are_found_soon() {
        let first = |log| found(log, &[SLOW; 64]).iter().position(|slow| *slow).unwrap();
        assert_eq!([LOGS[0], LOGS[2]].map(first), [8, 1]);
        assert!((1..=8).contains(&first(LOGS[1])), "8 unless the clock ticks meanwhile");
    }

    #[test]
    fn a_call_of_many_ticks_is_timed_among_quick_ones() {
        const LONG: Duration = Duration::from_millis(100);
        for log in &LOGS[1..] {
            let mut pace = Pace::new(Instant::now(), *log);
            pace.batch_came(Instant::now());
            for long in [1, 5, 13] {
                for _ in 0..long {
                    assert!(pace.called(QUICK).is_none_or(|look| look.took < LONG));
                }
                std::thread::sleep(LONG);
                assert!(pace.called(QUICK).is_some_and(|look| look.took >= LONG), "{log:?}");
            }
        }
    }
}
