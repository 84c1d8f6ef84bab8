//! Requests: what a handler gets and answers

use std::ffi::c_char;
use std::sync::OnceLock;
use std::time::Duration;

use rpcx_embed::{Bytes, Error, Metadata, Owned, Reason, Request, Result};

use crate::bytes::{self, rpcx_buffer, rpcx_slice};
use crate::completion::{Callback, rpcx_completion};
use crate::connection::rpcx_connection;
use crate::context::rpcx_context;
use crate::error::rpcx_error;
use crate::metadata::rpcx_metadata;
use crate::{arg, guard};

/// A request under way, from a handler or a queue. Its owner answers it once, from any thread, at any later time; it must not
/// be used after that. Freed without an answer, it is answered as if its handler had panicked.
pub struct rpcx_request {
    request: Owned<Request>,
    /// Made when it is asked for.
    metadata: OnceLock<rpcx_metadata>,
    /// As above, where the name on the wire was not UTF-8.
    service: OnceLock<String>,
    method: OnceLock<String>,
}

impl From<Request> for rpcx_request {
    fn from(request: Request) -> rpcx_request {
        rpcx_request {
            request: Owned::new(request),
            metadata: OnceLock::new(),
            service: OnceLock::new(),
            method: OnceLock::new(),
        }
    }
}

/// Text that borrows from the request, or is kept beside it.
fn lasting<'a>(text: std::borrow::Cow<'a, str>, kept: &'a OnceLock<String>) -> rpcx_slice {
    match text {
        std::borrow::Cow::Borrowed(text) => text.into(),
        std::borrow::Cow::Owned(text) => kept.get_or_init(|| text).as_str().into(),
    }
}

/// The service path asked for; of an alias what it stands for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_request_service(request: *const rpcx_request) -> rpcx_slice {
    guard::or(rpcx_slice::EMPTY, || {
        // SAFETY: a handle of the caller's.
        let request = unsafe { request.as_ref() }?;
        Some(lasting(request.request.get().ok()?.service(), &request.service))
    })
}

/// The method asked for; of an alias what it stands for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_request_method(request: *const rpcx_request) -> rpcx_slice {
    guard::or(rpcx_slice::EMPTY, || {
        // SAFETY: a handle of the caller's.
        let request = unsafe { request.as_ref() }?;
        Some(lasting(request.request.get().ok()?.method(), &request.method))
    })
}

/// The encoded arguments, decompressed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_request_payload(request: *const rpcx_request) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some((&unsafe { request.as_ref() }?.request.get().ok()?.payload()[..]).into()))
}

/// How the arguments are encoded, and the answer must be: RPCX_SERIALIZE_JSON and the others, or another codec's number up
/// to 15.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_request_serialize_type(request: *const rpcx_request) -> u32 {
    // SAFETY: a handle of the caller's.
    guard::or(0, || Some(unsafe { request.as_ref() }?.request.get().ok()?.serialize_type().get().into()))
}

/// The request's metadata, the protocol's own keys among them; never NULL but for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_request_metadata(request: *const rpcx_request) -> *const rpcx_metadata {
    guard::or(std::ptr::null(), || {
        // SAFETY: a handle of the caller's.
        let request = unsafe { request.as_ref() }?;
        let ours = request.request.get().ok()?;
        Some(std::ptr::from_ref(request.metadata.get_or_init(|| ours.metadata().into())))
    })
}

/// The caller's address: "host:port", or the path of its Unix socket, which may be empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_request_peer(request: *const rpcx_request) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { request.as_ref() }?.request.get().ok()?.peer().into()))
}

/// The subject of the caller's TLS certificate (RFC 4514); empty when it showed none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_request_tls_subject(request: *const rpcx_request) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { request.as_ref() }?.request.get().ok()?.tls_subject()?.into()))
}

/// Whether the caller waits for no answer. It is answered all the same, which ends it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_request_is_oneway(request: *const rpcx_request) -> bool {
    // SAFETY: a handle of the caller's.
    guard::or(false, || Some(unsafe { request.as_ref() }?.request.get().ok()?.is_oneway()))
}

/// Milliseconds until the caller stops waiting, 0 when it has; RPCX_NO_TIMEOUT: it gave no deadline.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_request_remaining_ms(request: *const rpcx_request) -> u32 {
    // SAFETY: a handle of the caller's.
    guard::or(0, || Some(remaining_ms(unsafe { request.as_ref() }?.request.get().ok()?.remaining())))
}

/// A time left as C is told it.
pub(crate) fn remaining_ms(left: Option<Duration>) -> u32 {
    left.map_or(u32::MAX, |left| u32::try_from(left.as_millis()).unwrap_or(u32::MAX - 1))
}

/// Whether the caller has cancelled, its deadline has passed, or its connection has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_request_is_cancelled(request: *const rpcx_request) -> bool {
    // SAFETY: a handle of the caller's.
    guard::or(false, || Some(unsafe { request.as_ref() }?.request.get().ok()?.is_cancelled()))
}

/// `completion->done` runs, on any thread, if the request is cancelled before it is answered; inside this function if it has
/// been already. The last one given counts. It may run while the request is being answered by another thread: it must know
/// the request by its `user_data`, not by this handle.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_request_on_cancel(
    request: *const rpcx_request,
    completion: *const rpcx_completion,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct and a handle of the caller's.
        let (callback, request) = unsafe { (Callback::new(completion)?, arg::borrow(request, "request")?) };
        request.request.get()?.on_cancel(|| callback.done(Ok(())));
        Ok(())
    })
}

/// The parent of the calls that are made for this request: `rpcx_call_options.parent`. May be kept longer than the request.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_request_context(
    request: *const rpcx_request,
    out: *mut *mut rpcx_context,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle and `out` of the caller's.
        unsafe {
            let parent = arg::borrow(request, "request")?.request.get()?.parent();
            arg::write(out, "out", rpcx_context { parent })
        }
    })
}

/// The connection that it came on, to push to or to close; may be kept longer than the request.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_request_connection(
    request: *const rpcx_request,
    out: *mut *mut rpcx_connection,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle and `out` of the caller's.
        unsafe { arg::write(out, "out", arg::borrow(request, "request")?.request.get()?.connection().into()) }
    })
}

/// Adds a pair to the metadata of the answer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_request_set_metadata(
    request: *const rpcx_request,
    key: rpcx_slice,
    value: rpcx_slice,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle and text of the caller's.
        unsafe {
            let request = arg::borrow(request, "request")?.request.get()?;
            request.set_metadata(arg::slice_text(key, "key")?, arg::slice_text(value, "value")?);
        }
        Ok(())
    })
}

/// Sends a message to the caller's client, before the answer. `metadata` may be NULL. RPCX_ERROR_LIMIT when too many wait
/// for the connection, RPCX_ERROR_UNSUPPORTED when the client takes none.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_request_push(
    request: *const rpcx_request,
    service: *const c_char,
    method: *const c_char,
    metadata: *const rpcx_metadata,
    payload: rpcx_slice,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: handles, text and bytes of the caller's.
        unsafe {
            let request = arg::borrow(request, "request")?.request.get()?;
            push(service, method, metadata, payload, |service, method, metadata, payload| {
                request.push(service, method, metadata, payload)
            })
        }
    })
}

/// Reads the arguments of a push.
///
/// # Safety
/// Text, a handle and bytes of the caller's.
pub(crate) unsafe fn push(
    service: *const c_char,
    method: *const c_char,
    metadata: *const rpcx_metadata,
    payload: rpcx_slice,
    send: impl FnOnce(&str, &str, &Metadata, &[u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: passed on to the caller.
    unsafe {
        let metadata = metadata.as_ref().map_or(Metadata::empty(), |metadata| &metadata.pairs);
        send(arg::text(service, "service")?, arg::text(method, "method")?, metadata, arg::slice(payload, "payload")?)
    }
}

/// Takes a request over and answers it, with an error if `read` fails, which is returned too.
///
/// # Safety
/// `request` is NULL or a handle that the caller gives up.
unsafe fn answer(request: *mut rpcx_request, read: impl FnOnce() -> Result<Bytes>) -> Result<()> {
    // SAFETY: passed on to the caller.
    let request = unsafe { arg::take(request, "request") }?.request.into_inner()?;
    let result = read();
    let failed = result.as_ref().err().cloned();
    request.answer(result);
    failed.map_or(Ok(()), Err)
}

/// Answers with an encoded reply, which is copied, and takes the request over, on failure too.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_request_answer(request: *mut rpcx_request, payload: rpcx_slice) -> *mut rpcx_error {
    // SAFETY: a handle that the caller gives up, and his bytes.
    guard::guard(|| unsafe { answer(request, || bytes::copy(payload, "payload")) })
}

/// As `rpcx_request_answer()`, with a reply that is kept instead of copied.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_request_answer_buffer(
    request: *mut rpcx_request,
    buffer: *const rpcx_buffer,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct of the caller's; first, so that it is released whatever comes.
        let payload = unsafe { bytes::keep(buffer, "buffer") };
        // SAFETY: a handle that the caller gives up.
        unsafe { answer(request, || payload) }
    })
}

/// Answers with the service's own error: the caller reads exactly `message`. Takes the request over, on failure too.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_request_fail(request: *mut rpcx_request, message: rpcx_slice) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: text of the caller's; what is not UTF-8 reaches the peer with replacement characters.
        let message = unsafe { arg::slice(message, "message") }.map(|text| String::from_utf8_lossy(text).into_owned());
        // SAFETY: a handle that the caller gives up.
        let request = unsafe { arg::take(request, "request") }?.request.into_inner()?;
        request.answer(Err(Error::new(Reason::ServiceError, message.clone().unwrap_or_default())));
        message.map(drop)
    })
}

/// Answers with an error, such as that of a nested call, which stays the caller's. What a handler fails with is the
/// service's own word: the other side reads its message, as RPCX_ERROR_SERVICE. Takes the request over, on failure too.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_request_fail_with(
    request: *mut rpcx_request,
    error: *const rpcx_error,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: handles of the caller's, one of which is given up.
        unsafe {
            let request = arg::take(request, "request")?.request.into_inner()?;
            request.answer(Err(arg::borrow(error, "error")?.error().clone()));
        }
        Ok(())
    })
}

/// Frees a request without an answer; NULL is allowed. Its caller is told that the handler panicked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_request_free(request: *mut rpcx_request) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(request) }
}
