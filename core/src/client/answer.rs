//! What a server answered: a reply, perhaps to be decompressed, or an error.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rpcx_protocol::compress::CompressError;
use rpcx_protocol::frame::{Frame, PeerError};
use rpcx_protocol::header::{CompressType, SerializeType};

use super::call::Target;
use super::selection::Selected;
use crate::error::{Delivery, Error, Reason, Result};

/// A good answer.
pub(super) struct Answer<'r> {
    pub(super) opened: Opened,
    /// Whose it is.
    pub(super) selected: Selected<'r>,
    pub(super) attempts: u32,
}

/// A frame that holds a reply.
pub(super) struct Opened {
    pub(super) frame: Frame,
    /// The payload, if it was compressed.
    plain: Option<Bytes>,
    /// When it came.
    pub(super) at: Instant,
}

impl Opened {
    /// How long after `began` it came.
    pub(super) fn time_since(&self, began: Instant) -> Duration {
        self.at.saturating_duration_since(began)
    }

    /// The reply's format and bytes.
    pub(super) fn into_payload(self) -> (SerializeType, Bytes) {
        // The answer's own serialize type counts, as in Go.
        let serialize = self.frame.header().serialize();
        (serialize, self.plain.unwrap_or_else(|| self.frame.into_payload()))
    }
}

impl Target<'_> {
    /// Looks into an answer: an error of the server's, or a payload to decompress.
    pub(super) fn open(&self, frame: Frame, at: Instant) -> Result<Opened> {
        if let Some(said) = frame.error() {
            return Err(peer_error(said));
        }
        let compress = frame.header().compress();
        if compress == CompressType::NONE {
            return Ok(Opened { frame, plain: None, at });
        }
        let answered = |reason, text: String| Err(Error::new(reason, text).with_delivery(Delivery::Answered));
        let Some(compressor) = self.client.compressors.get(compress) else {
            return answered(
                Reason::UnsupportedCompress,
                format!("the answer is compressed with {compress}, for which no compressor is registered"),
            );
        };
        let mut plain = Vec::new();
        match compressor.decompress(frame.payload(), &mut plain, self.client.options.max_decompressed_size) {
            Ok(()) => Ok(Opened { frame, plain: Some(Bytes::from(plain)), at }),
            Err(CompressError::TooLarge { limit }) => answered(
                Reason::LimitMaxDecompressedSize,
                format!("the answer's payload is larger than max_decompressed_size allows ({limit} bytes)"),
            ),
            Err(error) => answered(
                Reason::ProtocolCompress,
                format!("the answer's payload does not decompress as {compress}: {error}"),
            ),
        }
    }
}

/// What a server answered instead of a reply.
fn peer_error(said: PeerError) -> Error {
    let error = match said.code {
        Some(code) => Error::from_peer_code(code, said.text),
        None => {
            let reason = if said.text.starts_with("rpcx: can't find service ") {
                Reason::ServiceUnknownService
            } else if said.text.starts_with("rpcx: can't find method ") {
                Reason::ServiceUnknownMethod
            } else {
                Reason::ServiceError
            };
            Error::new(reason, said.text)
        }
    };
    let error = error.with_delivery(Delivery::Answered);
    if said.not_run { error.with_not_run() } else { error }
}

/// The bytes of an empty answer: Go leaves the reply untouched, so it decodes to the type's zero value.
pub(super) fn zero_value(serialize: SerializeType) -> &'static [u8] {
    match serialize {
        SerializeType::MSGPACK => &[0xc0],
        SerializeType::JSON => b"null",
        _ => &[],
    }
}
