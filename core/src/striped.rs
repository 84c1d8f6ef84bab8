//! Cells that many threads add to without disturbing each other.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Copies of a cell at most. The last one is shared by all threads that find the others taken.
const STRIPES: usize = 8;
const SHARED: usize = STRIPES - 1;

/// A value with one copy for each of a few threads, made when a thread first needs it. Readers combine the copies.
pub(crate) struct Striped<T> {
    stripes: [OnceLock<Box<Aligned<T>>>; STRIPES],
}

/// Keeps what belongs to one thread off the cache lines of another, prefetched neighbours included.
#[derive(Default)]
#[repr(align(128))]
struct Aligned<T>(T);

impl<T> Default for Striped<T> {
    fn default() -> Self {
        Self { stripes: [const { OnceLock::new() }; STRIPES] }
    }
}

/// How the calling thread may add to its copy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Writers {
    /// No other thread does.
    Alone,
    /// Others do at the same time.
    Several,
}

impl Writers {
    /// Adds to a cell of the copy that this came with. A locked instruction costs as much as ten others.
    #[inline]
    pub(crate) fn add(self, cell: &AtomicU64, n: u64) {
        match self {
            Writers::Alone => cell.store(cell.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed),
            Writers::Several => _ = cell.fetch_add(n, Ordering::Relaxed),
        }
    }
}

impl<T: Default> Striped<T> {
    /// The calling thread's copy, and how to add to it.
    #[inline]
    pub(crate) fn mine(&self) -> (&T, Writers) {
        let stripe = stripe();
        let cells = &self.stripes[stripe].get_or_init(Box::default).0;
        (cells, if stripe == SHARED { Writers::Several } else { Writers::Alone })
    }

    /// Every copy there is.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.stripes.iter().filter_map(|stripe| stripe.get().map(|aligned| &aligned.0))
    }
}

impl<T> fmt::Debug for Striped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Striped").finish_non_exhaustive()
    }
}

/// The stripes that no living thread has for itself. The lock also orders what one owner wrote before what the next one reads.
static FREE: Mutex<[bool; SHARED]> = Mutex::new([true; SHARED]);

/// A stripe of the thread's own, given back when the thread ends.
struct Owned(usize);

impl Drop for Owned {
    fn drop(&mut self) {
        // What later destructors of this thread count goes where everybody may add.
        let _ = MINE.try_with(|mine| mine.set(Some(SHARED)));
        FREE.lock().unwrap_or_else(PoisonError::into_inner)[self.0] = true;
    }
}

thread_local! {
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
    static OWNED: Cell<Option<Owned>> = const { Cell::new(None) };
}

#[inline]
fn stripe() -> usize {
    MINE.with(Cell::get).unwrap_or_else(choose_stripe)
}

#[cold]
fn choose_stripe() -> usize {
    let free = {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let found = free.iter().position(|free| *free);
        if let Some(index) = found {
            free[index] = false;
        }
        found
    };
    let stripe = match free.map(Owned) {
        Some(owned) => {
            let index = owned.0;
            // A thread whose destructors have run cannot give it back any more: dropped here, it is free again.
            if OWNED.try_with(|slot| slot.set(Some(owned))).is_ok() { index } else { SHARED }
        }
        None => SHARED,
    };
    MINE.with(|mine| mine.set(Some(stripe)));
    stripe
}

#[cfg(test)]
mod tests {
    use super::Striped;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn nothing_is_lost_between_threads() {
        let count = Striped::<AtomicU64>::default();
        let add = || {
            let (cell, writers) = count.mine();
            writers.add(cell, 1);
        };
        for _ in 0..3 {
            std::thread::scope(|scope| {
                for _ in 0..20 {
                    scope.spawn(|| (0..1000).for_each(|_| add()));
                }
            });
        }
        assert_eq!(count.all().map(|cell| cell.load(Ordering::Relaxed)).sum::<u64>(), 60_000);
    }

    #[test]
    fn a_thread_gives_its_stripe_back() {
        let own = |_| std::thread::spawn(super::stripe).join().unwrap();
        // Other tests' threads hold some: of many in turn, one at least finds a stripe that an earlier one had.
        let stripes: Vec<usize> = (0..100).map(own).collect();
        assert!(stripes.iter().any(|stripe| *stripe != super::SHARED), "{stripes:?}");
    }
}
