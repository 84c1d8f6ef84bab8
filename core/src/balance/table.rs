//! What a selector derives from a snapshot, swapped whole at every update and read without a lock.

use super::CallInfo;
use super::random::draw;
use crate::discovery::{Diff, Snapshot};
use arc_swap::ArcSwap;
use std::borrow::Cow;
use std::sync::Arc;

/// The state that a selector made from a snapshot, together with that snapshot.
#[derive(Debug)]
pub(super) struct Table<T>(ArcSwap<Built<T>>);

#[derive(Debug)]
pub(super) struct Built<T> {
    pub(super) snapshot: Snapshot,
    pub(super) state: T,
}

impl<T> Table<T> {
    /// The snapshot of the last update and what was made from it.
    #[cfg(test)]
    pub(super) fn load(&self) -> Arc<Built<T>> {
        self.0.load_full()
    }

    /// Makes the state for `snapshot` from the state before and what changed since.
    pub(super) fn update(&self, snapshot: &Snapshot, change: &Diff, make: impl FnOnce(&Built<T>, &Diff) -> T) {
        let old = self.0.load();
        // A change that starts from another snapshot would lead to wrong indices.
        let change = if change.leads(&old.snapshot, snapshot) {
            Cow::Borrowed(change)
        } else {
            Cow::Owned(snapshot.diff(&old.snapshot))
        };
        let state = make(&old, &change);
        self.0.store(Arc::new(Built { snapshot: snapshot.clone(), state }));
    }

    /// Selects by `choose`, which gives an index into the nodes that the state was made from. Should `snapshot` be
    /// another one, because an update came between, the node is looked up there; if it is not in it, one of those that
    /// both know and that are `eligible` takes its place.
    pub(super) fn select(
        &self,
        snapshot: &Snapshot,
        call: &CallInfo<'_>,
        choose: impl FnOnce(&Built<T>) -> Option<usize>,
        eligible: impl Fn(&T, usize) -> bool,
    ) -> Option<usize> {
        let built = self.0.load();
        let index = choose(&built)?;
        if built.snapshot.shares_nodes(snapshot) {
            return Some(index);
        }
        let chosen = built.snapshot.nodes().get(index)?;
        snapshot.position(chosen.address()).or_else(|| in_both(&built, snapshot, call, eligible))
    }
}

impl<T> Table<Box<[Arc<T>]>> {
    /// What is kept for the node at `index` of `snapshot`, which may be an older one than the state was made from.
    pub(super) fn with<R>(&self, snapshot: &Snapshot, index: usize, use_it: impl FnOnce(&T) -> R) -> Option<R> {
        let built = self.0.load();
        let position = if built.snapshot.shares_nodes(snapshot) {
            index
        } else {
            built.snapshot.position(snapshot.nodes().get(index)?.address())?
        };
        built.state.get(position).map(|entry| use_it(entry))
    }
}

impl<T: Default> Default for Table<T> {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(Built { snapshot: Snapshot::unknown(), state: T::default() }))
    }
}

#[cold]
fn in_both<T>(
    built: &Built<T>,
    snapshot: &Snapshot,
    call: &CallInfo<'_>,
    eligible: impl Fn(&T, usize) -> bool,
) -> Option<usize> {
    let is_candidate = |index: &usize| {
        let position = built.snapshot.position(snapshot.nodes()[*index].address());
        position.is_some_and(|position| eligible(&built.state, position))
    };
    let candidates: Vec<usize> = (0..snapshot.len()).filter(is_candidate).collect();
    if candidates.is_empty() {
        return None;
    }
    Some(candidates[draw(candidates.len(), call, |candidate| &snapshot.nodes()[candidates[candidate]])])
}
