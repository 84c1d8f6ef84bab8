//! From a frame to a running handler: the server's role in a connection's driver.
//!
//! Every complete frame of a batch is looked at before the connection's task yields; answers that are ready leave together at
//! the end of the batch. How a handler is run: [`super::in_place`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context as TaskContext;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rpcx_protocol::decoder::{Decoded, Decoder, Refused};
use rpcx_protocol::encode::echo_heartbeat;
use rpcx_protocol::features::{Features, Side};
use rpcx_protocol::frame::Frame;
use rpcx_protocol::keys;
use rpcx_protocol::metadata::Metadata;

use super::admission::deadline_of;
use super::context::Inner;
use super::held::Held;
use super::large;
use super::lookup::{Callee, Lookup};
use super::pace::{Answered, Pace};
use super::reply::put_error;
use super::session::Session;
use crate::connection::driver::{Flow, Role};
use crate::connection::link::Link;
use crate::connection::{buffers, decode_error, refused_error};
use crate::error::{Error, Reason, Result};
use crate::interceptor::{Accounts, SlowCalls};

/// Ready answers of one batch leave at this size.
pub(super) const FLUSH_SIZE: usize = 256 * 1024;

/// A request that has passed every rule before its handler.
struct Admitted {
    callee: Callee,
    /// `None`: it is compressed still, and large.
    payload: Option<Bytes>,
    deadline: Option<Instant>,
    /// When the rate limit lets it begin, if it has to wait for that.
    hold: Option<Instant>,
}

pub(super) struct ServerRole {
    pub(super) session: Arc<Session>,
    pub(super) answered: Answered,
    lookup: Lookup,
    /// What the batch takes from the rate limits.
    accounts: Accounts,
    /// The context of the last call that was answered in place, to be used again.
    pub(super) spare: Option<Arc<Inner>>,
    pub(super) pace: Pace,
    /// The client takes its answers too slowly: no more of its requests are looked at.
    pub(super) congested: bool,
    /// Requests that wait for the end of a handler.
    pub(super) held: Option<Box<Held>>,
    /// Waits, or has waited until now, for its turn among the sessions of the server.
    pub(super) in_line: bool,
    /// When to give a sign of life, in milliseconds of the link's clock, because nothing is read.
    pub(super) sign_due: Option<u64>,
}

impl ServerRole {
    pub(super) fn new(session: Arc<Session>) -> ServerRole {
        let now = Instant::now();
        let slow_call = session.server.slow_calls.as_ref().map(SlowCalls::threshold);
        ServerRole {
            lookup: Lookup::new(&session.server.services),
            session,
            answered: Answered::default(),
            accounts: Accounts::default(),
            spare: None,
            pace: Pace::new(now, slow_call),
            congested: false,
            held: None,
            in_line: false,
            sign_due: None,
        }
    }

    fn drain_decoder(&mut self, decoder: &mut Decoder, ready: &mut Vec<u8>, now: Instant) -> Result<Flow> {
        let mut began = false;
        loop {
            if !self.session.link.is_open() {
                // Nothing could be answered any more.
                return Ok(Flow::Stop);
            }
            let at_limit = self.session.is_full();
            if !self.session.options.reject_overload
                && (at_limit || self.session.server.is_full() || self.waits_in_line())
            {
                self.session.stopped.store(true, Ordering::SeqCst);
                // A handler that ended just before the store saw no reason to wake us.
                if self.session.is_full() || self.wait_in_line(began) {
                    return self.hold_back(decoder, ready, now);
                }
                self.session.stopped.store(false, Ordering::SeqCst);
                continue;
            }
            began = true;
            if self.held.is_some() {
                self.begin_held(ready, now)?;
            } else {
                match decoder.next().map_err(|error| decode_error(error, &self.session.link))? {
                    None => return Ok(Flow::Read),
                    Some(Decoded::Refused(refused)) => self.refuse(&refused, ready),
                    Some(Decoded::Frame(frame)) => self.on_frame(frame, at_limit, ready, now)?,
                }
            }
            if ready.len() >= FLUSH_SIZE {
                self.hand_over(ready)?;
            }
            if self.congested {
                return Ok(Flow::Stop);
            }
        }
    }

    /// Sends the answers that are ready. Few small requests may have large answers, so a batch ends when too much waits.
    pub(super) fn hand_over(&mut self, ready: &mut Vec<u8>) -> Result<()> {
        self.session.link.send_batch(ready)?;
        self.congested = self.session.link.is_congested();
        Ok(())
    }

    pub(super) fn refuse(&self, refused: &Refused, ready: &mut Vec<u8>) {
        let error = refused_error(refused, "request");
        let codes = self.session.peer_wants_codes();
        put_error(ready, &refused.header, &refused.service, &refused.method, Metadata::empty(), &error, codes);
    }

    pub(super) fn on_frame(&mut self, frame: Frame, at_limit: bool, ready: &mut Vec<u8>, now: Instant) -> Result<()> {
        let header = *frame.header();
        if header.is_heartbeat() {
            return self.on_heartbeat(&frame, ready);
        }
        self.session.used(self.session.link.millis(now));
        if is_internal(&frame) {
            if frame.method() == keys::CANCEL_METHOD.as_bytes()
                && let Ok(seq) = <[u8; 8]>::try_from(frame.payload())
            {
                self.cancel(u64::from_be_bytes(seq), ready);
            }
            return Ok(());
        }
        let Admitted { callee, payload, deadline, hold } = match self.admit(&frame, at_limit, now) {
            Ok(admitted) => admitted,
            Err(error) => {
                self.answer_error(&frame, &error, ready);
                return Ok(());
            }
        };
        let is_large = payload.is_none();
        let mut context = self.context(frame, payload.unwrap_or_default(), deadline);
        if callee.renamed.is_some()
            && let Some(inner) = Arc::get_mut(&mut context.inner)
        {
            inner.renamed = callee.renamed.clone();
        }
        let result = self.run(&callee, context, is_large, hold, ready);
        self.lookup.keep(callee);
        result
    }

    #[inline]
    fn admit(&mut self, frame: &Frame, at_limit: bool, now: Instant) -> Result<Admitted> {
        let deadline = deadline_of(frame, now)?;
        let hold = self.session.admit(&mut self.accounts, at_limit, frame.header().is_oneway(), deadline, now)?;
        let payload = large::payload_of(&self.session.options, frame)?;
        let (callee, service_hold) =
            self.session.resolve(&mut self.accounts, &mut self.lookup, frame, deadline, now)?;
        let hold = hold.max(service_hold);
        Ok(Admitted { callee, payload, deadline, hold: (hold > Duration::ZERO).then(|| now + hold) })
    }

    fn on_heartbeat(&self, frame: &Frame, ready: &mut Vec<u8>) -> Result<()> {
        let words;
        let mut replace = None;
        if let Some(features) = frame.metadata_get(keys::FEATURES).and_then(Features::of_client) {
            self.session.learn_features(features);
            words = Features::ALL.render(Side::Server);
            replace = Some((keys::FEATURES, words.as_str()));
        }
        let greeted = replace.is_some();
        echo_heartbeat(ready, frame, replace)
            .map_err(|error| Error::new(Reason::LimitMaxMessageSize, error.to_string()))?;
        if greeted && self.session.server.is_draining() {
            // It came too late to be told with the others.
            self.session.link.send_batch(ready)?;
            self.session.send_drain();
        }
        Ok(())
    }

    pub(super) fn answer_error(&self, frame: &Frame, error: &Error, ready: &mut Vec<u8>) {
        self.session.server.recorder.refused(error.reason());
        let codes = self.session.peer_wants_codes();
        put_error(ready, frame.header(), frame.service(), frame.method(), Metadata::empty(), error, codes);
    }
}

/// A word of the connection itself.
pub(super) fn is_internal(frame: &Frame) -> bool {
    frame.header().is_oneway() && frame.service() == keys::INTERNAL_SERVICE.as_bytes()
}

impl Role for ServerRole {
    const HOLDS_BACK: bool = true;

    fn on_data(
        &mut self,
        _cx: &mut TaskContext<'_>,
        link: &Arc<Link>,
        decoder: &mut Decoder,
        now: Instant,
    ) -> Result<Flow> {
        self.session.stopped.store(false, Ordering::Release);
        self.congested = self.congested && link.is_congested();
        if self.congested {
            self.hand_on();
            // A flush brings us back.
            return Ok(Flow::Stop);
        }
        self.pace.batch_came(now);
        let mut ready = buffers::take_scratch();
        let flow = self.drain_decoder(decoder, &mut ready, now);
        self.session.settle(&mut self.accounts, now);
        let sent = if ready.is_empty() { Ok(()) } else { link.send_batch(&mut ready) };
        buffers::put_scratch(ready);
        self.answered.count(&self.pace);
        if self.in_line && !self.waits_in_line() {
            self.hand_on();
        }
        if !matches!(flow, Ok(Flow::Stop)) {
            self.sign_due = None;
        }
        sent?;
        flow
    }

    fn on_time(&mut self, _link: &Arc<Link>, now: u64) -> Result<()> {
        self.session.waiting_calls(|calls| calls.expire(now));
        self.keep_alive(now)?;
        if self.idle_due().is_some_and(|due| due <= now) {
            return Err(Error::new(Reason::ClosedIdle, "nothing was asked on the connection for idle_timeout"));
        }
        Ok(())
    }

    fn next_due(&mut self, _link: &Arc<Link>, now: u64) -> Option<u64> {
        self.session.flushed();
        self.session.make_room();
        let own = self.idle_due().into_iter().chain(self.sign_due).min();
        self.session.next_due(now, own)
    }

    fn read_timeout(&self) -> Option<Duration> {
        self.session.options.read_timeout
    }

    fn write_timeout(&self) -> Option<Duration> {
        self.session.options.write_timeout
    }

    fn on_close(&mut self, link: &Arc<Link>, error: &Error) {
        self.session.waiting_calls(|calls| calls.cancel_all());
        self.session.make_room();
        self.held = None;
        self.hand_on();
        self.session.server.left(link.id, error);
    }
}

impl ServerRole {
    fn idle_due(&self) -> Option<u64> {
        let limit = self.session.options.idle_timeout?;
        (self.session.waiting() == 0 && self.held.is_none())
            .then(|| self.session.last_used() + limit.as_millis() as u64)
    }
}
