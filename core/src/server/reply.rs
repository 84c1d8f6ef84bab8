//! Answers become frames: in one buffer, behind those that are ready already.

use std::sync::PoisonError;

use rpcx_protocol::compress::Compressors;
use rpcx_protocol::encode::{EncodeError, Head, encode, encode_with, replace_payload};
use rpcx_protocol::header::{CompressType, Header, Status};
use rpcx_protocol::keys;
use rpcx_protocol::metadata::Metadata;

use super::context::Inner;
use super::large::{LARGE, Plain};
use super::session::SessionOptions;
use crate::codec::{CodecError, Encode};
use crate::connection::check_metadata;
use crate::error::{Error, ErrorKind, Reason};

/// What a handler answered, besides the bytes of a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Ok,
    Error,
}

/// Where a handler's answer goes.
pub(crate) enum ReplyTo<'a> {
    /// A frame at the end of this buffer; nothing for a oneway call.
    Frame(&'a mut Vec<u8>),
    /// Whoever wants the payload itself: the interceptor chain, another protocol.
    Slot(&'a mut Option<Result<Vec<u8>, Error>>),
}

impl ReplyTo<'_> {
    /// The same place once more, for another writer.
    pub(super) fn again(&mut self) -> ReplyTo<'_> {
        match self {
            ReplyTo::Frame(out) => ReplyTo::Frame(out),
            ReplyTo::Slot(slot) => ReplyTo::Slot(slot),
        }
    }
}

/// Takes the result of a handler and encodes it as the request asked.
pub(crate) struct ReplyWriter<'a> {
    pub(super) to: ReplyTo<'a>,
    pub(super) answer: Answer,
    /// The answer is to be compressed, and large: somebody else has to do that.
    pub(super) plain: Option<Plain>,
    /// What was answered instead of a success, for a server that logs slow calls.
    pub(super) error: Option<Error>,
}

enum Failed {
    Frame(EncodeError),
    Codec(CodecError),
}

impl From<EncodeError> for Failed {
    fn from(error: EncodeError) -> Failed {
        Failed::Frame(error)
    }
}

impl<'a> ReplyWriter<'a> {
    /// A writer that nothing was written with.
    pub(super) fn new(to: ReplyTo<'a>) -> Self {
        ReplyWriter { to, answer: Answer::Ok, plain: None, error: None }
    }

    /// Writes a typed result.
    pub(super) fn typed<C: Encode<R>, R>(&mut self, call: &Inner, result: Result<R, Error>) {
        let serialize = call.frame.header().serialize();
        match result {
            Ok(value) => self.success(call, |out| C::encode(serialize, &value, out)),
            Err(error) => self.said(call, &error),
        }
    }

    /// Writes bytes as they are.
    pub(super) fn raw(&mut self, call: &Inner, result: Result<impl AsRef<[u8]>, Error>) {
        match result {
            Ok(bytes) => self.success(call, |out| {
                out.extend_from_slice(bytes.as_ref());
                Ok(())
            }),
            Err(error) => self.said(call, &error),
        }
    }

    fn success(&mut self, call: &Inner, payload: impl FnOnce(&mut Vec<u8>) -> Result<(), CodecError>) {
        self.answer = Answer::Ok;
        let out = match &mut self.to {
            ReplyTo::Slot(slot) => {
                let mut bytes = Vec::new();
                if let Err(error) = payload(&mut bytes) {
                    return self.failure(call, &encode_failed(error));
                }
                **slot = Some(Ok(bytes));
                return;
            }
            ReplyTo::Frame(_) if call.frame.header().is_oneway() => return,
            ReplyTo::Frame(out) => out,
        };
        let metadata = call.response.lock().unwrap_or_else(PoisonError::into_inner);
        let options = &call.session.options;
        if let Err(error) = check_metadata(&options.limits, &metadata, "answer") {
            drop(metadata);
            return self.failure(call, &error);
        }
        let head = Head {
            header: Header::response_to(call.frame.header()),
            service: call.frame.service(),
            method: call.frame.method(),
            metadata: &metadata,
            extra: &[],
        };
        let written = encode_with(out, &head, |out| payload(out).map_err(Failed::Codec));
        let error = match written {
            Ok(encoded) => {
                let wanted = call.frame.header().compress();
                let len = encoded.end - encoded.payload_start;
                if wanted != CompressType::NONE && len > options.compress_min_size {
                    if len > LARGE && options.compressors.get(wanted).is_some() {
                        let (start, payload_start) = (encoded.start, encoded.payload_start);
                        self.plain = Some(Plain { start, payload_start, wanted });
                        return;
                    }
                    compress_last(out, encoded.start, encoded.payload_start, wanted, &options.compressors);
                }
                match check_size(out, encoded.start, options) {
                    Ok(()) => return,
                    Err(error) => error,
                }
            }
            Err(Failed::Codec(error)) => encode_failed(error),
            Err(Failed::Frame(error)) => Error::new(Reason::LimitMaxMessageSize, error.to_string()),
        };
        drop(metadata);
        self.failure(call, &error);
    }

    /// A handler's error is the service's own word, whatever its kind meant where it came from. Not so what codecs and pools of
    /// another language found here: an error of this server has no server's address.
    fn said(&mut self, call: &Inner, error: &Error) {
        let here = matches!(
            error.reason(),
            Reason::OverloadWorkers | Reason::CodecServer | Reason::CodecUnsupported | Reason::ServicePanic
        );
        if here && error.server().is_none() {
            return self.failure(call, error);
        }
        self.failure(call, &Error::new(Reason::ServiceError, error.message().to_owned()));
    }

    /// Writes an error of the server's own as Go's clients expect it.
    pub(super) fn failure(&mut self, call: &Inner, error: &Error) {
        self.answer = Answer::Error;
        if call.session.server.slow_calls.is_some() {
            self.error = Some(error.clone());
        }
        match &mut self.to {
            ReplyTo::Slot(slot) => **slot = Some(Err(error.clone())),
            ReplyTo::Frame(out) => {
                let metadata = call.response.lock().unwrap_or_else(PoisonError::into_inner);
                let fits = check_metadata(&call.session.options.limits, &metadata, "answer").is_ok();
                let metadata = if fits { &*metadata } else { Metadata::empty() };
                let codes = call.session.peer_wants_codes();
                let header = call.frame.header();
                put_error(out, header, call.frame.service(), call.frame.method(), metadata, error, codes);
            }
        }
    }
}

fn encode_failed(error: CodecError) -> Error {
    Error::new(Reason::CodecEncode, format!("the answer could not be encoded: {error}"))
}

/// Compresses the payload of the last frame in `out`; an unknown type leaves it plain, as in Go.
fn compress_last(
    out: &mut Vec<u8>,
    start: usize,
    payload_start: usize,
    wanted: CompressType,
    compressors: &Compressors,
) {
    let mut frame = out.split_off(start);
    compress(&mut frame, payload_start - start, wanted, compressors);
    out.append(&mut frame);
}

/// Compresses the payload of a frame.
pub(super) fn compress(frame: &mut Vec<u8>, payload_start: usize, wanted: CompressType, compressors: &Compressors) {
    let Some(compressor) = compressors.get(wanted) else { return };
    let mut small = Vec::new();
    if compressor.compress(&frame[payload_start..], &mut small).is_ok() {
        // A frame whose compressed form would be too large stays plain.
        let _ = replace_payload(frame, payload_start, &small, wanted);
    }
}

/// Takes the answer from `start` on back if it is larger than messages may be.
pub(super) fn check_size(out: &mut Vec<u8>, start: usize, options: &SessionOptions) -> Result<(), Error> {
    let (size, max) = (out.len() - start, options.limits.max_message_size);
    if size <= max + 16 {
        return Ok(());
    }
    out.truncate(start);
    Err(Error::new(
        Reason::LimitMaxMessageSize,
        format!("the answer has {size} bytes where max_message_size allows {max}"),
    ))
}

/// Appends an error response, unless the request is oneway. Its text is never empty: Go takes an empty one for success.
pub(super) fn put_error(
    out: &mut Vec<u8>,
    request: &Header,
    service: &[u8],
    method: &[u8],
    metadata: &Metadata,
    error: &Error,
    codes: bool,
) {
    if request.is_oneway() {
        return;
    }
    let text = match error.message() {
        "" => "unknown error",
        text => text,
    };
    let code = error.code().to_string();
    let mut extra = vec![(keys::ERROR, text)];
    if codes && error.kind().travels() {
        extra.push((keys::CODE, &code));
        if matches!(error.kind(), ErrorKind::Overload | ErrorKind::ShuttingDown) {
            extra.push((keys::NOT_RUN, "1"));
        }
    }
    let header = Header::response_to(request).with_status(Status::ERROR);
    let head = Head { header, service, method, metadata, extra: &extra };
    if encode(out, &head, &[]).is_err() {
        let head =
            Head { metadata: &Metadata::new(), extra: &[(keys::ERROR, "the answer's metadata is too large")], ..head };
        encode(out, &head, &[]).expect("a bare error fits into a frame");
    }
}
