//! Random selection, and the random bits that other modes use.

use super::{CallInfo, Selector, first_not_avoided};
use crate::discovery::{Diff, Snapshot};
use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish());
}

/// 64 random bits: fast, seeded differently in every thread, not for secrets.
pub fn random_bits() -> u64 {
    STATE.with(|state| {
        state.set(state.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        mix(state.get())
    })
}

/// The finalizer of SplitMix64: every bit of the input changes half of the bits of the output.
pub(crate) fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A number below `limit`, which is not 0, from random bits.
pub(super) fn below(limit: usize, bits: u64) -> usize {
    // The high half of the product: without division, and even enough for any number of nodes.
    ((u128::from(bits) * limit as u128) >> 64) as usize
}

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
