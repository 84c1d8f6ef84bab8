//! Tests of the shares, their order, and of updates.

use super::*;
use crate::balance::testing::{avoid_rules_hold, begin, counts, nodes};
use proptest::prelude::*;

fn weighted(weights: &[u32]) -> Snapshot {
    nodes(&weights.iter().enumerate().map(|(node, weight)| format!("n{node:03}?weight={weight}")).collect::<Vec<_>>())
}

/// The turns of one cycle.
fn cycle(shares: &[u64]) -> Vec<usize> {
    let cycle = Cycle::new(shares);
    (0..shares.iter().sum()).map(|turn| cycle.entry(turn).expect("an entry")).collect()
}

fn occurrences(turns: &[usize], entries: usize) -> Vec<u64> {
    let mut counts = vec![0; entries];
    turns.iter().for_each(|entry| counts[*entry] += 1);
    counts
}

#[test]
fn a_short_cycle_has_the_classic_order() {
    assert_eq!(cycle(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
    assert_eq!(cycle(&[1, 2, 3]), [2, 1, 0, 2, 1, 2]);
    assert_eq!(cycle(&[1]), [0]);
    assert_eq!(Cycle::new(&[]).entry(7), None);
}

#[test]
fn weight_0_is_never_selected_and_nothing_else_than_0_is_nothing() {
    let selector = WeightedRoundRobin::new();
    let snapshot = nodes(&["a?weight=0", "b?weight=-2", "c?weight=x", "d", "e?weight=2"]);
    begin(&selector, &snapshot);
    assert_eq!(counts(&selector, &snapshot, &[], 400), [0, 0, 100, 100, 200]);
    let avoid = ["c".into(), "d".into(), "e".into()];
    assert_eq!(counts(&selector, &snapshot, &avoid, 100)[..2], [0, 0]);

    let nobody = nodes(&["a?weight=0", "b?weight=-2"]);
    selector.update(&nobody, &nobody.diff(&snapshot));
    assert_eq!(selector.select(&nobody, &CallInfo::new("Arith", "Mul")), None);
}

#[test]
fn what_was_tried_is_avoided() {
    avoid_rules_hold(|| Box::new(WeightedRoundRobin::new()));
}

#[test]
fn a_call_with_another_snapshot_gets_a_node_of_that_one() {
    let selector = WeightedRoundRobin::new();
    let older = nodes(&["a", "b", "off?weight=0"]);
    let newer = nodes(&["b", "c", "off?weight=0"]);
    begin(&selector, &newer);
    for _ in 0..20 {
        assert_eq!(
            selector.select(&older, &CallInfo::new("Arith", "Mul")),
            Some(1),
            "only b is known and has a weight"
        );
    }
    assert_eq!(selector.select(&nodes(&["d"]), &CallInfo::new("Arith", "Mul")), None);
}

#[test]
fn a_change_from_elsewhere_does_no_harm() {
    let selector = WeightedRoundRobin::new();
    let (first, second) = (nodes(&["a?weight=3", "b"]), nodes(&["b", "c", "d?weight=2"]));
    begin(&selector, &first);
    selector.update(&second, &first.diff(&second));
    assert_eq!(counts(&selector, &second, &[], 400), [100, 100, 200]);
}

#[test]
fn huge_weights_and_many_nodes_stay_exact_in_proportion() {
    let selector = WeightedRoundRobin::new();
    let snapshot = weighted(&[u32::MAX, u32::MAX - 1, 1]);
    begin(&selector, &snapshot);
    let counts = counts(&selector, &snapshot, &[], 10_000);
    assert!(counts[0].abs_diff(5_000) <= 10 && counts[1].abs_diff(5_000) <= 10, "{counts:?}");
}

proptest! {
    #[test]
    fn shares_are_exact_over_a_cycle(shares in proptest::collection::vec(1..400_u64, 1..60)) {
        prop_assert_eq!(occurrences(&cycle(&shares), shares.len()), shares.clone());
        let stepped = Cycle::stepped(&shares, shares.iter().sum());
        let turns: Vec<_> = (0..shares.iter().sum()).map(|turn| stepped.entry(turn).expect("an entry")).collect();
        prop_assert_eq!(occurrences(&turns, shares.len()), shares);
    }

    /// In any number of turns from any start, an entry is within a few turns of its share: no node gets bursts.
    #[test]
    fn long_cycles_are_smooth(shares in proptest::collection::vec(1..1_000_u64, 10..40), start in any::<u32>(), turns in 1..3_000_u64) {
        let length: u64 = shares.iter().sum();
        let cycle = Cycle::stepped(&shares, length);
        let turns: Vec<_> = (0..turns).map(|turn| cycle.entry(u64::from(start) + turn).expect("an entry")).collect();
        for (share, count) in shares.iter().zip(occurrences(&turns, shares.len())) {
            let ideal = turns.len() as f64 * *share as f64 / length as f64;
            prop_assert!((count as f64 - ideal).abs() <= 5.0, "{} instead of {} of {}", count, ideal, turns.len());
        }
    }

    #[test]
    fn updates_lead_where_a_fresh_start_leads(
        rounds in proptest::collection::vec(proptest::collection::btree_map(0..20_u8, 0..5_u32, 0..12), 1..5)
    ) {
        let selector = WeightedRoundRobin::new();
        let mut before = Snapshot::unknown();
        for round in rounds {
            let texts: Vec<_> = round.iter().map(|(node, weight)| format!("n{node:03}?weight={weight}")).collect();
            let now = nodes(&texts);
            selector.update(&now, &now.diff(&before));
            before = now;
            let total: u32 = round.values().sum();
            if total == 0 {
                prop_assert_eq!(selector.select(&before, &CallInfo::new("Arith", "Mul")), None);
                continue;
            }
            let expected: Vec<_> = round.values().map(|weight| *weight as usize).collect();
            prop_assert_eq!(counts(&selector, &before, &[], total as usize), expected);
        }
    }
}
