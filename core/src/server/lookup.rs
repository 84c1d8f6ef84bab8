//! The method that a request asks for: looked up in the table, or known from the last call of the connection.

use std::sync::Arc;

use rpcx_protocol::error_text;
use rpcx_protocol::frame::Frame;

use super::core::ServerCore;
use super::handler::Handler;
use super::table::{Entry, Found, Published, RealName, Table};
use crate::error::{Error, Reason, Result};
use crate::interceptor::TokenBucket;

/// A method that was found, as one connection calls it.
pub(super) struct Callee {
    pub(super) entry: Arc<Entry>,
    pub(super) handler: Arc<dyn Handler>,
    /// Its name, if it was asked for by an alias.
    pub(super) renamed: Option<Arc<RealName>>,
    /// What its service's rate is limited by.
    pub(super) bucket: Option<Arc<TokenBucket>>,
}

/// One connection's view of the table: a copy of it, and the method that was called last, since calls come in runs.
pub(super) struct Lookup {
    table: Arc<Table>,
    /// Of `table`.
    revision: u64,
    last: Option<Callee>,
}

impl Lookup {
    pub(super) fn new(services: &Published) -> Lookup {
        // Before the table: one that is newer than its revision is only looked up again.
        let revision = services.revision();
        Lookup { table: services.current(), revision, last: None }
    }

    /// Finds the method, first in the memory of the last call; [`keep`](Self::keep) puts it back there.
    ///
    /// # Errors
    /// `service.unknown_method`, `service.unknown_service`, in Go's words.
    #[inline]
    pub(super) fn find(&mut self, server: &ServerCore, frame: &Frame) -> Result<Callee> {
        let (service, method) = (frame.service(), frame.method());
        let revision = server.services.revision();
        if revision != self.revision {
            self.revision = revision;
            self.table = server.services.current();
            self.last = None;
        }
        if let Some(callee) =
            self.last.take_if(|callee| *callee.entry.method == *method && *callee.entry.service == *service)
        {
            return Ok(callee);
        }
        self.look_up(server, frame)
    }

    fn look_up(&self, server: &ServerCore, frame: &Frame) -> Result<Callee> {
        let (found, renamed) = self.table.find(frame.service(), frame.method());
        match found {
            Found::Entry(entry) => {
                let handler = entry.handler.localize().unwrap_or_else(|| entry.handler.clone());
                let bucket = server.limit.as_ref().and_then(|limit| limit.service(&entry.service));
                Ok(Callee { entry: entry.clone(), handler, renamed, bucket })
            }
            Found::NoMethod => {
                Err(Error::new(Reason::ServiceUnknownMethod, error_text::method_not_found(&frame.method_str())))
            }
            Found::NoService => {
                Err(Error::new(Reason::ServiceUnknownService, error_text::service_not_found(&frame.service_str())))
            }
        }
    }

    /// Remembers the method of the last call.
    #[inline]
    pub(super) fn keep(&mut self, callee: Callee) {
        // By its own name the method may be something else: an alias in its turn.
        if callee.renamed.is_none() {
            self.last = Some(callee);
        }
    }
}
