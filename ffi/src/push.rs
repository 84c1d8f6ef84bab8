//! Pushed messages

use rpcx_embed::{Bytes, Push};

use crate::bytes::rpcx_slice;
use crate::metadata::rpcx_metadata;
use crate::{arg, guard};

/// A message that a server sent on its own; from a subscription.
pub struct rpcx_push {
    service: String,
    method: String,
    server: String,
    metadata: rpcx_metadata,
    payload: Bytes,
    serialize_type: u32,
}

impl From<Push> for rpcx_push {
    fn from(push: Push) -> rpcx_push {
        rpcx_push {
            service: push.service(),
            method: push.method(),
            server: push.server().to_owned(),
            metadata: push.metadata().into(),
            payload: push.payload(),
            serialize_type: push.serialize_type().get().into(),
        }
    }
}

/// The service path that the server wrote.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_push_service(push: *const rpcx_push) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { push.as_ref() }?.service.as_str().into()))
}

/// The method that the server wrote.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_push_method(push: *const rpcx_push) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { push.as_ref() }?.method.as_str().into()))
}

/// The address of the server it came from.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_push_server(push: *const rpcx_push) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { push.as_ref() }?.server.as_str().into()))
}

/// Its metadata; never NULL but for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_push_metadata(push: *const rpcx_push) -> *const rpcx_metadata {
    // SAFETY: a handle of the caller's.
    guard::or(std::ptr::null(), || Some(&raw const unsafe { push.as_ref() }?.metadata))
}

/// Its payload as it came.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_push_payload(push: *const rpcx_push) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some((&unsafe { push.as_ref() }?.payload[..]).into()))
}

/// How the payload is encoded: RPCX_SERIALIZE_RAW and the others. Go's servers always say raw.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_push_serialize_type(push: *const rpcx_push) -> u32 {
    // SAFETY: a handle of the caller's.
    guard::or(0, || Some(unsafe { push.as_ref() }?.serialize_type))
}

/// Frees it; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_push_free(push: *mut rpcx_push) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(push) }
}
