//! Authenticators

use std::ffi::c_void;
use std::mem::offset_of;
use std::sync::OnceLock;

use rpcx_embed::{AuthRequest, Error, Owned, Reason, Result};

use crate::bytes::rpcx_slice;
use crate::error::rpcx_error;
use crate::metadata::rpcx_metadata;
use crate::queue::{Event, What, rpcx_queue};
use crate::user_data::UserData;
use crate::{arg, guard};

/// Judges the token of every request before its handler runs.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rpcx_authenticator {
    /// sizeof(rpcx_authenticator).
    pub struct_size: usize,
    /// Gets each token, on a thread of the library; must not block. It answers from any thread, within the option
    /// `auth_timeout`.
    pub check: Option<unsafe extern "C" fn(user_data: *mut c_void, auth: *mut rpcx_auth)>,
    /// Frees `user_data`, once, after the last token; NULL: nothing to free.
    pub drop_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Handed to both.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, begins with its size, and all its fields may be zero.
unsafe impl arg::Versioned for rpcx_authenticator {
    const FIRST: usize = offset_of!(rpcx_authenticator, user_data) + size_of::<*mut c_void>();
}

/// A token to be judged, once: `rpcx_auth_accept()` or `rpcx_auth_refuse()`. Freed without that, it is refused.
pub struct rpcx_auth {
    request: Owned<AuthRequest>,
    service: String,
    method: String,
    metadata: OnceLock<rpcx_metadata>,
}

impl From<AuthRequest> for rpcx_auth {
    fn from(request: AuthRequest) -> rpcx_auth {
        let (service, method) = (request.service().into_owned(), request.method().into_owned());
        rpcx_auth { request: Owned::new(request), service, method, metadata: OnceLock::new() }
    }
}

/// An authenticator of the user's.
///
/// # Safety
/// `authenticator` is NULL or points to one, as the header describes it.
pub(crate) unsafe fn called(authenticator: *const rpcx_authenticator) -> Result<impl Fn(AuthRequest) + Send + Sync> {
    // SAFETY: passed on to the caller.
    let authenticator = unsafe { arg::versioned(authenticator, "authenticator") }?;
    let user = UserData::new(authenticator.user_data, authenticator.drop_user_data);
    let check = authenticator.check.ok_or_else(|| arg::bad("authenticator", "has no function `check`"))?;
    Ok(move |request: AuthRequest| {
        let auth = Box::into_raw(Box::new(rpcx_auth::from(request)));
        // SAFETY: the user's function, with what it was promised.
        unsafe { check(user.get(), auth) }
    })
}

/// An authenticator that asks through a queue.
///
/// # Safety
/// `queue` is NULL or a handle of the caller's.
pub(crate) unsafe fn queued(queue: *const rpcx_queue, tag: u64) -> Result<impl Fn(AuthRequest) + Send + Sync> {
    // SAFETY: passed on to the caller.
    let events = unsafe { rpcx_queue::events(queue) }?;
    Ok(move |request: AuthRequest| events.push(Event { tag, what: What::Auth(request) }))
}

/// The token; empty when the request has none. It is a secret.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_auth_token(auth: *const rpcx_auth) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { auth.as_ref() }?.request.get().ok()?.token().into()))
}

/// The service path asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_auth_service(auth: *const rpcx_auth) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { auth.as_ref() }?.service.as_str().into()))
}

/// The method asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_auth_method(auth: *const rpcx_auth) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { auth.as_ref() }?.method.as_str().into()))
}

/// The caller's address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_auth_peer(auth: *const rpcx_auth) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { auth.as_ref() }?.request.get().ok()?.peer().into()))
}

/// The subject of the caller's TLS certificate (RFC 4514); empty when it showed none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_auth_tls_subject(auth: *const rpcx_auth) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { auth.as_ref() }?.request.get().ok()?.tls_subject()?.into()))
}

/// The request's metadata; never NULL but for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_auth_metadata(auth: *const rpcx_auth) -> *const rpcx_metadata {
    guard::or(std::ptr::null(), || {
        // SAFETY: a handle of the caller's.
        let auth = unsafe { auth.as_ref() }?;
        let ours = auth.request.get().ok()?;
        Some(std::ptr::from_ref(auth.metadata.get_or_init(|| ours.metadata().into())))
    })
}

/// Lets the request pass, and takes `auth` over; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_auth_accept(auth: *mut rpcx_auth) {
    guard::quietly(|| {
        // SAFETY: a handle that the caller gives up.
        if let Ok(auth) = unsafe { arg::take(auth, "auth") }
            && let Ok(request) = auth.request.into_inner()
        {
            request.answer(Ok(()));
        }
    });
}

/// Refuses the request, whose caller reads `message`, and takes `auth` over, on failure too.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_auth_refuse(auth: *mut rpcx_auth, message: rpcx_slice) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle that the caller gives up, and his text.
        unsafe {
            let request = arg::take(auth, "auth")?.request.into_inner()?;
            let message = arg::slice_text(message, "message")?.to_owned();
            request.answer(Err(Error::new(Reason::AuthRefused, message)));
        }
        Ok(())
    })
}

/// Frees it, which refuses the request; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_auth_free(auth: *mut rpcx_auth) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(auth) }
}
