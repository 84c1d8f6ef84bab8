//! Bytes and text

use std::ffi::{CString, c_char, c_void};
use std::mem::offset_of;

use rpcx_embed::{Bytes, Result};

use crate::user_data::UserData;
use crate::{arg, guard};

/// Some bytes of somebody else's. The only struct that goes by value. With `len` 0 `data` may be NULL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rpcx_slice {
    /// The first byte.
    pub data: *const u8,
    /// How many there are.
    pub len: usize,
}

impl rpcx_slice {
    pub(crate) const EMPTY: rpcx_slice = rpcx_slice { data: std::ptr::null(), len: 0 };
}

impl From<&[u8]> for rpcx_slice {
    fn from(bytes: &[u8]) -> rpcx_slice {
        rpcx_slice { data: bytes.as_ptr(), len: bytes.len() }
    }
}

impl From<&str> for rpcx_slice {
    fn from(text: &str) -> rpcx_slice {
        text.as_bytes().into()
    }
}

/// A payload that is kept instead of copied. The struct itself is only read; the bytes must not change before `release`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rpcx_buffer {
    /// sizeof(rpcx_buffer).
    pub struct_size: usize,
    /// The first byte.
    pub data: *const u8,
    /// How many there are.
    pub len: usize,
    /// Says that the bytes are not needed any more: exactly once, on any thread, also when the function that took the
    /// buffer fails. Must not block. NULL: they live for ever.
    pub release: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Handed to `release`.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, begins with its size, and all its fields may be zero.
unsafe impl arg::Versioned for rpcx_buffer {
    const FIRST: usize = offset_of!(rpcx_buffer, user_data) + size_of::<*mut c_void>();
}

/// The bytes of an `rpcx_buffer`, released when the last reference goes.
struct Kept {
    bytes: rpcx_slice,
    _user: UserData,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the header asks that they stay as they are until `release`; they were checked by `payload`.
        unsafe { arg::slice(self.bytes, "buffer") }.unwrap_or_default()
    }
}

// SAFETY: bytes that nobody changes, and a user value that may go anywhere.
unsafe impl Send for Kept {}
// SAFETY: as above.
unsafe impl Sync for Kept {}

/// Takes a buffer over; it is released on failure too.
///
/// # Safety
/// `buffer` is NULL or points to one, as the header describes it.
pub(crate) unsafe fn keep(buffer: *const rpcx_buffer, name: &str) -> Result<Bytes> {
    // SAFETY: passed on to the caller.
    let buffer = unsafe { arg::versioned(buffer, name) }?;
    let kept = Kept {
        bytes: rpcx_slice { data: buffer.data, len: buffer.len },
        _user: UserData::new(buffer.user_data, buffer.release),
    };
    // SAFETY: the bytes are the user's to lend.
    unsafe { arg::slice(kept.bytes, name) }?;
    Ok(Bytes::from_owner(kept))
}

/// Copies a payload.
///
/// # Safety
/// Its bytes may be read.
pub(crate) unsafe fn copy(payload: rpcx_slice, name: &str) -> Result<Bytes> {
    // SAFETY: passed on to the caller.
    Ok(Bytes::copy_from_slice(unsafe { arg::slice(payload, name) }?))
}

/// Text that the library made.
pub struct rpcx_string {
    text: CString,
}

impl rpcx_string {
    pub(crate) fn new(text: String) -> rpcx_string {
        rpcx_string { text: c_text(text) }
    }
}

/// Text as C wants it. A NUL inside, which no text of ours has, would end it.
pub(crate) fn c_text(text: impl Into<Vec<u8>>) -> CString {
    CString::new(text).unwrap_or_else(|error| {
        let end = error.nul_position();
        let mut text = error.into_vec();
        text.truncate(end);
        CString::new(text).unwrap_or_default()
    })
}

/// The text, with a NUL at its end; valid until the string is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_string_data(string: *const rpcx_string) -> *const c_char {
    // SAFETY: a handle of the caller's.
    guard::or(c"".as_ptr(), || Some(unsafe { string.as_ref() }?.text.as_ptr()))
}

/// Its length without the NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_string_len(string: *const rpcx_string) -> usize {
    // SAFETY: a handle of the caller's.
    guard::or(0, || Some(unsafe { string.as_ref() }?.text.as_bytes().len()))
}

/// Frees a string; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_string_free(string: *mut rpcx_string) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(string) }
}
