//! A call's arguments become a frame: its head, the encoded payload, compression, the limits of what is sent.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rpcx_protocol::encode::{EncodeError, Head, complete, encode_head, replace_payload, replace_value};
use rpcx_protocol::header::{CompressType, HEADER_LEN, Header, SerializeType};
use rpcx_protocol::keys;

use super::call::{PayloadFn, Target};
use super::options::Plan;
use crate::codec::CodecError;
use crate::connection::check_metadata;
use crate::error::{Error, Reason, Result};

/// Heads of a method's plain calls, those without options: all alike but for the sequence number. Encoded once for each
/// serialize type of Go's.
#[derive(Default)]
pub(super) struct Heads([OnceLock<Box<[u8]>>; 5]);

impl Heads {
    fn of(&self, serialize: SerializeType) -> Option<&OnceLock<Box<[u8]>>> {
        self.0.get(usize::from(serialize.get()))
    }
}

/// Decimal digits of the remaining milliseconds, without allocating.
struct Millis {
    digits: [u8; 20],
    start: usize,
}

impl Millis {
    fn new(mut value: u64) -> Millis {
        let mut digits = [b'0'; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 || start == 0 {
                return Millis { digits, start };
            }
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[self.start..]).unwrap_or("0")
    }
}

/// Says what is left of the deadline now: the request was encoded at `made`, and may have waited for its connection since.
pub(super) fn restate_time_left(frame: &mut Vec<u8>, plan: &Plan<'_>, made: Instant) -> Instant {
    let now = Instant::now();
    if let Some(deadline) = plan.deadline
        && now.saturating_duration_since(made) >= Duration::from_millis(1)
    {
        let left = Millis::new(deadline.saturating_duration_since(now).as_millis() as u64);
        // An interceptor may have made a request without it.
        let _ = replace_value(frame, keys::SERVER_TIMEOUT, left.as_str());
    }
    now
}

impl Target<'_> {
    /// Encodes the request, without its sequence number, into an empty scratch buffer. Returns where the payload begins.
    pub(super) fn encode(
        &self,
        frame: &mut Vec<u8>,
        plan: &Plan<'_>,
        payload: PayloadFn<'_>,
        now: Instant,
    ) -> Result<usize> {
        match self.known_head(plan, now) {
            Some(head) => frame.extend_from_slice(head),
            None => self.put_head(frame, plan, now)?,
        }
        let payload_start = frame.len();
        if let Err(error) = payload(frame) {
            return Err(encode_failed(error));
        }
        if let Err(error) = complete(frame, 0, payload_start) {
            return Err(too_long(error));
        }
        if plan.compress_type() == CompressType::NONE {
            self.check_size(frame)?;
        }
        Ok(payload_start)
    }

    /// The head of a plain call, encoded before.
    fn known_head(&self, plan: &Plan<'_>, now: Instant) -> Option<&[u8]> {
        if !plan.is_plain || now != plan.now {
            return None;
        }
        let head = self.method.heads.of(plan.serialize_type)?;
        let head = head.get_or_init(|| self.make_head(plan));
        (!head.is_empty()).then_some(head)
    }

    #[cold]
    fn make_head(&self, plan: &Plan<'_>) -> Box<[u8]> {
        let mut head = Vec::new();
        // One that cannot be made is tried again for every call, which then fails with the reason.
        self.put_head(&mut head, plan, plan.now).map_or_else(|_| Box::default(), |()| head.into())
    }

    /// Appends everything before the payload.
    #[inline(never)]
    fn put_head(&self, frame: &mut Vec<u8>, plan: &Plan<'_>, now: Instant) -> Result<()> {
        let left = plan.deadline.map(|at| Millis::new(at.saturating_duration_since(now).as_millis() as u64));
        let mut extra = [("", ""); 2];
        let mut used = 0;
        if let Some(left) = &left {
            extra[used] = (keys::SERVER_TIMEOUT, left.as_str());
            used += 1;
        }
        if let Some(token) = plan.auth() {
            extra[used] = (keys::AUTH, token);
            used += 1;
        }
        check_metadata(self.client.limits(), plan.metadata, "request")?;
        let head = Head {
            header: Header::request(plan.serialize_type, 0).with_oneway(plan.oneway),
            service: self.routes.service().as_bytes(),
            method: self.method.name.as_bytes(),
            metadata: plan.metadata,
            extra: &extra[..used],
        };
        encode_head(frame, &head, 0).map_err(too_long)
    }

    /// Compresses the payload of an encoded request, if that was asked for and it is large enough.
    #[inline]
    pub(super) fn compress(&self, frame: &mut Vec<u8>, payload_start: usize, plan: &Plan<'_>) -> Result<()> {
        match plan.compress_type() {
            CompressType::NONE => Ok(()),
            wanted => self.compress_with(frame, payload_start, wanted),
        }
    }

    fn compress_with(&self, frame: &mut Vec<u8>, payload_start: usize, wanted: CompressType) -> Result<()> {
        if frame.len() - payload_start > self.client.options.compress_min_size {
            let compressor = self.client.compressors.get(wanted).ok_or_else(|| {
                Error::new(
                    Reason::UnsupportedCompress,
                    format!("compress_type: no compressor is registered for {wanted}"),
                )
            })?;
            let mut small = Vec::new();
            compressor.compress(&frame[payload_start..], &mut small).map_err(|error| {
                Error::new(Reason::CodecEncode, format!("the arguments could not be compressed: {error}"))
            })?;
            replace_payload(frame, payload_start, &small, wanted).map_err(too_long)?;
        }
        self.check_size(frame)
    }

    #[inline]
    fn check_size(&self, frame: &[u8]) -> Result<()> {
        self.client.limits().check_message((frame.len() - HEADER_LEN) as u64).map_err(|exceeded| {
            Error::new(Reason::LimitMaxMessageSize, format!("the request was not sent: {exceeded}"))
        })
    }
}

#[cold]
fn encode_failed(error: CodecError) -> Error {
    match error {
        CodecError::Unsupported { .. } => Error::new(Reason::CodecUnsupported, error.to_string()),
        error => Error::new(Reason::CodecEncode, format!("the arguments could not be encoded: {error}")),
    }
}

#[cold]
fn too_long(error: EncodeError) -> Error {
    Error::new(Reason::LimitMaxMessageSize, error.to_string())
}
