//! The requests under way in handlers of JavaScript, and the tokens that its authenticators judge.

use bytes::Bytes;
use rpcx_embed::{AuthRequest, Request, Result};

use crate::event;
use crate::slab::{Key, Slab};
use crate::write::Batch;

/// What JavaScript has not answered yet.
#[derive(Default)]
pub(crate) struct Served {
    requests: Slab<Request>,
    tokens: Slab<AuthRequest>,
}

impl Served {
    /// A request goes to its handler.
    pub(crate) fn began(&mut self, batch: &mut Batch, handler: u32, request: Request) {
        let key = self.requests.insert(request);
        if let Some(request) = self.requests.get(key) {
            event::request(batch, key, handler, request);
        }
    }

    /// A token goes to its authenticator.
    pub(crate) fn asked(&mut self, batch: &mut Batch, judge: u32, request: AuthRequest) {
        let key = self.tokens.insert(request);
        if let Some(request) = self.tokens.get(key) {
            event::auth(batch, key, judge, request);
        }
    }

    /// A request that has not been answered.
    pub(crate) fn request(&self, key: Key) -> Option<&Request> {
        self.requests.get(key)
    }

    /// Answers a request; without effect when it has been answered.
    pub(crate) fn answer(&mut self, key: Key, metadata: &[(String, String)], result: Result<Bytes>) {
        if let Some(request) = self.requests.remove(key) {
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
