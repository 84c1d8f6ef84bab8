//! Large payloads: they are compressed and decompressed off the connection's thread.
//!
//! Some hundred kilobytes take milliseconds, in which the connection would answer no heartbeat and every other connection of
//! its shard would wait. Small payloads are worth no change of thread.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use pin_project_lite::pin_project;
use rpcx_protocol::compress::CompressError;
use rpcx_protocol::error_text;
use rpcx_protocol::frame::Frame;
use rpcx_protocol::header::CompressType;
use rpcx_protocol::metadata::Metadata;

use super::context::{Context, Inner};
use super::handler::{BoxRunning, Handler, Running};
use super::pipeline;
use super::reply::{ReplyTo, ReplyWriter, check_size, compress};
use super::session::{Session, SessionOptions};
use super::table::Entry;
use crate::error::{Error, Reason, Result};

/// Payloads above this size leave the connection's thread.
pub(super) const LARGE: usize = 256 * 1024;

/// The payload of a request if it can be had at once; `None`: it is large.
#[inline]
pub(super) fn payload_of(options: &SessionOptions, frame: &Frame) -> Result<Option<Bytes>> {
    match frame.header().compress() {
        CompressType::NONE => Ok(Some(frame.payload_bytes())),
        _ => decompress_small(options, frame),
    }
}

#[inline(never)]
fn decompress_small(options: &SessionOptions, frame: &Frame) -> Result<Option<Bytes>> {
    if frame.payload().len() > LARGE {
        return Ok(None);
    }
    // What it says of its own size is not to be believed, and not every format says it.
    match decompress(options, frame, options.max_decompressed_size.min(LARGE)) {
        Err(Undone::Error(error)) => Err(error),
        Err(Undone::TooLarge { limit }) if limit < options.max_decompressed_size => Ok(None),
        Err(Undone::TooLarge { limit }) => Err(too_large(limit)),
        Ok(plain) => Ok(Some(plain)),
    }
}

/// Why a payload was not decompressed.
enum Undone {
    TooLarge { limit: usize },
    Error(Error),
}

fn too_large(limit: usize) -> Error {
    Error::new(
        Reason::LimitMaxDecompressedSize,
        format!("the request's payload is larger than max_decompressed_size allows ({limit} bytes)"),
    )
}

fn decompress(options: &SessionOptions, frame: &Frame, limit: usize) -> Result<Bytes, Undone> {
    let compress = frame.header().compress();
    let Some(compressor) = options.compressors.get(compress) else {
        return Err(Undone::Error(Error::new(Reason::UnsupportedCompress, error_text::compressor_not_found(compress))));
    };
    let mut plain = Vec::new();
    match compressor.decompress(frame.payload(), &mut plain, limit) {
        Ok(()) => Ok(Bytes::from(plain)),
        Err(CompressError::TooLarge { limit }) => Err(Undone::TooLarge { limit }),
        Err(error) => Err(Undone::Error(Error::new(
            Reason::ProtocolCompress,
            format!("the request's payload does not decompress as {compress}: {error}"),
        ))),
    }
}

/// Begins a call whose payload is still compressed, and large.
#[cold]
pub(super) fn call(
    handler: Arc<dyn Handler>,
    entry: Arc<Entry>,
    context: Context,
    hold: Option<Instant>,
) -> BoxRunning {
    let future = async move {
        let outer = context.inner.clone();
        let (frame, options) = (outer.frame.clone(), outer.session.options.clone());
        let work = move || {
            decompress(&options, &frame, options.max_decompressed_size).map_err(|undone| match undone {
                Undone::TooLarge { limit } => too_large(limit),
                Undone::Error(error) => error,
            })
        };
        let server = outer.session.server.clone();
        let inner = Arc::new(Inner {
            payload: server.compression.clone().run(work).await?,
            frame: outer.frame.clone(),
            metadata: None,
            renamed: outer.renamed.clone(),
            session: outer.session.clone(),
            deadline: outer.deadline,
            response: Mutex::new(Metadata::new()),
            // A handler that listens must hear of the outer call's end.
            token: OnceLock::from(context.token().clone()),
        });
        let context = Context { inner: inner.clone() };
        let running =
            if server.has_pipeline() { pipeline::call(server, entry, context, hold) } else { handler.call(context) };
        Ok((running, inner))
    };
    Box::pin(Unpacking { future, begun: None })
}

pin_project! {
    struct Unpacking<F> {
        #[pin]
        future: F,
        begun: Option<(BoxRunning, Arc<Inner>)>,
    }
}

impl<F: Future<Output = Result<(BoxRunning, Arc<Inner>)>> + Send> Running for Unpacking<F> {
    fn poll_reply(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        call: &Inner,
        reply: &mut ReplyWriter<'_>,
    ) -> Poll<()> {
        let this = self.project();
        if this.begun.is_none() {
            match ready!(this.future.poll(cx)) {
                Ok(begun) => *this.begun = Some(begun),
                Err(error) => {
                    call.session.server.recorder.refused(error.reason());
                    reply.failure(call, &error);
                    return Poll::Ready(());
                }
            }
        }
        match this.begun {
            Some((running, inner)) => running.as_mut().poll_reply(cx, inner, reply),
            None => Poll::Pending,
        }
    }
}

/// The place of an answer that is plain still, and large: in the buffer that it was written to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    pub(super) start: usize,
    pub(super) payload_start: usize,
    pub(super) wanted: CompressType,
}

impl Plain {
    /// Takes the answer out of the buffer, of which it is the end; what is left of the call is to compress it.
    #[cold]
    pub(super) fn into_running(self, out: &mut Vec<u8>, session: &Arc<Session>) -> BoxRunning {
        let mut frame = out.split_off(self.start);
        let options = session.options.clone();
        let future = session.server.compression.clone().run(move || {
            compress(&mut frame, self.payload_start - self.start, self.wanted, &options.compressors);
            check_size(&mut frame, 0, &options)?;
            Ok(frame)
        });
        Box::pin(Packing { future })
    }
}

pin_project! {
    struct Packing<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output = Result<Vec<u8>>> + Send> Running for Packing<F> {
    fn poll_reply(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        call: &Inner,
        reply: &mut ReplyWriter<'_>,
    ) -> Poll<()> {
        match ready!(self.project().future.poll(cx)) {
            Ok(mut frame) => {
                if let ReplyTo::Frame(out) = &mut reply.to {
                    out.append(&mut frame);
                }
            }
            Err(error) => reply.failure(call, &error),
        }
        Poll::Ready(())
    }
}
