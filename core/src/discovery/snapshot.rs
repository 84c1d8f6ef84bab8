//! The nodes of a service at one moment, and what changed between two moments.

use super::Node;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// How far a [`Snapshot`] is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// The discovery has not answered yet: nothing is known, which is not the same as no nodes.
    Unknown,
    /// What the discovery says now.
    Live,
    /// The last known nodes; since then the discovery cannot be reached, or its answer is in doubt.
    Stale(Instant),
}

/// One step from the nodes of one moment to those of the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeChange {
    /// The node is there now, with this metadata; it may have been before.
    Set(Node),
    /// No node has this address any more.
    Remove(Arc<str>),
}

/// The nodes of a service at one moment: sorted by address, each address once. Never changes; cloning counts a
/// reference.
#[derive(Clone, Debug)]
pub struct Snapshot {
    revision: u64,
    state: SnapshotState,
    nodes: Arc<[Node]>,
}

impl Snapshot {
    /// A snapshot of these nodes in any order. Of several with the same address the last one counts.
    pub fn new(revision: u64, state: SnapshotState, mut nodes: Vec<Node>) -> Self {
        nodes.sort_by(Node::compare_address);
        nodes.dedup_by(|later, kept| {
            let same = later.compare_address(kept) == Ordering::Equal;
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        Self { revision, state, nodes: nodes.into() }
    }

    /// The snapshot before the first answer: revision 0, no nodes.
    pub fn unknown() -> Self {
        Self { revision: 0, state: SnapshotState::Unknown, nodes: Arc::default() }
    }

    /// The same nodes under another revision and state.
    pub(super) fn restated(&self, revision: u64, state: SnapshotState) -> Self {
        Self { revision, state, nodes: self.nodes.clone() }
    }

    /// The nodes after these steps, of which a later one wins. Copies a pointer for each node that stays, and looks at the
    /// text of few.
    pub(super) fn after(&self, changes: impl IntoIterator<Item = NodeChange>) -> Self {
        let changes: BTreeMap<Arc<str>, Option<Node>> = changes
            .into_iter()
            .map(|change| match change {
                NodeChange::Set(node) => (node.shared_address(), Some(node)),
                NodeChange::Remove(address) => (address, None),
            })
            .collect();
        let mut nodes = Vec::with_capacity(self.len() + changes.len());
        let mut rest = &*self.nodes;
        for (address, node) in changes {
            let (before, after) = match rest.binary_search_by(|node| node.address().cmp(&address)) {
                Ok(index) => (index, index + 1),
                Err(index) => (index, index),
            };
            nodes.extend_from_slice(&rest[..before]);
            nodes.extend(node);
            rest = &rest[after..];
        }
        nodes.extend_from_slice(rest);
        Self { nodes: nodes.into(), ..*self }
    }

    /// The same snapshot with every node that did not change being the very one of `old`, so that whoever compares the two
    /// later looks at no text. `change` is what led from `old` to it.
    pub(super) fn reusing(&self, old: &Self, change: &Diff) -> Self {
        let nodes = change.carried().zip(&*self.nodes).map(|(before, node)| match before {
            Some(before) => old.nodes[before].clone(),
            None => node.clone(),
        });
        Self { nodes: nodes.collect(), ..*self }
    }

    /// Grows with every change that a discovery publishes for a service. Not the registry's own revision.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How far the nodes are to be believed.
    pub fn state(&self) -> SnapshotState {
        self.state
    }

    /// The nodes, sorted by address.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Where the node with this address is in [`nodes`](Self::nodes). Logarithmic.
    pub fn position(&self, address: &str) -> Option<usize> {
        self.nodes.binary_search_by(|node| node.address().cmp(address)).ok()
    }

    /// Whether both hold the very same nodes in memory, so that indices of one are valid in the other. Constant time.
    pub fn shares_nodes(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.nodes, &other.nodes)
    }

    /// The snapshot without the nodes that `keep` refuses; revision and state stay. When it refuses none, the result
    /// shares its nodes with `self`.
    #[must_use]
    pub fn retain(&self, mut keep: impl FnMut(&Node) -> bool) -> Self {
        let Some(first) = self.nodes.iter().position(|node| !keep(node)) else {
            return self.clone();
        };
        let rest = self.nodes[first + 1..].iter().filter(|node| keep(node));
        Self { nodes: self.nodes[..first].iter().chain(rest).cloned().collect(), ..*self }
    }

    /// What changed since `old`. Linear in the number of nodes; at once when they [share](Self::shares_nodes) them.
    pub fn diff(&self, old: &Self) -> Diff {
        let mut diff = Diff {
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            old: old.nodes.clone(),
            new: self.nodes.clone(),
        };
        if self.shares_nodes(old) {
            return diff;
        }
        let (mut before, mut now) = (0, 0);
        loop {
            let order = match (old.nodes.get(before), self.nodes.get(now)) {
                (None, None) => return diff,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(was), Some(is)) => was.compare_address(is),
            };
            match order {
                Ordering::Less => diff.removed.push(before),
                Ordering::Greater => diff.added.push(now),
                Ordering::Equal if old.nodes[before].metadata() != self.nodes[now].metadata() => diff.changed.push(now),
                Ordering::Equal => {}
            }
            before += usize::from(order != Ordering::Greater);
            now += usize::from(order != Ordering::Less);
        }
    }
}

/// What changed from an old [`Snapshot`] to a new one, as indices into their nodes, ascending.
#[derive(Clone, Debug)]
pub struct Diff {
    /// Nodes of the new snapshot whose address the old one lacks.
    pub added: Vec<usize>,
    /// Nodes of the *old* snapshot whose address the new one lacks.
    pub removed: Vec<usize>,
    /// Nodes of the new snapshot whose metadata differ from before.
    pub changed: Vec<usize>,
    old: Arc<[Node]>,
    new: Arc<[Node]>,
}

impl Diff {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    /// Whether this is what changed from the very nodes of `old` to those of `new`, so that its indices fit both. Constant
    /// time.
    pub fn leads(&self, old: &Snapshot, new: &Snapshot) -> bool {
        Arc::ptr_eq(&self.old, &old.nodes) && Arc::ptr_eq(&self.new, &new.nodes)
    }

    /// For each node of the new snapshot, in order, where it was in the old one; `None` for an added one.
    ///
    /// This is how state kept in a table beside the nodes is carried over without comparing an address:
    ///
    /// ```
    /// use rpcx::discovery::{Snapshot, SnapshotState};
    ///
    /// let snapshot = |text: &str| {
    ///     let nodes = text.split(',').map(|node| node.parse()).collect::<Result<_, _>>()?;
    ///     Ok::<_, rpcx::error::Error>(Snapshot::new(1, SnapshotState::Live, nodes))
    /// };
    /// let (old, new) = (snapshot("a:1,b:1,d:1")?, snapshot("b:1,c:1,d:1")?);
    /// assert_eq!(new.diff(&old).origins().collect::<Vec<_>>(), [Some(1), None, Some(2)]);
    /// # Ok::<(), rpcx::error::Error>(())
    /// ```
    pub fn origins(&self) -> impl Iterator<Item = Option<usize>> {
        let mut added = self.added.iter().peekable();
        let mut removed = self.removed.iter().peekable();
        let mut before = 0;
        (0..self.new.len()).map(move |now| {
            if added.next_if(|index| **index == now).is_some() {
                return None;
            }
            while removed.next_if(|index| **index == before).is_some() {
                before += 1;
            }
            before += 1;
            Some(before - 1)
        })
    }

    /// As [`origins`](Self::origins), but `None` for a node whose metadata changed too: where state that was made from
    /// the metadata is still right.
    pub fn carried(&self) -> impl Iterator<Item = Option<usize>> {
        let mut changed = self.changed.iter().peekable();
        self.origins().enumerate().map(move |(now, origin)| match changed.next_if(|index| **index == now) {
            Some(_) => None,
            None => origin,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::NodeMetadata;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Addresses and weights: a small space, so that snapshots overlap.
    fn model() -> impl Strategy<Value = BTreeMap<u8, u8>> {
        proptest::collection::btree_map(0..40u8, 0..3u8, 0..30)
    }

    fn node(address: u8, weight: u8) -> Node {
        Node::new(format!("tcp@10.0.0.{address}:8972"), NodeMetadata::new(&format!("weight={weight}")))
            .expect("address")
    }

    fn snapshot(model: &BTreeMap<u8, u8>) -> Snapshot {
        Snapshot::new(1, SnapshotState::Live, model.iter().map(|(address, weight)| node(*address, *weight)).collect())
    }

    fn texts(snapshot: &Snapshot, indices: &[usize]) -> Vec<String> {
        indices.iter().map(|index| snapshot.nodes()[*index].to_string()).collect()
    }

    fn sorted(nodes: impl Iterator<Item = Node>) -> Vec<String> {
        Snapshot::new(1, SnapshotState::Live, nodes.collect()).nodes().iter().map(Node::to_string).collect()
    }

    proptest! {
        #[test]
        fn diff_agrees_with_sets(old in model(), new in model()) {
            let (before, now) = (snapshot(&old), snapshot(&new));
            let diff = now.diff(&before);
            let added = new.iter().filter(|(address, _)| !old.contains_key(address));
            let removed = old.iter().filter(|(address, _)| !new.contains_key(address));
            let changed = new.iter().filter(|(address, weight)| old.get(address).is_some_and(|was| was != *weight));
            prop_assert_eq!(texts(&now, &diff.added), sorted(added.map(|(a, w)| node(*a, *w))));
            prop_assert_eq!(texts(&before, &diff.removed), sorted(removed.map(|(a, w)| node(*a, *w))));
            prop_assert_eq!(texts(&now, &diff.changed), sorted(changed.map(|(a, w)| node(*a, *w))));
            prop_assert_eq!(diff.is_empty(), old == new);
        }

        #[test]
        fn origins_lead_to_the_same_address(old in model(), new in model()) {
            let (before, now) = (snapshot(&old), snapshot(&new));
            let origins: Vec<_> = now.diff(&before).origins().collect();
            let expected: Vec<_> = now.nodes().iter().map(|node| before.position(node.address())).collect();
            prop_assert_eq!(origins, expected);
            let carried: Vec<_> = now.diff(&before).carried().collect();
            let expected: Vec<_> = now
                .nodes()
                .iter()
                .map(|node| before.position(node.address()).filter(|index| before.nodes()[*index] == *node))
                .collect();
            prop_assert_eq!(carried, expected);
        }

        #[test]
        fn steps_lead_where_a_new_list_does(
            old in model(),
            steps in proptest::collection::vec((0..40u8, proptest::option::of(0..3u8)), 0..20),
        ) {
            let mut new = old.clone();
            let changes = steps.iter().map(|(address, weight)| match weight {
                Some(weight) => {
                    new.insert(*address, *weight);
                    NodeChange::Set(node(*address, *weight))
                }
                None => {
                    new.remove(address);
                    NodeChange::Remove(node(*address, 0).shared_address())
                }
            });
            let changes: Vec<_> = changes.collect();
            let (after, listed) = (snapshot(&old).after(changes), snapshot(&new));
            prop_assert_eq!(after.nodes(), listed.nodes());
        }

        #[test]
        fn order_of_the_list_does_not_matter(model in model(), seed in any::<u64>()) {
            let mut nodes: Vec<_> = model.iter().map(|(address, weight)| node(*address, *weight)).collect();
            for index in (1..nodes.len()).rev() {
                nodes.swap(index, (seed.rotate_left(index as u32) % (index as u64 + 1)) as usize);
            }
            let shuffled = Snapshot::new(1, SnapshotState::Live, nodes);
            prop_assert!(shuffled.nodes().is_sorted_by(|a, b| a.address() < b.address()));
            prop_assert!(shuffled.diff(&snapshot(&model)).is_empty());
        }

        #[test]
        fn retain_filters(model in model(), limit in 0..3u32) {
            let all = snapshot(&model);
            let kept = all.retain(|node| node.metadata().weight() < limit);
            let expected: Vec<_> = all.nodes().iter().filter(|node| node.metadata().weight() < limit).collect();
            prop_assert_eq!(kept.nodes().iter().collect::<Vec<_>>(), expected);
            prop_assert_eq!(kept.shares_nodes(&all), kept.len() == all.len());
        }
    }

    #[test]
    fn the_last_of_equal_addresses_counts() {
        let snapshot = Snapshot::new(1, SnapshotState::Live, vec![node(1, 1), node(2, 9), node(1, 2), node(1, 3)]);
        assert_eq!(texts(&snapshot, &[0, 1]), ["tcp@10.0.0.1:8972?weight=3", "tcp@10.0.0.2:8972?weight=9"]);
        assert_eq!(snapshot.len(), 2);
    }

    #[test]
    fn positions_are_found() {
        let snapshot = snapshot(&(0..30).map(|address| (address, 1)).collect());
        for (index, node) in snapshot.nodes().iter().enumerate() {
            assert_eq!(snapshot.position(node.address()), Some(index));
        }
        assert_eq!(snapshot.position("tcp@10.0.0.31:8972"), None);
        assert_eq!(Snapshot::unknown().position("a"), None);
    }
}
