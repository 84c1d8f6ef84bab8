//! Counting over a rolling window: one relaxed addition an event, no lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Slots in a window.
pub(super) const SLOTS_IN_WINDOW: u64 = 10;

/// Slots that are remembered: more than a window and the slot that is partly in it.
const SLOTS: usize = 16;

/// Counts of the latest slots: in each cell the number of the slot in the upper half, its count in the lower.
#[derive(Debug, Default)]
pub(super) struct Slots([AtomicU64; SLOTS]);

impl Slots {
    pub(super) fn add(&self, slot: u64) {
        let cell = &self.0[slot as usize % SLOTS];
        let mut before = cell.load(Relaxed);
        if before >> 32 == slot {
            // The cell cannot have moved on in between, unless this thread stood still for as long as the cells last.
            cell.fetch_add(1, Relaxed);
            return;
        }
        // The first of its slot, perhaps together with others. Who comes after the cell has moved on is not counted.
        while before >> 32 <= slot {
            let after = if before >> 32 == slot { before + 1 } else { slot << 32 | 1 };
            match cell.compare_exchange_weak(before, after, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(newer) => before = newer,
            }
        }
    }

    /// The counts of the last `length` slots up to `slot`. Those of another thread that is ahead count too.
    pub(super) fn sum(&self, slot: u64, length: u64) -> u64 {
        let cells = self.0.iter().map(|cell| cell.load(Relaxed));
        cells.filter(|cell| slot.saturating_sub(cell >> 32) < length).map(|cell| cell & 0xffff_ffff).sum()
    }

    /// Forgets all counts.
    pub(super) fn clear(&self) {
        self.0.iter().for_each(|cell| cell.store(0, Relaxed));
    }
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}
