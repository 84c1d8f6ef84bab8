//! Choosing a server: the trait [`Selector`] and the select modes. Pure: no sockets, no tasks, no clock.
//!
//! A selector is told what changed ([`Selector::update`]) and keeps what it derives from the nodes, so that choosing one
//! for a call costs constant time (the hash ring: logarithmic), takes no lock and allocates nothing.

mod closest;
mod consistent_hash;
mod least_loaded;
mod random;
mod ring;
mod round_robin;
mod table;
mod weighted;
mod weighted_ping;

pub use crate::random::{jittered, random_bits};
pub use closest::{Closest, Position};
pub use consistent_hash::ConsistentHash;
pub use least_loaded::LeastLoaded;
pub use random::Random;
pub use round_robin::RoundRobin;
pub use weighted::WeightedRoundRobin;
pub use weighted_ping::WeightedPing;

use crate::discovery::{Diff, Node, Snapshot};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Chooses the server of a call.
///
/// A client has one selector for each service. It calls [`update`](Self::update) for every snapshot, from one thread at
/// a time, before it offers that snapshot to calls; [`select`](Self::select) and [`feedback`](Self::feedback) come from
/// any number of threads at once, may still carry the snapshot before, and must not block.
pub trait Selector: Send + Sync {
    /// The nodes in selection are now those of `snapshot`: what discovery has, without servers that are out for a while
    /// because they could not be dialled, have an open breaker, or are ejected. `change` is the difference to the snapshot of
    /// the last update (to an empty one at first). Work on a node should be limited to what `change` names.
    fn update(&self, snapshot: &Snapshot, change: &Diff);

    /// The index in `snapshot.nodes()` of the node that the call shall go to; `None` if none may take it.
    ///
    /// Nodes of [`CallInfo::avoid`] are chosen only when there is no other.
    fn select(&self, snapshot: &Snapshot, call: &CallInfo<'_>) -> Option<usize>;

    /// Whether [`feedback`](Self::feedback) does anything: when not, the client need not measure.
    fn wants_feedback(&self) -> bool {
        false
    }

    /// What became of a call that `select` sent to the node at `index` of `snapshot`. Comes exactly once for every
    /// selected node if the selector wants feedback, for calls that were given up too.
    fn feedback(&self, snapshot: &Snapshot, index: usize, outcome: &Outcome) {
        let _ = (snapshot, index, outcome);
    }
}

/// A selector that somebody else keeps a hold of.
impl<S: Selector + ?Sized> Selector for Arc<S> {
    fn update(&self, snapshot: &Snapshot, change: &Diff) {
        (**self).update(snapshot, change);
    }

    fn select(&self, snapshot: &Snapshot, call: &CallInfo<'_>) -> Option<usize> {
        (**self).select(snapshot, call)
    }

    fn wants_feedback(&self) -> bool {
        (**self).wants_feedback()
    }

    fn feedback(&self, snapshot: &Snapshot, index: usize, outcome: &Outcome) {
        (**self).feedback(snapshot, index, outcome);
    }
}

/// What a selector may know of a call.
#[derive(Clone, Copy, Debug)]
pub struct CallInfo<'a> {
    /// The service path.
    pub service: &'a str,
    /// The service method.
    pub method: &'a str,
    /// The encoded arguments, before compression.
    pub payload: &'a [u8],
    /// What consistent hashing goes by instead of service, method and payload.
    pub hash_key: Option<&'a [u8]>,
    /// Addresses that this call was sent to already, without success.
    pub avoid: &'a [Arc<str>],
    /// Random bits, new for every selection.
    pub random: u64,
}

impl<'a> CallInfo<'a> {
    /// A call without arguments that has not been tried yet, with random bits from [`random_bits`].
    pub fn new(service: &'a str, method: &'a str) -> Self {
        Self { service, method, payload: &[], hash_key: None, avoid: &[], random: random_bits() }
    }

    fn avoids(&self, node: &Node) -> bool {
        self.avoid.iter().any(|address| **address == *node.address())
    }
}

/// What became of a call, for selectors that learn from it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took.
    pub latency: Duration,
    /// When it ended.
    pub now: Instant,
}

/// How a call ended, as far as it says something about its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server answered, be it with the service's own error.
    Answered,
    /// The server could not be reached, answered that it is overloaded or going away, or did not answer.
    Failed,
    /// The caller gave up, or nothing was sent after all: this says nothing about the server.
    Abandoned,
}

/// The first of `len` candidates, from `start` on and around, that the call does not avoid; `start` if it avoids all.
///
/// The candidates are different nodes, so no more are looked at than the call avoids, and one.
fn first_not_avoided<'n>(
    call: &CallInfo<'_>,
    len: usize,
    start: usize,
    candidate: impl Fn(usize) -> &'n Node,
) -> usize {
    let steps = if call.avoid.is_empty() { 0 } else { len.min(call.avoid.len() + 1) };
    let around = (0..steps).map(|step| if start + step < len { start + step } else { start + step - len });
    around.into_iter().find(|index| !call.avoids(candidate(*index))).unwrap_or(start)
}

#[cfg(test)]
mod testing;
