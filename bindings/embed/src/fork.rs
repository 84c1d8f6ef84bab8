//! Which process a handle belongs to: after a fork only the calling thread goes on, so nothing made before it works.

use std::mem::ManuallyDrop;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use rpcx::{Error, Reason, Result};

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Counts forks: one more in each child.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Begins to watch for forks. Before anything that a fork would break.
pub(crate) fn watch() {
    static WATCH: Once = Once::new();
    extern "C" fn child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
    WATCH.call_once(|| {
        // SAFETY: the handler stays where it is (the library is never unloaded, see the linker's `nodelete`) and only
        // adds to an atomic, which may be done in a child with one thread.
        let refused = unsafe { libc::pthread_atfork(None, None, Some(child)) };
        debug_assert_eq!(refused, 0, "pthread_atfork");
    });
}

/// A value of the process that made it. In a forked child it can't be reached and is not dropped.
#[derive(Debug)]
pub struct Owned<T> {
    value: ManuallyDrop<T>,
    generation: u64,
}

impl<T> Owned<T> {
    /// Ties a value to this process.
    pub fn new(value: T) -> Owned<T> {
        watch();
        Owned { value: ManuallyDrop::new(value), generation: generation() }
    }

    /// The value.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn get(&self) -> Result<&T> {
        if self.is_ours() {
            return Ok(&self.value);
        }
        Err(Error::new(
            Reason::ClosedLocal,
            "made before fork: it belongs to the parent process; make clients and servers after the fork",
        ))
    }

    /// Gives the value back.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn into_inner(self) -> Result<T> {
        self.get()?;
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, so the value is taken once.
        Ok(unsafe { ManuallyDrop::take(&mut this.value) })
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.generation == generation()
    }
}

impl<T: Clone> Clone for Owned<T> {
    fn clone(&self) -> Owned<T> {
        Owned { value: self.value.clone(), generation: self.generation }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: the value is dropped once, here, and not used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.value) }
        }
    }
}
