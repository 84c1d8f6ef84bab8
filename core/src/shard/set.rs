//! A set of shards with threads of its own, for a server, or for a client of a program without a runtime.

use super::Shard;
use super::thread::{NAME, count_or_cores, refused, run, runtime};
use crate::error::Result;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Threads that each run one shard. They end when the set is dropped or [`shutdown`](Self::shutdown).
///
/// ```
/// use rpcx::shard::ShardSet;
/// use std::time::Duration;
///
/// let set = ShardSet::new(2)?;
/// let (sender, receiver) = std::sync::mpsc::channel();
/// set.next().spawn(async move { sender.send(std::thread::current().name().map(str::to_owned)) });
/// assert_eq!(receiver.recv().unwrap().as_deref(), Some("rpcx-shard-0"));
/// assert!(set.shutdown(Duration::from_secs(1)));
/// # Ok::<(), rpcx::error::Error>(())
/// ```
pub struct ShardSet {
    shards: Vec<Shard>,
    next: AtomicUsize,
    stop: CancellationToken,
    running: Arc<Running>,
}

/// Threads that have not ended.
struct Running {
    count: Mutex<usize>,
    changed: Condvar,
}

/// One thread's place in [`Running`]; also given back when the thread panics.
struct Place(Arc<Running>);

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.changed.notify_all();
    }
}

/// Options of a [`ShardSet`].
#[derive(Clone, Debug)]
pub struct ShardSetBuilder {
    count: usize,
    name: String,
}

impl ShardSetBuilder {
    /// How many shards; zero: one per core. Default: one per core.
    #[must_use]
    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// Names the threads `<prefix>-0`, `<prefix>-1` and so on; a system may show only the first 15 bytes. Default:
    /// `rpcx-shard`.
    #[must_use]
    pub fn thread_name(mut self, prefix: impl Into<String>) -> Self {
        self.name = prefix.into();
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// `internal.system` when the system refuses a thread; those that were started end again.
    pub fn build(self) -> Result<ShardSet> {
        let count = count_or_cores(self.count);
        let running = Arc::new(Running { count: Mutex::new(0), changed: Condvar::new() });
        // Dropping it on an early return stops the threads that run already.
        let mut set = ShardSet {
            shards: Vec::with_capacity(count),
            next: AtomicUsize::new(0),
            stop: CancellationToken::new(),
            running,
        };
        for index in 0..count {
            let name = format!("{}-{index}", self.name);
            let runtime = runtime(&name)?;
            let shard = Shard::from(runtime.handle().clone());
            let stop = set.stop.clone();
            *set.running.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            let place = Place(set.running.clone());
            std::thread::Builder::new()
                .name(name)
                .spawn(move || {
                    let _place = place;
                    run(runtime, stop.cancelled());
                })
                .map_err(|error| refused("thread", error))?;
            set.shards.push(shard);
        }
        Ok(set)
    }
}

impl ShardSet {
    /// Starts so many shards; zero: one per core.
    ///
    /// # Errors
    /// As [`ShardSetBuilder::build`].
    pub fn new(count: usize) -> Result<ShardSet> {
        ShardSet::builder().count(count).build()
    }

    /// Begins a set with options.
    pub fn builder() -> ShardSetBuilder {
        ShardSetBuilder { count: 0, name: NAME.to_owned() }
    }

    /// The shards, by number.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// Handles of all shards, by number.
    pub fn handles(&self) -> Vec<Shard> {
        self.shards.clone()
    }

    /// The next shard in turn, to place a connection or a client on.
    pub fn next(&self) -> &Shard {
        &self.shards[self.next.fetch_add(1, Ordering::Relaxed) % self.shards.len()]
    }

    /// Ends the shards and waits until their threads have ended, at most until the deadline. Says whether they have.
    ///
    /// What still runs on them is dropped at its next await; let connections finish before. Only a task that never awaits can
    /// outlast the deadline. Called from one of these shards it does not wait and says false: that one goes on until the
    /// caller awaits. Blocks, so it must not be called from other async code. May be called again.
    pub fn shutdown(&self, deadline: Duration) -> bool {
        self.stop.cancel();
        let running = self.running.count.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shards.iter().any(Shard::is_current) {
            return false;
        }
        let (_running, timeout) = self
            .running
            .changed
            .wait_timeout_while(running, deadline, |count| *count > 0)
            .unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }
}

/// Stops the threads and waits for none.
impl Drop for ShardSet {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for ShardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardSet").field("shards", &self.shards).finish_non_exhaustive()
    }
}
