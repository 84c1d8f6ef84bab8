//! Errors

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

use rpcx_embed::{Delivery, Error, ErrorKind, Reason};

use crate::bytes::{c_text, rpcx_slice};
use crate::{arg, guard};

/// An argument or option is not acceptable; the text names it and what is allowed.
pub const RPCX_ERROR_CONFIG: u32 = 1;
/// No connection could be opened.
pub const RPCX_ERROR_CONNECT: u32 = 2;
/// Discovery or the selector had no server to offer.
pub const RPCX_ERROR_NO_SERVER: u32 = 3;
/// The deadline of the call passed.
pub const RPCX_ERROR_TIMEOUT: u32 = 4;
/// The service itself answered with an error; the text is its own.
pub const RPCX_ERROR_SERVICE: u32 = 5;
/// The call was given up before its answer came.
pub const RPCX_ERROR_CANCELLED: u32 = 6;
/// Refused because too much is waiting or running.
pub const RPCX_ERROR_OVERLOAD: u32 = 7;
/// Bytes on the connection are not what the protocol allows.
pub const RPCX_ERROR_PROTOCOL: u32 = 8;
/// Arguments or a reply could not be encoded or decoded.
pub const RPCX_ERROR_CODEC: u32 = 9;
/// A size or count is above a configured limit; the text names the limit.
pub const RPCX_ERROR_LIMIT: u32 = 10;
/// The server did not accept the caller's token.
pub const RPCX_ERROR_AUTH: u32 = 11;
/// The connection, or the client, ended before the answer came.
pub const RPCX_ERROR_CLOSED: u32 = 12;
/// The server is going away and takes no new calls.
pub const RPCX_ERROR_SHUTTING_DOWN: u32 = 13;
/// This build or this peer cannot do what was asked.
pub const RPCX_ERROR_UNSUPPORTED: u32 = 14;
/// A panic or a broken invariant of the library: please report it.
pub const RPCX_ERROR_INTERNAL: u32 = 99;

/// No complete request left for the server: no handler can have run.
pub const RPCX_DELIVERY_NOT_SENT: u32 = 0;
/// The request may have arrived: a handler may have run, or may still run.
pub const RPCX_DELIVERY_MAYBE_RUN: u32 = 1;
/// The server answered, and the error is that answer or what was made of it.
pub const RPCX_DELIVERY_ANSWERED: u32 = 2;

// The numbers are the table's.
const _: () = {
    use ErrorKind as Kind;
    let pairs = [
        (RPCX_ERROR_CONFIG, Kind::Config),
        (RPCX_ERROR_CONNECT, Kind::Connect),
        (RPCX_ERROR_NO_SERVER, Kind::NoServer),
        (RPCX_ERROR_TIMEOUT, Kind::Timeout),
        (RPCX_ERROR_SERVICE, Kind::Service),
        (RPCX_ERROR_CANCELLED, Kind::Cancelled),
        (RPCX_ERROR_OVERLOAD, Kind::Overload),
        (RPCX_ERROR_PROTOCOL, Kind::Protocol),
        (RPCX_ERROR_CODEC, Kind::Codec),
        (RPCX_ERROR_LIMIT, Kind::Limit),
        (RPCX_ERROR_AUTH, Kind::Auth),
        (RPCX_ERROR_CLOSED, Kind::Closed),
        (RPCX_ERROR_SHUTTING_DOWN, Kind::ShuttingDown),
        (RPCX_ERROR_UNSUPPORTED, Kind::Unsupported),
        (RPCX_ERROR_INTERNAL, Kind::Internal),
    ];
    assert!(pairs.len() == Kind::ALL.len());
    let mut at = 0;
    while at < pairs.len() {
        assert!(pairs[at].0 == pairs[at].1.code());
        at += 1;
    }
};

/// Why something failed; NULL means that it did not. Never changes, owned by its receiver.
pub struct rpcx_error {
    error: Error,
    texts: OnceLock<Texts>,
}

/// Made when one of them is asked for.
struct Texts {
    kind: CString,
    reason: CString,
    message: CString,
    text: CString,
    server: Option<CString>,
}

impl rpcx_error {
    pub(crate) fn new(error: Error) -> rpcx_error {
        rpcx_error { error, texts: OnceLock::new() }
    }

    pub(crate) fn into_raw(error: Error) -> *mut rpcx_error {
        Box::into_raw(Box::new(rpcx_error::new(error)))
    }

    pub(crate) fn error(&self) -> &Error {
        &self.error
    }

    fn texts(&self) -> &Texts {
        let error = &self.error;
        self.texts.get_or_init(|| Texts {
            kind: c_text(error.kind().as_str()),
            reason: c_text(error.reason().as_str()),
            message: c_text(error.message()),
            text: c_text(error.to_string()),
            server: error.server().map(c_text),
        })
    }
}

/// Makes an error, for interceptors and tests. `reason` is a name of docs/ERRORS.md, such as
/// "overload.rate"; any other gives "service.error". Never NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_error_new(reason: *const c_char, message: rpcx_slice) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: text of the caller's.
        let (reason, message) = unsafe { (arg::text(reason, "reason")?, arg::slice_text(message, "message")?) };
        let reason = Reason::from_name(reason).unwrap_or(Reason::ServiceError);
        let error = Error::new(reason, message.to_owned());
        // A reply that cannot be decoded has come.
        Err(if reason == Reason::CodecDecode { error.with_delivery(Delivery::Answered) } else { error })
    })
}

/// The same error once more, with an owner of its own. NULL for NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_error_clone(error: *const rpcx_error) -> *mut rpcx_error {
    // SAFETY: a handle of the caller's.
    guard::or(std::ptr::null_mut(), || Some(rpcx_error::into_raw(unsafe { error.as_ref() }?.error.clone())))
}

/// What kind of failure it is: RPCX_ERROR_TIMEOUT and the others, the same numbers in every language. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_error_kind(error: *const rpcx_error) -> u32 {
    // SAFETY: a handle of the caller's.
    guard::or(0, || Some(unsafe { error.as_ref() }?.error.code()))
}

/// The kind's name: "timeout".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_error_kind_name(error: *const rpcx_error) -> *const c_char {
    // SAFETY: a handle of the caller's.
    guard::or(c"".as_ptr(), || Some(unsafe { error.as_ref() }?.texts().kind.as_ptr()))
}

/// Why exactly, a stable name within the kind: "timeout.call". docs/ERRORS.md has them all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_error_reason(error: *const rpcx_error) -> *const c_char {
    // SAFETY: a handle of the caller's.
    guard::or(c"".as_ptr(), || Some(unsafe { error.as_ref() }?.texts().reason.as_ptr()))
}

/// How far the request got, so what a retry may assume: RPCX_DELIVERY_NOT_SENT and the others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_error_delivery(error: *const rpcx_error) -> u32 {
    // SAFETY: a handle of the caller's.
    guard::or(RPCX_DELIVERY_NOT_SENT, || Some(delivery(unsafe { error.as_ref() }?.error.delivery())))
}

fn delivery(delivery: rpcx_embed::Delivery) -> u32 {
    match delivery {
        rpcx_embed::Delivery::NotSent => RPCX_DELIVERY_NOT_SENT,
        rpcx_embed::Delivery::MaybeRun => RPCX_DELIVERY_MAYBE_RUN,
        rpcx_embed::Delivery::Answered => RPCX_DELIVERY_ANSWERED,
    }
}

/// The bare text, in one line. For kind `service` exactly the server's words.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_error_message(error: *const rpcx_error) -> *const c_char {
    // SAFETY: a handle of the caller's.
    guard::or(c"".as_ptr(), || Some(unsafe { error.as_ref() }?.texts().message.as_ptr()))
}

/// The text to print: the message, the reason, and what to do about it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_error_text(error: *const rpcx_error) -> *const c_char {
    // SAFETY: a handle of the caller's.
    guard::or(c"".as_ptr(), || Some(unsafe { error.as_ref() }?.texts().text.as_ptr()))
}

/// The server of the last attempt, as the discovery spells it; NULL when none was selected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_error_server(error: *const rpcx_error) -> *const c_char {
    guard::or(std::ptr::null(), || {
        // SAFETY: a handle of the caller's.
        Some(unsafe { error.as_ref() }?.texts().server.as_ref()?.as_ptr())
    })
}

/// Attempts that were made, failed dials included.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_error_attempts(error: *const rpcx_error) -> u32 {
    // SAFETY: a handle of the caller's.
    guard::or(0, || Some(unsafe { error.as_ref() }?.error.attempts()))
}

/// Whether making the call again is safe and may help; `idempotent`: running the handler twice does no harm.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_error_is_retryable(error: *const rpcx_error, idempotent: bool) -> bool {
    // SAFETY: a handle of the caller's.
    guard::or(false, || Some(unsafe { error.as_ref() }?.error.is_retryable(idempotent)))
}

/// Frees an error; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_error_free(error: *mut rpcx_error) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(error) }
}
