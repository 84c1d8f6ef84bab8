//! Random selection.

use super::{CallInfo, Selector, first_not_avoided};
use crate::discovery::{Diff, Snapshot};
use crate::random::{below, mix};

/// Every node with the same probability.
#[derive(Debug, Default)]
pub struct Random;

impl Selector for Random {
    fn update(&self, _snapshot: &Snapshot, _change: &Diff) {}

    fn select(&self, snapshot: &Snapshot, call: &CallInfo<'_>) -> Option<usize> {
        let nodes = snapshot.nodes();
        if nodes.is_empty() {
            return None;
        }
        Some(draw(nodes.len(), call, |index| &nodes[index]))
    }
}

/// One of `len` candidates, which are different nodes and at least one; an avoided one only if there is no other.
pub(super) fn draw<'n>(
    len: usize,
    call: &CallInfo<'_>,
    candidate: impl Fn(usize) -> &'n crate::discovery::Node,
) -> usize {
    let mut bits = call.random;
    let mut index = below(len, bits);
    // Drawing again keeps the choice even; the neighbour of an avoided node would get its share as well.
    for _ in 0..if call.avoid.is_empty() { 0 } else { 8 } {
        if !call.avoids(candidate(index)) {
            return index;
        }
        bits = mix(bits.wrapping_add(0x9e37_79b9_7f4a_7c15));
        index = below(len, bits);
    }
    first_not_avoided(call, len, index, candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::testing::{avoid_rules_hold, counts, nodes};
    use crate::random::random_bits;

    #[test]
    fn every_node_gets_its_share() {
        let snapshot = nodes(&["a?weight=0", "b?weight=50", "c", "d"]);
        for avoid in [&[][..], &["b".into()]] {
            let share = 40_000 / (snapshot.len() - avoid.len());
            for (index, count) in counts(&Random, &snapshot, avoid, 40_000).into_iter().enumerate() {
                let expected = if index == 1 && !avoid.is_empty() { 0 } else { share };
                assert!(count.abs_diff(expected) <= expected / 15, "{index}: {count}, not {expected}");
            }
        }
    }

    #[test]
    fn what_was_tried_is_avoided() {
        avoid_rules_hold(|| Box::new(Random));
    }

    #[test]
    fn bits_differ_between_draws_and_threads() {
        let here: Vec<_> = (0..100).map(|_| random_bits()).collect();
        let there = std::thread::spawn(|| (0..100).map(|_| random_bits()).collect::<Vec<_>>()).join().expect("thread");
        let all: std::collections::HashSet<_> = here.iter().chain(&there).collect();
        assert_eq!(all.len(), 200);
    }

    #[test]
    fn below_stays_below() {
        for limit in [1, 2, 3, 7, 1000] {
            assert_eq!(below(limit, 0), 0);
            assert_eq!(below(limit, u64::MAX), limit - 1);
        }
    }
}
