//! A ring of hashes: which owner has the first point at or after a hash.
//!
//! The points lie in chunks by their upmost bits, so that a change copies only the chunks that it touches. Hashes are
//! spread evenly, so the place of one within its chunk is guessed and is not far off: finding it touches a cache line or
//! two, however many points there are. A large ring does not fit into the processor's caches; what a search reads of a
//! point is therefore half of it, and the whole hash lies apart.

use std::cmp::Ordering;
use std::sync::Arc;

/// One point of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) hash: u64,
    pub(super) owner: u32,
}

/// An immutable ring.
#[derive(Debug)]
pub(super) struct Ring {
    /// A chunk holds the points whose hash begins with the bits of its index, sorted.
    chunks: Box<[Arc<[Slot]>]>,
    /// The hashes of the points of each chunk.
    hashes: Box<[Arc<[u64]>]>,
    points: usize,
}

/// What a search reads of a point.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The 32 bits of the hash behind those that chose the chunk.
    key: u32,
    owner: u32,
}

/// Points per chunk right after a rebuild, on average: so many that a small change to a large ring neither goes through
/// many chunks nor copies much.
const CHUNK: usize = 256;

impl Default for Ring {
    fn default() -> Self {
        Self::build(&[])
    }
}

impl Ring {
    /// The ring with some points less and some more. `order` decides between the owners of equal hashes, and knows every
    /// owner of the new ring.
    pub(super) fn change(
        &self,
        mut gone: Vec<Point>,
        mut new: Vec<Point>,
        order: impl Fn(u32, u32) -> Ordering,
    ) -> Self {
        let by_hash = |a: &Point, b: &Point| a.hash.cmp(&b.hash).then_with(|| order(a.owner, b.owner));
        gone.sort_unstable_by_key(|point| (point.hash, point.owner));
        let is_in = |gone: &[Point], point: &Point| {
            gone.binary_search_by_key(&(point.hash, point.owner), |point| (point.hash, point.owner)).is_ok()
        };
        let points = self.points - gone.len() + new.len();
        let average = points / self.chunks.len();
        let fits = average <= 4 * CHUNK && (average >= CHUNK / 4 || self.chunks.len() == 1);
        if !fits || gone.len() + new.len() > points / 4 {
            new.extend(
                (0..self.chunks.len()).flat_map(|chunk| self.points(chunk)).filter(|point| !is_in(&gone, point)),
            );
            new.sort_unstable_by(by_hash);
            return Self::build(&new);
        }
        new.sort_unstable_by(by_hash);
        let (mut gone_from, mut new_from) = (&gone[..], &new[..]);
        let count = self.chunks.len();
        let chunks = (0..count).map(|index| {
            let ends_here = |point: &Point| chunk_of(point.hash, count) == index;
            let leaves = take(&mut gone_from, ends_here);
            let comes = take(&mut new_from, ends_here);
            if leaves.is_empty() && comes.is_empty() {
                return (self.chunks[index].clone(), self.hashes[index].clone());
            }
            let mut stays = self.points(index).filter(|point| !is_in(leaves, point)).peekable();
            let mut changed = Vec::with_capacity(self.chunks[index].len() + comes.len());
            for point in comes {
                while let Some(before) = stays.next_if(|stays| by_hash(stays, point) != Ordering::Greater) {
                    changed.push(before);
                }
                changed.push(*point);
            }
            changed.extend(stays);
            chunk(&changed, count)
        });
        let (chunks, hashes): (Vec<_>, Vec<_>) = chunks.unzip();
        Self { chunks: chunks.into(), hashes: hashes.into(), points }
    }

    fn build(points: &[Point]) -> Self {
        let count = (points.len() / CHUNK).max(1).next_power_of_two();
        let mut rest = points;
        let mut next = |index| chunk(take(&mut rest, |point| chunk_of(point.hash, count) == index), count);
        let (chunks, hashes): (Vec<_>, Vec<_>) = (0..count).map(&mut next).unzip();
        Self { chunks: chunks.into(), hashes: hashes.into(), points: points.len() }
    }

    /// The points of a chunk.
    fn points(&self, chunk: usize) -> impl Iterator<Item = Point> {
        let slots = self.chunks[chunk].iter().zip(&self.hashes[chunk][..]);
        slots.map(|(slot, hash)| Point { hash: *hash, owner: slot.owner })
    }

    /// The owners of the points from `hash` on, once around; an owner appears as often as it has points.
    pub(super) fn owners_from(&self, hash: u64) -> impl Iterator<Item = u32> {
        let first = chunk_of(hash, self.chunks.len());
        let (before, after) = self.chunks.split_at(first);
        let start = self.first_from(first, hash);
        let (wrapped, rest) = self.chunks[first].split_at(start);
        let later = after[1..].iter().chain(before).flat_map(|chunk| chunk.iter());
        rest.iter().chain(later).chain(wrapped).map(|point| point.owner)
    }
}

impl Ring {
    /// The first of the points of a chunk whose hash is `hash` or higher; their number if there is none.
    fn first_from(&self, chunk: usize, hash: u64) -> usize {
        let (slots, count) = (&self.chunks[chunk], self.chunks.len());
        let key = key(hash, count);
        let mut place = ((u128::from(within(hash, count)) * slots.len() as u128) >> 64) as usize;
        while place > 0 && slots[place - 1].key >= key {
            place -= 1;
        }
        while place < slots.len() && slots[place].key < key {
            place += 1;
        }
        // Almost never: the hash itself decides.
        while place < slots.len() && slots[place].key == key && self.hashes[chunk][place] < hash {
            place += 1;
        }
        place
    }
}

/// The upmost bits of a hash, as many as `count`, a power of two, has below it.
fn chunk_of(hash: u64, count: usize) -> usize {
    ((u128::from(hash) * count as u128) >> 64) as usize
}

/// One of `count` chunks, of these points.
fn chunk(points: &[Point], count: usize) -> (Arc<[Slot]>, Arc<[u64]>) {
    let slots = points.iter().map(|point| Slot { key: key(point.hash, count), owner: point.owner });
    (slots.collect(), points.iter().map(|point| point.hash).collect())
}

/// The bits below those that chose one of `count` chunks, moved up: they say how far into the chunk a hash is.
fn within(hash: u64, count: usize) -> u64 {
    hash.wrapping_mul(count as u64)
}

fn key(hash: u64, count: usize) -> u32 {
    (within(hash, count) >> 32) as u32
}

/// Cuts off the points at the beginning that `belongs` accepts.
fn take<'p>(points: &mut &'p [Point], belongs: impl Fn(&Point) -> bool) -> &'p [Point] {
    let (taken, rest) = points.split_at(points.partition_point(belongs));
    *points = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Few distinct hashes, so that some are equal or share their upper bits, and both ends of the range.
    fn points() -> impl Strategy<Value = BTreeSet<(u64, u32)>> {
        let hash = prop_oneof![
            any::<u64>(),
            (0..4_u64).prop_map(|n| n << 62),
            (0..9_u64).prop_map(|n| (1 << 62) + n),
            Just(u64::MAX)
        ];
        proptest::collection::btree_set((hash, 0..50_u32), 0..3_000)
    }

    fn listed(points: &BTreeSet<(u64, u32)>) -> Vec<Point> {
        points.iter().rev().map(|(hash, owner)| Point { hash: *hash, owner: *owner }).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Whatever way led to a set of points, the ring is that of a sorted list of them.
        #[test]
        fn a_ring_is_its_set_of_points(rounds in proptest::collection::vec(points(), 1..4), few in points(), hashes in proptest::collection::vec(any::<u64>(), 5)) {
            let mut ring = Ring::default();
            let mut model = BTreeSet::new();
            let mut change = |to: BTreeSet<(u64, u32)>| {
                let (gone, new) = (model.difference(&to).copied().collect(), to.difference(&model).copied().collect());
                ring = ring.change(listed(&gone), listed(&new), |a, b| a.cmp(&b));
                model = to;
                let sorted: Vec<_> = model.iter().copied().collect();
                for hash in hashes.iter().copied().chain([0, u64::MAX]).chain(sorted.first().map(|first| first.0)) {
                    let start = sorted.partition_point(|point| point.0 < hash);
                    let expected = sorted[start..].iter().chain(&sorted[..start]).map(|point| point.1);
                    assert!(ring.owners_from(hash).eq(expected), "from {hash:x}");
                }
            };
            let last = rounds.last().cloned().unwrap_or_default();
            for round in rounds {
                change(round);
            }
            // A small change, which leaves most chunks alone.
            let few: BTreeSet<_> = few.into_iter().take(last.len() / 10).collect();
            change(last.symmetric_difference(&few).copied().collect());
        }
    }

    #[test]
    fn a_small_change_shares_the_other_chunks() {
        let points = |owner: u32, count: u64| (0..count).map(move |n| Point { hash: crate::random::mix(n + 1), owner });
        let ring = Ring::default().change(Vec::new(), points(1, 10_000).collect(), |a, b| a.cmp(&b));
        let changed = ring.change(points(1, 3).collect(), vec![Point { hash: 7, owner: 2 }], |a, b| a.cmp(&b));
        let shared = ring.chunks.iter().zip(&changed.chunks).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert!(ring.chunks.len() >= 32 && shared >= ring.chunks.len() - 4, "{shared} of {}", ring.chunks.len());
        assert_eq!(changed.owners_from(0).next(), Some(2));
    }
}
