//! Connections of a server's clients

use std::ffi::c_char;

use rpcx_embed::{Connection, Owned};

use crate::bytes::rpcx_slice;
use crate::error::rpcx_error;
use crate::metadata::rpcx_metadata;
use crate::{arg, guard, request};

/// A client's connection to a server. A handle does not keep it open.
pub struct rpcx_connection {
    connection: Owned<Connection>,
}

impl From<Connection> for rpcx_connection {
    fn from(connection: Connection) -> rpcx_connection {
        rpcx_connection { connection: Owned::new(connection) }
    }
}

/// A number that no other connection of this process has. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_connection_id(connection: *const rpcx_connection) -> u64 {
    // SAFETY: a handle of the caller's.
    guard::or(0, || Some(unsafe { connection.as_ref() }?.connection.get().ok()?.id()))
}

/// The client's address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_connection_peer(connection: *const rpcx_connection) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { connection.as_ref() }?.connection.get().ok()?.peer().into()))
}

/// Whether it has not ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_connection_is_open(connection: *const rpcx_connection) -> bool {
    // SAFETY: a handle of the caller's.
    guard::or(false, || Some(unsafe { connection.as_ref() }?.connection.get().ok()?.is_open()))
}

/// Sends a message to the client, as `rpcx_request_push()`. RPCX_ERROR_CLOSED when the connection has ended.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_connection_push(
    connection: *const rpcx_connection,
    service: *const c_char,
    method: *const c_char,
    metadata: *const rpcx_metadata,
    payload: rpcx_slice,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: handles, text and bytes of the caller's.
        unsafe {
            let connection = arg::borrow(connection, "connection")?.connection.get()?;
            request::push(service, method, metadata, payload, |service, method, metadata, payload| {
                connection.push(service, method, metadata, payload)
            })
        }
    })
}

/// Ends the connection without a word.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_connection_close(connection: *const rpcx_connection) {
    guard::or((), || {
        // SAFETY: a handle of the caller's.
        unsafe { connection.as_ref() }?.connection.get().ok()?.close();
        Some(())
    });
}

/// Frees the handle; NULL is allowed. The connection stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_connection_free(connection: *mut rpcx_connection) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(connection) }
}
