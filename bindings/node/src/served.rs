//! The requests under way in handlers of JavaScript, and the tokens that its authenticators judge.
//!
//! Each is held until it is answered, or until nobody waits for the answer any more: a handler that never settles keeps
//! nothing here beyond its request's deadline, cancellation, connection or server.

use std::sync::Arc;

use bytes::Bytes;
use rpcx_embed::{AuthRequest, Queue, Request, Result};

use crate::event::{self, Event};
use crate::slab::{Key, Slab};
use crate::write::Batch;

/// A request under way.
struct Open {
    request: Request,
    /// JavaScript is to know when it is cancelled.
    watched: bool,
}

/// What JavaScript has not answered yet.
#[derive(Default)]
pub(crate) struct Served {
    requests: Slab<Open>,
    tokens: Slab<AuthRequest>,
}

impl Served {
    /// A request goes to its handler. Its end comes as an event if it is cancelled before.
    pub(crate) fn began(&mut self, queue: &Arc<Queue<Event>>, batch: &mut Batch, handler: u32, request: Request) {
        let key = self.requests.insert(Open { request, watched: false });
        if let Some(Open { request, .. }) = self.requests.get(key) {
            event::request(batch, key, handler, request);
            let queue = queue.clone();
            request.on_cancel(move || queue.push(Event::Cancelled(key)));
        }
    }

    /// A token goes to its authenticator.
    pub(crate) fn asked(&mut self, queue: &Arc<Queue<Event>>, batch: &mut Batch, judge: u32, request: AuthRequest) {
        let key = self.tokens.insert(request);
        if let Some(request) = self.tokens.get(key) {
            event::auth(batch, key, judge, request);
            let queue = queue.clone();
            request.on_cancel(move || queue.push(Event::Unasked(key)));
        }
    }

    /// A request that has not ended.
    pub(crate) fn request(&self, key: Key) -> Option<&Request> {
        self.requests.get(key).map(|open| &open.request)
    }

    /// Says that JavaScript is to know of a request's cancellation; false when it has ended.
    pub(crate) fn watch(&mut self, key: Key) -> bool {
        self.requests.get_mut(key).map(|open| open.watched = true).is_some()
    }

    /// Nobody waits for a request's answer any more: it is let go.
    pub(crate) fn cancelled(&mut self, batch: &mut Batch, key: Key) {
        if self.requests.remove(key).is_some_and(|open| open.watched) {
            event::cancelled(batch, key);
        }
    }

    /// Nobody waits for an authenticator's judgement any more.
    pub(crate) fn unasked(&mut self, key: Key) {
        self.tokens.remove(key);
    }

    /// Answers a request; without effect when it has ended.
    pub(crate) fn answer(&mut self, key: Key, metadata: &[(String, String)], result: Result<Bytes>) {
        if let Some(Open { request, .. }) = self.requests.remove(key) {
            for (name, value) in metadata {
                request.set_metadata(name, value);
            }
            request.answer(result);
        }
    }

    /// Says what an authenticator found.
    pub(crate) fn judge(&mut self, key: Key, result: Result<()>) {
        if let Some(request) = self.tokens.remove(key) {
            request.answer(result);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.requests.len() + self.tokens.len()
    }
}
