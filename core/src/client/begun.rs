//! Calls that have begun and wait for something else than an answer: discovery, a dial, the next attempt.
//!
//! A call that waits for its answer is counted by its connection. These are not, and a client that shuts down waits for
//! them too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

#[derive(Default)]
pub(super) struct BegunCalls {
    count: AtomicUsize,
    none: Notify,
}

/// One such call, from here to its drop.
pub(super) struct Begun(Arc<BegunCalls>);

impl BegunCalls {
    /// A call begins to wait.
    pub(super) fn enter(self: &Arc<Self>) -> Begun {
        self.count.fetch_add(1, Ordering::SeqCst);
        Begun(self.clone())
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until there is none.
    pub(super) async fn none(&self) {
        loop {
            let mut none = std::pin::pin!(self.none.notified());
            none.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            none.await;
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none.notify_waiters();
        }
    }
}
