//! Replies

use std::sync::Arc;

use rpcx_embed::{Bytes, InformReply, Metadata, Reply, Result};

use crate::bytes::{self, rpcx_slice};
use crate::error::rpcx_error;
use crate::metadata::rpcx_metadata;
use crate::{arg, guard};

/// What a call brought back. That of a batch or an inform has no payload of its own but parts: one a call or server.
pub struct rpcx_reply {
    payload: Bytes,
    metadata: rpcx_metadata,
    server: Arc<str>,
    attempts: u32,
    parts: Vec<Part>,
}

/// One of several results, and whose it is.
struct Part {
    server: Arc<str>,
    result: Result<rpcx_reply, rpcx_error>,
}

impl From<Reply> for rpcx_reply {
    fn from(reply: Reply) -> rpcx_reply {
        let Reply { payload, metadata, server, attempts } = reply;
        rpcx_reply { payload, metadata: metadata.into(), server, attempts, parts: Vec::new() }
    }
}

impl rpcx_reply {
    /// A reply that says nothing but that it went well.
    pub(crate) fn empty() -> rpcx_reply {
        rpcx_reply::new(Bytes::new(), Metadata::new())
    }

    pub(crate) fn new(payload: Bytes, metadata: Metadata) -> rpcx_reply {
        // An empty text takes no memory in an `Arc` that all share.
        rpcx_reply { payload, metadata: metadata.into(), server: Arc::default(), attempts: 0, parts: Vec::new() }
    }

    /// Several results as one.
    pub(crate) fn of_parts(parts: impl IntoIterator<Item = (Arc<str>, Result<rpcx_reply>)>) -> rpcx_reply {
        let part = |(server, result): (_, Result<_>)| Part { server, result: result.map_err(rpcx_error::new) };
        rpcx_reply { parts: parts.into_iter().map(part).collect(), ..rpcx_reply::empty() }
    }

    pub(crate) fn of_inform(answers: Vec<InformReply>) -> rpcx_reply {
        rpcx_reply::of_parts(answers.into_iter().map(|(server, answer)| (server, answer.map(rpcx_reply::from))))
    }

    pub(crate) fn server(&self) -> Arc<str> {
        self.server.clone()
    }

    /// What an interceptor hands on.
    pub(crate) fn into_parts(self) -> (Bytes, Metadata) {
        (self.payload, self.metadata.pairs)
    }
}

/// Makes a reply, for interceptors that answer by themselves. Both are copied; `metadata` may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_reply_new(
    payload: rpcx_slice,
    metadata: *const rpcx_metadata,
    out: *mut *mut rpcx_reply,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: bytes, a handle and `out` of the caller's.
        unsafe {
            let payload = bytes::copy(payload, "payload")?;
            let metadata = metadata.as_ref().map(|metadata| metadata.pairs.clone()).unwrap_or_default();
            arg::write(out, "out", rpcx_reply::new(payload, metadata))
        }
    })
}

/// The reply, encoded as the call's serialize type says, decompressed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_reply_payload(reply: *const rpcx_reply) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some((&unsafe { reply.as_ref() }?.payload[..]).into()))
}

/// The response metadata; never NULL but for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_reply_metadata(reply: *const rpcx_reply) -> *const rpcx_metadata {
    // SAFETY: a handle of the caller's.
    guard::or(std::ptr::null(), || Some(&raw const unsafe { reply.as_ref() }?.metadata))
}

/// The server that answered, as the discovery spells it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_reply_server(reply: *const rpcx_reply) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some((&*unsafe { reply.as_ref() }?.server).into()))
}

/// Attempts that were made, failed dials included.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_reply_attempts(reply: *const rpcx_reply) -> u32 {
    // SAFETY: a handle of the caller's.
    guard::or(0, || Some(unsafe { reply.as_ref() }?.attempts))
}

/// How many parts there are: of a batch its calls in the order they were added, of an inform the servers sorted by address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_reply_parts(reply: *const rpcx_reply) -> usize {
    // SAFETY: a handle of the caller's.
    guard::or(0, || Some(unsafe { reply.as_ref() }?.parts.len()))
}

/// What a part brought back, a part of this reply; NULL if it failed or there is no such part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_reply_part(reply: *const rpcx_reply, index: usize) -> *const rpcx_reply {
    guard::or(std::ptr::null(), || {
        // SAFETY: a handle of the caller's.
        unsafe { reply.as_ref() }?.parts.get(index)?.result.as_ref().ok().map(std::ptr::from_ref)
    })
}

/// Why a part failed, a part of this reply; NULL if it succeeded or there is no such part.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_reply_part_error(reply: *const rpcx_reply, index: usize) -> *const rpcx_error {
    guard::or(std::ptr::null(), || {
        // SAFETY: a handle of the caller's.
        unsafe { reply.as_ref() }?.parts.get(index)?.result.as_ref().err().map(std::ptr::from_ref)
    })
}

/// The server of a part; empty where none was selected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_reply_part_server(reply: *const rpcx_reply, index: usize) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some((&*unsafe { reply.as_ref() }?.parts.get(index)?.server).into()))
}

/// Frees a reply with its parts; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_reply_free(reply: *mut rpcx_reply) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(reply) }
}
