//! What all connections of a server share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::line::Line;
use super::login::Login;
use super::session::{Session, SessionOptions};
use super::table::Published;
use super::worker::Workers;
use crate::error::{Error, Reason, Result};
use crate::interceptor::{Interceptor, RateLimit, SlowCalls};
use crate::stats::{QueueTotals, ServedMetrics, ServerRecorder, ServerStats};

pub(crate) struct ServerCore {
    pub(crate) services: Published,
    pub(crate) session_options: Arc<SessionOptions>,
    pub(crate) workers: Arc<Workers>,
    /// Compresses and decompresses large payloads: a thread for each core.
    pub(super) compression: Arc<Workers>,
    pub(super) login: Option<Login>,
    /// There is an authenticator, an interceptor, or a rate limit for which requests wait.
    pub(super) pipeline: bool,
    pub(super) interceptors: Vec<Arc<dyn Interceptor>>,
    /// With the option `slow_call`, unless requests pass the pipeline, which then has an interceptor for it.
    pub(super) slow_calls: Option<SlowCalls>,
    pub(super) limit: Option<RateLimit>,
    pub(crate) recorder: Arc<ServerRecorder>,
    pub(super) metrics: ServedMetrics,
    /// Handlers that wait, of all connections.
    pub(super) waiting: AtomicUsize,
    pub(super) max_waiting: usize,
    pub(super) max_connections: usize,
    pub(super) draining: AtomicBool,
    pub(super) sessions: Mutex<HashMap<u64, Arc<Session>>>,
    /// Connections that are open or being opened.
    pub(super) connections: AtomicUsize,
    pub(super) pushes: AtomicU64,
    /// A handler has ended or a client has left.
    pub(super) changed: Notify,
    /// Sessions whose requests wait until a handler of any session has ended.
    pub(super) line: Line,
}

impl ServerCore {
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Requests pass more than their handler.
    pub(super) fn has_pipeline(&self) -> bool {
        self.pipeline
    }

    /// As many handlers of the whole server wait as may.
    pub(super) fn is_full(&self) -> bool {
        self.max_waiting != 0 && self.waiting.load(Ordering::SeqCst) >= self.max_waiting
    }

    /// Wakes a session, which begins no handler while the server is full, when that changes; false when it has changed
    /// already. `in_front`: its turn had come, but the room was gone.
    pub(super) fn wait_in_line(&self, session: &Arc<Session>, in_front: bool) -> bool {
        self.line.join(session, in_front, || self.is_full())
    }

    /// Lets sessions go on that wait in line, as many as there is room for.
    pub(super) fn wake_next(&self) {
        self.line.wake(|| self.max_waiting.saturating_sub(self.waiting.load(Ordering::SeqCst)));
    }

    /// A session has no use for its turn.
    pub(super) fn hand_on(&self, session: &Session) {
        self.line.leave(session);
        self.wake_next();
    }

    /// The limit on handlers of the whole server.
    pub(super) fn check_load(&self) -> Result<()> {
        if self.is_full() {
            return Err(Error::new(
                Reason::OverloadServer,
                format!("max_server_in_flight: {} requests run on the server already", self.max_waiting),
            ));
        }
        Ok(())
    }

    /// A handler that waited has ended.
    pub(super) fn one_less(&self) {
        if self.waiting.fetch_sub(1, Ordering::SeqCst) == 1 && self.is_draining() {
            self.changed.notify_waiters();
        }
        self.wake_next();
    }

    /// What the server has counted so far.
    pub(super) fn stats(&self) -> ServerStats {
        let mut queue = QueueTotals::default();
        for session in self.sessions() {
            queue += session.link.queue();
        }
        self.recorder.snapshot(self.waiting.load(Ordering::Relaxed), queue)
    }

    /// The number of the next message of the server's own; they count from 1, as Go's do.
    pub(super) fn next_push(&self) -> u64 {
        1 + self.pushes.fetch_add(1, Ordering::Relaxed) % (i32::MAX as u64)
    }

    /// Counts a connection in, unless there are too many.
    pub(super) fn enter(&self) -> bool {
        let entered = self.connections.fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| {
            (open < self.max_connections).then_some(open + 1)
        });
        entered.is_ok()
    }

    /// Counts a connection out that never became a session, or has ended.
    pub(super) fn leave(&self) {
        self.connections.fetch_sub(1, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    pub(super) fn joined(&self, session: &Arc<Session>) {
        self.recorder.opened();
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(session.link.id, session.clone());
    }

    /// A session has ended.
    pub(super) fn left(&self, id: u64, error: &Error) {
        self.recorder.closed();
        tracing::debug!(target: "rpcx::server", connection = id, reason = %error, "a connection ended");
        let session = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if session.is_some() {
            self.leave();
        }
    }

    /// All sessions that are open now.
    pub(super) fn sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
