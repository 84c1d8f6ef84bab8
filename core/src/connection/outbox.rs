//! Frames on their way out of one connection: a bounded queue that leaves in as few system calls as possible.
//!
//! Positions are *stream offsets*: bytes ever accepted. A frame whose start lies at or beyond [`Outbox::written`] has not
//! been handed to the system, not even in part, so the failure of its call is `not_sent`. Frames that are withdrawn
//! (overload, a deadline that passed in the queue) leave holes that the writer skips.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use super::buffers;

/// Frames up to this size are copied together into segments; larger ones are queued as they are.
pub(crate) const COPY_LIMIT: usize = 16 * 1024;
/// A segment that has reached this size takes no further frames.
const SEGMENT: usize = 64 * 1024;
/// Places for segments that an idle queue keeps.
const KEPT: usize = 4;
/// Places for marks that an idle queue keeps.
const KEPT_MARKS: usize = 128;
/// Segments handed to one vectored write.
pub(crate) const MAX_SLICES: usize = 64;

enum Segment {
    Copied(Vec<u8>),
    Kept(Bytes),
    /// All of it was withdrawn; only its place in the stream is left.
    Gone(u64),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Segment::Copied(bytes) => bytes,
            Segment::Kept(bytes) => bytes,
            Segment::Gone(_) => &[],
        }
    }

    fn len(&self) -> u64 {
        match self {
            Segment::Gone(len) => *len,
            segment => segment.bytes().len() as u64,
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
    /// Bytes of all holes.
    withdrawn: u64,
    /// Bytes of all marked frames.
    marked: u64,
    /// Bytes of segments whose memory was given back.
    gone: u64,
}

impl Outbox {
    /// Nothing waits to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.written == self.end
    }

    /// Bytes held in memory.
    pub(crate) fn queued_bytes(&self) -> usize {
        (self.end - self.base - self.gone) as usize
    }

    /// Bytes that are still to be written.
    pub(crate) fn waiting_bytes(&self) -> usize {
        (self.end - self.written - self.withdrawn) as usize
    }

    /// Those of them that belong to frames which can be withdrawn.
    pub(crate) fn withdrawable_bytes(&self) -> usize {
        let begun = self.marks.front().filter(|mark| mark.start < self.written);
        (self.marked - begun.map_or(0, |mark| mark.end - mark.start)) as usize
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
            self.marked += len;
        }
        start
    }

    fn push_copy(&mut self, bytes: &[u8]) {
        match self.segments.back_mut() {
            Some(Segment::Copied(tail)) if tail.len() + bytes.len() <= SEGMENT => tail.extend_from_slice(bytes),
            _ => {
                let mut segment = buffers::take_scratch();
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
        self.remove_mark(index).is_some()
    }

    /// Takes out the oldest frame that has not begun to leave and returns its sequence number.
    pub(crate) fn withdraw_oldest(&mut self) -> Option<u32> {
        let index = self.marks.partition_point(|mark| mark.start < self.written);
        self.remove_mark(index)
    }

    fn remove_mark(&mut self, index: usize) -> Option<u32> {
        let mark = self.marks.remove(index)?;
        self.marked -= mark.end - mark.start;
        self.add_hole(mark.start, mark.end);
        self.free_segment(mark.start);
        self.skip_holes();
        Some(mark.seq)
    }

    /// Gives the memory of the segment back that holds a withdrawn frame, if nothing else is in it: a frame that is stuck
    /// half-written at the front must not keep those behind it in memory.
    fn free_segment(&mut self, start: u64) {
        let index = self.holes.partition_point(|hole| hole.1 <= start);
        let Some(&hole) = self.holes.get(index) else { return };
        let mut offset = self.base;
        let found = self.segments.iter().position(|segment| {
            offset += segment.len();
            start < offset
        });
        let Some(at) = found else { return };
        let len = self.segments[at].len();
        if hole.0 > offset - len || offset > hole.1 {
            return;
        }
        self.gone += len;
        self.segments[at] = Segment::Gone(len);
        // Neighbours become one, so that looking for a segment stays short.
        for left in [at, at.wrapping_sub(1)] {
            if let (Some(Segment::Gone(one)), Some(Segment::Gone(two))) =
                (self.segments.get(left), self.segments.get(left.wrapping_add(1)))
            {
                self.segments[left] = Segment::Gone(one + two);
                self.segments.remove(left + 1);
            }
        }
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
        self.withdrawn += end - start;
    }

    /// Moves over withdrawn bytes at the front and gives their memory back.
    fn skip_holes(&mut self) {
        while let Some(&(start, end)) = self.holes.front() {
            if start > self.written {
                break;
            }
            self.written = self.written.max(end);
            self.withdrawn -= end - start;
            self.holes.pop_front();
        }
        while let Some(front) = self.segments.front() {
            let len = front.len();
            if self.base + len > self.written {
                break;
            }
            self.base += len;
            match self.segments.pop_front() {
                Some(Segment::Copied(buffer)) => buffers::put_scratch(buffer),
                Some(Segment::Gone(len)) => self.gone -= len,
                _ => {}
            }
        }
        while let Some(mark) = self.marks.front().filter(|mark| mark.end <= self.written) {
            self.marked -= mark.end - mark.start;
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
            let segment_end = offset + segment.len();
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
        let (base, end) = (self.base, self.base + segment.len());
        let whole = match segment {
            Segment::Copied(bytes) => Bytes::from(bytes),
            Segment::Kept(bytes) => bytes,
            // Holes at the front were skipped above.
            Segment::Gone(_) => return None,
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
        let end = self.end;
        *self = Outbox { base: end, written: self.written, end, withdrawn: end - self.written, ..Outbox::default() };
    }

    /// Gives back what a burst made the queue grow to, when nothing is queued.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            self.segments.shrink_to(KEPT);
            self.marks.shrink_to(KEPT_MARKS);
            self.holes = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests;
