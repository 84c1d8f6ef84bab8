//! SIGPIPE, for what TLS writes: a program in another language has not asked to ignore the signal, as Rust's programs do, and
//! would end when a peer has gone.

use std::mem::MaybeUninit;
use std::ptr;

fn broken_pipe() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` makes the set before anything reads it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        set.assume_init()
    }
}

/// Blocks the signal on this thread, which is ours.
pub(crate) fn ignore() {
    // SAFETY: the set is a local, and the old mask is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &broken_pipe(), ptr::null_mut()) };
}

/// Blocks the signal on a thread of the user's. Dropped there: the mask is as before, and what came meanwhile is taken out.
pub(crate) struct NoBrokenPipes {
    /// The thread had it blocked already.
    was_blocked: bool,
}

impl NoBrokenPipes {
    pub(crate) fn new() -> NoBrokenPipes {
        let mut old = MaybeUninit::uninit();
        // SAFETY: both sets are locals. The call fails only for a first argument that is none, and writes the old mask.
        let was_blocked = unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &broken_pipe(), old.as_mut_ptr());
            libc::sigismember(old.as_ptr(), libc::SIGPIPE) == 1
        };
        NoBrokenPipes { was_blocked }
    }
}

impl Drop for NoBrokenPipes {
    fn drop(&mut self) {
        if self.was_blocked {
            return;
        }
        let mut pending = MaybeUninit::uninit();
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the sets are locals; `sigpending` writes the one that is read then.
        unsafe {
            libc::sigpending(pending.as_mut_ptr());
            if libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1 {
                libc::sigtimedwait(&broken_pipe(), ptr::null_mut(), &at_once);
            }
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &broken_pipe(), ptr::null_mut());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_blocked() -> bool {
        let mut mask = MaybeUninit::uninit();
        // SAFETY: without a new set the mask is only written to the local.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), mask.as_mut_ptr());
            libc::sigismember(mask.as_ptr(), libc::SIGPIPE) == 1
        }
    }

    #[test]
    fn a_thread_outlives_the_signal_and_has_its_mask_again() {
        // SAFETY: the default action, which ends the process, as programs have it that are not in Rust.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        assert!(!is_blocked());
        {
            let _quiet = NoBrokenPipes::new();
            assert!(is_blocked());
            // SAFETY: a signal to this thread.
            unsafe { libc::raise(libc::SIGPIPE) };
        }
        assert!(!is_blocked());
        ignore();
        drop(NoBrokenPipes::new());
        assert!(is_blocked());
    }
}
