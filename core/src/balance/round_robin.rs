//! Every node in turn.

use super::{CallInfo, Selector, first_not_avoided};
use crate::discovery::{Diff, Snapshot};
use crate::random::{below, random_bits};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Every node in turn, in the order of the addresses. Begins anywhere, so that many clients that start together do not
/// all call the same server first.
#[derive(Debug)]
pub struct RoundRobin {
    turn: AtomicUsize,
}

impl RoundRobin {
    /// A round robin that begins at a random node.
    pub fn new() -> Self {
        // Small, so that the turns do not wrap around in the middle of a round.
        Self { turn: AtomicUsize::new(below(1 << 20, random_bits())) }
    }
}

impl Default for RoundRobin {
    fn default() -> Self {
        Self::new()
    }
}

impl Selector for RoundRobin {
    fn update(&self, _snapshot: &Snapshot, _change: &Diff) {}

    fn select(&self, snapshot: &Snapshot, call: &CallInfo<'_>) -> Option<usize> {
        let nodes = snapshot.nodes();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(nodes.len())?;
        Some(first_not_avoided(call, nodes.len(), turn, |index| &nodes[index]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::testing::{avoid_rules_hold, counts, nodes};

    #[test]
    fn every_round_visits_every_node_once_in_order() {
        let snapshot = nodes(&["a?weight=0", "b?weight=50", "c"]);
        let selector = RoundRobin::new();
        let call = CallInfo::new("Arith", "Mul");
        let first = selector.select(&snapshot, &call).expect("a node");
        for turn in 1..30 {
            assert_eq!(selector.select(&snapshot, &call), Some((first + turn) % 3));
        }
    }

    #[test]
    fn threads_share_the_turns() {
        let snapshot = nodes(&["a", "b", "c"]);
        let selector = RoundRobin::new();
        let totals = std::thread::scope(|scope| {
            let run = || counts(&selector, &snapshot, &[], 3_000);
            let threads = [scope.spawn(run), scope.spawn(run)];
            threads.map(|thread| thread.join().expect("thread"))
        });
        let sums: Vec<_> = totals[0].iter().zip(&totals[1]).map(|(one, other)| one + other).collect();
        assert_eq!(sums, [2_000; 3]);
    }

    #[test]
    fn what_was_tried_is_avoided() {
        avoid_rules_hold(|| Box::new(RoundRobin::new()));
    }
}
