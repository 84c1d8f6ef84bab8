//! Shards: the runtime threads that connections live on.
//!
//! A connection lives whole on one shard: what it reads, writes and waits for stays on one runtime thread, because moving it
//! between threads costs a call several times its tail latency. A [`Shard`] is a handle to such a thread:
//!
//! * a thread that [`per_core`] or a [`ShardSet`] started, each with a current-thread tokio runtime of its own; or
//! * a runtime of the user's. A current-thread one is a shard like ours; a multi-thread one counts as a single shard, whose
//!   tasks may move between its threads.
//!
//! # Threads and ownership
//!
//! A handle keeps nothing alive. The threads of a `ShardSet` belong to it and end with it; those of `per_core` end when
//! `main` returns on them. What still runs there is then dropped at its next await. A task's panic ends that task only. All
//! handles and sets may be used from any thread.

mod per_core;
mod set;
mod thread;
pub(crate) mod timekeeper;

pub use per_core::{PerCore, per_core};
pub use set::{ShardSet, ShardSetBuilder};
pub use thread::drive;

use crate::error::{Error, Reason, Result};
use std::cell::Cell;
use std::fmt;
use tokio::runtime::{Handle, Id};
use tokio::task::JoinHandle;

thread_local! {
    /// The shard that owns this thread, on threads that this library started.
    static OWNER: Cell<Option<Id>> = const { Cell::new(None) };
}

/// A handle to one shard: where connections and their tasks are placed. Cheap to clone.
#[derive(Clone)]
pub struct Shard {
    handle: Handle,
}

/// Which shard, to compare. Numbers of shards that have ended may come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShardId(Option<Id>);

impl ShardId {
    /// No shard: what a thread outside of every runtime has. No [`Shard`] has it.
    pub const NONE: ShardId = ShardId(None);
}

impl Shard {
    /// The shard of the calling task.
    ///
    /// # Errors
    /// `config.bad_argument` outside of a tokio runtime.
    pub fn current() -> Result<Shard> {
        Handle::try_current().map(Shard::from).map_err(|_| {
            Error::new(
                Reason::ConfigBadArgument,
                "not in a tokio runtime: call this from async code, or from inside rpcx::shard::per_core or a runtime's block_on",
            )
        })
    }

    /// Which shard the calling task is on; [`ShardId::NONE`] outside of a tokio runtime.
    ///
    /// On a thread of ours this reads one thread-local value; on a user's runtime it costs two atomic operations.
    pub fn current_id() -> ShardId {
        match OWNER.get() {
            Some(id) => ShardId(Some(id)),
            None => ShardId(Handle::try_current().ok().map(|handle| handle.id())),
        }
    }

    /// Which shard this is.
    pub fn id(&self) -> ShardId {
        ShardId(Some(self.handle.id()))
    }

    /// Whether the calling task is on this shard.
    pub fn is_current(&self) -> bool {
        Shard::current_id() == self.id()
    }

    /// Runs a task here, from any thread. On a shard that has ended the task never runs: its handle says it was cancelled.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(task)
    }

    /// The runtime behind it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// To be called in a forked child before it uses this library: starts the threads anew that a fork does not copy. Clients,
/// servers and shards made before the fork belong to the parent; the child must neither use nor drop them.
pub fn after_fork() {
    timekeeper::after_fork();
}

impl From<Handle> for Shard {
    fn from(handle: Handle) -> Self {
        Shard { handle }
    }
}

impl PartialEq for Shard {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Shard {}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shard({})", self.handle.id())
    }
}
