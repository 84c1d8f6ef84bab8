//! One shard's runtime and the thread that runs it.

use super::OWNER;
use crate::error::{Error, Reason, Result};
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use tokio::runtime::{Builder, Runtime};

/// The prefix of thread names unless the user says otherwise.
pub(super) const NAME: &str = "rpcx-shard";

/// How many shards `count` asks for: zero is one per core.
pub(super) fn count_or_cores(count: usize) -> usize {
    match count {
        0 => available_parallelism().map_or(1, NonZeroUsize::get),
        count => count,
    }
}

/// A runtime for one thread. Its own helper threads (name resolution, blocking tasks) carry the shard's name too.
pub(super) fn runtime(name: &str) -> Result<Runtime> {
    Builder::new_current_thread().enable_all().thread_name(name).build().map_err(|error| refused("runtime", error))
}

#[cold]
pub(super) fn refused(what: &str, error: std::io::Error) -> Error {
    Error::new(Reason::InternalSystem, format!("cannot make a {what} for a shard: {error}")).with_source(error)
}

/// Runs `main` on this thread as the shard of `runtime`, then ends the runtime without waiting for its blocking tasks.
pub(super) fn run<T>(runtime: Runtime, main: impl Future<Output = T>) -> T {
    let result = drive(&runtime, main);
    runtime.shutdown_background();
    result
}

/// Runs `main` on this thread as the shard of `runtime`, which has to be a current-thread one: until `main` ends, its tasks
/// and connections go on here. One thread at a time may do so; a second one waits for the first.
pub fn drive<T>(runtime: &Runtime, main: impl Future<Output = T>) -> T {
    /// Puts the previous owner back, also when `main` panics.
    struct Owner(Option<tokio::runtime::Id>);
    impl Drop for Owner {
        fn drop(&mut self) {
            OWNER.set(self.0);
        }
    }
    let _owner = Owner(OWNER.replace(Some(runtime.handle().id())));
    runtime.block_on(main)
}
