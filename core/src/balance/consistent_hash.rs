//! Consistent hashing: calls with the same key go to the same node, and few keys move when nodes come and go.

use super::ring::{Point, Ring};
use super::table::{Built, Table};
use super::{CallInfo, Selector};
use crate::discovery::{Diff, Node, Snapshot};
use twox_hash::XxHash3_64;

/// Points that a node of weight 1 has on the ring.
const REPLICAS: u32 = 100;

/// No node has more than so many times the points of a node of weight 1.
const MAX_WEIGHT: u32 = 100;

/// The ring holds no more points than this (16 bytes each): beyond, each node has fewer, in proportion.
const MAX_POINTS: u64 = 1 << 22;

/// A ring on which every address has 100 points for each unit of its weight (at most 100; weight 0: none); a call goes
/// to the node whose point follows the hash of its key.
///
/// The key is [`CallInfo::hash_key`], else service, method and payload. All hashes are XXH3 with 64 bits, so the same
/// set of nodes gives the same choice in every process and language, whatever the order in which they appeared. When a
/// node leaves, its keys alone move; a call that avoids a node moves to the next one on the ring.
#[derive(Debug, Default)]
pub struct ConsistentHash {
    table: Table<State>,
}

#[derive(Debug, Default)]
struct State {
    ring: Ring,
    /// Points of a node for each unit of its weight.
    replicas: u32,
    /// By index of the node.
    places: Box<[Place]>,
    /// How many of them are on the ring.
    eligible: usize,
    /// By owner, as the ring names a node while it is there: its index.
    owners: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    owner: u32,
    weight: u32,
}

/// In `owners`: nobody.
const FREE: u32 = u32::MAX;

impl ConsistentHash {
    /// A selector without nodes.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Selector for ConsistentHash {
    fn update(&self, snapshot: &Snapshot, change: &Diff) {
        self.table.update(snapshot, change, |old, change| State::next(old, snapshot, change));
    }

    fn select(&self, snapshot: &Snapshot, call: &CallInfo<'_>) -> Option<usize> {
        self.table.select(snapshot, call, |built| choose(built, call), |state, index| state.places[index].weight > 0)
    }
}

fn choose(built: &Built<State>, call: &CallInfo<'_>) -> Option<usize> {
    let State { ring, owners, places, eligible, .. } = &built.state;
    let nodes = built.snapshot.nodes();
    let mut around = ring.owners_from(key(call)).map(|owner| owners[owner as usize] as usize);
    let first = around.next()?;
    if !call.avoids(&nodes[first]) {
        return Some(first);
    }
    // Only where nodes are few can a call avoid them all; then it need not go once around the ring to find that out.
    let is_left = |(place, node): (&Place, &Node)| place.weight > 0 && !call.avoids(node);
    if call.avoid.len() >= *eligible && !places.iter().zip(nodes).any(is_left) {
        return Some(first);
    }
    around.find(|index| !call.avoids(&nodes[*index])).or(Some(first))
}

/// The hash that a call goes by.
fn key(call: &CallInfo<'_>) -> u64 {
    match call.hash_key {
        Some(key) => XxHash3_64::oneshot(key),
        None => {
            // One as the seed of the next: `ab` + `c` is not `a` + `bc`.
            let service = XxHash3_64::oneshot(call.service.as_bytes());
            let method = XxHash3_64::oneshot_with_seed(service, call.method.as_bytes());
            XxHash3_64::oneshot_with_seed(method, call.payload)
        }
    }
}

/// The hashes of the points of a node with so many of them.
fn hashes(node: &Node, points: std::ops::Range<u32>) -> impl Iterator<Item = u64> {
    points.map(|point| XxHash3_64::oneshot_with_seed(u64::from(point), node.address().as_bytes()))
}

impl State {
    /// The state for `snapshot`: hashes the points of those nodes only that came, went or changed their weight.
    fn next(old: &Built<Self>, snapshot: &Snapshot, change: &Diff) -> Self {
        let nodes = snapshot.nodes();
        let weights: Vec<u32> = nodes
            .iter()
            .zip(change.carried())
            .map(|(node, origin)| match origin {
                Some(origin) => old.state.places[origin].weight,
                None => node.metadata().weight().min(MAX_WEIGHT),
            })
            .collect();
        let replicas = replicas(weights.iter().map(|weight| u64::from(*weight)).sum());
        let (old_nodes, before) = (old.snapshot.nodes(), &old.state);

        let mut owners = before.owners.clone();
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for index in &change.removed {
            let Place { owner, weight } = before.places[*index];
            owners[owner as usize] = FREE;
            gone.extend(hashes(&old_nodes[*index], 0..weight * before.replicas).map(|hash| Point { hash, owner }));
        }
        let mut free = Vec::from_iter((0..).zip(&owners).filter(|(_, index)| **index == FREE).map(|(owner, _)| owner));
        let places = nodes.iter().enumerate().zip(change.origins()).zip(&weights);
        let places = places.map(|(((index, node), origin), weight)| {
            let (owner, had) = match origin {
                Some(origin) => (before.places[origin].owner, before.places[origin].weight * before.replicas),
                None => (free.pop().unwrap_or(owners.len() as u32), 0),
            };
            if owner as usize == owners.len() {
                owners.push(FREE);
            }
            owners[owner as usize] = index as u32;
            let has = weight * replicas;
            new.extend(hashes(node, had..has.max(had)).map(|hash| Point { hash, owner }));
            gone.extend(hashes(node, has..had.max(has)).map(|hash| Point { hash, owner }));
            Place { owner, weight: *weight }
        });
        let places: Box<[Place]> = places.collect();
        let eligible = places.iter().filter(|place| place.weight > 0).count();
        let address = |owner: u32| nodes.get(owners[owner as usize] as usize).map(Node::address);
        let ring = before.ring.change(gone, new, |a, b| address(a).cmp(&address(b)));
        Self { ring, replicas, places, eligible, owners }
    }
}

/// Points for each unit of weight, so that all weights together stay within [`MAX_POINTS`]: a function of the set of
/// nodes alone.
fn replicas(total: u64) -> u32 {
    let mut replicas = REPLICAS;
    while replicas > 1 && u64::from(replicas) * total > MAX_POINTS {
        replicas /= 2;
    }
    replicas
}

#[cfg(test)]
mod tests;
