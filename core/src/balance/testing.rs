//! What the tests of the selectors share.

use super::{CallInfo, Selector};
use crate::discovery::{Snapshot, SnapshotState};
use std::sync::Arc;

/// A snapshot of nodes written as `ADDRESS?METADATA`.
pub(super) fn nodes<T: AsRef<str>>(texts: &[T]) -> Snapshot {
    let nodes = texts.iter().map(|text| text.as_ref().parse().expect("a node")).collect();
    Snapshot::new(1, SnapshotState::Live, nodes)
}

/// Tells a selector of its first snapshot.
pub(super) fn begin(selector: &dyn Selector, snapshot: &Snapshot) {
    selector.update(snapshot, &snapshot.diff(&Snapshot::unknown()));
}

/// How often each node is selected in so many calls.
pub(super) fn counts(selector: &dyn Selector, snapshot: &Snapshot, avoid: &[Arc<str>], calls: usize) -> Vec<usize> {
    let mut counts = vec![0; snapshot.len()];
    for _ in 0..calls {
        let call = CallInfo { avoid, ..CallInfo::new("Arith", "Mul") };
        counts[selector.select(snapshot, &call).expect("a node")] += 1;
    }
    counts
}

/// The rules of [`CallInfo::avoid`], which are the same for every selector. The nodes fit every mode.
pub(super) fn avoid_rules_hold(selector: impl Fn() -> Box<dyn Selector>) {
    let place = |name: &str| format!("{name}?latitude=1&longitude=1");
    let names = ["a", "b", "c", "d", "e"];
    let snapshot = nodes(&names.map(place));
    let fresh = selector();
    begin(&*fresh, &snapshot);
    let shared = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>();

    for tried in 1..names.len() {
        let avoid = shared(&names[..tried]);
        let counts = counts(&*fresh, &snapshot, &avoid, 500);
        assert_eq!(counts[..tried].iter().sum::<usize>(), 0, "{tried} tried: {counts:?}");
    }
    let rest = shared(&["a", "c", "e", "elsewhere", "d"]);
    assert_eq!(counts(&*fresh, &snapshot, &rest, 100)[1], 100);

    let all = shared(&["a", "b", "elsewhere", "c", "d", "e", "a"]);
    assert_eq!(counts(&*fresh, &snapshot, &all, 100).iter().sum::<usize>(), 100);

    let none = selector();
    begin(&*none, &nodes::<&str>(&[]));
    for avoid in [&[][..], &all] {
        assert_eq!(none.select(&nodes::<&str>(&[]), &CallInfo { avoid, ..CallInfo::new("Arith", "Mul") }), None);
    }
}
