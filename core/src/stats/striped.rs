//! Cells that many threads add to without disturbing each other.

use std::cell::Cell;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Copies of a cell at most; threads beyond share them.
const STRIPES: usize = 8;

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

impl<T: Default> Striped<T> {
    /// The calling thread's copy.
    #[inline]
    pub(crate) fn mine(&self) -> &T {
        &self.stripes[stripe()].get_or_init(Box::default).0
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

#[inline]
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    MINE.with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES);
        }
        mine.get()
    })
}

#[cfg(test)]
mod tests {
    use super::Striped;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn nothing_is_lost_between_threads() {
        let count = Striped::<AtomicU64>::default();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..1000).for_each(|_| _ = count.mine().fetch_add(1, Ordering::Relaxed)));
            }
        });
        assert_eq!(count.all().map(|cell| cell.load(Ordering::Relaxed)).sum::<u64>(), 20_000);
    }
}
