//! One call on a connection: what its caller awaits.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use rpcx_protocol::encode::set_seq;
use rpcx_protocol::frame::Frame;
use rpcx_protocol::pending::GaveUp;

use super::buffers;
use super::caller::{Begun, Caller, Failure, Waiting};
use super::link::Flush;
use crate::error::{Delivery, Error, ErrorKind, Reason, Result};

enum State {
    Ready,
    Waiting { seq: u32, start: u64 },
    Done,
}

/// One call on one connection, from the frame to its answer.
///
/// Dropping it cancels the call: a frame that still waits is withdrawn, the peer is told if it understands that, and the slot
/// stays taken until the late answer has come.
pub(crate) struct Exchange<'a> {
    caller: &'a Caller,
    frame: Vec<u8>,
    deadline: Option<Instant>,
    now: Instant,
    state: State,
}

impl<'a> Exchange<'a> {
    /// A call that begins with its first poll; `frame` carries no sequence number yet.
    pub(super) fn new(caller: &'a Caller, frame: Vec<u8>, deadline: Option<Instant>, now: Instant) -> Exchange<'a> {
        Exchange { caller, frame, deadline, now, state: State::Ready }
    }

    fn start(&mut self, waker: &Waker) -> Result<()> {
        let mut frame = std::mem::take(&mut self.frame);
        let begun = self.caller.begin(self.deadline, self.now, waker);
        let Begun { seq, alone, early } = match begun {
            Ok(begun) => begun,
            Err(error) => {
                buffers::put_scratch(frame);
                return Err(error);
            }
        };
        set_seq(&mut frame, u64::from(seq));
        let sent = self.caller.link.send(&mut frame, Some(seq), if alone { Flush::Now } else { Flush::Batch });
        buffers::put_scratch(frame);
        match sent {
            Ok(sent) => {
                self.state = State::Waiting { seq, start: sent.start };
                if !sent.displaced.is_empty() {
                    self.caller.displace(sent.displaced);
                }
                if early {
                    self.caller.link.kick();
                }
                Ok(())
            }
            Err(error) => {
                let mut calls = self.caller.calls();
                if let Some(GaveUp::Waiting(Waiting { timer: Some(timer), .. })) = calls.pending.give_up(seq, false) {
                    calls.wheel.cancel(timer);
                }
                let remaining = calls.pending.len();
                drop(calls);
                self.caller.after_batch(remaining);
                Err(error)
            }
        }
    }

    /// What the driver stored, with what this side knows about delivery.
    fn conclude(&mut self, start: u64, outcome: Result<Frame, Failure>) -> Result<Frame> {
        self.state = State::Done;
        outcome.map_err(|failure| match failure {
            Failure::Own(error) => error,
            Failure::Lost(error) => {
                // A peer that refused the handshake has read nothing.
                let sent = start < self.caller.link.written() && error.kind() != ErrorKind::Connect;
                error.with_delivery(if sent { Delivery::MaybeRun } else { Delivery::NotSent })
            }
        })
    }

    /// The deadline has passed. An answer that came at the same moment wins.
    fn expired(&mut self, seq: u32, start: u64) -> Result<(Frame, Instant)> {
        let unsent = start >= self.caller.link.written();
        if let Some(outcome) = self.caller.give_up(seq, start) {
            return self.conclude(start, outcome).map(|frame| (frame, Instant::now()));
        }
        self.state = State::Done;
        let remote = &self.caller.link.info.remote;
        Err(if unsent {
            Error::new(Reason::TimeoutQueued, format!("the deadline passed before the request to {remote} was sent"))
                .with_delivery(Delivery::NotSent)
        } else {
            Error::new(Reason::TimeoutCall, format!("no answer from {remote} before the deadline"))
                .with_delivery(Delivery::MaybeRun)
        })
    }
}

impl Future for Exchange<'_> {
    /// The answer, and when it came.
    type Output = Result<(Frame, Instant)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match this.state {
            State::Ready => match this.start(cx.waker()) {
                Ok(()) => Poll::Pending,
                Err(error) => {
                    this.state = State::Done;
                    Poll::Ready(Err(error))
                }
            },
            State::Waiting { seq, start } => {
                let mut calls = this.caller.calls();
                if let Some(outcome) = calls.pending.take(seq) {
                    let at = calls.answered_at;
                    drop(calls);
                    return Poll::Ready(this.conclude(start, outcome).map(|frame| (frame, at)));
                }
                match calls.pending.waiter_mut(seq) {
                    Some(waiting) if waiting.expired => {
                        drop(calls);
                        Poll::Ready(this.expired(seq, start))
                    }
                    Some(waiting) => {
                        match &mut waiting.waker {
                            Some(waker) => waker.clone_from(cx.waker()),
                            none => *none = Some(cx.waker().clone()),
                        }
                        Poll::Pending
                    }
                    None => {
                        let error = calls.closed.clone().unwrap_or_else(|| {
                            Error::new(Reason::InternalBug, "the call's slot is gone but the connection is open")
                        });
                        drop(calls);
                        Poll::Ready(
                            this.conclude(start, Err(Failure::Lost(error))).map(|frame| (frame, Instant::now())),
                        )
                    }
                }
            }
            State::Done => panic!("an exchange was polled after its end"),
        }
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        match self.state {
            State::Waiting { seq, start } => {
                self.caller.give_up(seq, start);
            }
            State::Ready => buffers::put_scratch(std::mem::take(&mut self.frame)),
            State::Done => {}
        }
    }
}
