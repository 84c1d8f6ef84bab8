//! Versions and tables

use std::ffi::{CStr, c_char};

use crate::bytes::rpcx_string;
use crate::error::rpcx_error;
use crate::{arg, guard};

/// The ABI that this header describes. It rises with every addition.
pub const RPCX_ABI_VERSION: u32 = 1;

/// The ABI of the loaded library. A program that was compiled with a lower `RPCX_ABI_VERSION` works with it.
#[unsafe(no_mangle)]
pub extern "C" fn rpcx_abi_version() -> u32 {
    RPCX_ABI_VERSION
}

/// The library's version, such as "0.1.0". Never freed.
#[unsafe(no_mangle)]
pub extern "C" fn rpcx_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };
    VERSION.as_ptr()
}

/// Every option with its type, range, default, scope and meaning, as a JSON array; for tools and tests.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_options_json(out: *mut *mut rpcx_string) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: `out` is the caller's, as the header says of every `out`.
        unsafe { arg::write(out, "out", rpcx_string::new(rpcx_embed::options_json())) }
    })
}

/// Every kind of error with its number, the reasons and the delivery states, as a JSON object; for tools and tests.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_errors_json(out: *mut *mut rpcx_string) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: `out` is the caller's, as the header says of every `out`.
        unsafe { arg::write(out, "out", rpcx_string::new(rpcx_embed::errors_json())) }
    })
}
