//! Metadata

use rpcx_embed::Metadata;

use crate::bytes::rpcx_slice;
use crate::error::rpcx_error;
use crate::{arg, guard};

/// Pairs of text beside a payload: each key once, in no order. Keys that begin with "__" belong to the protocol.
pub struct rpcx_metadata {
    pub(crate) pairs: Metadata,
}

impl From<Metadata> for rpcx_metadata {
    fn from(pairs: Metadata) -> rpcx_metadata {
        rpcx_metadata { pairs }
    }
}

/// Makes one without pairs.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_metadata_new(out: *mut *mut rpcx_metadata) -> *mut rpcx_error {
    // SAFETY: `out` is the caller's.
    guard::guard(|| unsafe { arg::write(out, "out", Metadata::new().into()) })
}

/// Makes a copy, as of a reply's, to be kept or changed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_metadata_clone(
    metadata: *const rpcx_metadata,
    out: *mut *mut rpcx_metadata,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle and `out` of the caller's.
        unsafe { arg::write(out, "out", arg::borrow(metadata, "metadata")?.pairs.clone().into()) }
    })
}

/// Sets the value of a key, in place of the one it had. Both must be UTF-8.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_metadata_set(
    metadata: *mut rpcx_metadata,
    key: rpcx_slice,
    value: rpcx_slice,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle that the caller is alone with, and his text.
        unsafe {
            let pairs = &mut arg::borrow_mut(metadata, "metadata")?.pairs;
            pairs.insert(arg::slice_text(key, "key")?, arg::slice_text(value, "value")?);
        }
        Ok(())
    })
}

/// Takes a key out; whether it was there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_metadata_remove(metadata: *mut rpcx_metadata, key: rpcx_slice) -> bool {
    guard::or(false, || {
        // SAFETY: a handle that the caller is alone with, and his text.
        unsafe { Some(metadata.as_mut()?.pairs.remove(arg::slice_text(key, "key").ok()?)) }
    })
}

/// Looks a key up: true, and its value in `value` (NULL: not wanted), if it is there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_metadata_get(
    metadata: *const rpcx_metadata,
    key: rpcx_slice,
    value: *mut rpcx_slice,
) -> bool {
    guard::or(false, || {
        // SAFETY: a handle, text and a place of the caller's.
        unsafe {
            let found = metadata.as_ref()?.pairs.get(arg::slice_text(key, "key").ok()?)?;
            if let Some(value) = value.as_mut() {
                *value = found.into();
            }
        }
        Some(true)
    })
}

/// How many pairs there are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_metadata_len(metadata: *const rpcx_metadata) -> usize {
    // SAFETY: a handle of the caller's.
    guard::or(0, || Some(unsafe { metadata.as_ref() }?.pairs.len()))
}

/// Walks the pairs: writes the next one and is true, or is false at the end. `cursor` is 0 before the first; changing the
/// metadata meanwhile makes it worthless.
///
///     size_t cursor = 0;
///     rpcx_slice key, value;
///     while (rpcx_metadata_next(metadata, &cursor, &key, &value)) { ... }
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_metadata_next(
    metadata: *const rpcx_metadata,
    cursor: *mut usize,
    key: *mut rpcx_slice,
    value: *mut rpcx_slice,
) -> bool {
    guard::or(false, || {
        // SAFETY: a handle and places of the caller's.
        unsafe {
            let (cursor, key, value) = (cursor.as_mut()?, key.as_mut()?, value.as_mut()?);
            let (found, text) = next(&metadata.as_ref()?.pairs, cursor)?;
            (*key, *value) = (found.into(), text.into());
        }
        Some(true)
    })
}

/// The next pair behind a byte of the block, which holds `u32 length, key, u32 length, value` again and again. A key that
/// comes more than once counts where it comes last.
fn next<'a>(metadata: &'a Metadata, cursor: &mut usize) -> Option<(&'a str, &'a str)> {
    fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
        let (len, after) = rest.split_first_chunk()?;
        let (text, after) = after.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        *rest = after;
        std::str::from_utf8(text).ok()
    }
    let block = metadata.block();
    loop {
        let mut rest = block.get(*cursor..)?;
        let (key, value) = (text(&mut rest)?, text(&mut rest)?);
        *cursor = block.len() - rest.len();
        if metadata.get(key).is_some_and(|last| std::ptr::eq(last, value)) {
            return Some((key, value));
        }
    }
}

/// Frees metadata that the caller owns; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_metadata_free(metadata: *mut rpcx_metadata) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(metadata) }
}
