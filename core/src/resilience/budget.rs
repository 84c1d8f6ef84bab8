//! The retry budget: how many calls of a client may be tried again, so that a server in trouble is not hit by a storm.

use super::window::{SLOTS_IN_WINDOW, SlotClock, Slots};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A budget never begins anew.
const ERA: u64 = 0;

/// How much may be tried again: the group of options `retry_budget`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetRules {
    /// Retries that are always allowed within the window.
    pub min: u32,
    /// Retries allowed beyond that, as a share of the window's calls.
    pub ratio: f64,
    /// The time over which calls and retries are counted; at least 1 s.
    pub window: Duration,
}

/// 10 retries and 20 % of the calls of the last 10 s.
impl Default for BudgetRules {
    fn default() -> Self {
        Self { min: 10, ratio: 0.2, window: Duration::from_secs(10) }
    }
}

/// A budget of retries, shared by all calls of a client.
///
/// Calls and retries are counted in tenths of the window. A tenth that is only partly within the window counts for the
/// retries, not for the calls: the budget may be a little short, and is never exceeded. Counting a call takes one
/// addition to a count of the thread's own.
///
/// ```
/// use rpcx::resilience::{BudgetRules, RetryBudget};
/// use std::time::Instant;
///
/// let now = Instant::now();
/// let budget = RetryBudget::new(BudgetRules::default(), now);
/// (0..100).for_each(|_| budget.on_call(now));
/// assert_eq!((0..1000).filter(|_| budget.try_retry(now)).count(), 10 + 20);
/// ```
#[derive(Debug)]
pub struct RetryBudget {
    rules: BudgetRules,
    clock: SlotClock,
    calls: Slots,
    /// Retries are rare: their lock makes looking and taking one step.
    retries: Mutex<Slots>,
}

impl RetryBudget {
    /// A full budget.
    pub fn new(rules: BudgetRules, now: Instant) -> Self {
        let clock = SlotClock::new(rules.window, now);
        Self { rules, clock, calls: Slots::default(), retries: Mutex::default() }
    }

    /// A call begins; its retries are not counted here.
    pub fn on_call(&self, now: Instant) {
        self.calls.add(self.clock.slot(now), ERA);
    }

    /// Takes a retry out of the budget. `false`: there is none, and the call ends with the error it has.
    pub fn try_retry(&self, now: Instant) -> bool {
        let slot = self.clock.slot(now);
        let retries = self.retries.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let allowed = self.left_at(slot, &retries) > 0;
        if allowed {
            retries.add(slot, ERA);
        }
        allowed
    }

    /// How many retries there are now.
    pub fn left(&self, now: Instant) -> u64 {
        let retries = self.retries.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.left_at(self.clock.slot(now), &retries)
    }

    fn left_at(&self, slot: u64, retries: &Slots) -> u64 {
        // This slot and the nine before it lie within the window; the tenth before it only partly.
        let share = self.calls.sum(slot, SLOTS_IN_WINDOW, ERA) as f64 * self.rules.ratio;
        // A fifth of ten shall be two, though 0.2 is a little more than a fifth, or another ratio a little less.
        let budget = u64::from(self.rules.min).saturating_add((share + 1e-9) as u64);
        budget.saturating_sub(retries.sum(slot, SLOTS_IN_WINDOW + 1, ERA))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(epoch: Instant, ms: u64) -> Instant {
        epoch + Duration::from_millis(ms)
    }

    #[test]
    fn the_first_ten_need_no_calls_and_come_back_after_the_window() {
        let now = Instant::now();
        let budget = RetryBudget::new(BudgetRules::default(), now);
        let take = |ms| (0..100).filter(|_| budget.try_retry(at(now, ms))).count();
        assert_eq!(take(500), 10);
        assert_eq!(take(10_999), 0);
        assert_eq!(take(11_000), 10);
    }

    #[test]
    fn calls_leave_with_their_second() {
        let now = Instant::now();
        let budget = RetryBudget::new(BudgetRules::default(), now);
        (0..50).for_each(|_| budget.on_call(at(now, 700)));
        (0..54).for_each(|_| budget.on_call(at(now, 3_000)));
        let left = [3_000, 9_999, 10_000, 12_999, 13_000, 1_000_000].map(|ms| budget.left(at(now, ms)));
        assert_eq!(left, [30, 30, 20, 20, 10, 10]);
    }

    #[test]
    fn rules_can_be_others() {
        let now = Instant::now();
        let budget = |min, ratio, ms| {
            let budget = RetryBudget::new(BudgetRules { min, ratio, window: Duration::from_millis(ms) }, now);
            (0..30).for_each(|_| budget.on_call(now));
            budget
        };
        assert_eq!(budget(0, 0.0, 10_000).left(now), 0);
        assert_eq!(budget(3, 0.1, 10_000).left(now), 6);
        assert_eq!(budget(0, 100.0, 10_000).left(now), 3_000);
        let slow = budget(0, 1.0, 600_000);
        assert_eq!([599_999, 600_000].map(|ms| slow.left(at(now, ms))), [30, 0]);
        let short = budget(0, 1.0, 0);
        assert_eq!([999, 1_000].map(|ms| short.left(at(now, ms))), [30, 0]);
    }

    #[test]
    fn a_steady_client_may_retry_nearly_a_fifth() {
        let now = Instant::now();
        let budget = RetryBudget::new(BudgetRules::default(), now);
        let mut retries = 0;
        for ms in 0..100_000 {
            budget.on_call(at(now, ms));
            retries += usize::from(budget.try_retry(at(now, ms)));
        }
        assert!((18_000..=20_110).contains(&retries), "{retries}");
    }

    #[test]
    fn threads_share_one_budget() {
        let now = Instant::now();
        let budget = RetryBudget::new(BudgetRules::default(), now);
        let granted: usize = std::thread::scope(|scope| {
            let run = || {
                (0..10_000).for_each(|call| budget.on_call(at(now, call / 20)));
                (0..10_000).filter(|call| budget.try_retry(at(now, 500 + call / 20))).count()
            };
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().expect("thread")).sum()
        });
        assert_eq!(granted, 10 + 6_000);
    }

    proptest! {
        /// Whenever a retry is granted, the retries of the 10 s before it, itself too, are within the formula.
        #[test]
        fn no_window_exceeds_the_formula(events in proptest::collection::vec((0..1_500_u64, 0..30_u64, 0..30_u64), 1..60)) {
            let start = Instant::now();
            let budget = RetryBudget::new(BudgetRules::default(), start);
            let (mut ms, mut calls, mut retries) = (0, Vec::new(), Vec::new());
            for (pause, new_calls, wanted) in events {
                ms += pause;
                for _ in 0..new_calls {
                    budget.on_call(at(start, ms));
                    calls.push(ms);
                }
                let within = |times: &[u64]| times.iter().filter(|time| **time + 10_000 > ms).count() as u64;
                for _ in 0..wanted {
                    let left = budget.left(at(start, ms));
                    if budget.try_retry(at(start, ms)) {
                        retries.push(ms);
                        prop_assert!(left > 0);
                        prop_assert!(within(&retries) * 5 <= 50 + within(&calls));
                    } else {
                        prop_assert!(left == 0);
                        prop_assert!(!retries.is_empty(), "the first retries are always granted");
                    }
                }
            }
        }
    }
}
