//! A frame that came whole and passed all checks, and the error that it may carry.

use std::borrow::Cow;
use std::fmt;

use bytes::{Buf, Bytes};

use crate::encode::{EncodeError, Head, encode};
use crate::error_text;
use crate::header::{HEADER_LEN, Header};
use crate::keys;
use crate::metadata::{self, Metadata};

/// One received message. All of its parts lie in one shared piece of memory.
///
/// Service path and method are any bytes, as Go takes them; metadata is UTF-8. The payload is as it came: possibly
/// compressed, as [`Header::compress`] says.
#[derive(Clone)]
pub struct Frame {
    header: Header,
    /// All that follows the header.
    body: Bytes,
    service_end: u32,
    method_end: u32,
    metadata_end: u32,
}

/// Where the parts of a body end; each is preceded by a length word of four bytes.
#[derive(Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) service_end: u32,
    pub(crate) method_end: u32,
    pub(crate) metadata_end: u32,
}

const WORD: usize = 4;

/// A frame without content, as a placeholder.
impl Default for Frame {
    fn default() -> Self {
        let parts = Parts { service_end: 4, method_end: 8, metadata_end: 12 };
        Self::new(Header::request(crate::SerializeType::RAW, 0), Bytes::from_static(&[0; 16]), parts)
    }
}

impl Frame {
    /// `body` holds four whole parts that end where `parts` says.
    #[inline]
    pub(crate) fn new(header: Header, body: Bytes, parts: Parts) -> Self {
        let Parts { service_end, method_end, metadata_end } = parts;
        Self { header, body, service_end, method_end, metadata_end }
    }

    /// A message that did not come on the wire, such as a request that another protocol brought: in the form of one that
    /// did. No limit is checked but that of the length field.
    ///
    /// ```
    /// # use rpcx_protocol::{Frame, Head, Header, SerializeType};
    /// let head = Head::new(Header::request(SerializeType::RAW, 1), b"Arith", b"Mul");
    /// let frame = Frame::of(&head, b"payload").unwrap();
    /// assert_eq!((frame.service(), frame.payload()), (&b"Arith"[..], &b"payload"[..]));
    /// ```
    ///
    /// # Errors
    /// A frame above 4 GiB.
    pub fn of(head: &Head<'_>, payload: &[u8]) -> Result<Frame, EncodeError> {
        let mut wire = Vec::with_capacity(head.wire_len(payload.len()));
        encode(&mut wire, head, payload)?;
        // Each part is shorter than the whole, whose length fits into 32 bits.
        let service_end = (WORD + head.service.len()) as u32;
        let method_end = service_end + (WORD + head.method.len()) as u32;
        let metadata_end = (wire.len() - HEADER_LEN - WORD - payload.len()) as u32;
        let body = Bytes::from(wire).slice(HEADER_LEN..);
        Ok(Self::new(head.header, body, Parts { service_end, method_end, metadata_end }))
    }

    /// The fixed fields.
    #[inline]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Service path.
    #[inline]
    pub fn service(&self) -> &[u8] {
        &self.body[WORD..self.service_end as usize]
    }

    /// Service method.
    #[inline]
    pub fn method(&self) -> &[u8] {
        &self.body[self.service_end as usize + WORD..self.method_end as usize]
    }

    /// Service path, with U+FFFD for what is not UTF-8.
    pub fn service_str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.service())
    }

    /// Service method, with U+FFFD for what is not UTF-8.
    pub fn method_str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.method())
    }

    /// The metadata, sharing this frame's memory.
    pub fn metadata(&self) -> Metadata {
        if !self.has_metadata() {
            return Metadata::new();
        }
        Metadata::from_valid(self.body.slice(self.method_end as usize + WORD..self.metadata_end as usize))
    }

    /// The value of a metadata key, without a [`Metadata`] in between.
    #[inline]
    pub fn metadata_get(&self, key: &str) -> Option<&str> {
        metadata::find(self.metadata_block(), key)
    }

    /// Whether there are metadata.
    #[inline]
    pub fn has_metadata(&self) -> bool {
        self.metadata_end as usize > self.method_end as usize + WORD
    }

    /// Whether there are metadata besides the protocol's own (`__…`).
    pub fn has_user_metadata(&self) -> bool {
        metadata::Pairs::new(self.metadata_block()).any(|(key, _)| !key.starts_with(b"__"))
    }

    fn metadata_block(&self) -> &[u8] {
        &self.body[self.method_end as usize + WORD..self.metadata_end as usize]
    }

    /// The payload as it came.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        &self.body[self.payload_start()..]
    }

    /// The payload as it came, sharing this frame's memory.
    #[inline]
    pub fn payload_bytes(&self) -> Bytes {
        self.body.slice(self.payload_start()..)
    }

    /// The payload as it came, in place of this frame.
    #[inline]
    pub fn into_payload(self) -> Bytes {
        let start = self.payload_start();
        let mut body = self.body;
        body.advance(start);
        body
    }

    /// The same frame in memory of its own: it no longer keeps the buffer that it came in.
    pub fn detached(self) -> Frame {
        Frame { body: Bytes::copy_from_slice(&self.body), ..self }
    }

    #[inline]
    fn payload_start(&self) -> usize {
        self.metadata_end as usize + WORD
    }

    /// All that follows the header, as it came.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Bytes of the whole frame on the wire.
    #[inline]
    pub fn wire_len(&self) -> usize {
        HEADER_LEN + self.body.len()
    }

    /// The peer's error, if this response is one.
    ///
    /// An error is any status but 0, and also an empty payload beside `__rpcx_error__`, as some peers send it with status
    /// 0. The text is rpcx-java's if there is one, else Go's, else rpcx-py's, else a general one: an error status is never
    /// a success.
    #[inline]
    pub fn error(&self) -> Option<PeerError> {
        if self.header.status().is_error() || self.payload().is_empty() && self.has_metadata() {
            self.peer_error()
        } else {
            None
        }
    }

    #[cold]
    fn peer_error(&self) -> Option<PeerError> {
        let go = self.metadata_get(keys::ERROR);
        if !self.header.status().is_error() && go.is_none() {
            return None;
        }
        let java = self.metadata_get(keys::JAVA_ERROR);
        let text = java.or(go).or_else(|| self.metadata_get(keys::PYTHON_ERROR)).unwrap_or(error_text::NO_TEXT);
        Some(PeerError {
            text: text.to_owned(),
            code: self.metadata_get(keys::CODE).and_then(|code| code.parse().ok()),
            not_run: self.metadata_get(keys::NOT_RUN) == Some("1"),
            java_code: java.and(go).map(str::to_owned),
        })
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("header", &self.header)
            .field("service", &self.service_str())
            .field("method", &self.method_str())
            .field("metadata", &self.metadata())
            .field("payload_len", &self.payload().len())
            .finish()
    }
}

/// An error that the other side reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerError {
    /// The peer's own words, possibly empty.
    pub text: String,
    /// Number of the error kind, from `__rpcx_code`: the server itself made the error, not the service.
    pub code: Option<u32>,
    /// No handler was started: any retry is safe.
    pub not_run: bool,
    /// What rpcx-java puts where Go has the text: a code of the application's.
    pub java_code: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoded, Decoder, Limits, SerializeType, Status};

    fn frame(status: Status, metadata: &[(&str, &str)], payload: &[u8]) -> Frame {
        let header = Header::response_to(&Header::request(SerializeType::JSON, 1)).with_status(status);
        let head = Head { header, service: b"Arith", method: b"\xffMul", metadata: Metadata::empty(), extra: metadata };
        let mut wire = Vec::new();
        encode(&mut wire, &head, payload).unwrap();
        let mut decoder = Decoder::new(Limits::default());
        decoder.buffer().extend_from_slice(&wire);
        match decoder.next() {
            Ok(Some(Decoded::Frame(frame))) => frame,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parts_lie_where_they_should() {
        let frame = frame(Status::NORMAL, &[("k", "v")], b"data");
        assert_eq!((frame.service(), frame.method()), (&b"Arith"[..], &b"\xffMul"[..]));
        assert_eq!((frame.service_str(), frame.method_str()), ("Arith".into(), "\u{fffd}Mul".into()));
        assert_eq!(frame.metadata(), Metadata::from_iter([("k", "v")]));
        assert_eq!((frame.metadata_get("k"), frame.metadata_get("l")), (Some("v"), None));
        assert_eq!((frame.payload(), frame.payload_bytes()), (&b"data"[..], Bytes::from_static(b"data")));
        assert_eq!(frame.wire_len(), 32 + 5 + 4 + 10 + 4);
        assert_eq!(frame.error(), None);
        assert_eq!(frame.into_payload(), &b"data"[..]);
    }

    #[test]
    fn a_frame_of_its_parts_is_the_one_that_its_bytes_decode_to() {
        for (metadata, payload) in [(&[][..], &b""[..]), (&[("k", "v"), (keys::AUTH, "t")], b"data")] {
            let decoded = frame(Status::NORMAL, metadata, payload);
            let head = Head {
                header: *decoded.header(),
                service: b"Arith",
                method: b"\xffMul",
                metadata: Metadata::empty(),
                extra: metadata,
            };
            let made = Frame::of(&head, payload).unwrap();
            assert_eq!((made.header(), made.body()), (decoded.header(), decoded.body()));
            assert_eq!((made.service(), made.method()), (decoded.service(), decoded.method()));
            assert_eq!((made.metadata(), made.payload()), (decoded.metadata(), decoded.payload()));
        }
    }

    #[test]
    fn an_error_status_is_never_a_success() {
        for status in 1..4 {
            let error = frame(Status::new(status).unwrap(), &[], b"reply").error().unwrap();
            assert_eq!(error.text, error_text::NO_TEXT);
            assert_eq!((error.code, error.not_run, error.java_code), (None, false, None));
        }
        let error = frame(Status::ERROR, &[(keys::ERROR, "")], b"").error().unwrap();
        assert_eq!(error.text, "", "a service may say nothing");
    }

    #[test]
    fn the_text_is_found_where_each_peer_puts_it() {
        let text = |pairs: &[(&str, &str)]| frame(Status::ERROR, pairs, b"").error().unwrap();
        assert_eq!(text(&[(keys::ERROR, "boom")]).text, "boom");
        assert_eq!(text(&[(keys::PYTHON_ERROR, "Traceback")]).text, "Traceback");
        let java = text(&[(keys::ERROR, "-2"), (keys::JAVA_ERROR, "java boom")]);
        assert_eq!((java.text.as_str(), java.java_code.as_deref()), ("java boom", Some("-2")));
    }

    #[test]
    fn an_empty_payload_beside_an_error_text_is_an_error() {
        assert_eq!(frame(Status::NORMAL, &[(keys::ERROR, "boom")], b"").error().unwrap().text, "boom");
        assert_eq!(frame(Status::NORMAL, &[(keys::ERROR, "boom")], b"x").error(), None);
        assert_eq!(frame(Status::NORMAL, &[(keys::PYTHON_ERROR, "boom")], b"").error(), None);
        assert_eq!(frame(Status::NORMAL, &[], b"").error(), None);
    }

    #[test]
    fn codes_count_only_as_numbers() {
        let error = |code| frame(Status::ERROR, &[(keys::CODE, code), (keys::NOT_RUN, "1")], b"").error().unwrap();
        assert_eq!((error("7").code, error("7").not_run), (Some(7), true));
        assert_eq!(error("seven").code, None);
        assert_eq!(error("-1").code, None);
    }
}
