//! Deadlines of many calls: a hashed timing wheel of coarse ticks. It has no clock; time is an argument, in milliseconds
//! since an instant of the caller's choice.
//!
//! Almost every deadline is cancelled before it is due, so cancelling unlinks the entry at once: nothing accumulates
//! behind calls that were answered long ago.

const BUCKETS: usize = 64;
const DEFAULT_TICK_MS: u64 = 8;
/// End of a list.
const END: u32 = u32::MAX;
/// In place of an entry's predecessor: the entry is free.
const FREE: u32 = u32::MAX - 1;

/// Deadlines for keys: pending calls, handlers.
///
/// A key comes out with the first [`expire`](Self::expire) at or after its due time rounded up to a whole tick, never
/// before it. Several entries may have the same key.
///
/// ```
/// # use rpcx_protocol::Wheel;
/// let mut wheel = Wheel::new();
/// let answered = wheel.schedule(1, 100);
/// wheel.schedule(2, 100);
/// wheel.cancel(answered);
/// let mut due = Vec::new();
/// wheel.expire(99, &mut due);
/// assert!(due.is_empty());
/// wheel.expire(104, &mut due);
/// assert_eq!(due, [2]);
/// ```
#[derive(Debug)]
pub struct Wheel {
    tick_ms: u64,
    /// Which buckets have entries.
    occupied: u64,
    /// No entry is due before this tick.
    earliest: u64,
    /// Empty before the first entry.
    buckets: Vec<Bucket>,
    entries: Vec<Entry>,
    free: u32,
    len: usize,
    stamp: u32,
}

#[derive(Clone, Debug)]
struct Bucket {
    first: u32,
    /// No entry of the bucket is due before this tick.
    earliest: u64,
}

#[derive(Debug)]
struct Entry {
    due_tick: u64,
    key: u32,
    stamp: u32,
    previous: u32,
    next: u32,
}

/// One entry of a [`Wheel`]. It stays harmless after the entry is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    index: u32,
    stamp: u32,
}

impl Wheel {
    /// A wheel with ticks of 8 ms. It holds no memory before the first entry.
    pub const fn new() -> Self {
        Self::with_tick(DEFAULT_TICK_MS)
    }

    /// A wheel with ticks of `tick_ms` milliseconds, at least 1.
    pub const fn with_tick(tick_ms: u64) -> Self {
        Self {
            tick_ms: if tick_ms == 0 { 1 } else { tick_ms },
            occupied: 0,
            earliest: u64::MAX,
            buckets: Vec::new(),
            entries: Vec::new(),
            free: END,
            len: 0,
            stamp: 0,
        }
    }

    /// Adds a key that is due at `due_ms`.
    pub fn schedule(&mut self, key: u32, due_ms: u64) -> Handle {
        if self.buckets.is_empty() {
            self.buckets = vec![Bucket { first: END, earliest: u64::MAX }; BUCKETS];
        }
        let due_tick = due_ms.div_ceil(self.tick_ms);
        let bucket_index = bucket_of(due_tick);
        let bucket = &mut self.buckets[bucket_index];
        self.stamp = self.stamp.wrapping_add(1);
        let entry = Entry { due_tick, key, stamp: self.stamp, previous: END, next: bucket.first };
        let index = if self.free == END {
            // Entries of 24 bytes: memory ends long before their number reaches `FREE`.
            self.entries.push(entry);
            (self.entries.len() - 1) as u32
        } else {
            let index = self.free;
            self.free = self.entries[index as usize].next;
            self.entries[index as usize] = entry;
            index
        };
        if bucket.first != END {
            self.entries[bucket.first as usize].previous = index;
        }
        bucket.first = index;
        bucket.earliest = bucket.earliest.min(due_tick);
        self.earliest = self.earliest.min(due_tick);
        self.occupied |= 1 << bucket_index;
        self.len += 1;
        Handle { index, stamp: self.stamp }
    }

    /// Takes an entry out; whether it was still there.
    pub fn cancel(&mut self, handle: Handle) -> bool {
        match self.entries.get(handle.index as usize) {
            Some(entry) if entry.stamp == handle.stamp && entry.previous != FREE => {
                self.remove(handle.index);
                true
            }
            _ => false,
        }
    }

    /// Takes out all that is due at `now_ms` and appends the keys to `due`, in no particular order.
    pub fn expire(&mut self, now_ms: u64, due: &mut Vec<u32>) {
        let now = now_ms / self.tick_ms;
        if self.earliest > now {
            return;
        }
        let mut buckets = self.occupied;
        while buckets != 0 {
            let bucket = buckets.trailing_zeros() as usize;
            buckets &= buckets - 1;
            if self.buckets[bucket].earliest <= now {
                self.expire_bucket(bucket, now, due);
            }
        }
        self.earliest = self.bounds().min().unwrap_or(u64::MAX);
    }

    fn expire_bucket(&mut self, bucket: usize, now: u64, due: &mut Vec<u32>) {
        let mut earliest = u64::MAX;
        let mut index = self.buckets[bucket].first;
        while index != END {
            let Entry { due_tick, key, next, .. } = self.entries[index as usize];
            if due_tick <= now {
                due.push(key);
                self.remove(index);
            } else {
                earliest = earliest.min(due_tick);
            }
            index = next;
        }
        self.buckets[bucket].earliest = earliest;
    }

    /// When to call [`expire`](Self::expire) next, in milliseconds, no earlier than `now_ms`: nothing is due before.
    /// Nothing need be due then either, if what was due first has been cancelled. `None` when the wheel is empty.
    pub fn next_due(&self, now_ms: u64) -> Option<u64> {
        (self.len > 0).then(|| self.earliest.saturating_mul(self.tick_ms).max(now_ms))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Gives the memory back if the wheel is empty. For a connection that went idle.
    pub fn release(&mut self) {
        if self.len == 0 {
            *self = Self { stamp: self.stamp, ..Self::with_tick(self.tick_ms) };
        }
    }

    fn remove(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        let (previous, next, bucket) = (entry.previous, entry.next, bucket_of(entry.due_tick));
        entry.previous = FREE;
        entry.next = self.free;
        self.free = index;
        self.len -= 1;
        if next != END {
            self.entries[next as usize].previous = previous;
        }
        if previous != END {
            self.entries[previous as usize].next = next;
            return;
        }
        self.buckets[bucket].first = next;
        if next == END {
            self.buckets[bucket].earliest = u64::MAX;
            self.occupied &= !(1 << bucket);
            if self.occupied == 0 {
                self.earliest = u64::MAX;
            }
        }
    }

    fn bounds(&self) -> impl Iterator<Item = u64> {
        let occupied = self.occupied;
        let buckets = self.buckets.iter().enumerate();
        buckets.filter(move |(index, _)| occupied & (1 << index) != 0).map(|(_, bucket)| bucket.earliest)
    }
}

impl Default for Wheel {
    fn default() -> Self {
        Self::new()
    }
}

fn bucket_of(tick: u64) -> usize {
    tick as usize % BUCKETS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expire(wheel: &mut Wheel, now: u64) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.expire(now, &mut due);
        due.sort_unstable();
        due
    }

    #[test]
    fn a_key_comes_out_at_the_end_of_its_tick() {
        let mut wheel = Wheel::new();
        for due in 100..=104 {
            wheel.schedule(due as u32, due);
        }
        wheel.schedule(105, 105);
        assert_eq!(wheel.next_due(0), Some(104));
        assert_eq!(expire(&mut wheel, 103), []);
        assert_eq!(expire(&mut wheel, 104), [100, 101, 102, 103, 104]);
        assert_eq!((wheel.next_due(0), wheel.next_due(1000)), (Some(112), Some(1000)));
        assert_eq!(expire(&mut wheel, 1000), [105]);
        assert_eq!((wheel.next_due(0), wheel.is_empty()), (None, true));
    }

    #[test]
    fn entries_rounds_apart_share_a_bucket_but_not_a_time() {
        let mut wheel = Wheel::with_tick(1);
        for round in [0u32, 1, 2, 1000] {
            wheel.schedule(round, 5 + 64 * u64::from(round));
        }
        assert_eq!(expire(&mut wheel, 68), [0]);
        assert_eq!(wheel.next_due(0), Some(69));
        assert_eq!(expire(&mut wheel, 69), [1]);
        assert_eq!(expire(&mut wheel, 64 * 1000 + 4), [2]);
        assert_eq!(wheel.len(), 1);
    }

    #[test]
    fn cancelling_unlinks_first_middle_and_last() {
        for cancelled in 0..3 {
            let mut wheel = Wheel::new();
            let handles = [0, 1, 2].map(|key| wheel.schedule(key, 8));
            assert!(wheel.cancel(handles[cancelled as usize]));
            assert!(!wheel.cancel(handles[cancelled as usize]), "only once");
            let rest = (0..3).filter(|key| *key != cancelled).collect::<Vec<_>>();
            assert_eq!(expire(&mut wheel, 8), rest);
        }
    }

    #[test]
    fn a_handle_of_an_entry_that_is_gone_is_harmless() {
        let mut wheel = Wheel::new();
        let old = wheel.schedule(1, 8);
        assert_eq!(expire(&mut wheel, 8), [1]);
        let new = wheel.schedule(2, 16);
        assert!(!wheel.cancel(old));
        assert!(wheel.cancel(new));
        wheel.release();
        wheel.schedule(3, 16);
        assert!(!wheel.cancel(new));
        assert_eq!(wheel.len(), 1);
    }

    #[test]
    fn answered_calls_leave_nothing_behind() {
        let mut wheel = Wheel::new();
        for now in 0..100_000 {
            let handle = wheel.schedule(7, now + 30_000);
            assert!(wheel.cancel(handle));
        }
        assert_eq!((wheel.entries.len(), wheel.next_due(0)), (1, None));
        wheel.release();
        assert_eq!((wheel.entries.capacity(), wheel.buckets.capacity()), (0, 0));
    }

    #[test]
    fn the_end_of_time_is_far_away() {
        let mut wheel = Wheel::new();
        wheel.schedule(1, u64::MAX);
        assert_eq!(wheel.next_due(0), Some(u64::MAX));
        assert_eq!(expire(&mut wheel, u64::MAX - 8), []);
        assert_eq!(wheel.len(), 1);
    }
}
