//! A foreign thread that waits for a queue and drives a shard meanwhile.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use rpcx::Result;

use crate::fork::Owned;
use crate::queue::Queue;
use crate::runtime::Lease;

/// Drives one of the process's shards on the thread that waits, so that what a connection of that shard brings needs no
/// wake-up. For a runtime's own thread that does little but wait and hand over, as Java's poller.
///
/// The shard is looked after by a thread of ours again a few milliseconds after the guest has left it.
///
/// ```
/// # fn main() -> rpcx_embed::Result<()> {
/// use std::time::Duration;
///
/// use rpcx_embed::{Driver, Queue};
///
/// let (driver, queue) = (Driver::new()?, Queue::blocking());
/// let results = queue.clone();
/// std::thread::spawn(move || results.push("from elsewhere"));
/// assert!(driver.wait(&queue, None));
/// assert!(!driver.wait(&Queue::<()>::blocking(), Some(Duration::from_millis(1))));
/// # Ok(())
/// # }
/// ```
pub struct Driver {
    lease: Owned<Arc<Lease>>,
}

impl Driver {
    /// A driver of the shard that the next client of one shard is placed on. It keeps the shard running.
    ///
    /// # Errors
    /// `internal.system` when there is no thread to be had.
    pub fn new() -> Result<Driver> {
        Ok(Driver { lease: Owned::new(Lease::first()?) })
    }

    /// [`Queue::wait`] for a queue without `wake`, driving the shard meanwhile.
    pub fn wait<T: Send + 'static>(&self, queue: &Arc<Queue<T>>, limit: Option<Duration>) -> bool {
        let Ok(lease) = self.lease.get() else { return false };
        let filled = poll_fn(|cx| queue.poll_filled(cx));
        let visited = lease.shard().visit(async {
            match limit {
                None => filled.await,
                // Without a result it is all the same.
                Some(limit) => drop(tokio::time::timeout(limit, filled).await),
            }
        });
        match visited {
            Some(()) => queue.has_items(),
            // Somebody else drives it.
            None => queue.wait(limit),
        }
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}
