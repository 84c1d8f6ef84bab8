//! Virtual time, events in its order, random numbers of a seed, and lists of servers.

use rpcx::discovery::{Node, NodeMetadata, Snapshot, SnapshotState};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// SplitMix64.
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Between 0 and 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Events in the order of their time, and the time of the last one.
pub(crate) struct Clock<E> {
    start: Instant,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, usize)>>,
    waiting: Vec<Option<E>>,
    free: Vec<usize>,
    planned: u64,
}

impl<E> Clock<E> {
    pub(crate) fn new() -> Self {
        let (events, waiting, free) = (BinaryHeap::new(), Vec::new(), Vec::new());
        Self { start: Instant::now(), now: Duration::ZERO, events, waiting, free, planned: 0 }
    }

    /// Since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    /// As the library's values want it.
    pub(crate) fn instant(&self) -> Instant {
        self.start + self.now
    }

    /// Plans an event; of several for the same time the first planned comes first.
    pub(crate) fn after(&mut self, wait: Duration, event: E) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.waiting.push(None);
            self.waiting.len() - 1
        });
        self.waiting[place] = Some(event);
        self.planned += 1;
        self.events.push(Reverse((self.now + wait, self.planned, place)));
    }

    /// Goes on to the next event before `end`.
    pub(crate) fn next(&mut self, end: Duration) -> Option<E> {
        let Reverse((at, _, place)) = self.events.pop().filter(|next| next.0.0 < end)?;
        self.now = at;
        self.free.push(place);
        self.waiting[place].take()
    }
}

/// So many servers.
pub(crate) fn servers(count: usize) -> Snapshot {
    let node = |index: usize| {
        let address = format!("tcp@10.{}.{}.{}:8972", index >> 16, index >> 8 & 255, index & 255);
        Node::new(address, NodeMetadata::new("")).expect("an address")
    };
    Snapshot::new(1, SnapshotState::Live, (0..count).map(node).collect())
}

/// The servers that `keep` accepts, and where each of them is among all.
pub(crate) fn retain(all: &Snapshot, keep: impl Fn(usize) -> bool) -> (Snapshot, Vec<usize>) {
    let places: Vec<usize> = (0..all.len()).filter(|index| keep(*index)).collect();
    let mut index = 0;
    let kept = all.retain(|_| {
        index += 1;
        keep(index - 1)
    });
    (kept, places)
}
