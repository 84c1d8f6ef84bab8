//! Which nodes of a snapshot a client may use: state and groups.

use super::{Diff, Node, Snapshot};

/// Whether a node takes calls: all but those whose first `state` is exactly `inactive`, which is how an operator takes a
/// server out. Metadata that is no well-formed query counts as active.
pub fn is_active(node: &Node) -> bool {
    node.metadata().state() != Some("inactive")
}

/// Whether a client that was given `group` may use a node: one of the node's groups is exactly that text. A client
/// without a group (empty text) may use every node, those with groups too; metadata that is no well-formed query lets
/// the node pass.
pub fn in_group(node: &Node, group: &str) -> bool {
    group.is_empty() || !node.metadata().is_well_formed() || node.metadata().groups().any(|name| name == group)
}

/// What a client with this group (empty: none) sees of a snapshot: the active nodes of its group.
pub fn visible(snapshot: &Snapshot, group: &str) -> Snapshot {
    snapshot.retain(|node| may_use(node, group))
}

/// As [`visible`], with what changed since an older snapshot and what was visible of that. Where every node was, only those
/// that changed are looked at.
pub fn visible_after(snapshot: &Snapshot, group: &str, old: &Snapshot, old_visible: &Snapshot) -> (Snapshot, Diff) {
    if old_visible.shares_nodes(old) {
        let change = snapshot.diff(old);
        if change.added.iter().chain(&change.changed).all(|index| may_use(&snapshot.nodes()[*index], group)) {
            return (snapshot.clone(), change);
        }
    }
    let now = visible(snapshot, group);
    let change = now.diff(old_visible);
    (now, change)
}

fn may_use(node: &Node, group: &str) -> bool {
    is_active(node) && in_group(node, group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::SnapshotState;
    use proptest::prelude::*;

    fn names(group: &str) -> String {
        let nodes = [
            "plain",
            "a?group=a",
            "ab?group=a&group=b",
            "b?group=b&weight=3",
            "off?state=inactive&group=a",
            "other?state=Inactive&group=a",
            "twice?state=active&state=inactive",
            "broken?group=b;state=inactive",
            "bare?group=",
        ];
        let nodes = nodes.iter().map(|text| text.parse().expect(text)).collect();
        let visible = visible(&Snapshot::new(3, SnapshotState::Live, nodes), group);
        assert_eq!((visible.revision(), visible.state()), (3, SnapshotState::Live));
        visible.nodes().iter().map(Node::address).collect::<Vec<_>>().join(" ")
    }

    proptest! {
        #[test]
        fn looking_at_the_change_alone_finds_the_same(
            rounds in proptest::collection::vec(proptest::collection::btree_map(0..8u8, 0..12u8, 0..8), 1..6),
            group in proptest::sample::select(vec!["", "a"]),
        ) {
            // Most nodes pass, so that both ways are taken.
            let metadata = |kind: u8| match kind {
                0 => "state=inactive",
                1 => "group=b",
                2 => "group=a&weight=2",
                _ => "group=a",
            };
            let (mut old, mut old_visible) = (Snapshot::unknown(), Snapshot::unknown());
            for nodes in rounds {
                let nodes = nodes.iter().map(|(name, kind)| format!("{name}?{}", metadata(*kind)).parse().expect("node"));
                let new = Snapshot::new(1, SnapshotState::Live, nodes.collect());
                let (now, change) = visible_after(&new, group, &old, &old_visible);
                let all = visible(&new, group);
                prop_assert_eq!(now.nodes(), all.nodes());
                prop_assert!(change.leads(&old_visible, &now));
                let expected = now.diff(&old_visible);
                prop_assert_eq!((change.added, change.removed, change.changed), (expected.added, expected.removed, expected.changed));
                (old, old_visible) = (new, now);
            }
        }
    }

    #[test]
    fn without_a_group_every_active_node_is_visible() {
        assert_eq!(names(""), "a ab b bare broken other plain twice");
    }

    #[test]
    fn with_a_group_only_its_nodes_are_and_unreadable_ones() {
        assert_eq!(names("a"), "a ab broken other");
        assert_eq!(names("b"), "ab b broken");
        assert_eq!(names("A"), "broken");
    }
}
