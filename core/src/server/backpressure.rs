//! What a session does while as many handlers run as may: it keeps requests for a while, begins the oldest when there is
//! room, and stays a living peer meanwhile.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rpcx_protocol::decoder::{Decoded, Decoder};
use rpcx_protocol::encode::{Head, encode};
use rpcx_protocol::header::{Header, SerializeType};

use super::admission::remaining_millis;
use super::dispatch::{FLUSH_SIZE, ServerRole, is_internal};
use crate::connection::decode_error;
use crate::connection::driver::Flow;
use crate::connection::link::Flush;
use crate::error::{Error, Reason, Result};

/// While nothing is read, a client that knows us gets a frame this often: to it we would be stuck. Half of what its
/// `stuck_timeout` is unless set.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

impl ServerRole {
    /// Its turn among the sessions of the server has not come.
    pub(super) fn waits_in_line(&self) -> bool {
        self.in_line && self.session.in_line.load(Ordering::Relaxed)
    }

    /// Gets in line for a handler's end anywhere in the server; false when there is room already.
    pub(super) fn wait_in_line(&mut self, began: bool) -> bool {
        if self.waits_in_line() {
            return true;
        }
        let in_front = std::mem::replace(&mut self.in_line, true) && !began;
        self.session.server.wait_in_line(&self.session, in_front)
    }

    /// No handler may begin: requests are kept, as far as they are few, and everything else is seen to.
    pub(super) fn hold_back(&mut self, decoder: &mut Decoder, ready: &mut Vec<u8>, now: Instant) -> Result<Flow> {
        while !self.held.as_ref().is_some_and(|held| held.is_full()) {
            match decoder.next().map_err(|error| decode_error(error, &self.session.link))? {
                None => return Ok(Flow::Hold),
                Some(Decoded::Refused(refused)) => self.refuse(&refused, ready),
                Some(Decoded::Frame(frame)) if frame.header().is_heartbeat() || is_internal(&frame) => {
                    self.on_frame(frame, false, ready, now)?;
                }
                Some(Decoded::Frame(frame)) => self.held.get_or_insert_default().push(frame, now),
            }
            if ready.len() >= FLUSH_SIZE {
                self.hand_over(ready)?;
            }
            if self.congested {
                return Ok(Flow::Stop);
            }
        }
        if self.sign_due.is_none() && self.session.features().is_some() {
            self.sign_due = Some(self.session.link.millis(now + SIGN_OF_LIFE));
        }
        Ok(Flow::Stop)
    }

    /// The turn of the request that has waited longest has come.
    pub(super) fn begin_held(&mut self, ready: &mut Vec<u8>, now: Instant) -> Result<()> {
        let Some((frame, came)) = self.held.as_mut().and_then(|held| held.pop()) else {
            self.held = None;
            return Ok(());
        };
        let waited = now.saturating_duration_since(came).as_millis();
        if remaining_millis(&frame).is_some_and(|left| i128::from(left) <= waited as i128) {
            let text = "the deadline passed while the request waited for max_in_flight or max_server_in_flight";
            self.answer_error(&frame, &Error::new(Reason::TimeoutServer, text), ready);
            return Ok(());
        }
        self.on_frame(frame, false, ready, came)?;
        self.session.used(self.session.link.millis(now));
        Ok(())
    }

    /// A caller has given up.
    pub(super) fn cancel(&mut self, seq: u64, ready: &mut Vec<u8>) {
        match self.held.as_mut().and_then(|held| held.take(seq)) {
            Some(frame) => {
                let text = "the call was cancelled before its handler began";
                self.answer_error(&frame, &Error::new(Reason::CancelledServer, text), ready);
            }
            None => self.session.waiting_calls(|calls| calls.cancel(seq)),
        }
    }

    /// The turn among the server's sessions goes to the next one.
    pub(super) fn hand_on(&mut self) {
        if std::mem::take(&mut self.in_line) {
            self.session.server.hand_on(&self.session);
        }
    }

    /// A client that waits for a sign of life gets one when it is due.
    pub(super) fn keep_alive(&mut self, now: u64) -> Result<()> {
        if self.sign_due.is_some_and(|due| due <= now) {
            self.sign_due = Some(now + SIGN_OF_LIFE.as_millis() as u64);
            if !self.congested {
                self.give_sign_of_life()?;
            }
        }
        Ok(())
    }

    /// An answer to a heartbeat that nobody has asked for.
    fn give_sign_of_life(&self) -> Result<()> {
        let header = Header::request(SerializeType::MSGPACK, 0).with_heartbeat(true).as_response();
        let mut frame = Vec::new();
        encode(&mut frame, &Head::new(header, b"", b""), &[])
            .map_err(|error| Error::new(Reason::LimitMaxMessageSize, error.to_string()))?;
        self.session.link.send(&mut frame, None, Flush::Batch).map(drop)
    }
}
