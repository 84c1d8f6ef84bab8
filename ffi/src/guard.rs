//! The boundary: no panic crosses it, and every error becomes an object of C's.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use rpcx_embed::{Error, Reason, Result};

use crate::error::rpcx_error;

/// Runs the body of a function that can fail.
pub(crate) fn guard(body: impl FnOnce() -> Result<()>) -> *mut rpcx_error {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => ptr::null_mut(),
        Ok(Err(error)) => rpcx_error::into_raw(error),
        Err(panic) => rpcx_error::into_raw(of_panic(&*panic)),
    }
}

/// Runs the body of a function that cannot tell an error: `otherwise` for what has no answer.
pub(crate) fn or<T>(otherwise: T, body: impl FnOnce() -> Option<T>) -> T {
    catch_unwind(AssertUnwindSafe(body)).ok().flatten().unwrap_or(otherwise)
}

/// Runs something whose panic has nobody to be told to; the panic hook has printed it.
pub(crate) fn quietly(body: impl FnOnce()) {
    or((), || {
        body();
        None
    });
}

fn of_panic(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::new(Reason::InternalPanic, format!("a function of librpcx panicked: {}", text.unwrap_or("no text")))
}
