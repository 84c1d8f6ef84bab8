//! What a request must pass before its handler begins, in whatever protocol it came: its deadline, the shutdown, the limits
//! on running handlers, the request rates, the table of methods.

use std::time::{Duration, Instant};

use rpcx_protocol::error_text;
use rpcx_protocol::frame::Frame;
use rpcx_protocol::keys;

use super::lookup::{Callee, Lookup};
use super::session::Session;
use crate::error::{Error, Reason, Result};
use crate::interceptor::Accounts;

/// The caller's remaining time, if it sent one; text that is no integer is ignored, as in Go.
pub(super) fn remaining_millis(frame: &Frame) -> Option<i64> {
    if !frame.has_metadata() {
        return None;
    }
    frame.metadata_get(keys::SERVER_TIMEOUT)?.parse().ok()
}

/// The deadline that a request of this moment brings.
///
/// # Errors
/// `timeout.server` when it has passed.
#[inline]
pub(super) fn deadline_of(frame: &Frame, now: Instant) -> Result<Option<Instant>> {
    match remaining_millis(frame) {
        None => Ok(None),
        Some(left) if left <= 0 => Err(came_late()),
        Some(left) => Ok(now.checked_add(Duration::from_millis(left.unsigned_abs()))),
    }
}

/// The refusal of a request that nobody waits for any more.
#[cold]
pub(super) fn came_late() -> Error {
    Error::new(Reason::TimeoutServer, "the request came when its deadline had passed")
}

impl Session {
    /// Every rule that says nothing about the request itself; how long it has to wait for the rate limit. `at_limit`: as
    /// many handlers of the connection run as may, and the request cannot wait for their end. One that can has waited before:
    /// it is not refused because another thread has taken the room meanwhile.
    ///
    /// # Errors
    /// `shutting_down.server`, `overload`: no handler was started.
    #[inline]
    pub(super) fn admit(
        &self,
        accounts: &mut Accounts,
        at_limit: bool,
        oneway: bool,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Result<Duration> {
        let server = &self.server;
        // Nobody would hear of a oneway request's refusal.
        if server.is_draining() && self.peer_wants_codes() && !oneway {
            return Err(Error::new(Reason::ShuttingDownServer, "the server is shutting down"));
        }
        if at_limit {
            return Err(Error::new(
                Reason::OverloadInFlight,
                format!("max_in_flight: {} requests of this connection run already", self.options.max_in_flight),
            ));
        }
        if self.options.reject_overload {
            server.check_load()?;
        }
        match &server.limit {
            None => Ok(Duration::ZERO),
            // The clock of the batch may be behind a long one: a token more or less is soon made up for.
            Some(limit) => limit.admit(accounts, self.bucket.as_deref(), now, deadline),
        }
    }

    /// Finds the method that a request asks for; beside it how long the request has to wait for the service's rate limit.
    ///
    /// # Errors
    /// That there is none, that it does not take such payloads, `overload.rate`: no handler was started.
    #[inline]
    pub(super) fn resolve(
        &self,
        accounts: &mut Accounts,
        lookup: &mut Lookup,
        frame: &Frame,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Result<(Callee, Duration)> {
        let callee = lookup.find(&self.server, frame)?;
        let hold = match &self.server.limit {
            None => Duration::ZERO,
            Some(limit) => limit.admit_to(accounts, callee.bucket.as_ref(), now, deadline)?,
        };
        let serialize = frame.header().serialize();
        if !callee.handler.supports(serialize) {
            return Err(Error::new(Reason::CodecUnsupported, error_text::codec_not_found(serialize)));
        }
        Ok((callee, hold))
    }

    /// A batch of requests is over.
    #[inline]
    pub(super) fn settle(&self, accounts: &mut Accounts, now: Instant) {
        if let Some(limit) = &self.server.limit {
            limit.settle(accounts, self.bucket.as_deref(), now);
        }
    }
}
