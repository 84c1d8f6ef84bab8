//! The client's side of a connection: calls that wait, and what wakes them.
//!
//! A call is an [`Exchange`]: its first poll takes a slot, writes the frame and leaves its waker; the driver stores the answer
//! in the slot and wakes it. The driver completes all answers of a batch under one lock and wakes afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use rpcx_protocol::encode::{Head, encode, set_seq};
use rpcx_protocol::frame::Frame;
use rpcx_protocol::header::{Header, SerializeType};
use rpcx_protocol::keys;
use rpcx_protocol::metadata::Metadata;
use rpcx_protocol::pending::{GaveUp, Pending};
use rpcx_protocol::wheel::{Handle, Wheel};
use tokio::sync::Notify;

use super::buffers;
use super::exchange::Exchange;
use super::hello::PeerWords;
use super::link::{Flush, Link};
use crate::error::{Delivery, Error, Reason, Result};
use crate::stats::ClientRecorder;

/// Takes messages that the server sends on its own.
pub(crate) trait PushSink: Send + Sync {
    /// Runs on the connection's task; must not block.
    fn push(&self, link: &Link, frame: Frame);
    /// Whether more may be read. If not, the link is kicked when there is room again.
    fn admits(&self, link: &Arc<Link>) -> bool;
}

/// Hears whether the peer of a connection shows that it lives. At most one of the last two, before the calls fail.
pub(crate) trait LifeSink: Send + Sync {
    /// The first frame has come.
    fn spoke(&self);
    /// The peer ended the connection before it had sent a frame.
    fn turned_away(&self);
    /// The connection ends because the peer answered no heartbeat.
    fn fell_silent(&self);
}

/// Limits and times of the calling side.
#[derive(Clone, Debug)]
pub(crate) struct CallerOptions {
    pub(crate) max_in_flight: usize,
    pub(crate) max_lingering: usize,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) write_timeout: Option<Duration>,
    /// Zero: neither heartbeats nor the hello are sent.
    pub(crate) heartbeat_interval: Duration,
    pub(crate) heartbeat_timeout: Duration,
    pub(crate) stuck_timeout: Duration,
    /// Told when the connection has ended.
    pub(crate) recorder: Arc<ClientRecorder>,
}

/// Why the driver ended a call; the caller adds what it knows about delivery.
pub(crate) enum Failure {
    /// The connection ended.
    Lost(Error),
    /// This call alone: its delivery state is final.
    Own(Error),
}

pub(super) struct Waiting {
    pub(super) waker: Option<Waker>,
    pub(super) timer: Option<Handle>,
    pub(super) expired: bool,
}

pub(super) struct Calls {
    pub(super) pending: Pending<Waiting, Result<Frame, Failure>>,
    pub(super) wheel: Wheel,
    pub(super) closed: Option<Error>,
    /// When the driver's timer fires, in milliseconds of the link's clock.
    pub(super) armed: u64,
    pub(super) last_used: u64,
    pub(super) pending_since: u64,
    /// When the last answers came: what a call's latency is measured by.
    pub(super) answered_at: Instant,
}

/// The calling half of one connection; shared by its driver and every call on it.
pub(crate) struct Caller {
    pub(crate) link: Arc<Link>,
    calls: Mutex<Calls>,
    pub(super) peer: Mutex<PeerWords>,
    draining: AtomicBool,
    idle: Notify,
    /// The first heartbeat was answered, or never will be.
    pub(super) answered: Notify,
    pub(super) options: CallerOptions,
    pub(super) pushes: Option<Arc<dyn PushSink>>,
    pub(super) life: Option<Box<dyn LifeSink>>,
}

impl Caller {
    pub(crate) fn new(
        link: Arc<Link>,
        options: CallerOptions,
        pushes: Option<Arc<dyn PushSink>>,
        life: Option<Box<dyn LifeSink>>,
    ) -> Caller {
        Caller {
            calls: Mutex::new(Calls {
                pending: Pending::new(options.max_in_flight),
                wheel: Wheel::new(),
                closed: None,
                armed: u64::MAX,
                last_used: 0,
                pending_since: 0,
                answered_at: Instant::now(),
            }),
            link,
            peer: Mutex::new(PeerWords::new(options.heartbeat_interval > Duration::ZERO)),
            draining: AtomicBool::new(false),
            idle: Notify::new(),
            answered: Notify::new(),
            options,
            pushes,
            life,
        }
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// New calls may be started here.
    pub(crate) fn is_usable(&self) -> bool {
        self.link.is_open() && !self.draining.load(Ordering::Relaxed)
    }

    /// Calls that wait for an answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.calls().pending.len()
    }

    /// No new calls; the connection ends with its last one.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.close_if_drained();
    }

    fn close_if_drained(&self) {
        if self.draining.load(Ordering::Relaxed) && self.calls().pending.is_empty() {
            self.link.close_after_flush(Error::new(Reason::ClosedDrained, "the connection was drained"));
        }
    }

    /// Waits until no call is pending.
    pub(crate) async fn idle(&self) {
        loop {
            let notified = self.idle.notified();
            if self.in_flight() == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Starts a call whose frame carries no sequence number yet. See [`Exchange`].
    pub(crate) fn exchange(&self, frame: Vec<u8>, deadline: Option<Instant>, now: Instant) -> Exchange<'_> {
        Exchange::new(self, frame, deadline, now)
    }

    /// Sends requests that are never answered, all in `frames`.
    pub(crate) fn send_oneway(&self, mut frame: Vec<u8>) -> Result<()> {
        let (seq, alone) = {
            let mut calls = self.calls();
            if let Some(error) = &calls.closed {
                return Err(error.clone().with_delivery(Delivery::NotSent));
            }
            calls.last_used = self.link.millis(Instant::now());
            (calls.pending.skip_seq(), calls.pending.is_empty())
        };
        set_seq(&mut frame, u64::from(seq));
        let sent = self.link.send(&mut frame, Some(seq), if alone { Flush::Now } else { Flush::Batch });
        buffers::put_scratch(frame);
        let displaced = sent?.displaced;
        if !displaced.is_empty() {
            self.displace(displaced);
        }
        Ok(())
    }

    /// Takes a slot. The waker is stored with it, so the answer can't be missed.
    pub(super) fn begin(&self, deadline: Option<Instant>, now: Instant, waker: &Waker) -> Result<Begun> {
        let millis = self.link.millis(now);
        let due = deadline.map(|at| self.link.millis_ceil(at));
        let mut calls = self.calls();
        if let Some(error) = &calls.closed {
            return Err(error.clone().with_delivery(Delivery::NotSent));
        }
        let waiting = Waiting { waker: Some(waker.clone()), timer: None, expired: false };
        let Ok(seq) = calls.pending.begin(waiting) else {
            return Err(Error::new(
                Reason::OverloadInFlight,
                format!(
                    "{} calls are in flight on the connection to {}",
                    self.options.max_in_flight, self.link.info.remote
                ),
            ));
        };
        calls.last_used = millis;
        // Answers that wait to be taken will be followed by new calls: whoever sends first of them is not alone.
        let alone = calls.pending.in_use() - calls.pending.lingering() == 1;
        if alone {
            calls.pending_since = millis;
        }
        let mut early = false;
        if let Some(due) = due {
            let key = calls.wheel.schedule(seq, due);
            early = due < calls.armed;
            if let Some(waiting) = calls.pending.waiter_mut(seq) {
                waiting.timer = Some(key);
            }
        }
        Ok(Begun { seq, alone, early })
    }

    /// Ends calls that had to make room for newer ones.
    #[cold]
    pub(super) fn displace(&self, seqs: Vec<u32>) {
        for seq in seqs {
            let error = Error::new(
                Reason::OverloadQueue,
                format!("the queue of unsent requests to {} is full; the oldest made room", self.link.info.remote),
            );
            let waker = self.settle(&mut self.calls(), u64::from(seq), Err(Failure::Own(error)));
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        self.after_batch(self.in_flight());
    }

    /// Stores the outcome of a call; returns who is to be woken once the lock is released.
    pub(super) fn settle(&self, calls: &mut Calls, seq: u64, outcome: Result<Frame, Failure>) -> Option<Waker> {
        let waiting = calls.pending.settle(seq, outcome)?;
        if let Some(key) = waiting.timer {
            calls.wheel.cancel(key);
        }
        waiting.waker
    }

    /// Wakes the calls whose deadline has passed; they decide themselves what became of their frame.
    pub(super) fn expire(&self, now: u64, expired: &mut Vec<u32>, wakers: &mut Vec<Waker>) {
        let mut calls = self.calls();
        calls.wheel.expire(now, expired);
        for seq in expired.drain(..) {
            if let Some(waiting) = calls.pending.waiter_mut(seq) {
                waiting.expired = true;
                waiting.timer = None;
                wakers.extend(waiting.waker.take());
            }
        }
    }

    pub(super) fn next_deadline(calls: &Calls, now: u64) -> Option<u64> {
        calls.wheel.next_due(now)
    }

    /// Calls that wait, and how many slots wait for answers that nobody wants any more.
    pub(super) fn load(calls: &Calls) -> (usize, usize) {
        (calls.pending.len(), calls.pending.lingering())
    }

    /// The connection is over: every call fails with its reason.
    pub(super) fn fail_all(&self, error: &Error) {
        let mut wakers = Vec::new();
        {
            let mut calls = self.calls();
            calls.closed = Some(error.clone());
            // Whoever still waits finds its slot gone and takes the reason from `closed`.
            for (_, waiting) in calls.pending.drain() {
                wakers.extend(waiting.waker);
            }
            calls.wheel = Wheel::new();
        }
        self.has_answered();
        for waker in wakers {
            waker.wake();
        }
        self.idle.notify_waiters();
    }

    /// Called by the driver after a batch, outside the lock.
    pub(super) fn after_batch(&self, waiting: usize) {
        if waiting == 0 {
            self.idle.notify_waiters();
            if self.draining.load(Ordering::Relaxed) {
                self.close_if_drained();
            }
        }
    }

    /// The caller does not want the answer any more.
    pub(super) fn give_up(&self, seq: u32, start: u64) -> Option<Result<Frame, Failure>> {
        let unsent = self.link.withdraw(start);
        let (outcome, remaining) = {
            let mut calls = self.calls();
            let gave_up = calls.pending.give_up(seq, !unsent);
            let outcome = match gave_up {
                Some(GaveUp::Settled(outcome)) => Some(outcome),
                Some(GaveUp::Waiting(waiting)) => {
                    if let Some(timer) = waiting.timer {
                        calls.wheel.cancel(timer);
                    }
                    None
                }
                None => calls.closed.clone().map(|error| Err(Failure::Lost(error))),
            };
            (outcome, calls.pending.len())
        };
        if outcome.is_none() && !unsent && self.link.is_open() && self.cancels_now(seq) {
            self.send_cancel(seq);
        }
        self.after_batch(remaining);
        outcome
    }

    pub(super) fn send_cancel(&self, seq: u32) {
        let header = Header::request(SerializeType::RAW, u64::from(self.calls().pending.skip_seq())).with_oneway(true);
        let head = Head {
            header,
            service: keys::INTERNAL_SERVICE.as_bytes(),
            method: keys::CANCEL_METHOD.as_bytes(),
            metadata: &Metadata::new(),
            extra: &[],
        };
        let mut frame = buffers::take_scratch();
        if encode(&mut frame, &head, &u64::from(seq).to_be_bytes()).is_ok() {
            // A connection that has just ended has no handler left to cancel.
            let _ = self.link.send(&mut frame, None, Flush::Batch);
        }
        buffers::put_scratch(frame);
    }
}

/// A call that has its slot.
pub(super) struct Begun {
    pub(super) seq: u32,
    /// No other call waits.
    pub(super) alone: bool,
    /// The deadline lies before the moment the driver would look.
    pub(super) early: bool,
}
