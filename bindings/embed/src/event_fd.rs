//! A descriptor that becomes readable: how an event loop of another runtime waits for a queue.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// An eventfd. Readable from [`signal`](Self::signal) until [`clear`](Self::clear). Closed when it is dropped.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
    /// Opens one, non-blocking and not inherited by programs that are started.
    ///
    /// # Errors
    /// The system's, when it has no descriptors left.
    pub fn new() -> io::Result<EventFd> {
        // SAFETY: the call takes no pointer.
        let raw = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just opened and is nobody else's.
        Ok(EventFd(unsafe { OwnedFd::from_raw_fd(raw) }))
    }

    /// The descriptor, to be polled for reading.
    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Makes it readable.
    pub fn signal(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: the buffer is valid for its eight bytes. A full counter is readable already.
        unsafe { libc::write(self.fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Makes it unreadable. Before the queue is drained, so that what comes meanwhile signals again.
    pub fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: the buffer is valid for its eight bytes. An empty counter stays unreadable.
        unsafe { libc::read(self.fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}
