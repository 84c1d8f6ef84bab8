//! The client's role in a connection's driver: answers, pushes, heartbeats, deadlines.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use rpcx_protocol::decoder::{Decoded, Decoder};
use rpcx_protocol::features::Features;
use rpcx_protocol::frame::Frame;
use rpcx_protocol::heartbeat::{Action, Heartbeat, HeartbeatConfig, Reason as Silence};
use rpcx_protocol::keys;

use super::caller::{Caller, Failure};
use super::driver::{Flow, Role};
use super::link::{Flush, Link};
use crate::error::{Delivery, Error, ErrorKind, Reason, Result};

/// Wakers kept between batches.
const KEPT_WAKERS: usize = 64;

/// A connection that brought no frame and for which no call waits is not held against the peer if it was open for so long.
const ACCEPTED: Duration = Duration::from_secs(1);

pub(crate) struct ClientRole {
    caller: Arc<Caller>,
    heartbeat: Heartbeat,
    wakers: Vec<Waker>,
    expired: Vec<u32>,
    /// When something else than a heartbeat came last.
    last_traffic: Option<u64>,
    /// The peer has answered a heartbeat.
    answered: bool,
    /// The peer has sent a frame.
    spoke: bool,
    /// Nothing is read before the user has read pushes: the silence is our own.
    held: bool,
}

impl ClientRole {
    pub(crate) fn new(caller: Arc<Caller>) -> ClientRole {
        let options = &caller.options;
        let millis = |duration: Duration| duration.as_millis() as u64;
        let heartbeat = Heartbeat::new(
            HeartbeatConfig {
                enabled: true,
                interval: millis(options.heartbeat_interval),
                timeout: millis(options.heartbeat_timeout),
                stuck_timeout: millis(options.stuck_timeout),
            },
            0,
        );
        ClientRole {
            caller,
            heartbeat,
            wakers: Vec::new(),
            expired: Vec::new(),
            last_traffic: None,
            answered: false,
            spoke: false,
            held: false,
        }
    }

    fn wake_all(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
        self.wakers.shrink_to(KEPT_WAKERS);
    }

    /// A request that the server made: a push, or a word of the connection itself.
    fn on_push(&self, link: &Link, frame: Frame) {
        if frame.service() == keys::INTERNAL_SERVICE.as_bytes() {
            if frame.method() == keys::DRAIN_METHOD.as_bytes() {
                self.caller.drain();
            }
            return;
        }
        if let Some(pushes) = &self.caller.pushes {
            pushes.push(link, frame);
        }
    }

    fn on_heartbeat(&mut self, frame: &Frame) {
        if !std::mem::replace(&mut self.answered, true) {
            self.caller.has_answered();
        }
        // Go echoes our own words, in which there are none of a server.
        if let Some(features) = frame.metadata_get(keys::FEATURES).map(Features::of_server) {
            self.caller.learn_features(features);
        }
    }

    #[cold]
    fn has_spoken(&mut self) {
        self.spoke = true;
        if let Some(life) = &self.caller.life {
            life.spoke();
        }
    }

    /// The peer wants nothing of us: what it ended had brought no frame.
    fn was_turned_away(&self, link: &Link, error: &Error) -> bool {
        let by_peer = matches!(error.reason(), Reason::ClosedRemote | Reason::ClosedReset)
            || matches!(error.kind(), ErrorKind::Connect | ErrorKind::Protocol);
        let accepted = || link.millis(Instant::now()) >= ACCEPTED.as_millis() as u64 && self.caller.in_flight() == 0;
        !self.spoke && by_peer && !accepted()
    }

    /// What the end of the connection says about the peer.
    fn tell_end(&self, link: &Link, error: &Error) {
        let Some(life) = &self.caller.life else { return };
        // A peer that speaks but never answers heartbeats cannot be asked for a sign of life.
        let can_answer = self.answered || self.last_traffic.is_none();
        if can_answer && matches!(error.reason(), Reason::ClosedStuck | Reason::ClosedHeartbeat) {
            life.fell_silent();
        } else if self.was_turned_away(link, error) {
            life.turned_away();
        }
    }

    fn idle_due(&self, last_used: u64, waiting: usize) -> Option<u64> {
        let limit = self.caller.options.idle_timeout?;
        (waiting == 0).then(|| last_used.max(self.last_traffic.unwrap_or(0)) + limit.as_millis() as u64)
    }
}

impl Role for ClientRole {
    const HOLDS_BACK: bool = false;

    fn on_data(
        &mut self,
        _cx: &mut Context<'_>,
        link: &Arc<Link>,
        decoder: &mut Decoder,
        now: Instant,
    ) -> Result<Flow> {
        if self.held && self.caller.pushes.as_ref().is_some_and(|pushes| !pushes.admits(link)) {
            return Ok(Flow::Stop);
        }
        let arrived = now;
        let now = link.millis(now);
        self.heartbeat.on_receive(now);
        let caller = self.caller.clone();
        let mut calls = caller.calls();
        calls.answered_at = arrived;
        let result = loop {
            match decoder.next() {
                Ok(Some(Decoded::Frame(frame))) => {
                    let header = frame.header();
                    if header.is_heartbeat() {
                        drop(calls);
                        self.on_heartbeat(&frame);
                        calls = caller.calls();
                    } else if header.is_push() {
                        self.last_traffic = Some(now);
                        drop(calls);
                        self.on_push(link, frame);
                        let admits = caller.pushes.as_ref().is_none_or(|pushes| pushes.admits(link));
                        calls = caller.calls();
                        if !admits {
                            break Ok(Flow::Stop);
                        }
                    } else {
                        self.last_traffic = Some(now);
                        self.wakers.extend(caller.settle(&mut calls, header.seq, Ok(frame)));
                    }
                }
                Ok(Some(Decoded::Refused(refused))) => {
                    let error = super::refused_error(&refused, "answer").with_delivery(Delivery::Answered);
                    // A push or a heartbeat has numbers of its own.
                    if !refused.header.is_push() && !refused.header.is_heartbeat() {
                        self.wakers.extend(caller.settle(&mut calls, refused.header.seq, Err(Failure::Own(error))));
                    }
                }
                Ok(None) => break Ok(Flow::Read),
                Err(error) => break Err(super::decode_error(error, link)),
            }
        };
        self.held = matches!(result, Ok(Flow::Stop));
        let (waiting, lingering) = Caller::load(&calls);
        drop(calls);
        if !self.spoke && decoder.frames() > 0 {
            self.has_spoken();
        }
        self.wake_all();
        if lingering > caller.options.max_lingering {
            caller.drain();
        }
        caller.after_batch(waiting);
        result
    }

    fn on_time(&mut self, link: &Arc<Link>, now: u64) -> Result<()> {
        self.caller.expire(now, &mut self.expired, &mut self.wakers);
        self.wake_all();
        let (waiting, since, last_used) = {
            let calls = self.caller.calls();
            (Caller::load(&calls).0, calls.pending_since, calls.last_used)
        };
        if self.held {
            self.heartbeat.on_receive(now);
        }
        match self.heartbeat.poll(now, waiting > 0, since) {
            Action::None => {}
            Action::Send => {
                let mut frame = self.caller.heartbeat(false);
                link.send(&mut frame, None, Flush::Now)?;
            }
            Action::Close(silence) => {
                let (reason, what) = match silence {
                    Silence::HeartbeatTimeout => (Reason::ClosedHeartbeat, "heartbeat_timeout"),
                    Silence::Stuck => (Reason::ClosedStuck, "twice stuck_timeout"),
                };
                return Err(Error::new(reason, format!("nothing came from {} for {what}", link.info.remote)));
            }
        }
        if self.idle_due(last_used, waiting).is_some_and(|due| due <= now) {
            return Err(Error::new(Reason::ClosedIdle, "the connection was not used for idle_timeout"));
        }
        Ok(())
    }

    fn next_due(&mut self, _link: &Arc<Link>, now: u64) -> Option<u64> {
        let mut calls = self.caller.calls();
        let (waiting, _) = Caller::load(&calls);
        let due = [
            Caller::next_deadline(&calls, now),
            self.heartbeat.next_due(now, waiting > 0),
            self.idle_due(calls.last_used, waiting),
        ]
        .into_iter()
        .flatten()
        .min();
        calls.armed = due.unwrap_or(u64::MAX);
        due
    }

    fn read_timeout(&self) -> Option<Duration> {
        None
    }

    fn write_timeout(&self) -> Option<Duration> {
        self.caller.options.write_timeout
    }

    fn on_close(&mut self, link: &Arc<Link>, error: &Error) {
        self.caller.options.recorder.closed();
        self.tell_end(link, error);
        self.caller.fail_all(error);
    }
}
