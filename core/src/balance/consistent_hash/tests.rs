//! Tests of the hash, of which keys move when nodes come and go, and of updates.

use super::*;
use crate::balance::testing::{avoid_rules_hold, begin, nodes};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn selector(snapshot: &Snapshot) -> ConsistentHash {
    let selector = ConsistentHash::new();
    begin(&selector, snapshot);
    selector
}

fn addresses(count: usize) -> Vec<String> {
    (0..count).map(|node| format!("tcp@10.0.{}.{}:8972", node / 250, node % 250 + 1)).collect()
}

/// The address that each key leads to.
fn chosen<'s>(selector: &ConsistentHash, snapshot: &'s Snapshot, keys: usize) -> Vec<&'s str> {
    let key = |key: usize| format!("key-{key}");
    let node = |key: String| {
        let call = CallInfo { hash_key: Some(key.as_bytes()), ..CallInfo::new("Arith", "Mul") };
        snapshot.nodes()[selector.select(snapshot, &call).expect("a node")].address()
    };
    (0..keys).map(key).map(node).collect()
}

/// Computed with the reference implementation of XXH3: what other processes and versions must agree on.
#[test]
fn hashes_and_choices_are_frozen() {
    assert_eq!(XxHash3_64::oneshot(b""), 0x2d06800538d394c2);
    let node = "tcp@10.0.0.1:8972?weight=3".parse().expect("a node");
    assert_eq!(hashes(&node, 0..100).next(), Some(0x01161dbdd1f7e3c9));
    assert_eq!(hashes(&node, 0..100).last(), Some(0x220319be5ac413fd));
    let call = CallInfo { payload: b"{}", ..CallInfo::new("Arith", "Mul") };
    assert_eq!(key(&call), 0x577528b6462ac2b2);
    assert_eq!(key(&CallInfo { hash_key: Some(b"user-42"), ..call }), 0x50fe4b21cf7b09cd);

    let snapshot = nodes(&addresses(5));
    let last = |address: &str| address.as_bytes()[11];
    let choices: Vec<u8> = chosen(&selector(&snapshot), &snapshot, 20).into_iter().map(last).collect();
    assert_eq!(String::from_utf8_lossy(&choices), "53251241321241155414");
}

#[test]
fn every_part_of_a_call_counts() {
    let call = CallInfo { payload: b"5", ..CallInfo::new("Arith", "Mul") };
    let others = [
        CallInfo { payload: b"6", ..call },
        CallInfo { method: "Mul5", payload: b"", ..call },
        CallInfo { service: "ArithMul", method: "", ..call },
        CallInfo { hash_key: Some(b""), ..call },
    ];
    for other in others {
        assert_ne!(key(&call), key(&other), "{other:?}");
    }
    assert_eq!(key(&call), key(&CallInfo { random: 1, avoid: &["a".into()], ..call }));
}

/// No more than 1.3 / n of the keys move when a node leaves, and all of them were its own.
#[test]
fn only_the_keys_of_a_leaving_node_move() {
    for count in [2, 3, 5, 10, 30, 100] {
        let all = nodes(&addresses(count));
        let before = chosen(&selector(&all), &all, 20_000);
        for leaver in all.nodes().iter().step_by(count.div_ceil(10)) {
            let rest = all.retain(|node| node != leaver);
            let after = chosen(&selector(&rest), &rest, 20_000);
            let moved = before.iter().zip(&after).filter(|(was, is)| was != is).count();
            let owned = before.iter().filter(|address| **address == leaver.address()).count();
            assert_eq!(moved, owned);
            assert!(moved as f64 <= 1.3 / count as f64 * 20_000.0, "{moved} of 20,000 keys, {count} nodes");
        }
    }
}

#[test]
fn weights_share_the_keys_and_0_takes_none() {
    let snapshot = nodes(&["a?weight=0", "b?weight=1", "c?weight=3", "d?weight=100", "e?weight=100000", "f?weight=-1"]);
    let choices = chosen(&selector(&snapshot), &snapshot, 40_800);
    let count = |address| choices.iter().filter(|choice| **choice == address).count();
    assert_eq!(count("a") + count("f"), 0);
    for (address, share) in [("b", 200), ("c", 600), ("d", 20_000), ("e", 20_000)] {
        assert!(count(address).abs_diff(share) <= share / 4, "{address}: {}", count(address));
    }
    let nobody = nodes(&["a?weight=0"]);
    assert_eq!(selector(&nobody).select(&nobody, &CallInfo::new("Arith", "Mul")), None);
}

#[test]
fn a_retry_goes_to_the_next_node_as_if_the_first_were_gone() {
    let all = nodes(&addresses(7));
    let full = selector(&all);
    for (number, first) in chosen(&full, &all, 200).into_iter().enumerate() {
        let name = format!("key-{number}");
        let call = CallInfo { hash_key: Some(name.as_bytes()), ..CallInfo::new("Arith", "Mul") };
        let avoid = [first.into()];
        let second = full.select(&all, &CallInfo { avoid: &avoid, ..call }).expect("a node");
        let rest = all.retain(|node| node.address() != first);
        let without = selector(&rest).select(&rest, &call).expect("a node");
        assert_eq!(all.nodes()[second], rest.nodes()[without]);
    }
}

#[test]
fn avoided_nodes_are_the_last_resort_with_weights_too() {
    avoid_rules_hold(|| Box::new(ConsistentHash::new()));
    let snapshot = nodes(&["a", "b?weight=0", "c"]);
    let avoid = ["a".into(), "c".into()];
    let call = CallInfo { avoid: &avoid, ..CallInfo::new("Arith", "Mul") };
    assert_ne!(selector(&snapshot).select(&snapshot, &call), Some(1));
}

#[test]
fn the_ring_stays_within_its_limit() {
    for (total, expected) in [(0, 100), (41_943, 100), (41_944, 50), (1 << 22, 1), (u64::from(u32::MAX), 1)] {
        assert_eq!(replicas(total), expected, "{total}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// The choice depends on the set of nodes alone, not on the updates that led to it.
    #[test]
    fn updates_lead_where_a_fresh_start_leads(
        rounds in proptest::collection::vec(proptest::collection::btree_map(0..30_usize, 0..4_u32, 0..20), 1..6)
    ) {
        let names = addresses(30);
        let worn = ConsistentHash::new();
        let mut before = Snapshot::unknown();
        for round in rounds {
            let texts = |round: &BTreeMap<usize, u32>| {
                round.iter().map(|(node, weight)| format!("{}?weight={weight}", names[*node])).collect::<Vec<_>>()
            };
            let now = nodes(&texts(&round));
            worn.update(&now, &now.diff(&before));
            before = now;
            if round.values().sum::<u32>() == 0 {
                prop_assert_eq!(worn.select(&before, &CallInfo::new("Arith", "Mul")), None);
                continue;
            }
            let fresh = nodes(&texts(&round));
            prop_assert_eq!(chosen(&worn, &before, 100), chosen(&selector(&fresh), &fresh, 100));
        }
    }
}
