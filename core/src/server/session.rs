//! One client's connection as the server sees it: what its driver, its handlers and its pushes share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rpcx_protocol::compress::Compressors;
use rpcx_protocol::encode::{Head, encode};
use rpcx_protocol::features::Features;
use rpcx_protocol::header::{Header, SerializeType};
use rpcx_protocol::keys;
use rpcx_protocol::limits::Limits;
use rpcx_protocol::metadata::Metadata;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::core::ServerCore;
use super::in_progress::InProgress;
use super::login::Accepted;
use super::worker::Workers;
use crate::connection::link::{Flush, Link};
use crate::connection::{buffers, check_metadata};
use crate::error::{Error, Reason, Result};
use crate::interceptor::TokenBucket;

/// What every session of a server goes by.
#[derive(Clone)]
pub(crate) struct SessionOptions {
    pub(crate) limits: Limits,
    pub(crate) max_decompressed_size: usize,
    pub(crate) compressors: Compressors,
    /// Payloads above this size are compressed when the request was.
    pub(crate) compress_min_size: usize,
    pub(crate) max_in_flight: usize,
    /// Beyond `max_in_flight`: answer with `overload` instead of reading no further.
    pub(crate) reject_overload: bool,
    pub(crate) read_timeout: Option<Duration>,
    pub(crate) write_timeout: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) cancel_grace: Duration,
    pub(crate) inline_limit: Duration,
    pub(crate) panic_text: bool,
    pub(crate) max_pushes: usize,
    pub(crate) push_to_unknown: bool,
}

/// The handlers of a connection that wait, and when its driver's alarm rings.
struct Waiting {
    armed: u64,
    calls: Option<Box<InProgress>>,
}

/// Counts who waits for room, also when it is dropped meanwhile.
struct Unbegun<'a>(&'a AtomicUsize);

impl<'a> Unbegun<'a> {
    fn new(count: &'a AtomicUsize) -> Unbegun<'a> {
        count.fetch_add(1, Ordering::SeqCst);
        Unbegun(count)
    }
}

impl Drop for Unbegun<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) struct Session {
    pub(crate) link: Arc<Link>,
    pub(crate) server: Arc<ServerCore>,
    pub(super) options: Arc<SessionOptions>,
    /// Unset: no hello has come, the peer is Go's or an older one.
    features: OnceLock<Features>,
    in_progress: Mutex<Waiting>,
    waiting: AtomicUsize,
    /// No handler begins until another one has ended.
    pub(super) stopped: AtomicBool,
    /// It waits for its turn among all sessions of the server; changed under the line's lock.
    pub(super) in_line: AtomicBool,
    queued_pushes: AtomicUsize,
    /// When a request came, or an answer or a push went, in milliseconds of the link's clock.
    used: AtomicU64,
    /// Handlers that have not begun and pushes that wait, because the client takes too slowly what is sent to it.
    unbegun: AtomicUsize,
    room: Notify,
    refused: OnceLock<Error>,
    pub(super) accepted: OnceLock<Box<Accepted>>,
    /// The client's share of the request rate.
    pub(super) bucket: Option<Arc<TokenBucket>>,
}

impl Session {
    pub(super) fn new(link: Arc<Link>, server: Arc<ServerCore>) -> Session {
        let bucket = server.limit.as_ref().and_then(|limit| limit.peer(&link.info.remote, Instant::now()));
        Session {
            bucket,
            link,
            options: server.session_options.clone(),
            server,
            features: OnceLock::new(),
            in_progress: Mutex::new(Waiting { armed: u64::MAX, calls: None }),
            waiting: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            in_line: AtomicBool::new(false),
            queued_pushes: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            unbegun: AtomicUsize::new(0),
            room: Notify::new(),
            refused: OnceLock::new(),
            accepted: OnceLock::new(),
        }
    }

    /// The session of a client that speaks another protocol: it understands error codes, and nothing can be sent to it.
    pub(super) fn foreign(link: Arc<Link>, server: Arc<ServerCore>) -> Session {
        let session = Session::new(link, server);
        session.learn_features(Features::CODE);
        session
    }

    fn in_progress(&self) -> MutexGuard<'_, Waiting> {
        self.in_progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the handlers that wait, if there are any.
    pub(super) fn waiting_calls(&self, act: impl FnOnce(&mut InProgress)) {
        if let Some(calls) = &mut self.in_progress().calls {
            act(calls);
        }
    }

    /// When the driver has to look again: at a handler's deadline, or at `own`. Its alarm will be set for that.
    pub(super) fn next_due(&self, now: u64, own: Option<u64>) -> Option<u64> {
        let mut waiting = self.in_progress();
        let deadline = waiting.calls.as_ref().and_then(|calls| calls.next_due(now));
        let due = [deadline, own].into_iter().flatten().min();
        waiting.armed = due.unwrap_or(u64::MAX);
        due
    }

    pub(super) fn workers(&self) -> Arc<Workers> {
        self.server.workers.clone()
    }

    /// What the client's hello listed; `None` before it, and for peers that send none.
    pub(super) fn features(&self) -> Option<Features> {
        self.features.get().copied()
    }

    pub(super) fn learn_features(&self, features: Features) {
        // The first hello counts; a peer does not change what it is.
        let _ = self.features.set(features);
    }

    /// The peer understands error codes.
    pub(super) fn peer_wants_codes(&self) -> bool {
        self.features().is_some_and(|features| features.contains(Features::CODE))
    }

    /// Handlers that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// As many handlers wait as may.
    pub(super) fn is_full(&self) -> bool {
        self.waiting() >= self.options.max_in_flight
    }

    /// Something other than a heartbeat moved.
    pub(super) fn used(&self, now: u64) {
        self.used.store(now, Ordering::Relaxed);
    }

    pub(super) fn last_used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Waits while the client takes its answers too slowly for another handler to begin: one read may hold thousands of
    /// small requests with large answers.
    pub(super) async fn room(&self) {
        if !self.link.is_congested() {
            return;
        }
        let _counted = Unbegun::new(&self.unbegun);
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            if !self.link.is_congested() || !self.link.is_open() {
                return;
            }
            room.await;
        }
    }

    /// Lets handlers begin and pushes leave that wait for room, if there is some.
    pub(super) fn make_room(&self) {
        if self.unbegun.load(Ordering::SeqCst) > 0 && (!self.link.is_congested() || !self.link.is_open()) {
            self.room.notify_waiters();
        }
    }

    /// A handler was moved to a task; returns its number.
    pub(super) fn began(&self, seq: u64, token: CancellationToken, due: Option<u64>) -> u32 {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        self.server.waiting.fetch_add(1, Ordering::AcqRel);
        let mut waiting = self.in_progress();
        let id = waiting.calls.get_or_insert_with(Box::default).insert(seq, token, due);
        let early = due.is_some_and(|due| due < waiting.armed);
        drop(waiting);
        if early {
            self.link.kick();
        }
        id
    }

    /// A handler on a task has ended, with this answer to send.
    pub(super) fn ended(&self, id: u32, frame: &mut Vec<u8>) {
        let remaining = {
            let mut waiting = self.in_progress();
            let remaining = waiting.calls.as_mut().map_or(0, |calls| calls.remove(id));
            if remaining == 0 {
                // A connection on which no handler waits holds no table.
                waiting.calls = None;
            }
            remaining
        };
        if !frame.is_empty() {
            let flush = if remaining == 0 { Flush::Now } else { Flush::Batch };
            // A client that has left gets no answer.
            let _ = self.link.send(frame, None, flush);
        }
        self.end_if_refused();
        let idles = self.options.idle_timeout.is_some() && remaining == 0;
        if idles {
            self.used(self.link.millis(Instant::now()));
        }
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        self.server.one_less();
        // The driver begins the next handler, or to count the idle time.
        if idles || self.stopped.load(Ordering::SeqCst) {
            self.link.kick();
        }
    }

    /// Sends a message of the server's own, now or not at all.
    pub(crate) fn push(&self, service: &str, method: &str, metadata: &Metadata, payload: &[u8]) -> Result<()> {
        self.may_push(metadata)?;
        if !self.has_room_for_push() {
            self.server.recorder.push_dropped();
            return Err(Error::new(
                Reason::LimitMaxPushes,
                format!("{} pushes wait for {} already", self.options.max_pushes, self.link.info.remote),
            ));
        }
        self.send_push(service, method, metadata, payload)
    }

    /// Sends a message of the server's own once there is room for it.
    pub(crate) async fn push_when_ready(
        &self,
        service: &str,
        method: &str,
        metadata: &Metadata,
        payload: &[u8],
    ) -> Result<()> {
        self.may_push(metadata)?;
        if !self.has_room_for_push() {
            let _counted = Unbegun::new(&self.unbegun);
            loop {
                let mut room = std::pin::pin!(self.room.notified());
                room.as_mut().enable();
                if self.has_room_for_push() || !self.link.is_open() {
                    break;
                }
                room.await;
            }
        }
        self.send_push(service, method, metadata, payload)
    }

    /// Refuses what will not be sent however long it waits.
    fn may_push(&self, metadata: &Metadata) -> Result<()> {
        let allowed = match self.features() {
            Some(features) => features.contains(Features::PUSH),
            None => self.options.push_to_unknown,
        };
        if !allowed {
            return Err(Error::new(
                Reason::UnsupportedFeature,
                format!("the client at {} takes no pushes", self.link.info.remote),
            ));
        }
        check_metadata(&self.options.limits, metadata, "push")
    }

    fn has_room_for_push(&self) -> bool {
        if self.link.is_congested() || self.queued_pushes.load(Ordering::Relaxed) >= self.options.max_pushes {
            if self.link.queued_bytes() > 0 {
                return false;
            }
            self.queued_pushes.store(0, Ordering::Relaxed);
        }
        true
    }

    fn send_push(&self, service: &str, method: &str, metadata: &Metadata, payload: &[u8]) -> Result<()> {
        let header = Header::request(SerializeType::RAW, self.server.next_push()).with_oneway(true);
        let head = Head { header, service: service.as_bytes(), method: method.as_bytes(), metadata, extra: &[] };
        let mut frame = buffers::take_scratch();
        let result = encode(&mut frame, &head, payload)
            .map_err(|error| Error::new(Reason::LimitMaxMessageSize, error.to_string()))
            .and_then(|()| {
                self.options
                    .limits
                    .check_message(frame.len() as u64 - 16)
                    .map_err(|exceeded| Error::new(Reason::LimitMaxMessageSize, exceeded.to_string()))?;
                self.queued_pushes.fetch_add(1, Ordering::Relaxed);
                if self.options.idle_timeout.is_some() {
                    self.used(self.link.millis(Instant::now()));
                }
                self.server.recorder.push_sent();
                self.link.send(&mut frame, None, Flush::Batch).map(drop)
            });
        buffers::put_scratch(frame);
        result
    }

    /// A login was refused: once its answer is on the way the connection ends.
    pub(super) fn refuse(&self, error: Error) {
        // The first refusal ends the connection; later ones add nothing.
        let _ = self.refused.set(error);
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused.get().is_some()
    }

    /// Ends the connection of a refused login, behind the answers that were handed to it.
    pub(super) fn end_if_refused(&self) {
        if let Some(error) = self.refused.get() {
            self.link.close_after_flush(error.clone());
        }
    }

    /// Pushes may queue again once everything queued has left.
    pub(super) fn flushed(&self) {
        if self.queued_pushes.load(Ordering::Relaxed) > 0 && self.link.queued_bytes() == 0 {
            self.queued_pushes.store(0, Ordering::Relaxed);
        }
    }

    /// Asks a client that understands it to take its calls elsewhere.
    pub(crate) fn send_drain(&self) {
        if !self.features().is_some_and(|features| features.contains(Features::DRAIN)) {
            return;
        }
        let header = Header::request(SerializeType::RAW, self.server.next_push()).with_oneway(true);
        let head = Head {
            header,
            service: keys::INTERNAL_SERVICE.as_bytes(),
            method: keys::DRAIN_METHOD.as_bytes(),
            metadata: &Metadata::new(),
            extra: &[],
        };
        let mut frame = Vec::new();
        encode(&mut frame, &head, &[]).expect("a drain message is small");
        // A client that has left needs no telling.
        let _ = self.link.send(&mut frame, None, Flush::Now);
    }
}
