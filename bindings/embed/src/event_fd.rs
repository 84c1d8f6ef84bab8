//! A descriptor that becomes readable: how an event loop of another runtime waits for a queue.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use tokio::io::unix::AsyncFd;

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

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.fd()
    }
}

/// The epoll descriptor of the runtime that is entered, once more. tokio does not tell it, the system does: it is the one
/// that has a descriptor of ours which was just registered. `None` when that is not to be found.
pub(crate) fn readiness() -> Option<OwnedFd> {
    // SAFETY: it is an open descriptor, which nobody else closes and which stays until it is deregistered.
    let ours = unsafe { AsyncFd::register(EventFd::new().ok()?) }.ok()?;
    let mut found: Option<(RawFd, String)> = None;
    for entry in fs::read_dir("/proc/self/fd").ok()?.flatten() {
        let Some(epoll) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if !fs::read_link(entry.path()).is_ok_and(|kind| kind.as_os_str() == "anon_inode:[eventpoll]") {
            continue;
        }
        let Some(line) = registration(epoll, ours.as_raw_fd()) else { continue };
        match &found {
            None => found = Some((epoll, line)),
            // The runtime has several descriptors of its epoll. Each says the same, with the runtime's mark for ours.
            Some((_, same)) if *same == line => {}
            Some(_) => return None,
        }
    }
    // SAFETY: the call takes no pointer; a number that is no descriptor any more gives an error.
    let copy = unsafe { libc::fcntl(found?.0, libc::F_DUPFD_CLOEXEC, 3) };
    // SAFETY: the descriptor was just made and is nobody else's.
    (copy >= 0).then(|| unsafe { OwnedFd::from_raw_fd(copy) })
}

/// What the system says of a descriptor that an epoll watches: `tfd: 9 events: 80000019 data: …`.
fn registration(epoll: RawFd, watched: RawFd) -> Option<String> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{epoll}")).ok()?;
    let is_it = |line: &&str| {
        let number = line.strip_prefix("tfd:").and_then(|rest| rest.split_whitespace().next());
        number.is_some_and(|number| number.parse() == Ok(watched))
    };
    info.lines().find(is_it).map(str::to_owned)
}
