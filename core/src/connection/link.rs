//! The shared half of a connection: what callers, handlers and the driver hold on to.
//!
//! Any thread may send. A frame that finds the connection idle is written at once from the sending thread
//! ([`Flush::Now`]); where others are about to add theirs the driver is woken and writes all of them together
//! ([`Flush::Batch`]). The lock covers memory copies and at most one non-blocking write.

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::outbox::{COPY_LIMIT, MAX_SLICES, Outbox};
use crate::error::{Delivery, Error, Reason, Result};
use crate::stats::{ConnectionRecorder, QueueTotals};
use crate::transport::{ConnectionInfo, DirectWrite};

/// Who writes a frame that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// The sender, if nothing else waits: it is alone and nothing would be gained by gathering.
    Now,
    /// The driver, after others had the chance to add theirs.
    Batch,
}

/// Limits of the queue of unsent frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

struct Sending {
    outbox: Outbox,
    /// `None` for transports whose own task writes, and after the close.
    writer: Option<Arc<dyn DirectWrite>>,
    /// The system would not take more; the driver waits until it does.
    blocked: bool,
    /// The driver has been woken to write and has not begun.
    kicked: bool,
    /// All that is queued waits for company, not for the system.
    later: bool,
    /// No further frames are accepted; the connection ends for this reason.
    closed: Option<Error>,
    /// The end may wait until everything accepted has left.
    after_flush: bool,
}

/// One connection, shared between its driver and everybody who sends on it.
pub(crate) struct Link {
    sending: Mutex<Sending>,
    driver: OnceLock<Waker>,
    open: AtomicBool,
    epoch: Instant,
    /// Milliseconds since the epoch when the driver last wrote something, for the write timeout.
    progress: AtomicU64,
    limits: QueueLimits,
    pub(crate) id: u64,
    pub(crate) info: ConnectionInfo,
    pub(crate) recorder: Arc<ConnectionRecorder>,
}

/// What became of a frame handed to [`Link::send`].
pub(crate) struct Sent {
    /// Stream offset at which it begins.
    pub(crate) start: u64,
    /// Requests that had to make room: they failed with `overload`.
    pub(crate) displaced: Vec<u32>,
}

/// How far a flush got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Nothing is left.
    Empty,
    /// The system takes no more for now.
    Blocked,
}

impl Link {
    pub(crate) fn new(
        id: u64,
        info: ConnectionInfo,
        writer: Option<Arc<dyn DirectWrite>>,
        limits: QueueLimits,
        recorder: Arc<ConnectionRecorder>,
    ) -> Link {
        Link {
            sending: Mutex::new(Sending {
                outbox: Outbox::default(),
                writer,
                blocked: false,
                kicked: false,
                later: false,
                closed: None,
                after_flush: false,
            }),
            driver: OnceLock::new(),
            open: AtomicBool::new(true),
            epoch: Instant::now(),
            progress: AtomicU64::new(0),
            limits,
            id,
            info,
            recorder,
        }
    }

    fn sending(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds of this connection's own clock at `now`.
    pub(crate) fn millis(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.epoch).as_millis() as u64
    }

    /// The moment that [`millis`](Self::millis) gives `millis` for.
    pub(crate) fn instant(&self, millis: u64) -> Instant {
        self.epoch + Duration::from_millis(millis)
    }

    /// The moment of the connection's own clock, rounded up so that no deadline comes early.
    pub(crate) fn millis_ceil(&self, at: Instant) -> u64 {
        (at.saturating_duration_since(self.epoch) + Duration::from_nanos(999_999)).as_millis() as u64
    }

    /// Frames are still accepted.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// The driver introduces itself before anybody else can hold the link.
    pub(crate) fn set_driver(&self, waker: &Waker) {
        if self.driver.get().is_none() {
            // The first poll decides; a runtime task keeps its waker for life.
            let _ = self.driver.set(waker.clone());
        }
    }

    /// Lets the driver look at its work.
    pub(crate) fn kick(&self) {
        if let Some(waker) = self.driver.get() {
            waker.wake_by_ref();
        }
    }

    /// Sends one encoded frame, or several in one buffer. `seq` marks a single request that may be withdrawn while it waits.
    /// The buffer comes back empty.
    ///
    /// # Errors
    /// The reason the connection ended for, or `overload.queue`; the frame was not sent.
    pub(crate) fn send(&self, frame: &mut Vec<u8>, seq: Option<u32>, flush: Flush) -> Result<Sent> {
        let mut guard = self.sending();
        let sending = &mut *guard;
        if let Some(error) = &sending.closed {
            frame.clear();
            return Err(error.clone().with_delivery(Delivery::NotSent));
        }
        let start = sending.outbox.end();
        if flush == Flush::Now
            && !sending.blocked
            && sending.outbox.is_empty()
            && let Some(writer) = &sending.writer
        {
            let written = writer.try_write(frame);
            self.written_now(guard, written, frame, seq)?;
            return Ok(Sent { start, displaced: Vec::new() });
        }
        let mut displaced = Vec::new();
        if seq.is_some() && !self.has_room(&sending.outbox, frame.len()) {
            self.make_room(&mut sending.outbox, frame.len(), &mut displaced)?;
        }
        if sending.outbox.is_empty() || std::mem::take(&mut sending.later) {
            self.mark_progress();
        }
        sending.outbox.push(frame, seq);
        let wake = !std::mem::replace(&mut sending.kicked, true);
        drop(guard);
        if wake {
            self.kick();
        }
        Ok(Sent { start, displaced })
    }

    /// A frame that found nothing before it was written; what the system did not take is queued.
    #[inline(never)]
    fn written_now(
        &self,
        mut guard: MutexGuard<'_, Sending>,
        written: io::Result<usize>,
        frame: &mut Vec<u8>,
        seq: Option<u32>,
    ) -> Result<()> {
        let sending = &mut *guard;
        match written {
            Ok(taken) => {
                self.recorder.wrote(taken);
                sending.outbox.passed(taken);
                if taken == frame.len() {
                    frame.clear();
                    return Ok(());
                }
                frame.drain(..taken);
                sending.outbox.push(frame, None);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sending.outbox.push(frame, seq);
            }
            Err(error) => {
                let error = io_error(error);
                Self::end(&self.open, sending, error.clone(), false);
                drop(guard);
                self.kick();
                frame.clear();
                return Err(error.with_delivery(Delivery::NotSent));
            }
        }
        sending.blocked = true;
        self.mark_progress();
        let wake = !std::mem::replace(&mut sending.kicked, true);
        drop(guard);
        if wake {
            self.kick();
        }
        Ok(())
    }

    /// Queues a frame that leaves with the next one; it wakes nobody.
    pub(crate) fn send_later(&self, frame: &mut Vec<u8>) {
        let mut sending = self.sending();
        if sending.closed.is_none() {
            sending.later = sending.outbox.is_empty();
            sending.outbox.push(frame, None);
        }
    }

    /// Lets a frame that waits for company leave alone.
    pub(super) fn send_waiting(&self) {
        let mut sending = self.sending();
        sending.kicked = true;
        if std::mem::take(&mut sending.later) {
            self.mark_progress();
        }
        drop(sending);
        self.kick();
    }

    /// One more frame of `len` bytes keeps the queue within its limits.
    #[inline]
    fn has_room(&self, outbox: &Outbox, len: usize) -> bool {
        outbox.queued_frames() < self.limits.frames && outbox.queued_bytes() + len <= self.limits.bytes
    }

    /// The oldest requests go first, so that fresh ones are served.
    #[cold]
    fn make_room(&self, outbox: &mut Outbox, len: usize, displaced: &mut Vec<u32>) -> Result<()> {
        let fixed = outbox.waiting_bytes() - outbox.withdrawable_bytes();
        if fixed > self.limits.bytes {
            return Err(Error::new(
                Reason::OverloadQueue,
                format!("{fixed} bytes wait to be sent to {} already", self.info.remote),
            ));
        }
        // Withdrawn frames between others are still in memory, though they wait for nothing.
        let most_held = self.limits.bytes.saturating_mul(2).saturating_add(4 * COPY_LIMIT);
        while outbox.queued_frames() >= self.limits.frames
            || outbox.waiting_bytes() + len > self.limits.bytes
            || outbox.queued_bytes() > most_held
        {
            match outbox.withdraw_oldest() {
                Some(seq) => displaced.push(seq),
                // A single frame may be larger than the queue.
                None => break,
            }
        }
        Ok(())
    }

    fn mark_progress(&self) {
        self.progress.store(self.millis(Instant::now()), Ordering::Relaxed);
    }

    /// When the system last took bytes, or the first of those that wait came.
    pub(crate) fn progress(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    /// Bytes held for sending.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.sending().outbox.queued_bytes()
    }

    /// What waits to be written: requests, and the bytes of everything.
    pub(crate) fn queue(&self) -> QueueTotals {
        let sending = self.sending();
        QueueTotals { frames: sending.outbox.queued_frames() as u64, bytes: sending.outbox.waiting_bytes() as u64 }
    }

    /// More waits than the limit allows: stop producing.
    pub(crate) fn is_congested(&self) -> bool {
        self.queued_bytes() > self.limits.bytes
    }

    /// Takes a request back that waits at `start`; false when its bytes have begun to leave.
    pub(crate) fn withdraw(&self, start: u64) -> bool {
        let mut sending = self.sending();
        if sending.closed.is_some() {
            return start >= sending.outbox.written();
        }
        sending.outbox.withdraw(start)
    }

    /// Stream offset up to which bytes were handed to the system.
    pub(crate) fn written(&self) -> u64 {
        self.sending().outbox.written()
    }

    /// Ends the connection now. What was not sent is dropped.
    pub(crate) fn close(&self, error: Error) {
        Self::end(&self.open, &mut self.sending(), error, false);
        self.kick();
    }

    /// Ends the connection once everything accepted so far has left.
    pub(crate) fn close_after_flush(&self, error: Error) {
        let mut sending = self.sending();
        Self::end(&self.open, &mut sending, error, true);
        // Nobody else comes to take along what waits for company.
        sending.kicked = true;
        drop(sending);
        self.kick();
    }

    fn end(open: &AtomicBool, sending: &mut Sending, error: Error, after_flush: bool) {
        open.store(false, Ordering::Release);
        if sending.closed.is_none() {
            sending.closed = Some(error);
            sending.after_flush = after_flush;
        } else {
            sending.after_flush &= after_flush;
        }
    }

    /// The reason to end now, if there is one. `busy`: the driver has taken bytes that it has not written yet.
    pub(crate) fn ended(&self, busy: bool) -> Option<Error> {
        if self.is_open() {
            return None;
        }
        let sending = self.sending();
        let waits = sending.after_flush && (busy || !sending.outbox.is_empty());
        if waits { None } else { sending.closed.clone() }
    }

    /// The driver's last act: from here on nothing can be sent and the socket is shut.
    pub(crate) fn finish(&self, error: &Error) -> Error {
        let mut sending = self.sending();
        Self::end(&self.open, &mut sending, error.clone(), false);
        sending.outbox.clear();
        if let Some(writer) = sending.writer.take() {
            writer.shutdown();
        }
        sending.closed.clone().unwrap_or_else(|| error.clone())
    }

    /// True once if the driver was asked to write.
    pub(crate) fn take_kick(&self) -> bool {
        std::mem::take(&mut self.sending().kicked)
    }

    /// Writes `frames`, the replies of one batch, behind what waits already; the buffer comes back empty.
    pub(crate) fn send_batch(&self, frames: &mut Vec<u8>) -> Result<()> {
        self.send(frames, None, Flush::Now).map(drop)
    }

    /// Writes what waits, as far as the system takes it. For `Direct` transports.
    pub(crate) fn flush_direct(&self, cx: &mut Context<'_>) -> io::Result<Flushed> {
        loop {
            let mut guard = self.sending();
            let sending = &mut *guard;
            let Some(writer) = sending.writer.clone() else { return Ok(Flushed::Empty) };
            if sending.outbox.is_empty() {
                sending.blocked = false;
                return Ok(Flushed::Empty);
            }
            if sending.blocked {
                match writer.poll_write_ready(cx) {
                    Poll::Ready(ready) => ready?,
                    Poll::Pending => return Ok(Flushed::Blocked),
                }
            }
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let used = sending.outbox.slices(&mut slices);
            let result = match &slices[..used] {
                [one] => writer.try_write(one),
                many => writer.try_write_vectored(many),
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    sending.blocked = false;
                    sending.outbox.advance(taken);
                    self.recorder.wrote(taken);
                    drop(guard);
                    self.mark_progress();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sending.blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next run of bytes for a `Driven` transport, which counts as sent from here on.
    pub(crate) fn take_segment(&self) -> Option<Bytes> {
        self.sending().outbox.take_front()
    }

    /// A `Driven` transport took bytes.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.recorder.wrote(bytes);
        self.mark_progress();
    }

    /// Gives buffers back when the connection has gone quiet.
    pub(crate) fn release(&self) {
        self.sending().outbox.release();
    }
}

/// What an error of the socket means for the connection.
pub(crate) fn io_error(error: io::Error) -> Error {
    #[cfg(feature = "tls")]
    if let Some(refused) = crate::transport::refused_certificate(&error) {
        return refused.with_source(error);
    }
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof, WriteZero};
    let reason = match error.kind() {
        UnexpectedEof | WriteZero | BrokenPipe | NotConnected => Reason::ClosedRemote,
        ConnectionReset | ConnectionAborted => Reason::ClosedReset,
        _ => Reason::ClosedReset,
    };
    Error::new(reason, format!("the connection was lost: {error}")).with_source(error)
}
