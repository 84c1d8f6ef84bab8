//! A ring of hashes: which owner has the first point at or after a hash.
//!
//! The points lie in chunks by their upmost bits, so that a change copies only the chunks that it touches. Hashes are
//! spread evenly, so the place of one within its chunk is guessed and is not far off: finding it touches a cache line or
//! two, however many points there are.

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
    /// Each sorted; a chunk holds the points whose hash begins with the bits of its index.
    chunks: Box<[Arc<[Point]>]>,
    points: usize,
}

/// Points per chunk right after a rebuild, on average: so many that a small change to a large ring neither goes through
/// many chunks nor copies much.
const CHUNK: usize = 256;

impl Default for Ring {
    fn default() -> Self {
        Self { chunks: Box::new([Arc::default()]), points: 0 }
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
            new.extend(self.chunks.iter().flat_map(|chunk| chunk.iter()).filter(|point| !is_in(&gone, point)));
            new.sort_unstable_by(by_hash);
            return Self::build(&new);
        }
        new.sort_unstable_by(by_hash);
        let (mut gone_from, mut new_from) = (&gone[..], &new[..]);
        let chunks = self.chunks.iter().enumerate().map(|(index, chunk)| {
            let ends_here = |point: &Point| chunk_of(point.hash, self.chunks.len()) == index;
            let leaves = take(&mut gone_from, ends_here);
            let comes = take(&mut new_from, ends_here);
            if leaves.is_empty() && comes.is_empty() {
                return chunk.clone();
            }
            let stays = chunk.iter().filter(|point| !is_in(leaves, point));
            let mut changed: Vec<Point> = stays.chain(comes).copied().collect();
            if !comes.is_empty() {
                changed.sort_by(by_hash);
            }
            changed.into()
        });
        Self { chunks: chunks.collect(), points }
    }

    fn build(points: &[Point]) -> Self {
        let count = (points.len() / CHUNK).max(1).next_power_of_two();
        let mut rest = points;
        let chunks = (0..count).map(|index| take(&mut rest, |point| chunk_of(point.hash, count) == index).into());
        Self { chunks: chunks.collect(), points: points.len() }
    }

    /// The owners of the points from `hash` on, once around; an owner appears as often as it has points.
    pub(super) fn owners_from(&self, hash: u64) -> impl Iterator<Item = u32> {
        let first = chunk_of(hash, self.chunks.len());
        let (before, after) = self.chunks.split_at(first);
        let start = first_from(&self.chunks[first], hash, self.chunks.len());
        let (wrapped, rest) = self.chunks[first].split_at(start);
        let later = after[1..].iter().chain(before).flat_map(|chunk| chunk.iter());
        rest.iter().chain(later).chain(wrapped).map(|point| point.owner)
    }
}

/// The upmost bits of a hash, as many as `count`, a power of two, has below it.
fn chunk_of(hash: u64, count: usize) -> usize {
    ((u128::from(hash) * count as u128) >> 64) as usize
}

/// The first of the points of a chunk, one of `count`, whose hash is `hash` or higher; their number if there is none.
fn first_from(points: &[Point], hash: u64, count: usize) -> usize {
    // The bits below those that chose the chunk say how far into it the hash is.
    let within = hash.wrapping_mul(count as u64);
    let mut place = ((u128::from(within) * points.len() as u128) >> 64) as usize;
    while place > 0 && points[place - 1].hash >= hash {
        place -= 1;
    }
    while place < points.len() && points[place].hash < hash {
        place += 1;
    }
    place
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

    /// Few distinct hashes, so that some are equal, and both ends of the range.
    fn points() -> impl Strategy<Value = BTreeSet<(u64, u32)>> {
        let hash = prop_oneof![any::<u64>(), (0..4_u64).prop_map(|n| n << 62), Just(u64::MAX)];
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
        let points =
            |owner: u32, count: u64| (0..count).map(move |n| Point { hash: super::super::random::mix(n + 1), owner });
        let ring = Ring::default().change(Vec::new(), points(1, 10_000).collect(), |a, b| a.cmp(&b));
        let changed = ring.change(points(1, 3).collect(), vec![Point { hash: 7, owner: 2 }], |a, b| a.cmp(&b));
        let shared = ring.chunks.iter().zip(&changed.chunks).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert!(ring.chunks.len() >= 32 && shared >= ring.chunks.len() - 4, "{shared} of {}", ring.chunks.len());
        assert_eq!(changed.owners_from(0).next(), Some(2));
    }
}
