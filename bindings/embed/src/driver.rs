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
    /// Which of the lease's shards.
    place: usize,
}

impl Driver {
    /// A driver of the process's first shard. It keeps the shard running, as every driver does.
    ///
    /// # Errors
    /// `internal.system` when there is no thread to be had.
    pub fn new() -> Result<Driver> {
        Ok(Driver::of(Lease::first()?, 0))
    }

    pub(crate) fn of(lease: Arc<Lease>, place: usize) -> Driver {
        Driver { lease: Owned::new(lease), place }
    }

    /// The number of its shard in the process: that of [`runtime::current_shard`](crate::runtime::current_shard) in the
    /// handlers and sinks that run there.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn shard(&self) -> Result<usize> {
        Ok(self.lease.get()?.at(self.place).mailbox().number())
    }

    /// [`Queue::wait`] for a queue without `wake`, driving the shard meanwhile.
    pub fn wait<T: Send + 'static>(&self, queue: &Arc<Queue<T>>, limit: Option<Duration>) -> bool {
        self.wait_after(queue, limit, || ())
    }

    /// [`wait`](Self::wait), after `first` has been run as part of the shard: the calls that it starts and the requests that
    /// it answers go on there without a wake-up, a system call for each connection otherwise. `first` runs once, on this
    /// thread, also where another thread drives the shard.
    pub fn wait_after<T: Send + 'static>(
        &self,
        queue: &Arc<Queue<T>>,
        limit: Option<Duration>,
        first: impl FnOnce(),
    ) -> bool {
        let mut first = Some(first);
        let mut begin = || {
            if let Some(first) = first.take() {
                first();
            }
        };
        let Ok(lease) = self.lease.get() else {
            begin();
            return false;
        };
        let filled = poll_fn(|cx| queue.poll_filled(cx));
        let visited = lease.at(self.place).visit(async {
            begin();
            match limit {
                None => filled.await,
                // Without a result it is all the same.
                Some(limit) => drop(tokio::time::timeout(limit, filled).await),
            }
        });
        match visited {
            Some(()) => queue.has_items(),
            // Somebody else drives it.
            None => {
                begin();
                queue.wait(limit)
            }
        }
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}
