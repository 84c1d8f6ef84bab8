//! Counting over a rolling window: one addition an event, no lock, and no cache line that threads take from each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::nanoseconds::{Epoch, nanoseconds};
use crate::striped::{Striped, Writers};

/// Slots in a window.
pub(super) const SLOTS_IN_WINDOW: u64 = 10;

/// Slots that are remembered: more than a window and the slot that is partly in it.
const SLOTS: usize = 16;

/// Counts of the latest slots. All belong to an era, a number that its user changes to begin anew; who never does counts in
/// era 0.
#[derive(Debug, Default)]
pub(super) struct Slots(Striped<Cells>);

/// One thread's counts of its latest era: in each cell the number of the slot in the upper half, its count in the lower.
#[derive(Default)]
struct Cells {
    era: AtomicU64,
    counts: [AtomicU64; SLOTS],
}

impl Slots {
    /// Counts an event. What the thread counted in other eras is forgotten.
    #[inline]
    pub(super) fn add(&self, slot: u64, era: u64) {
        let (cells, writers) = self.0.mine();
        if cells.era.load(Ordering::Relaxed) != era {
            cells.begin(era);
        }
        let cell = &cells.counts[slot as usize % SLOTS];
        if cell.load(Ordering::Relaxed) >> 32 == slot {
            // The cell cannot have moved on in between, unless this thread stood still for as long as the cells last.
            writers.add(cell, 1);
        } else {
            begin_slot(cell, slot, writers);
        }
    }

    /// The counts of the last `length` slots up to `slot`. Those of another thread that is ahead count too.
    pub(super) fn sum(&self, slot: u64, length: u64, era: u64) -> u64 {
        let current = self.0.all().filter(|cells| cells.era.load(Ordering::Acquire) == era);
        let counts = current.flat_map(|cells| cells.counts.iter().map(|cell| cell.load(Ordering::Relaxed)));
        counts.filter(|cell| slot.saturating_sub(cell >> 32) < length).map(|cell| cell & 0xffff_ffff).sum()
    }
}

impl Cells {
    /// Begins to count for another era. Of threads that share these cells one may lose what it counts meanwhile.
    #[cold]
    fn begin(&self, era: u64) {
        self.counts.iter().for_each(|cell| cell.store(0, Ordering::Relaxed));
        // Whoever sees the era sees that nothing is left of the one before.
        self.era.store(era, Ordering::Release);
    }
}

/// Counts the first event of a slot, perhaps together with others. Who comes after the cell has moved on is not counted.
#[cold]
fn begin_slot(cell: &AtomicU64, slot: u64, writers: Writers) {
    let counted = |before: u64| match before >> 32 {
        now if now == slot => Some(before + 1),
        earlier if earlier < slot => Some(slot << 32 | 1),
        _ => None,
    };
    match writers {
        Writers::Alone => {
            if let Some(after) = counted(cell.load(Ordering::Relaxed)) {
                cell.store(after, Ordering::Relaxed);
            }
        }
        Writers::Several => _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted),
    }
}

/// Numbers the slots of a window from its epoch on. Slots last 0.1 s at least: 32 bits are enough for 13 years.
#[derive(Debug)]
pub(super) struct SlotClock {
    pub(super) epoch: Epoch,
    /// Nanoseconds.
    length: u64,
    /// The slot of the latest look: a division takes longer than all else of it.
    latest: AtomicU64,
}

impl SlotClock {
    pub(super) fn new(window: Duration, now: Instant) -> Self {
        let length = nanoseconds(window.max(Duration::from_secs(1))) / SLOTS_IN_WINDOW;
        Self { epoch: Epoch::new(now), length, latest: AtomicU64::new(0) }
    }

    #[inline]
    pub(super) fn slot(&self, now: Instant) -> u64 {
        let elapsed = self.epoch.nanoseconds(now);
        let latest = self.latest.load(Ordering::Relaxed);
        if elapsed.wrapping_sub(latest * self.length) < self.length { latest } else { self.other_slot(elapsed) }
    }

    #[cold]
    fn other_slot(&self, elapsed: u64) -> u64 {
        let slot = elapsed / self.length;
        self.latest.store(slot, Ordering::Relaxed);
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_era_begins_at_zero_for_every_thread() {
        let slots = Slots::default();
        let add = |n, era| {
            std::thread::scope(|scope| {
                (0..12).for_each(|_| drop(scope.spawn(|| (0..n).for_each(|_| slots.add(7, era)))));
            })
        };
        add(100, 0);
        slots.add(7, 0);
        assert_eq!((slots.sum(7, 1, 0), slots.sum(7, 1, 1)), (1_201, 0));
        slots.add(7, 1);
        assert_eq!(slots.sum(7, 1, 1), 1, "what other threads counted before is of another era");
    }

    #[test]
    fn slots_follow_each_other_without_a_gap() {
        let now = Instant::now();
        let clock = SlotClock::new(Duration::from_secs(3), now);
        let slots = [0, 299, 300, 599, 300, 0, 3_000, 2_999, u64::from(u32::MAX)];
        let found = slots.map(|ms| clock.slot(now + Duration::from_millis(ms)));
        assert_eq!(found, slots.map(|ms| ms / 300));
    }

    #[test]
    fn slots_leave_the_window_and_their_cells_are_used_again() {
        let slots = Slots::default();
        for slot in 0..40 {
            slots.add(slot, 0);
            slots.add(slot, 0);
        }
        assert_eq!([1, 10, 11].map(|length| slots.sum(39, length, 0)), [2, 20, 22]);
        slots.add(20, 0);
        assert_eq!(slots.sum(39, 16, 0), 32, "its cell counts a later one");
    }
}
