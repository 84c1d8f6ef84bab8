//! Smooth weighted round robin: in every cycle each node as often as its weight says, spread out over the cycle.

use super::table::Table;
use super::{CallInfo, Selector, first_not_avoided};
use crate::discovery::{Diff, Node, Snapshot};
use crate::random::{below, random_bits};
use std::sync::atomic::{AtomicU64, Ordering};

/// Every node in turn, as often as the `weight` in its metadata says; weight 0 never.
///
/// A cycle has as many turns as the weights add up to, divided by what all of them have in common. Over every cycle the
/// shares are exact. Begins anywhere in a cycle.
#[derive(Debug)]
pub struct WeightedRoundRobin {
    turn: AtomicU64,
    table: Table<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By index of the node.
    weights: Box<[u32]>,
    /// The nodes whose weight is not 0.
    entries: Box<[u32]>,
    cycle: Cycle,
}

impl WeightedRoundRobin {
    /// A selector without nodes that begins at a random turn.
    pub fn new() -> Self {
        Self { turn: AtomicU64::new(below(1 << 20, random_bits()) as u64), table: Table::default() }
    }

    /// The nodes are now those of `snapshot`, with weights that are not their metadata's.
    pub(super) fn update_by(&self, snapshot: &Snapshot, change: &Diff, weight: impl Fn(&Node) -> u32) {
        self.table.update(snapshot, change, |_, _| State::new(snapshot.nodes().iter().map(weight).collect()));
    }
}

impl Default for WeightedRoundRobin {
    fn default() -> Self {
        Self::new()
    }
}

impl Selector for WeightedRoundRobin {
    fn update(&self, snapshot: &Snapshot, change: &Diff) {
        self.table.update(snapshot, change, |old, change| {
            let nodes = snapshot.nodes().iter().zip(change.carried());
            let weights = nodes.map(|(node, origin)| match origin {
                Some(origin) => old.state.weights[origin],
                None => node.metadata().weight(),
            });
            State::new(weights.collect())
        });
    }

    fn select(&self, snapshot: &Snapshot, call: &CallInfo<'_>) -> Option<usize> {
        let turn = || self.turn.fetch_add(1, Ordering::Relaxed);
        self.table.select(
            snapshot,
            call,
            |built| {
                let State { entries, cycle, .. } = &built.state;
                let node = |entry: usize| &built.snapshot.nodes()[entries[entry] as usize];
                let mut entry = cycle.entry(turn())?;
                // Further turns keep the shares; the neighbour of an avoided node would get its share as well.
                for _ in 0..if call.avoid.is_empty() { 0 } else { 8 } {
                    if !call.avoids(node(entry)) {
                        break;
                    }
                    entry = cycle.entry(turn())?;
                }
                Some(entries[first_not_avoided(call, entries.len(), entry, node)] as usize)
            },
            |state, index| state.weights[index] > 0,
        )
    }
}

impl State {
    fn new(weights: Box<[u32]>) -> Self {
        let entries: Box<[u32]> =
            (0..).zip(&weights).filter(|(_, weight)| **weight > 0).map(|(node, _)| node).collect();
        let divisor = weights.iter().fold(0, |divisor, weight| gcd(divisor, u64::from(*weight))).max(1);
        let shares: Vec<u64> = entries.iter().map(|node| u64::from(weights[*node as usize]) / divisor).collect();
        Self { weights, entries, cycle: Cycle::new(&shares) }
    }
}

/// Which entry each turn of a cycle belongs to.
#[derive(Debug)]
enum Cycle {
    /// A short cycle, written out.
    Listed(Box<[u32]>),
    /// A long one: its turns visit positions 0 to `length` in steps, and each entry owns as many neighbouring positions
    /// as its share.
    ///
    /// The step is coprime to the length, so that a cycle visits every position once, and near length / φ, so that the
    /// visits of any stretch of positions are spread evenly.
    Stepped {
        step: u64,
        /// Where the positions of each entry end; the last end is the length.
        ends: Box<[u64]>,
        /// For every 2^`shift` positions the entry that owns the first of them, so that finding an entry takes constant
        /// time.
        guide: Box<[u32]>,
        shift: u32,
    },
}

/// Up to this many additions are spent on writing out a cycle.
const MAX_LISTING_WORK: u64 = 1 << 16;

impl Default for Cycle {
    fn default() -> Self {
        Self::Listed(Box::default())
    }
}

impl Cycle {
    /// A cycle of entries with these shares, none of which is 0.
    fn new(shares: &[u64]) -> Self {
        // Shares fit 32 bits, and so does their number: the sum cannot overflow.
        let length: u64 = shares.iter().sum();
        match length.checked_mul(shares.len() as u64) {
            Some(work) if work <= MAX_LISTING_WORK => Self::Listed(list(shares, length)),
            _ => Self::stepped(shares, length),
        }
    }

    fn stepped(shares: &[u64], length: u64) -> Self {
        let ends = shares.iter().scan(0, |end, share| {
            *end += share;
            Some(*end)
        });
        let ends: Box<[u64]> = ends.collect();
        // About as many guide posts as entries.
        let shift = (length.ilog2()).saturating_sub(shares.len().ilog2());
        let mut entry = 0;
        let guide = (0..=(length - 1) >> shift).map(|post| {
            while ends[entry] <= post << shift {
                entry += 1;
            }
            entry as u32
        });
        Self::Stepped { step: spread(length), guide: guide.collect(), ends, shift }
    }

    /// The entry of a turn; `None` if there are no entries.
    fn entry(&self, turn: u64) -> Option<usize> {
        match self {
            Self::Listed(turns) => {
                let turn = turn.checked_rem(turns.len() as u64)?;
                turns.get(turn as usize).map(|entry| *entry as usize)
            }
            Self::Stepped { step, ends, guide, shift } => {
                let length = *ends.last()?;
                let turn = turn % length;
                let position = match turn.checked_mul(*step) {
                    Some(product) => product % length,
                    None => (u128::from(turn) * u128::from(*step) % u128::from(length)) as u64,
                };
                let post = (position >> shift) as usize;
                let first = guide[post] as usize;
                let last = guide.get(post + 1).map_or(ends.len() - 1, |next| *next as usize);
                Some(first + ends[first..last].partition_point(|end| *end <= position))
            }
        }
    }
}

/// The classic smooth order: every turn each entry gains its share, the richest takes the turn and pays the length.
fn list(shares: &[u64], length: u64) -> Box<[u32]> {
    let mut credit = vec![0_i64; shares.len()];
    let mut turns = Vec::new();
    for _ in 0..length {
        let mut richest = 0;
        for (entry, share) in shares.iter().enumerate() {
            // Both are below MAX_LISTING_WORK here.
            credit[entry] += *share as i64;
            if credit[entry] > credit[richest] {
                richest = entry;
            }
        }
        credit[richest] -= length as i64;
        turns.push(richest as u32);
    }
    turns.into()
}

/// A number coprime to `length`, near `length` / φ, whose multiples spread evenly.
fn spread(length: u64) -> u64 {
    let golden = (length as f64 * 0.618_033_988_749_895) as u64;
    let near = (0..length.min(64)).flat_map(|distance| [golden.checked_add(distance), golden.checked_sub(distance)]);
    let coprime = near.flatten().filter_map(|step| Some((unevenness(step, length)?, step)));
    coprime.min().map_or(1, |(_, step)| step)
}

/// The sum of the partial quotients of `step` / `length`, which bounds how far any stretch of positions can be from its
/// share of the visits; `None` if the two are not coprime.
fn unevenness(step: u64, length: u64) -> Option<u64> {
    let (mut a, mut b, mut sum) = (length, step, 0_u64);
    while b != 0 {
        sum = sum.saturating_add(a / b);
        (a, b) = (b, a % b);
    }
    (a == 1).then_some(sum)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests;
