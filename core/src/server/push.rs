//! Messages that the server sends on its own.

use std::sync::{Arc, Weak};

use rpcx_protocol::metadata::Metadata;

use super::session::Session;
use crate::error::{Error, Reason, Result};

/// A client's connection, to push messages to it for as long as it lives. Holding one keeps nothing open.
#[derive(Clone)]
pub struct ConnectionHandle {
    session: Weak<Session>,
    id: u64,
    remote: Arc<str>,
}

impl ConnectionHandle {
    pub(super) fn new(session: &Arc<Session>) -> ConnectionHandle {
        ConnectionHandle {
            id: session.link.id,
            remote: session.link.info.remote.as_str().into(),
            session: Arc::downgrade(session),
        }
    }

    /// A number that no other connection of this process has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The client's address.
    pub fn peer(&self) -> &str {
        &self.remote
    }

    /// The connection has not ended.
    pub fn is_open(&self) -> bool {
        self.session.upgrade().is_some_and(|session| session.link.is_open())
    }

    /// Sends a message that the client reads with `Client::pushes`. It returns when the message is queued.
    ///
    /// # Errors
    /// `closed` when the connection has ended, `limit.max_pushes` when too many wait, `unsupported` when the client takes none.
    pub fn push(&self, service: &str, method: &str, metadata: &Metadata, payload: &[u8]) -> Result<()> {
        match self.session.upgrade() {
            Some(session) => session.push(service, method, metadata, payload),
            None => Err(self.ended()),
        }
    }

    /// As [`push`](Self::push), but waits for room instead of failing when too many wait. It waits as long as the connection
    /// lives; drop the future, or put it into `tokio::time::timeout`, to wait no longer. Dropping it sends nothing.
    ///
    /// # Errors
    /// `closed` when the connection has ended, `unsupported` when the client takes none, `limit` for a message above one.
    pub async fn push_when_ready(
        &self,
        service: &str,
        method: &str,
        metadata: &Metadata,
        payload: &[u8],
    ) -> Result<()> {
        match self.session.upgrade() {
            Some(session) => session.push_when_ready(service, method, metadata, payload).await,
            None => Err(self.ended()),
        }
    }

    fn ended(&self) -> Error {
        Error::new(Reason::ClosedRemote, format!("the connection to {} has ended", self.remote))
    }

    /// Ends the connection without a word.
    pub fn close(&self) {
        if let Some(session) = self.session.upgrade() {
            session.link.close(Error::new(Reason::ClosedLocal, "the server closed the connection"));
        }
    }
}

impl std::fmt::Debug for ConnectionHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionHandle").field("id", &self.id).field("peer", &self.remote).finish_non_exhaustive()
    }
}
