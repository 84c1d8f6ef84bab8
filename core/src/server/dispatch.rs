//! From a frame to a running handler: the server's role in a connection's driver.
//!
//! Every complete frame of a batch is looked at before the connection's task yields. A handler is polled once in place when its
//! method has been quick so far; answers that are ready leave together at the end of the batch. A handler that waits
//! moves to a task of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rpcx_protocol::decoder::{Decoded, Decoder, Refused};
use rpcx_protocol::encode::echo_heartbeat;
use rpcx_protocol::error_text;
use rpcx_protocol::features::{Features, Side};
use rpcx_protocol::frame::Frame;
use rpcx_protocol::keys;
use rpcx_protocol::metadata::Metadata;

use super::context::{Context, Inner};
use super::handler::{BoxRunning, Handler};
use super::held::Held;
use super::pace::{Answered, Look, Pace};
use super::reply::{Answer, ReplyTo, ReplyWriter, put_error};
use super::session::Session;
use super::table::{Entry, Found, RealName, Table};
use super::{large, pipeline, task};
use crate::connection::driver::{Flow, Role};
use crate::connection::link::Link;
use crate::connection::{buffers, decode_error, refused_error};
use crate::error::{Error, Reason, Result};

/// Ready answers of one batch leave at this size.
pub(super) const FLUSH_SIZE: usize = 256 * 1024;

/// The method that was called last on this connection; calls come in runs.
struct Cached {
    entry: Arc<Entry>,
    handler: Arc<dyn Handler>,
    /// Its name, if it was asked for by an alias.
    renamed: Option<Arc<RealName>>,
}

pub(super) struct ServerRole {
    pub(super) session: Arc<Session>,
    answered: Answered,
    table: Arc<Table>,
    /// Of `table`.
    revision: u64,
    cached: Option<Cached>,
    /// The context of the last call that was answered in place, to be used again.
    spare: Option<Arc<Inner>>,
    pace: Pace,
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
        // Before the table: one that is newer than its revision is only looked up again.
        let revision = session.server.services.revision();
        ServerRole {
            table: session.server.services.current(),
            revision,
            session,
            answered: Answered::default(),
            cached: None,
            spare: None,
            pace: Pace::new(now),
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
        let deadline = match remaining_millis(&frame) {
            None => None,
            Some(left) if left <= 0 => {
                let text = "the request came when its deadline had passed";
                self.answer_error(&frame, &Error::new(Reason::TimeoutServer, text), ready);
                return Ok(());
            }
            Some(left) => now.checked_add(Duration::from_millis(left.unsigned_abs())),
        };
        if let Err(error) = self.may_run(at_limit, header.is_oneway()) {
            self.answer_error(&frame, &error, ready);
            return Ok(());
        }
        let mut hold = Duration::ZERO;
        if let Some(limit) = &self.session.server.limit {
            // The clock of the batch may be behind a long one: a token more or less is soon made up for.
            match limit.admit(self.session.bucket.as_deref(), now, deadline) {
                Ok(wait) => hold = wait,
                Err(error) => {
                    self.answer_error(&frame, &error, ready);
                    return Ok(());
                }
            }
        }
        let payload = match large::payload_of(&self.session.options, &frame) {
            Ok(payload) => payload,
            Err(error) => {
                self.answer_error(&frame, &error, ready);
                return Ok(());
            }
        };
        let Some(found) = self.find(&frame, ready) else { return Ok(()) };
        if let Some(limit) = &self.session.server.limit {
            match limit.admit_to(&found.entry.service, now, deadline) {
                Ok(wait) => hold = hold.max(wait),
                Err(error) => {
                    self.answer_error(&frame, &error, ready);
                    return Ok(());
                }
            }
        }
        let result = if found.handler.supports(header.serialize()) {
            let is_large = payload.is_none();
            let mut context = self.context(frame, payload.unwrap_or_default(), deadline);
            if found.renamed.is_some()
                && let Some(inner) = Arc::get_mut(&mut context.inner)
            {
                inner.renamed = found.renamed.clone();
            }
            let hold = (hold > Duration::ZERO).then(|| now + hold);
            self.run(&found, context, is_large, hold, ready)
        } else {
            let text = error_text::codec_not_found(header.serialize());
            self.answer_error(&frame, &Error::new(Reason::CodecUnsupported, text), ready);
            Ok(())
        };
        // By its own name the method may be something else: an alias in its turn.
        if found.renamed.is_none() {
            self.cached = Some(found);
        }
        result
    }

    /// Refusals that say nothing about the request itself.
    fn may_run(&self, at_limit: bool, oneway: bool) -> Result<()> {
        let server = &self.session.server;
        // Nobody would hear of a oneway request's refusal.
        if server.is_draining() && self.session.peer_wants_codes() && !oneway {
            return Err(Error::new(Reason::ShuttingDownServer, "the server is shutting down"));
        }
        if at_limit {
            return Err(Error::new(
                Reason::OverloadInFlight,
                format!(
                    "max_in_flight: {} requests of this connection run already",
                    self.session.options.max_in_flight
                ),
            ));
        }
        server.check_load()
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

    /// Looks the method up, first in the memory of the last call; the caller puts it back there.
    fn find(&mut self, frame: &Frame, ready: &mut Vec<u8>) -> Option<Cached> {
        let (service, method) = (frame.service(), frame.method());
        let revision = self.session.server.services.revision();
        if revision != self.revision {
            self.revision = revision;
            self.table = self.session.server.services.current();
            self.cached = None;
        }
        if let Some(cached) =
            self.cached.take_if(|cached| *cached.entry.method == *method && *cached.entry.service == *service)
        {
            return Some(cached);
        }
        let (found, renamed) = self.table.find(service, method);
        let error = match found {
            Found::Entry(entry) => {
                let handler = entry.handler.localize().unwrap_or_else(|| entry.handler.clone());
                return Some(Cached { entry: entry.clone(), handler, renamed });
            }
            Found::NoMethod => {
                Error::new(Reason::ServiceUnknownMethod, error_text::method_not_found(&frame.method_str()))
            }
            Found::NoService => {
                Error::new(Reason::ServiceUnknownService, error_text::service_not_found(&frame.service_str()))
            }
        };
        self.answer_error(frame, &error, ready);
        None
    }

    /// The context of a new call, in the memory of the last one where that is free.
    fn context(&mut self, frame: Frame, payload: Bytes, deadline: Option<Instant>) -> Context {
        if let Some(mut spare) = self.spare.take()
            && let Some(inner) = Arc::get_mut(&mut spare)
        {
            inner.frame = frame;
            inner.payload = payload;
            inner.deadline = deadline;
            return Context { inner: spare };
        }
        Context {
            inner: Arc::new(Inner {
                frame,
                payload,
                metadata: None,
                renamed: None,
                session: self.session.clone(),
                deadline,
                response: Mutex::new(Metadata::new()),
                token: OnceLock::new(),
            }),
        }
    }

    /// Keeps the memory of an answered call for the next one; what it refers to is let go at once.
    fn keep(&mut self, mut call: Arc<Inner>) {
        let Some(inner) = Arc::get_mut(&mut call) else { return };
        inner.frame = Frame::default();
        inner.payload = Bytes::new();
        inner.metadata = None;
        inner.renamed = None;
        inner.token = OnceLock::new();
        if let Ok(response) = inner.response.get_mut()
            && !response.is_empty()
        {
            *response = Metadata::new();
        }
        self.spare = Some(call);
    }

    /// Begins a call, `is_large` with its payload still compressed.
    fn run(
        &mut self,
        found: &Cached,
        context: Context,
        is_large: bool,
        hold: Option<Instant>,
        ready: &mut Vec<u8>,
    ) -> Result<()> {
        let Cached { entry, handler, .. } = found;
        let call = context.inner.clone();
        let start = ready.len();
        let server = &self.session.server;
        let began = catch_unwind(AssertUnwindSafe(|| {
            if is_large {
                large::call(handler.clone(), entry.clone(), context, hold)
            } else if server.has_pipeline() {
                pipeline::call(self.session.server.clone(), entry.clone(), context, hold)
            } else {
                handler.call(context)
            }
        }));
        let mut running = match began {
            Ok(running) => running,
            Err(panic) => {
                let mut writer = ReplyWriter::new(ReplyTo::Frame(ready));
                task::answer_panic(&call, entry, &*panic, &mut writer, start);
                self.answered.add(&entry.recorder, true, &self.pace);
                return Ok(());
            }
        };
        if handler.is_blocking() || entry.slow.load(Ordering::Relaxed) {
            return self.spawn(entry, running, call, ready, false);
        }
        let mut writer = ReplyWriter::new(ReplyTo::Frame(ready));
        let mut noop = TaskContext::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| {
            call.poll_within(|| running.as_mut().poll_reply(&mut noop, &call, &mut writer))
        }));
        let done = match polled {
            Ok(Poll::Ready(())) => true,
            Ok(Poll::Pending) => false,
            Err(panic) => {
                task::answer_panic(&call, entry, &*panic, &mut writer, start);
                true
            }
        };
        let (failed, plain) = (writer.answer == Answer::Error, writer.plain);
        let packing = plain.map(|plain| plain.into_running(ready, &self.session));
        self.pace_of(entry, ready)?;
        if !done {
            return self.spawn(entry, running, call, ready, true);
        }
        if let Some(packing) = packing {
            return self.spawn(entry, packing, call, ready, true);
        }
        drop(running);
        if self.session.server.has_pipeline() {
            if !ready.is_empty() {
                self.hand_over(ready)?;
            }
            self.session.end_if_refused();
        }
        self.answered.add(&entry.recorder, failed, &self.pace);
        self.keep(call);
        Ok(())
    }

    /// A method that holds up its connection runs on tasks from now on, and answers that are ready do not wait for a long
    /// batch.
    fn pace_of(&mut self, entry: &Entry, ready: &mut Vec<u8>) -> Result<()> {
        match self.pace.called(self.session.options.inline_limit) {
            None => Ok(()),
            Some(Look { slow, batch_is_long }) => {
                if slow {
                    entry.slow.store(true, Ordering::Relaxed);
                }
                if batch_is_long { self.hand_over(ready) } else { Ok(()) }
            }
        }
    }

    #[inline(never)]
    fn spawn(
        &self,
        entry: &Arc<Entry>,
        running: BoxRunning,
        call: Arc<Inner>,
        ready: &mut Vec<u8>,
        begun: bool,
    ) -> Result<()> {
        if !ready.is_empty() {
            self.session.link.send_batch(ready)?;
        }
        task::spawn(self.session.clone(), entry.clone(), running, call, begun);
        Ok(())
    }
}

/// A word of the connection itself.
pub(super) fn is_internal(frame: &Frame) -> bool {
    frame.header().is_oneway() && frame.service() == keys::INTERNAL_SERVICE.as_bytes()
}

/// The caller's remaining time, if it sent one; text that is no integer is ignored, as in Go.
pub(super) fn remaining_millis(frame: &Frame) -> Option<i64> {
    if !frame.has_metadata() {
        return None;
    }
    frame.metadata_get(keys::SERVER_TIMEOUT)?.parse().ok()
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
