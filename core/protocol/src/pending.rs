//! The table of calls that wait for an answer.
//!
//! Sequence numbers count up and stay below 2^31; a call's slot is the low bits of its number. Each slot remembers the
//! whole number, so a late, double or foreign answer finds nothing until 2^31 calls later. A call that was given up after
//! it was sent *lingers*: its slot is not used again before its answer comes or the connection ends.
//!
//! Waking a waiter is the caller's business; when to give up, the [`Wheel`](crate::Wheel)'s.

/// Sequence numbers are below this.
const SEQ_END: u32 = 1 << 31;
/// Slots of a table that holds anything at all.
const MIN_SLOTS: usize = 16;

/// Calls that wait for an answer, with waiters of type `W` and, for those that come back for it, results of type `R`.
///
/// ```
/// # use rpcx_protocol::Pending;
/// let mut pending = Pending::<&str, ()>::new(100);
/// let seq = pending.begin("caller").unwrap();
/// assert_eq!(pending.complete(u64::from(seq)), Some("caller"));
/// assert_eq!(pending.complete(u64::from(seq)), None); // a double answer
/// ```
#[derive(Debug)]
pub struct Pending<W, R> {
    /// A power of two, or none at all.
    slots: Vec<Slot<W, R>>,
    max_in_flight: usize,
    next: u32,
    waiting: usize,
    lingering: usize,
    settled: usize,
    /// Most slots in use since the table was last empty.
    peak: usize,
}

#[derive(Debug)]
struct Slot<W, R> {
    seq: u32,
    state: State<W, R>,
}

#[derive(Debug)]
enum State<W, R> {
    Free,
    Waiting(W),
    Settled(R),
    Lingering,
}

/// What a call that was given up leaves to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveUp<W, R> {
    /// It still waited.
    Waiting(W),
    /// The result was already there.
    Settled(R),
}

impl<W, R> Pending<W, R> {
    /// A table for at most `max_in_flight` calls (and at most 2^30): waiting, lingering and settled ones together. It holds
    /// no memory before the first call.
    pub fn new(max_in_flight: usize) -> Self {
        Self::starting_at(max_in_flight, 0)
    }

    /// A table whose first call gets the number `seq`, below 2^31.
    pub fn starting_at(max_in_flight: usize, seq: u32) -> Self {
        Self {
            slots: Vec::new(),
            max_in_flight: max_in_flight.min(1 << 30),
            next: seq % SEQ_END,
            waiting: 0,
            lingering: 0,
            settled: 0,
            peak: 0,
        }
    }

    /// Takes a slot for a call and gives its sequence number.
    ///
    /// # Errors
    /// The waiter comes back when `max_in_flight` calls are in the table.
    #[inline]
    pub fn begin(&mut self, waiter: W) -> Result<u32, W> {
        let in_use = self.in_use();
        if in_use * 2 >= self.slots.len() {
            if in_use >= self.max_in_flight {
                return Err(waiter);
            }
            self.grow();
        } else if in_use >= self.max_in_flight {
            return Err(waiter);
        }
        // At least half of the slots are free, so that the search is short on average.
        let mask = self.slots.len() - 1;
        let mut seq = self.next;
        while !matches!(self.slots[seq as usize & mask].state, State::Free) {
            seq = (seq + 1) % SEQ_END;
        }
        self.slots[seq as usize & mask] = Slot { seq, state: State::Waiting(waiter) };
        self.next = (seq + 1) % SEQ_END;
        self.waiting += 1;
        self.peak = self.peak.max(in_use + 1);
        Ok(seq)
    }

    /// A number for a frame that takes no slot, such as a oneway call: of the same counter, and of no call in the table.
    pub fn skip_seq(&mut self) -> u32 {
        let mut seq = self.next;
        while self.slot(seq).is_some() {
            seq = (seq + 1) % SEQ_END;
        }
        self.next = (seq + 1) % SEQ_END;
        seq
    }

    /// The waiter of a call that still waits.
    pub fn waiter_mut(&mut self, seq: u32) -> Option<&mut W> {
        match &mut self.slot(seq)?.state {
            State::Waiting(waiter) => Some(waiter),
            _ => None,
        }
    }

    /// An answer came: frees the slot. `None`: the caller gave up, or nobody asked; the answer is to be dropped.
    #[inline]
    pub fn complete(&mut self, seq: u64) -> Option<W> {
        let slot = self.slot(u32::try_from(seq).ok()?)?;
        match std::mem::replace(&mut slot.state, State::Free) {
            State::Waiting(waiter) => {
                self.waiting -= 1;
                self.freed();
                Some(waiter)
            }
            State::Lingering => {
                self.lingering -= 1;
                self.freed();
                None
            }
            other => {
                slot.state = other;
                None
            }
        }
    }

    /// An answer came: leaves `result` in the slot for [`take`](Self::take) and gives the waiter, to be woken. `None`: as
    /// for [`complete`](Self::complete), and `result` is dropped.
    pub fn settle(&mut self, seq: u64, result: R) -> Option<W> {
        let slot = self.slot(u32::try_from(seq).ok()?)?;
        if !matches!(slot.state, State::Waiting(_)) {
            return self.complete(seq);
        }
        match std::mem::replace(&mut slot.state, State::Settled(result)) {
            State::Waiting(waiter) => {
                self.waiting -= 1;
                self.settled += 1;
                Some(waiter)
            }
            _ => None,
        }
    }

    /// The result that [`settle`](Self::settle) left: frees the slot. `None` while the call waits.
    pub fn take(&mut self, seq: u32) -> Option<R> {
        let slot = self.slot(seq)?;
        match std::mem::replace(&mut slot.state, State::Free) {
            State::Settled(result) => {
                self.settled -= 1;
                self.freed();
                Some(result)
            }
            other => {
                slot.state = other;
                None
            }
        }
    }

    /// The caller gave up: deadline, cancellation. A call that was `sent` lingers; one that was not is gone; one that is
    /// settled is gone too, and its result is handed out.
    pub fn give_up(&mut self, seq: u32, sent: bool) -> Option<GaveUp<W, R>> {
        let slot = self.slot(seq)?;
        match std::mem::replace(&mut slot.state, State::Free) {
            State::Waiting(waiter) => {
                if sent {
                    slot.state = State::Lingering;
                    self.lingering += 1;
                }
                self.waiting -= 1;
                self.freed();
                Some(GaveUp::Waiting(waiter))
            }
            State::Settled(result) => {
                self.settled -= 1;
                self.freed();
                Some(GaveUp::Settled(result))
            }
            other => {
                slot.state = other;
                None
            }
        }
    }

    /// The connection ended: all calls that wait, with their numbers. Lingering ones are forgotten; settled ones can still
    /// be taken.
    pub fn drain(&mut self) -> impl Iterator<Item = (u32, W)> + use<W, R> {
        let mut waiters = Vec::with_capacity(self.waiting);
        for slot in &mut self.slots {
            match std::mem::replace(&mut slot.state, State::Free) {
                State::Waiting(waiter) => waiters.push((slot.seq, waiter)),
                State::Settled(result) => slot.state = State::Settled(result),
                State::Lingering | State::Free => {}
            }
        }
        (self.waiting, self.lingering) = (0, 0);
        self.freed();
        waiters.into_iter()
    }

    /// Calls that wait.
    pub fn len(&self) -> usize {
        self.waiting
    }

    /// Whether no call waits.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Calls that were given up after they were sent, and whose answer is still out.
    pub fn lingering(&self) -> usize {
        self.lingering
    }

    /// Slots in use: waiting, lingering and settled calls.
    #[inline]
    pub fn in_use(&self) -> usize {
        self.waiting + self.lingering + self.settled
    }

    /// Gives the table's memory back if no slot is in use. For a connection that went idle: the table keeps what its last
    /// busy period needed.
    pub fn release(&mut self) {
        if self.in_use() == 0 {
            self.slots = Vec::new();
            self.peak = 0;
        }
    }

    /// The slot of a call in the table.
    #[inline]
    fn slot(&mut self, seq: u32) -> Option<&mut Slot<W, R>> {
        let mask = self.slots.len().wrapping_sub(1);
        self.slots.get_mut(seq as usize & mask).filter(|slot| slot.seq == seq && !matches!(slot.state, State::Free))
    }

    /// Twice the slots. Two calls in different slots differ in low bits, so they do with more bits.
    #[cold]
    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(MIN_SLOTS);
        let old = std::mem::replace(&mut self.slots, free_slots(size));
        for slot in old {
            let index = slot.seq as usize & (size - 1);
            if !matches!(slot.state, State::Free) {
                self.slots[index] = slot;
            }
        }
    }

    /// After a slot was freed: a table that is empty and far larger than it needed to be becomes small.
    #[inline]
    fn freed(&mut self) {
        if self.in_use() == 0 {
            if self.slots.len() > MIN_SLOTS && self.peak * 8 < self.slots.len() {
                self.slots = free_slots(MIN_SLOTS);
            }
            self.peak = 0;
        }
    }
}

fn free_slots<W, R>(count: usize) -> Vec<Slot<W, R>> {
    std::iter::repeat_with(|| Slot { seq: 0, state: State::Free }).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reaches_only_its_own_call() {
        let mut pending = Pending::<u32, ()>::new(8);
        let first = pending.begin(1).unwrap();
        assert_eq!(pending.complete(u64::from(first) + 16), None, "same slot, other number");
        assert_eq!(pending.complete(u64::from(first) + (1 << 32)), None, "same low bits");
        assert_eq!(pending.complete(u64::MAX), None);
        assert_eq!(pending.complete(u64::from(first)), Some(1));
        assert_eq!(pending.complete(u64::from(first)), None);
    }

    #[test]
    fn a_given_up_call_keeps_its_slot_until_the_answer_comes() {
        let mut pending = Pending::<u32, ()>::new(100);
        let late = pending.begin(1).unwrap();
        assert_eq!(pending.give_up(late, true), Some(GaveUp::Waiting(1)));
        assert_eq!(pending.give_up(late, true), None);
        assert_eq!((pending.len(), pending.lingering(), pending.in_use()), (0, 1, 1));
        for _ in 0..100 {
            let seq = pending.begin(2).unwrap();
            assert_ne!(seq % 16, late % 16);
            assert_eq!(pending.complete(u64::from(seq)), Some(2));
        }
        assert_eq!(pending.complete(u64::from(late)), None);
        assert_eq!(pending.lingering(), 0);
        let unsent = pending.begin(3).unwrap();
        assert_eq!(pending.give_up(unsent, false), Some(GaveUp::Waiting(3)));
        assert_eq!(pending.in_use(), 0);
    }

    #[test]
    fn a_result_waits_for_its_caller() {
        let mut pending = Pending::<u32, &str>::new(8);
        let seq = pending.begin(1).unwrap();
        assert_eq!(pending.take(seq), None);
        assert_eq!(pending.waiter_mut(seq), Some(&mut 1));
        assert_eq!(pending.settle(u64::from(seq), "done"), Some(1));
        assert_eq!(pending.settle(u64::from(seq), "double"), None);
        assert_eq!(pending.complete(u64::from(seq)), None);
        assert_eq!(pending.waiter_mut(seq), None);
        assert_eq!((pending.in_use(), pending.is_empty()), (1, true));
        assert_eq!(pending.take(seq), Some("done"));
        assert_eq!(pending.take(seq), None);

        let seq = pending.begin(2).unwrap();
        pending.settle(u64::from(seq), "late");
        assert_eq!(pending.give_up(seq, true), Some(GaveUp::Settled("late")));
        let seq = pending.begin(3).unwrap();
        pending.give_up(seq, true);
        assert_eq!(pending.settle(u64::from(seq), "dropped"), None);
        assert_eq!(pending.in_use(), 0);
    }

    #[test]
    fn a_full_table_hands_the_waiter_back() {
        for max in [0, 1, 7, 8, 9, 100] {
            let mut pending = Pending::<usize, ()>::new(max);
            let seqs = (0..max).map(|i| pending.begin(i).unwrap()).collect::<Vec<_>>();
            assert_eq!(pending.begin(max), Err(max));
            for (waiter, seq) in seqs.into_iter().enumerate() {
                assert_eq!(pending.complete(u64::from(seq)), Some(waiter));
            }
        }
    }

    #[test]
    fn the_end_hands_out_all_that_wait() {
        let mut pending = Pending::<u32, &str>::new(100);
        let seqs = (0..50).map(|i| pending.begin(i).unwrap()).collect::<Vec<_>>();
        pending.give_up(seqs[3], true);
        pending.settle(u64::from(seqs[4]), "settled");
        let mut drained = pending.drain().collect::<Vec<_>>();
        drained.sort_unstable();
        let expected = (0..50).filter(|i| ![3, 4].contains(i)).map(|i| (seqs[i as usize], i)).collect::<Vec<_>>();
        assert_eq!(drained, expected);
        assert_eq!((pending.len(), pending.lingering(), pending.in_use()), (0, 0, 1));
        assert_eq!(pending.take(seqs[4]), Some("settled"));
    }

    #[test]
    fn numbers_stay_below_two_to_the_31_and_pass_over_calls_in_the_table() {
        let mut pending = Pending::<u32, ()>::starting_at(100, SEQ_END - 2);
        let seqs = (0..4).map(|i| pending.begin(i).unwrap()).collect::<Vec<_>>();
        assert_eq!(seqs, [SEQ_END - 2, SEQ_END - 1, 0, 1]);
        pending.next = SEQ_END - 2; // 2^31 calls later
        assert_eq!(pending.skip_seq(), 2);
        pending.next = SEQ_END - 1;
        assert_eq!(pending.begin(9), Ok(2), "all slots in between are taken");
        assert_eq!(pending.skip_seq(), 3);
    }

    #[test]
    fn memory_follows_the_number_of_calls() {
        let mut pending = Pending::<u32, ()>::new(10_000);
        assert_eq!(pending.slots.capacity(), 0);
        let round = |pending: &mut Pending<u32, ()>, calls: u32| {
            let seqs = (0..calls).map(|i| pending.begin(i).unwrap()).collect::<Vec<_>>();
            seqs.into_iter().for_each(|seq| assert!(pending.complete(u64::from(seq)).is_some()));
        };
        round(&mut pending, 10_000);
        assert_eq!(pending.slots.len(), 1 << 15);
        round(&mut pending, 10_000);
        assert_eq!(pending.slots.len(), 1 << 15, "a steady load finds its table again");
        round(&mut pending, 1);
        assert_eq!(pending.slots.len(), MIN_SLOTS);
        pending.release();
        assert_eq!(pending.slots.capacity(), 0);
        let seq = pending.begin(1).unwrap();
        pending.release();
        assert_eq!(pending.complete(u64::from(seq)), Some(1), "a table in use is kept");
    }
}
