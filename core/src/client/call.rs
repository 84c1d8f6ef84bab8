//! One call from its arguments to its answer: encode, select, exchange, and again where that is safe.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rpcx_protocol::compress::{COMPRESS_THRESHOLD, CompressError};
use rpcx_protocol::encode::{EncodeError, Head, encode, encode_with};
use rpcx_protocol::frame::{Frame, PeerError};
use rpcx_protocol::header::{CompressType, Header, SerializeType};
use rpcx_protocol::keys;
use rpcx_protocol::metadata::Metadata;

use super::core::ClientCore;
use super::endpoint::Endpoint;
use super::options::Resolved;
use super::routes::{MethodInfo, Routes};
use crate::balance::{CallInfo, Outcome};
use crate::codec::CodecError;
use crate::config::FailMode;
use crate::connection::buffers;
use crate::error::{Delivery, Error, ErrorKind, Reason, Result};
use crate::resilience::Backoff;

/// Writes a call's arguments; runs again for a retry.
pub(super) type PayloadFn<'a> = &'a (dyn Fn(&mut Vec<u8>) -> Result<(), CodecError> + Send + Sync);

/// What a call is about.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) client: &'a Arc<ClientCore>,
    pub(super) routes: &'a Routes,
    pub(super) method: &'a MethodInfo,
}

/// A good answer.
pub(super) struct Answer {
    pub(super) frame: Frame,
    /// Decompressed.
    pub(super) payload: Bytes,
    pub(super) server: Arc<str>,
    pub(super) attempts: u32,
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

/// Decimal digits of the remaining milliseconds, without allocating.
struct Millis {
    digits: [u8; 20],
    start: usize,
}

impl Millis {
    fn new(mut value: u128) -> Millis {
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

impl Target<'_> {
    /// Encodes the request, without its sequence number, into a scratch buffer. Returns where the payload begins.
    pub(super) fn encode(
        &self,
        frame: &mut Vec<u8>,
        options: &Resolved<'_>,
        payload: PayloadFn<'_>,
        now: Instant,
    ) -> Result<usize> {
        let limits = self.client.limits();
        let left = options.deadline.map(|at| Millis::new(at.saturating_duration_since(now).as_millis()));
        let mut extra = [("", ""); 2];
        let mut used = 0;
        if let Some(left) = &left {
            extra[used] = (keys::SERVER_TIMEOUT, left.as_str());
            used += 1;
        }
        if let Some(token) = options.auth {
            extra[used] = (keys::AUTH, token);
            used += 1;
        }
        let mut head = Head {
            header: Header::request(options.serialize_type, 0).with_oneway(options.oneway),
            service: self.routes.service().as_bytes(),
            method: self.method.name.as_bytes(),
            metadata: options.metadata,
            extra: &extra[..used],
        };
        if !options.metadata.is_empty() {
            limits.check_metadata(options.metadata).map_err(|exceeded| {
                let reason = Reason::from_name(exceeded.name).unwrap_or(Reason::LimitMaxMetadataSize);
                Error::new(reason, format!("the request's metadata: {exceeded}"))
            })?;
        }
        let encoded = encode_with(frame, &head, |out| payload(out).map_err(Failed::Codec)).map_err(|failed| {
            match failed {
                Failed::Codec(error @ CodecError::Unsupported { .. }) => {
                    Error::new(Reason::CodecUnsupported, error.to_string())
                }
                Failed::Codec(error) => {
                    Error::new(Reason::CodecEncode, format!("the arguments could not be encoded: {error}"))
                }
                Failed::Frame(error) => Error::new(Reason::LimitMaxMessageSize, error.to_string()),
            }
        })?;
        let mut payload_start = encoded.payload_start;
        if options.compress_type != CompressType::NONE && encoded.end - encoded.payload_start > COMPRESS_THRESHOLD {
            let compressor = self.client.compressors.get(options.compress_type).ok_or_else(|| {
                Error::new(
                    Reason::UnsupportedCompress,
                    format!("compress_type: no compressor is registered for {}", options.compress_type),
                )
            })?;
            let mut small = Vec::new();
            compressor.compress(&frame[encoded.payload_start..], &mut small).map_err(|error| {
                Error::new(Reason::CodecEncode, format!("the arguments could not be compressed: {error}"))
            })?;
            frame.truncate(encoded.start);
            head.header = head.header.with_compress(options.compress_type);
            encode(frame, &head, &small)
                .map_err(|error| Error::new(Reason::LimitMaxMessageSize, error.to_string()))?;
            payload_start = frame.len() - small.len();
        }
        limits.check_message(frame.len() as u64 - 16).map_err(|exceeded| {
            Error::new(Reason::LimitMaxMessageSize, format!("the request was not sent: {exceeded}"))
        })?;
        Ok(payload_start)
    }

    /// Chooses a server.
    pub(super) async fn select(
        &self,
        options: &Resolved<'_>,
        payload: &[u8],
        tried: &[Arc<str>],
        now: Instant,
    ) -> Result<Arc<Endpoint>> {
        let avoid: Vec<&str>;
        let info = CallInfo {
            service: self.routes.service(),
            method: &self.method.name,
            payload,
            hash_key: options.hash_key,
            avoid: if tried.is_empty() {
                &[]
            } else {
                avoid = tried.iter().map(|address| &**address).collect();
                &avoid
            },
            now,
        };
        let table = self.routes.current(self.client);
        if table.endpoints().is_empty() {
            drop(table);
            let table = self.routes.known(self.client, options.deadline).await?;
            return table.select(self.routes, &info, options.target);
        }
        table.select(self.routes, &info, options.target)
    }

    /// The whole call with its retries. Every attempt keeps the one deadline.
    pub(super) async fn run(&self, options: &Resolved<'_>, payload: PayloadFn<'_>) -> Result<Answer> {
        let began = options.now;
        self.method.recorder.began();
        let result = match options.fail_mode {
            FailMode::Failbackup if options.idempotent => self.with_backup(options, payload).await,
            _ => self.with_retries(options, payload).await,
        };
        self.method.recorder.ended(result.as_ref().err().map(Error::kind), began.elapsed());
        result
    }

    async fn with_retries(&self, options: &Resolved<'_>, payload: PayloadFn<'_>) -> Result<Answer> {
        let mut tried: Vec<Arc<str>> = Vec::new();
        let mut backoff: Option<Backoff> = None;
        let mut attempt = 1;
        let mut now = options.now;
        loop {
            let again = (options.fail_mode == FailMode::Failtry).then(|| tried.first().cloned()).flatten();
            let error = match self.attempt(options, payload, &tried, again.as_deref(), attempt, now).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let Some(server) = error.server()
                && !tried.iter().any(|address| **address == *server)
            {
                tried.push(server.into());
            }
            let retry = options.fail_mode != FailMode::Failfast
                && attempt <= options.retries
                && error.kind() != ErrorKind::Config
                && error.is_retryable(options.idempotent || options.retry_maybe_run);
            if !retry {
                return Err(error.with_attempts(attempt));
            }
            let moves_on = options.fail_mode == FailMode::Failover
                && error.delivery() == Delivery::NotSent
                && self.routes.current(self.client).endpoints().len() > tried.len();
            now = Instant::now();
            if !moves_on {
                if !self.client.budget.try_retry(now) {
                    return Err(error.with_attempts(attempt));
                }
                let wait = backoff
                    .get_or_insert_with(|| Backoff::new(options.retry_interval))
                    .next_wait();
                now = match wait_until(now, wait, options.deadline).await {
                    Some(now) => now,
                    None => return Err(error.with_attempts(attempt)),
                };
            }
            self.method.recorder.retried();
            attempt += 1;
        }
    }

    /// One try at one server.
    async fn attempt(
        &self,
        options: &Resolved<'_>,
        payload: PayloadFn<'_>,
        tried: &[Arc<str>],
        again: Option<&str>,
        attempt: u32,
        now: Instant,
    ) -> Result<Answer> {
        let mut frame = buffers::take_scratch();
        let chosen = async {
            let payload_start = self.encode(&mut frame, options, payload, now)?;
            let endpoint = match again {
                Some(address) => self.client.endpoint(&address.into()),
                None => self.select(options, &frame[payload_start..], tried, now).await?,
            };
            Ok(endpoint)
        }
        .await;
        match chosen {
            Ok(endpoint) => self.exchange(options, &endpoint, frame, attempt, now).await,
            Err(error) => {
                buffers::put_scratch(frame);
                Err(error)
            }
        }
    }

    /// Sends an encoded request to a server and waits for its answer.
    pub(super) async fn exchange(
        &self,
        options: &Resolved<'_>,
        endpoint: &Arc<Endpoint>,
        frame: Vec<u8>,
        attempt: u32,
        now: Instant,
    ) -> Result<Answer> {
        let caller = match endpoint.ready() {
            Some(caller) => caller,
            None => endpoint
                .connect(options.deadline)
                .await
                .map_err(|error| error.with_server(endpoint.address.clone()))?,
        };
        let result = caller.exchange(frame, options.deadline, now).await;
        self.routes.feedback(&endpoint.address, &Outcome { failed: result.is_err(), began: now });
        let frame = result.map_err(|error| error.with_server(endpoint.address.clone()))?;
        let answer = match frame.error() {
            None => self.decompress(&frame),
            Some(said) => Err(peer_error(said)),
        };
        match answer {
            Ok(payload) => Ok(Answer { frame, payload, server: endpoint.address.clone(), attempts: attempt }),
            Err(error) => Err(error.with_server(endpoint.address.clone()).with_attempts(attempt)),
        }
    }

    fn decompress(&self, frame: &Frame) -> Result<Bytes> {
        let compress = frame.header().compress();
        if compress == CompressType::NONE {
            return Ok(frame.payload_bytes());
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
            Ok(()) => Ok(Bytes::from(plain)),
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

    /// Failbackup: a second server is asked when the first has not answered in time; the first good answer wins.
    async fn with_backup(&self, options: &Resolved<'_>, payload: PayloadFn<'_>) -> Result<Answer> {
        let first = self.attempt_at(options, payload, Vec::new(), 1);
        let mut first = std::pin::pin!(first);
        let asked = match tokio::time::timeout(options.backup_latency, &mut first).await {
            Ok((Ok(answer), _)) => return Ok(answer),
            Ok((Err(error), tried)) => {
                if !error.is_retryable(true) || !self.client.budget.try_retry(Instant::now()) {
                    return Err(error);
                }
                self.method.recorder.retried();
                return self.attempt_at(options, payload, tried, 2).await.0;
            }
            Err(_) => self.last_selected(&options.first),
        };
        if !self.client.budget.try_retry(Instant::now()) {
            return first.await.0;
        }
        self.method.recorder.retried();
        let second = self.attempt_at(options, payload, asked, 2);
        let mut second = std::pin::pin!(second);
        tokio::select! {
            (result, _) = &mut first => match result {
                Ok(answer) => Ok(answer),
                Err(_) => second.await.0,
            },
            (result, _) = &mut second => match result {
                Ok(answer) => Ok(answer),
                Err(_) => first.await.0,
            },
        }
    }

    fn last_selected(&self, first: &std::sync::OnceLock<Arc<str>>) -> Vec<Arc<str>> {
        first.get().cloned().into_iter().collect()
    }

    /// An attempt that also tells which server it went to.
    async fn attempt_at(
        &self,
        options: &Resolved<'_>,
        payload: PayloadFn<'_>,
        tried: Vec<Arc<str>>,
        attempt: u32,
    ) -> (Result<Answer>, Vec<Arc<str>>) {
        let now = Instant::now();
        let mut frame = buffers::take_scratch();
        let chosen = match self.encode(&mut frame, options, payload, now) {
            Ok(start) => self.select(options, &frame[start..], &tried, now).await,
            Err(error) => Err(error),
        };
        let endpoint = match chosen {
            Ok(endpoint) => endpoint,
            Err(error) => {
                buffers::put_scratch(frame);
                return (Err(error.with_attempts(attempt)), tried);
            }
        };
        // Read by the backup, which avoids this server.
        let _ = options.first.set(endpoint.address.clone());
        let result = self.exchange(options, &endpoint, frame, attempt, now).await;
        (result.map_err(|error| error.with_attempts(attempt)), vec![endpoint.address.clone()])
    }
}

/// Waits before a retry; `None` when the deadline would pass first.
async fn wait_until(now: Instant, wait: Duration, deadline: Option<Instant>) -> Option<Instant> {
    let at = now + wait;
    if deadline.is_some_and(|deadline| deadline <= at) {
        return None;
    }
    if wait > Duration::ZERO {
        tokio::time::sleep_until(at.into()).await;
        return Some(Instant::now());
    }
    Some(now)
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

/// Metadata for calls that set none.
pub(super) fn no_metadata() -> &'static Metadata {
    Metadata::empty()
}
