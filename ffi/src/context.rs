//! Contexts: the parents of nested calls

use std::time::Instant;

use rpcx_embed::Parent;

use crate::error::rpcx_error;
use crate::metadata::rpcx_metadata;
use crate::{arg, guard};

/// What a nested call inherits from the call that it is made for: its deadline, and the metadata that the client's option
/// `propagate_metadata` names (by default `traceparent`, `tracestate` and `baggage`). From `rpcx_request_context()`.
pub struct rpcx_context {
    pub(crate) parent: Parent,
}

/// Makes a context by its parts: `timeout_ms` from now (UINT32_MAX: no deadline) and metadata (copied; NULL: none).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_context_new(
    timeout_ms: u32,
    metadata: *const rpcx_metadata,
    out: *mut *mut rpcx_context,
) -> *mut rpcx_error {
    guard::guard(|| {
        let deadline = (timeout_ms != u32::MAX).then(|| Instant::now() + arg::millis(timeout_ms));
        // SAFETY: a handle of the caller's.
        let metadata = unsafe { metadata.as_ref() }.map(|metadata| metadata.pairs.clone()).unwrap_or_default();
        // SAFETY: `out` is the caller's.
        unsafe { arg::write(out, "out", rpcx_context { parent: Parent::new(deadline, metadata) }) }
    })
}

/// Frees it; NULL is allowed. Calls that were made with it go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_context_free(context: *mut rpcx_context) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(context) }
}
