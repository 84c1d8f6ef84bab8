//! Weighted by round-trip time: the nearer a node is, the more of the turns are its.

use super::weighted::WeightedRoundRobin;
use super::{CallInfo, Selector};
use crate::discovery::{Diff, Snapshot};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Smooth weighted round robin by the time that a ping to each node takes, with the weights of Go's rpcx: 191 up to 10 ms,
/// 201 − t up to 200 ms, 1 below a second, else 0.
///
/// The times are told by [`measured`](Self::measured), at whatever interval. A node without one has weight 1, so that it
/// gets few calls before it is measured. When no node has any weight, all have the same.
///
/// ```
/// use rpcx::balance::WeightedPing;
/// use std::time::Duration;
///
/// let weight = |ms| WeightedPing::weight(Some(Duration::from_millis(ms)));
/// assert_eq!([0, 10, 11, 200, 201, 999, 1000].map(weight), [191, 191, 190, 1, 1, 1, 0]);
/// assert_eq!(WeightedPing::weight(None), 0);
/// ```
#[derive(Debug, Default)]
pub struct WeightedPing {
    turns: WeightedRoundRobin,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    snapshot: Snapshot,
    weights: HashMap<Arc<str>, u32>,
}

impl Default for Known {
    fn default() -> Self {
        Self { snapshot: Snapshot::unknown(), weights: HashMap::new() }
    }
}

impl WeightedPing {
    /// A selector without nodes and times.
    pub fn new() -> Self {
        Self::default()
    }

    /// The weight of a node whose ping took so long; `None`: there was no answer.
    pub fn weight(round_trip: Option<Duration>) -> u32 {
        match round_trip.map(|time| time.as_millis()) {
            Some(0..=10) => 191,
            Some(ms @ 11..=200) => 201 - ms as u32,
            Some(201..=999) => 1,
            _ => 0,
        }
    }

    /// New times, by address: they take the place of all that were known.
    pub fn measured(&self, times: impl IntoIterator<Item = (Arc<str>, Option<Duration>)>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.weights = times.into_iter().map(|(address, time)| (address, Self::weight(time))).collect();
        let none = known.snapshot.diff(&known.snapshot);
        self.reweigh(&known, &none);
    }

    fn reweigh(&self, known: &Known, change: &Diff) {
        let weight = |address: &str| known.weights.get(address).copied().unwrap_or(1);
        let any = known.snapshot.nodes().iter().any(|node| weight(node.address()) > 0);
        self.turns.update_by(&known.snapshot, change, |node| if any { weight(node.address()) } else { 1 });
    }
}

impl Selector for WeightedPing {
    fn update(&self, snapshot: &Snapshot, change: &Diff) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.snapshot = snapshot.clone();
        self.reweigh(&known, change);
    }

    fn select(&self, snapshot: &Snapshot, call: &CallInfo<'_>) -> Option<usize> {
        self.turns.select(snapshot, call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::testing::{avoid_rules_hold, begin, counts, nodes};

    const MS: Duration = Duration::from_millis(1);

    fn times(times: &[(&str, Option<u32>)]) -> Vec<(Arc<str>, Option<Duration>)> {
        times.iter().map(|(address, time)| (Arc::from(*address), time.map(|ms| MS * ms))).collect()
    }

    #[test]
    fn turns_follow_the_times() {
        let selector = WeightedPing::new();
        let snapshot = nodes(&["a?weight=9", "b", "c", "d"]);
        begin(&selector, &snapshot);
        assert_eq!(counts(&selector, &snapshot, &[], 400), [100; 4], "nothing is known yet");
        selector.measured(times(&[("a", Some(101)), ("b", Some(151)), ("c", None), ("elsewhere", Some(1))]));
        assert_eq!(counts(&selector, &snapshot, &[], 151), [100, 50, 0, 1]);
        selector.measured(times(&[("a", Some(201)), ("b", Some(2_000)), ("c", Some(900)), ("d", None)]));
        assert_eq!(counts(&selector, &snapshot, &[], 200), [100, 0, 100, 0]);
    }

    #[test]
    fn times_survive_updates_and_new_nodes_begin_small() {
        let selector = WeightedPing::new();
        let before = nodes(&["a", "b"]);
        begin(&selector, &before);
        selector.measured(times(&[("a", Some(5)), ("b", Some(10))]));
        let after = nodes(&["a?group=x", "c"]);
        selector.update(&after, &after.diff(&before));
        assert_eq!(counts(&selector, &after, &[], 192), [191, 1]);
    }

    #[test]
    fn without_any_answer_all_are_alike() {
        let selector = WeightedPing::new();
        let snapshot = nodes(&["a", "b"]);
        begin(&selector, &snapshot);
        selector.measured(times(&[("a", None), ("b", Some(1_000))]));
        assert_eq!(counts(&selector, &snapshot, &[], 100), [50, 50]);
    }

    #[test]
    fn what_was_tried_is_avoided() {
        avoid_rules_hold(|| Box::new(WeightedPing::new()));
    }
}
