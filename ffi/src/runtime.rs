//! The library's threads

use std::ffi::c_char;

use rpcx_embed::runtime;

use crate::error::rpcx_error;
use crate::{arg, guard};

/// Says how the library's threads are made from now on: at least `threads` (0: as before), named `<thread_name>-0` and so
/// on (NULL: as before). Threads are made with the first client or server and end with the last.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_runtime_configure(threads: usize, thread_name: *const c_char) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: text of the caller's.
        let name = unsafe { arg::text_or_null(thread_name, "thread_name") }?;
        runtime::configure((threads > 0).then_some(threads), name)
    })
}
