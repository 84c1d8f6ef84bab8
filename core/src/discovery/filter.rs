//! Which nodes of a snapshot a client may use: state and groups.

use super::{Node, Snapshot};

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
    snapshot.retain(|node| is_active(node) && in_group(node, group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::SnapshotState;

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
