//! Frames on their way out of one connection: a bounded queue that leaves in as few system calls as possible.
//!
//! Positions are *stream offsets*: bytes ever accepted. A frame whose start lies at or beyond [`Outbox::written`] has not
//! been handed to the system, not even in part, so the failure of its call is `not_sent`. Frames that are withdrawn
//! (overload, a deadline that passed in the queue) leave holes that the writer skips.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

/// Frames up to this size are copied together into segments; larger ones are queued as they are.
pub(crate) const COPY_LIMIT: usize = 16 * 1024;
/// A segment that has reached this size takes no further frames.
const SEGMENT: usize = 64 * 1024;
/// Segments handed to one vectored write.
pub(crate) const MAX_SLICES: usize = 64;

enum Segment {
    Copied(Vec<u8>),
    Kept(Bytes),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Segment::Copied(bytes) => bytes,
            Segment::Kept(bytes) => bytes,
        }
    }
}

/// Where a withdrawable frame stands in the queue.
#[derive(Clone, Copy)]
struct Mark {
    start: u64,
    end: u64,
    seq: u32,
}

/// The queue itself; not thread-safe, it lives under the connection's lock.
#[derive(Default)]
pub(crate) struct Outbox {
    segments: VecDeque<Segment>,
    /// Offset of the first byte of the first segment.
    base: u64,
    /// Bytes handed to the system, holes included.
    written: u64,
    /// Offset behind the last byte accepted.
    end: u64,
    marks: VecDeque<Mark>,
    /// Withdrawn ranges, sorted, never touching `..written`.
    holes: VecDeque<(u64, u64)>,
    /// Segment buffer kept for reuse between bursts.
    spare: Vec<u8>,
}

impl Outbox {
    /// Nothing waits to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.written == self.end
    }

    /// Bytes held in memory.
    pub(crate) fn queued_bytes(&self) -> usize {
        (self.end - self.base) as usize
    }

    /// Withdrawable frames in the queue.
    pub(crate) fn queued_frames(&self) -> usize {
        self.marks.len()
    }

    /// Stream offset up to which bytes were handed to the system.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Offset that the next frame begins at.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Counts bytes that were written past the queue, which must be empty.
    pub(crate) fn passed(&mut self, bytes: usize) {
        debug_assert!(self.is_empty());
        self.end += bytes as u64;
        self.written = self.end;
        self.base = self.end;
    }

    /// Appends one frame or several (`seq` only for a single frame that may be withdrawn later); empties `frame` and may
    /// take its buffer. Returns the offset at which it begins.
    pub(crate) fn push(&mut self, frame: &mut Vec<u8>, seq: Option<u32>) -> u64 {
        let start = self.end;
        let len = frame.len() as u64;
        if frame.len() > COPY_LIMIT {
            self.segments.push_back(Segment::Kept(Bytes::from(std::mem::take(frame))));
        } else {
            self.push_copy(frame);
            frame.clear();
        }
        self.end += len;
        if let Some(seq) = seq {
            self.marks.push_back(Mark { start, end: self.end, seq });
        }
        start
    }

    fn push_copy(&mut self, bytes: &[u8]) {
        match self.segments.back_mut() {
            Some(Segment::Copied(tail)) if tail.len() + bytes.len() <= SEGMENT => tail.extend_from_slice(bytes),
            _ => {
                let mut segment = std::mem::take(&mut self.spare);
                segment.extend_from_slice(bytes);
                self.segments.push_back(Segment::Copied(segment));
            }
        }
    }

    /// Keeps the frame that begins at `start` from being written. False when it is too late.
    pub(crate) fn withdraw(&mut self, start: u64) -> bool {
        if start < self.written {
            return false;
        }
        let Ok(index) = self.marks.binary_search_by_key(&start, |mark| mark.start) else { return false };
        let Some(mark) = self.marks.remove(index) else { return false };
        self.add_hole(mark.start, mark.end);
        true
    }

    /// Takes out the oldest frame that has not begun to leave and returns its sequence number.
    pub(crate) fn withdraw_oldest(&mut self) -> Option<u32> {
        let index = self.marks.partition_point(|mark| mark.start < self.written);
        let mark = self.marks.remove(index)?;
        self.add_hole(mark.start, mark.end);
        Some(mark.seq)
    }

    fn add_hole(&mut self, start: u64, end: u64) {
        let at = self.holes.partition_point(|hole| hole.0 < start);
        let joins_left = at > 0 && self.holes[at - 1].1 == start;
        let joins_right = at < self.holes.len() && self.holes[at].0 == end;
        match (joins_left, joins_right) {
            (true, true) => {
                self.holes[at - 1].1 = self.holes[at].1;
                self.holes.remove(at);
            }
            (true, false) => self.holes[at - 1].1 = end,
            (false, true) => self.holes[at].0 = start,
            (false, false) => self.holes.insert(at, (start, end)),
        }
        self.skip_holes();
    }

    /// Moves over withdrawn bytes at the front and gives their memory back.
    fn skip_holes(&mut self) {
        while let Some(&(start, end)) = self.holes.front() {
            if start > self.written {
                break;
            }
            self.written = self.written.max(end);
            self.holes.pop_front();
        }
        while let Some(front) = self.segments.front() {
            let len = front.bytes().len() as u64;
            if self.base + len > self.written {
                break;
            }
            self.base += len;
            if let Some(Segment::Copied(mut buffer)) = self.segments.pop_front()
                && self.spare.capacity() < buffer.capacity()
            {
                buffer.clear();
                self.spare = buffer;
            }
        }
        while self.marks.front().is_some_and(|mark| mark.end <= self.written) {
            self.marks.pop_front();
        }
    }

    /// Fills `slices` with what is to be written next and returns how many were used.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; MAX_SLICES]) -> usize {
        let mut used = 0;
        let mut offset = self.base;
        let mut holes = self.holes.iter().peekable();
        for segment in &self.segments {
            let bytes = segment.bytes();
            let segment_end = offset + bytes.len() as u64;
            let mut from = offset.max(self.written);
            while from < segment_end {
                while holes.next_if(|hole| hole.1 <= from).is_some() {}
                let mut to = segment_end;
                if let Some(&&(start, end)) = holes.peek() {
                    if start <= from {
                        from = end.min(segment_end);
                        continue;
                    }
                    to = to.min(start);
                }
                slices[used] = IoSlice::new(&bytes[(from - offset) as usize..(to - offset) as usize]);
                used += 1;
                if used == MAX_SLICES {
                    return used;
                }
                from = to;
            }
            offset = segment_end;
        }
        used
    }

    /// The system took `bytes` of what [`slices`](Self::slices) offered.
    pub(crate) fn advance(&mut self, mut bytes: usize) {
        while bytes > 0 {
            self.skip_holes();
            let stop = self.holes.front().map_or(self.end, |hole| hole.0);
            let step = (bytes as u64).min(stop - self.written);
            if step == 0 {
                break;
            }
            self.written += step;
            bytes -= step as usize;
        }
        self.skip_holes();
    }

    /// Takes the first segment out for a writer that keeps its own buffer; its bytes count as written.
    pub(crate) fn take_front(&mut self) -> Option<Bytes> {
        self.skip_holes();
        let segment = self.segments.pop_front()?;
        let (base, end) = (self.base, self.base + segment.bytes().len() as u64);
        let whole = match segment {
            Segment::Copied(bytes) => Bytes::from(bytes),
            Segment::Kept(bytes) => bytes,
        };
        let from = self.written.max(base);
        let taken = if self.holes.front().is_some_and(|hole| hole.0 < end) {
            let mut kept = Vec::with_capacity(whole.len());
            let mut at = from;
            for &(start, stop) in self.holes.iter().take_while(|hole| hole.0 < end) {
                kept.extend_from_slice(&whole[(at - base) as usize..(start - base) as usize]);
                at = stop.min(end);
            }
            kept.extend_from_slice(&whole[(at - base) as usize..]);
            Bytes::from(kept)
        } else {
            whole.slice((from - base) as usize..)
        };
        self.base = end;
        self.written = end;
        self.skip_holes();
        Some(taken)
    }

    /// Drops everything; what was not written never will be.
    pub(crate) fn clear(&mut self) {
        *self = Outbox { base: self.end, written: self.written, end: self.end, ..Outbox::default() };
    }

    /// Gives the spare buffer back when nothing is queued.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            self.spare = Vec::new();
            self.segments = VecDeque::new();
            self.marks = VecDeque::new();
            self.holes = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(byte: u8, len: usize) -> Vec<u8> {
        vec![byte; len]
    }

    /// Writes everything out in steps of `step` bytes.
    fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !outbox.is_empty() {
            let taken = {
                let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                let used = outbox.slices(&mut slices);
                assert!(used > 0, "bytes wait but none are offered");
                let before = out.len();
                for slice in &slices[..used] {
                    let room = step - (out.len() - before);
                    out.extend_from_slice(&slice[..room.min(slice.len())]);
                }
                out.len() - before
            };
            outbox.advance(taken);
        }
        out
    }

    #[test]
    fn frames_leave_in_order_across_segments() {
        for step in [61, 1000, usize::MAX] {
            let mut outbox = Outbox::default();
            let mut expected = Vec::new();
            for i in 0..40u8 {
                let bytes = frame(i, 100 + usize::from(i) * 500);
                expected.extend_from_slice(&bytes);
                outbox.push(&mut bytes.clone(), Some(u32::from(i)));
            }
            assert_eq!(drain(&mut outbox, step), expected);
            assert_eq!(outbox.queued_bytes(), 0);
            assert_eq!(outbox.queued_frames(), 0);
        }
    }

    #[test]
    fn a_withdrawn_frame_is_never_written() {
        for step in [1, 3, usize::MAX] {
            for gone in 0..5u8 {
                let mut outbox = Outbox::default();
                let starts: Vec<u64> = (0..5u8).map(|i| outbox.push(&mut frame(i, 10), Some(u32::from(i)))).collect();
                assert!(outbox.withdraw(starts[usize::from(gone)]));
                assert!(!outbox.withdraw(starts[usize::from(gone)]), "a frame is withdrawn once");
                let expected: Vec<u8> = (0..5u8).filter(|i| *i != gone).flat_map(|i| frame(i, 10)).collect();
                assert_eq!(drain(&mut outbox, step), expected);
            }
        }
    }

    #[test]
    fn what_has_begun_to_leave_cannot_be_withdrawn() {
        let mut outbox = Outbox::default();
        let first = outbox.push(&mut frame(1, 10), Some(1));
        outbox.push(&mut frame(2, 10), Some(2));
        outbox.advance(1);
        assert!(!outbox.withdraw(first));
        assert_eq!(outbox.withdraw_oldest(), Some(2));
        assert_eq!(outbox.withdraw_oldest(), None);
        assert_eq!(drain(&mut outbox, 100), frame(1, 9));
    }

    #[test]
    fn withdrawing_from_the_front_frees_memory() {
        let mut outbox = Outbox::default();
        for seq in 0..4 {
            outbox.push(&mut frame(7, 60 * 1024), Some(seq));
        }
        for seq in 0..4 {
            assert_eq!(outbox.withdraw_oldest(), Some(seq));
            assert_eq!(outbox.queued_bytes(), (3 - seq as usize) * 60 * 1024);
        }
        assert!(outbox.is_empty());
    }

    #[test]
    fn segments_taken_whole_leave_out_withdrawn_frames() {
        let mut outbox = Outbox::default();
        let starts: Vec<u64> = (0..6u8).map(|i| outbox.push(&mut frame(i, 10), Some(u32::from(i)))).collect();
        outbox.push(&mut frame(9, COPY_LIMIT + 1), Some(9));
        assert!(outbox.withdraw(starts[0]));
        assert!(outbox.withdraw(starts[3]));
        assert!(outbox.withdraw(starts[5]));
        let first = outbox.take_front().expect("a segment");
        let expected: Vec<u8> = [1u8, 2, 4].into_iter().flat_map(|i| frame(i, 10)).collect();
        assert_eq!(first, expected);
        assert_eq!(outbox.take_front().expect("a segment"), frame(9, COPY_LIMIT + 1));
        assert!(outbox.take_front().is_none());
        assert!(outbox.is_empty());
    }
}
