//! Buffers that busy connections borrow from their thread, so that idle ones hold none.

use std::cell::RefCell;

use bytes::BytesMut;

/// Room for one read of a busy connection. Smaller ones cost more system calls than they save memory.
pub(crate) const READ_BUFFER: usize = 64 * 1024;
/// Buffers kept per thread.
const KEPT: usize = 8;
/// Scratch buffers that have grown beyond this are not kept.
const KEPT_SIZE: usize = 256 * 1024;

thread_local! {
    static READ: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
    static SCRATCH: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty read buffer with room for [`READ_BUFFER`] bytes.
pub(crate) fn take_read() -> BytesMut {
    let mut buffer = READ.with_borrow_mut(Vec::pop).unwrap_or_default();
    buffer.reserve(READ_BUFFER);
    buffer
}

/// Returns a read buffer; what it holds is dropped.
pub(crate) fn put_read(mut buffer: BytesMut) {
    buffer.clear();
    // Slices of a buffer may outlive its use; a buffer that could not be reclaimed would be allocated anew anyway.
    READ.with_borrow_mut(|kept| {
        if kept.len() < KEPT && buffer.capacity() > 0 {
            kept.push(buffer);
        }
    });
}

/// An empty scratch buffer of this thread.
pub(crate) fn take_scratch() -> Vec<u8> {
    SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default()
}

/// Returns a scratch buffer to this thread.
pub(crate) fn put_scratch(mut buffer: Vec<u8>) {
    buffer.clear();
    if buffer.capacity() <= KEPT_SIZE {
        SCRATCH.with_borrow_mut(|kept| {
            if kept.len() < KEPT {
                kept.push(buffer);
            }
        });
    }
}
