//! Consistent hashing: how many keys move when a server leaves.

use crate::world::{Seeded, retain, servers};
use rpcx::balance::{CallInfo, ConsistentHash, Selector};
use rpcx::discovery::Snapshot;

/// Keys for each server.
const KEYS: usize = 1_000;

/// Whether `leaves` of `count` servers, one at a time, moved only their own keys, and how many of them in relation to 1/n of
/// all keys: ascending.
///
/// # Panics
/// When a key moved that was not the leaving server's.
pub fn moved(count: usize, leaves: usize) -> Vec<f64> {
    let all = servers(count);
    let selector = ConsistentHash::new();
    selector.update(&all, &all.diff(&Snapshot::unknown()));
    let before = owners(&selector, &all, count * KEYS);
    let mut random = Seeded::new(4);
    let mut moved: Vec<f64> = (0..leaves.min(count))
        .map(|leave| {
            // Every one where there are few.
            let leaver = if leaves >= count { leave } else { random.bits() as usize % count };
            let (left, places) = retain(&all, |server| server != leaver);
            selector.update(&left, &left.diff(&all));
            let after = owners(&selector, &left, count * KEYS);
            selector.update(&all, &all.diff(&left));
            let moves = before.iter().zip(&after).filter(|(was, is)| **was as usize != places[**is as usize]);
            let own = moves.inspect(|(was, _)| assert_eq!(**was as usize, leaver, "a key of another server moved"));
            own.count() as f64 / KEYS as f64
        })
        .collect();
    moved.sort_by(f64::total_cmp);
    moved
}

/// Where each key goes.
fn owners(selector: &ConsistentHash, snapshot: &Snapshot, keys: usize) -> Vec<u32> {
    let owner = |key: usize| {
        let key = key.to_le_bytes();
        let call = CallInfo { hash_key: Some(&key), random: 0, ..CallInfo::new("Work", "Do") };
        selector.select(snapshot, &call).expect("a server") as u32
    };
    (0..keys).map(owner).collect()
}
