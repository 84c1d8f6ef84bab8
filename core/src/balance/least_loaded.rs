//! Power of two choices: of two random nodes the one with less to do, by what is in flight there and how fast it answers.

use super::table::{Built, Table};
use super::{CallInfo, Outcome, Selector, Verdict, first_not_avoided};
use crate::discovery::{Diff, Snapshot};
use crate::nanoseconds::{Epoch, nanoseconds};
use crate::random::{below, mix};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Latencies are averaged over about this time.
const AVERAGING_TIME: Duration = Duration::from_secs(1);

/// After so long without a call, half of what is known of a node's latency is forgotten, and all of it with the next call: a
/// node that was slow is tried again, and may have recovered.
const HALF_LIFE: Duration = Duration::from_secs(1);

/// A node that has had no call for a [`HALF_LIFE`] and was passed over so many times since gets one call, which finds out
/// how it is now. Counted, so that those who call seldom do not spend every second call on that.
const PASSED_OVER: u32 = 8;

/// A call that failed counts as if it had taken at least this long: failing fast is not being fast.
const FAILURE_LATENCY: Duration = Duration::from_secs(1);

/// Of two random nodes the one where (calls in flight + 1) × average latency is less.
///
/// Looking at two and not at all keeps clients that know the same from rushing to the same node. Latencies are averages
/// that weigh new calls more; while one of the two nodes has none yet, only calls in flight are compared. A node that was slow
/// or failed gets a single call now and then, and its share when that one went well: at the latest about 1 s after it has
/// recovered, where calls are many.
#[derive(Debug, Default)]
pub struct LeastLoaded {
    table: Table<Box<[Arc<Load>]>>,
    /// The beginning of the time that loads are stamped with: the first outcome.
    epoch: OnceLock<Epoch>,
    /// The end of the newest call, since the epoch: what the time is, as far as a selection needs to know.
    now: AtomicU64,
}

/// What is known of one node. Two threads that write at once may lose one latency, which does no harm.
#[derive(Debug, Default)]
struct Load {
    in_flight: AtomicU32,
    /// The average in nanoseconds; 0: no call has ended yet.
    latency: AtomicU64,
    /// When the last call ended, in nanoseconds since the epoch.
    updated: AtomicU64,
    /// How often another node was preferred since that is long ago.
    passed_over: AtomicU32,
}

impl LeastLoaded {
    /// A selector that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn choose(&self, built: &Built<Box<[Arc<Load>]>>, call: &CallInfo<'_>) -> Option<usize> {
        let (nodes, loads) = (built.snapshot.nodes(), &built.state);
        match nodes.len() {
            0 => return None,
            1 => return Some(0),
            _ => {}
        }
        let mut bits = call.random;
        for _ in 0..if call.avoid.is_empty() { 1 } else { 8 } {
            let one = below(nodes.len(), bits);
            // Never the same: one of the others.
            let other = (one + 1 + below(nodes.len() - 1, mix(bits))) % nodes.len();
            match (call.avoids(&nodes[one]), call.avoids(&nodes[other])) {
                (false, false) => {
                    let now = self.now.load(Relaxed);
                    return Some(if loads[other].is_to_be_tried(now) {
                        other
                    } else if loads[one].is_to_be_tried(now) || loads[one].is_less_than(&loads[other], now) {
                        one
                    } else {
                        other
                    });
                }
                (false, true) => return Some(one),
                (true, false) => return Some(other),
                (true, true) => bits = mix(bits.wrapping_add(1)),
            }
        }
        Some(first_not_avoided(call, nodes.len(), below(nodes.len(), bits), |index| &nodes[index]))
    }
}

impl Selector for LeastLoaded {
    fn update(&self, snapshot: &Snapshot, change: &Diff) {
        self.table.update(snapshot, change, |old, change| {
            change
                .origins()
                .map(|origin| origin.map_or_else(Arc::default, |origin| old.state[origin].clone()))
                .collect()
        });
    }

    fn select(&self, snapshot: &Snapshot, call: &CallInfo<'_>) -> Option<usize> {
        let index = self.table.select(snapshot, call, |built| self.choose(built, call), |_, _| true)?;
        self.table.with(snapshot, index, |load| load.in_flight.fetch_add(1, Relaxed));
        Some(index)
    }

    fn wants_feedback(&self) -> bool {
        true
    }

    fn feedback(&self, snapshot: &Snapshot, index: usize, outcome: &Outcome) {
        let now = self.epoch.get_or_init(|| Epoch::new(outcome.now)).nanoseconds(outcome.now);
        self.now.fetch_max(now, Relaxed);
        self.table.with(snapshot, index, |load| {
            // A node that went and came back meanwhile starts from 0 and stays there.
            let _ = load.in_flight.fetch_update(Relaxed, Relaxed, |in_flight| in_flight.checked_sub(1));
            match outcome.verdict {
                Verdict::Answered => load.record(outcome.latency, now),
                Verdict::Failed => load.record(outcome.latency.max(FAILURE_LATENCY), now),
                Verdict::Abandoned => {}
            }
        });
    }
}

impl Load {
    fn is_less_than(&self, other: &Self, now: u64) -> bool {
        let (mine, theirs) = (self.in_flight.load(Relaxed), other.in_flight.load(Relaxed));
        let (latency, others) = (self.latency_at(now), other.latency_at(now));
        if latency == 0 || others == 0 {
            return (mine, latency) < (theirs, others);
        }
        let cost = |in_flight: u32, latency: u64| u128::from(in_flight.saturating_add(1)) * u128::from(latency);
        cost(mine, latency) < cost(theirs, others)
    }

    /// Nothing was heard of the node for so long that a call should find out how it is.
    fn is_to_be_tried(&self, now: u64) -> bool {
        let quiet = now.saturating_sub(self.updated.load(Relaxed));
        if quiet < nanoseconds(HALF_LIFE) || self.in_flight.load(Relaxed) > 0 || self.latency.load(Relaxed) == 0 {
            return false;
        }
        let due = self.passed_over.fetch_add(1, Relaxed) >= PASSED_OVER;
        if due {
            self.passed_over.store(0, Relaxed);
        }
        due
    }

    /// The average latency, the older the less; 0 if there is none.
    fn latency_at(&self, now: u64) -> u64 {
        let latency = self.latency.load(Relaxed);
        let half_lives = now.saturating_sub(self.updated.load(Relaxed)) / nanoseconds(HALF_LIFE);
        if latency == 0 { 0 } else { latency.checked_shr(half_lives.min(64) as u32).unwrap_or(0).max(1) }
    }

    fn record(&self, latency: Duration, now: u64) {
        let before = self.latency.load(Relaxed);
        let elapsed = now.saturating_sub(self.updated.swap(now, Relaxed));
        let is_first = before == 0 || elapsed >= nanoseconds(HALF_LIFE);
        if is_first {
            self.passed_over.store(0, Relaxed);
        }
        let kept = if is_first { 0.0 } else { (-(elapsed as f64) / nanoseconds(AVERAGING_TIME) as f64).exp() };
        // Calls that end in the same moment count too: at least a hundredth each.
        let kept = kept.min(0.99);
        let average = before as f64 * kept + nanoseconds(latency) as f64 * (1.0 - kept);
        self.latency.store((average as u64).max(1), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::testing::{avoid_rules_hold, begin, counts, nodes};
    use std::time::Instant;

    /// A selector under a clock of the test's own.
    struct World {
        selector: LeastLoaded,
        snapshot: Snapshot,
        start: Instant,
        now: Duration,
    }

    impl World {
        fn new(texts: &[&str]) -> Self {
            let (selector, snapshot) = (LeastLoaded::new(), nodes(texts));
            begin(&selector, &snapshot);
            Self { selector, snapshot, start: Instant::now(), now: Duration::ZERO }
        }

        fn select(&self) -> usize {
            self.selector.select(&self.snapshot, &CallInfo::new("Arith", "Mul")).expect("a node")
        }

        fn end(&self, index: usize, verdict: Verdict, latency: Duration) {
            let outcome = Outcome { verdict, latency, now: self.start + self.now };
            self.selector.feedback(&self.snapshot, index, &outcome);
        }

        /// Calls one after the other; how many each node got.
        fn run(&mut self, calls: usize, serve: impl Fn(usize) -> (Verdict, Duration)) -> Vec<usize> {
            let mut counts = vec![0; self.snapshot.len()];
            for _ in 0..calls {
                let index = self.select();
                counts[index] += 1;
                let (verdict, latency) = serve(index);
                self.now += latency;
                self.end(index, verdict, latency);
            }
            counts
        }

        fn in_flight(&self) -> Vec<u32> {
            self.selector.table.load().state.iter().map(|load| load.in_flight.load(Relaxed)).collect()
        }
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn of_two_nodes_the_one_with_less_in_flight_is_chosen() {
        let world = World::new(&["a", "b"]);
        for turn in 0..100 {
            world.select();
            let in_flight = world.in_flight();
            assert_eq!(in_flight[0] + in_flight[1], turn + 1);
            assert!(in_flight[0].abs_diff(in_flight[1]) <= 1, "{in_flight:?}");
        }
    }

    #[test]
    fn many_nodes_fill_evenly_without_any_latency() {
        let world = World::new(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        for _ in 0..800 {
            world.select();
        }
        assert!(world.in_flight().iter().all(|in_flight| in_flight.abs_diff(100) <= 10), "{:?}", world.in_flight());
    }

    #[test]
    fn the_faster_node_gets_the_calls() {
        let mut world = World::new(&["fast", "slow"]);
        let counts = world.run(2_000, |index| (Verdict::Answered, if index == 0 { MS } else { 20 * MS }));
        assert!(counts[1] >= 1 && counts[1] < 20, "{counts:?}");
    }

    #[test]
    fn a_node_that_fails_fast_is_not_fast_and_is_tried_again() {
        let mut world = World::new(&["bad", "good"]);
        let counts = world.run(1_000, |index| match index {
            0 => (Verdict::Failed, Duration::from_micros(10)),
            _ => (Verdict::Answered, MS),
        });
        assert!((1..5).contains(&counts[0]), "{counts:?}");
        // It is asked once after a second, and then known to be as good as the other.
        let counts = world.run(1_500, |_| (Verdict::Answered, MS));
        assert!(counts[0] > 100, "{counts:?}");
    }

    #[test]
    fn a_node_that_has_recovered_is_back_soon_however_fast_the_others_are() {
        let fast = Duration::from_micros(50);
        let mut world = World::new(&["bad", "good", "better"]);
        world.run(1_000, |index| (if index == 0 { Verdict::Failed } else { Verdict::Answered }, fast));
        let recovered = world.now;
        let mut first = None;
        while world.now < recovered + Duration::from_secs(2) {
            let counts = world.run(1, |_| (Verdict::Answered, fast));
            first = first.or((counts[0] > 0).then_some(world.now));
        }
        assert!(first.is_some());
        let counts = world.run(900, |_| (Verdict::Answered, fast));
        assert!(counts.iter().all(|count| (200..400).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_slow_node_gets_few_calls_of_those_that_come_seldom() {
        let mut world = World::new(&["fast", "slow"]);
        let mut slow = 0;
        for _ in 0..500 {
            world.now += Duration::from_secs(1);
            slow += world.run(1, |index| (Verdict::Answered, if index == 0 { MS } else { 200 * MS }))[1];
        }
        assert!((30..80).contains(&slow), "{slow} of 500");
    }

    #[test]
    fn one_call_at_a_time_finds_out_whether_a_node_has_recovered() {
        let mut world = World::new(&["bad", "good"]);
        world.run(100, |index| (if index == 0 { Verdict::Failed } else { Verdict::Answered }, MS));
        world.now += Duration::from_secs(2);
        world.run(1, |_| (Verdict::Answered, MS));
        let chosen: Vec<_> = (0..50).map(|_| world.select()).collect();
        assert_eq!(chosen.iter().filter(|index| **index == 0).count(), 1, "{chosen:?}");
    }

    #[test]
    fn calls_in_flight_outweigh_latency_when_there_are_enough() {
        let world = World::new(&["a", "b"]);
        world.select();
        world.select();
        world.end(0, Verdict::Answered, MS);
        world.end(1, Verdict::Answered, 3 * MS);
        let chosen: Vec<_> = (0..8).map(|_| world.select()).collect();
        assert_eq!(chosen.iter().filter(|index| **index == 1).count(), 2, "three to one: {chosen:?}");
    }

    #[test]
    fn given_up_calls_free_their_place_and_teach_nothing() {
        let world = World::new(&["a", "b"]);
        let chosen: Vec<_> = (0..10).map(|_| world.select()).collect();
        for index in chosen {
            world.end(index, Verdict::Abandoned, 50 * MS);
        }
        assert_eq!(world.in_flight(), [0, 0]);
        assert!(world.selector.table.load().state.iter().all(|load| load.latency.load(Relaxed) == 0));
    }

    #[test]
    fn loads_survive_updates_and_late_feedback_finds_its_node() {
        let mut world = World::new(&["b", "d"]);
        for _ in 0..6 {
            world.select();
        }
        let old = world.snapshot.clone();
        world.snapshot = nodes(&["a", "c", "d?weight=2"]);
        world.selector.update(&world.snapshot, &world.snapshot.diff(&old));
        assert_eq!(world.in_flight(), [0, 0, 3]);
        let outcome = Outcome { verdict: Verdict::Answered, latency: MS, now: world.start };
        for index in [0, 1, 1, 7] {
            world.selector.feedback(&old, index, &outcome);
        }
        assert_eq!(world.in_flight(), [0, 0, 1], "one of b is forgotten, two of d have ended");
        (0..3).for_each(|_| world.end(2, Verdict::Answered, MS));
        assert_eq!(world.in_flight(), [0, 0, 0]);
    }

    #[test]
    fn what_was_tried_is_avoided() {
        avoid_rules_hold(|| Box::new(LeastLoaded::new()));
        let world = World::new(&["a", "b"]);
        let avoid = ["b".into()];
        assert_eq!(counts(&world.selector, &world.snapshot, &avoid, 50), [50, 0]);
    }
}
