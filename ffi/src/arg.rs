//! Arguments as C passes them: pointers that may be NULL, text that may not be UTF-8, structs of another version.

use std::ffi::{CStr, c_char};
use std::mem::{MaybeUninit, size_of};
use std::time::Duration;

use rpcx_embed::{Error, Reason, Result};

use crate::bytes::rpcx_slice;

/// The error of an argument; `what` follows its name.
#[cold]
pub(crate) fn bad(name: &str, what: impl std::fmt::Display) -> Error {
    Error::new(Reason::ConfigBadArgument, format!("argument `{name}` {what}"))
}

#[cold]
fn null(name: &str) -> Error {
    bad(name, "must not be NULL")
}

/// Borrows what a pointer points to.
///
/// # Safety
/// It is NULL or points to a `T` that lives and is not changed for `'a`.
pub(crate) unsafe fn borrow<'a, T>(pointer: *const T, name: &str) -> Result<&'a T> {
    // SAFETY: passed on to the caller.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// Borrows what a pointer points to, to change it.
///
/// # Safety
/// It is NULL or points to a `T` that lives for `'a`, of which nobody else knows meanwhile.
pub(crate) unsafe fn borrow_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T> {
    // SAFETY: passed on to the caller.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// Takes a handle back from its user.
///
/// # Safety
/// It is NULL or came from [`Box::into_raw`], and is not used afterwards.
pub(crate) unsafe fn take<T>(pointer: *mut T, name: &str) -> Result<Box<T>> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: passed on to the caller.
    Ok(unsafe { Box::from_raw(pointer) })
}

/// Frees a handle; NULL is nothing.
///
/// # Safety
/// As [`take`].
pub(crate) unsafe fn free<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: passed on to the caller.
        crate::guard::quietly(|| drop(unsafe { Box::from_raw(pointer) }));
    }
}

/// Checks an `out` argument before the work that it is for.
pub(crate) fn check_out<T>(out: *mut T, name: &str) -> Result<()> {
    if out.is_null() { Err(null(name)) } else { Ok(()) }
}

/// Hands a new object to its user.
///
/// # Safety
/// `out` is NULL or may be written.
pub(crate) unsafe fn write<T>(out: *mut *mut T, name: &str, value: T) -> Result<()> {
    check_out(out, name)?;
    // SAFETY: passed on to the caller.
    unsafe { out.write(Box::into_raw(Box::new(value))) };
    Ok(())
}

/// Text that ends with a NUL.
///
/// # Safety
/// It is NULL or points to such text, which lives and is not changed for `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<&'a str> {
    if text.is_null() {
        return Err(null(name));
    }
    // SAFETY: passed on to the caller.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| bad(name, "is not UTF-8"))
}

/// As [`text`], but NULL is none.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn text_or_null<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: passed on to the caller.
    unsafe { text(pointer, name) }.map(Some)
}

/// The bytes of a slice.
///
/// # Safety
/// Its bytes live and are not changed for `'a`.
pub(crate) unsafe fn slice<'a>(slice: rpcx_slice, name: &str) -> Result<&'a [u8]> {
    if slice.len == 0 {
        return Ok(&[]);
    }
    if slice.data.is_null() {
        return Err(bad(name, format_args!("has {} bytes at NULL", slice.len)));
    }
    if slice.len > isize::MAX as usize {
        return Err(bad(name, format_args!("has {} bytes, more than there can be", slice.len)));
    }
    // SAFETY: passed on to the caller.
    Ok(unsafe { std::slice::from_raw_parts(slice.data, slice.len) })
}

/// The text of a slice.
///
/// # Safety
/// As [`slice`].
pub(crate) unsafe fn slice_text<'a>(value: rpcx_slice, name: &str) -> Result<&'a str> {
    // SAFETY: passed on to the caller.
    std::str::from_utf8(unsafe { slice(value, name) }?).map_err(|_| bad(name, "is not UTF-8"))
}

/// Structs that begin with their size and may be of another version than this one.
///
/// # Safety
/// `repr(C)`, the first field a `usize` that is the size, and all zeroes is a value of it.
pub(crate) unsafe trait Versioned: Copy {
    /// The size that its first version had.
    const FIRST: usize;
}

/// Copies a struct: what its user does not know is zero, what this library does not know is not read.
///
/// # Safety
/// It is NULL or points to as many bytes as its first field says.
pub(crate) unsafe fn versioned<T: Versioned>(pointer: *const T, name: &str) -> Result<T> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: the struct begins with its size, as the trait promises.
    let size = unsafe { pointer.cast::<usize>().read() };
    if size < T::FIRST {
        let first = T::FIRST;
        return Err(bad(name, format_args!("has struct_size {size}: set it to sizeof, at least {first}")));
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both are valid for that many bytes, and zeroes make up for the rest.
    unsafe {
        std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), value.as_mut_ptr().cast(), size.min(size_of::<T>()));
        Ok(value.assume_init())
    }
}

/// A time for a `_wait` or a shutdown.
pub(crate) fn millis(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}
