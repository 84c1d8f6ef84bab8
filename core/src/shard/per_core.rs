//! A program's own `main` on every core.

use super::thread::{NAME, count_or_cores, refused, run, runtime};
use crate::error::Result;
use std::panic::resume_unwind;
use std::sync::mpsc;

/// Runs `main` on `n` shards at once, each a thread with a runtime of its own, and gives their results in order. `main` is
/// given the shard's number from 0. Zero shards: one per core.
///
/// Blocks until `main` has returned on all of them, so it belongs into a plain `fn main`, not into async code. The threads are
/// named `rpcx-shard-0` and so on; see [`PerCore`] for other names. When a `main` panics the others still run to their end,
/// and the panic goes on here.
///
/// # Errors
/// `internal.system` when the system refuses a thread; then `main` ran nowhere.
///
/// ```
/// let squares = rpcx::shard::per_core(3, |shard| async move {
///     tokio::task::yield_now().await;
///     shard * shard
/// })?;
/// assert_eq!(squares, [0, 1, 4]);
/// # Ok::<(), rpcx::error::Error>(())
/// ```
pub fn per_core<F, Fut, T>(n: usize, main: F) -> Result<Vec<T>>
where
    F: Fn(usize) -> Fut + Sync,
    Fut: Future<Output = T>,
    T: Send,
{
    PerCore::new(n).run(main)
}

/// [`per_core`] with thread names of your own.
#[derive(Clone, Debug)]
pub struct PerCore {
    count: usize,
    name: String,
}

impl PerCore {
    /// So many shards; zero: one per core.
    pub fn new(count: usize) -> PerCore {
        PerCore { count: count_or_cores(count), name: NAME.to_owned() }
    }

    /// Names the threads `<prefix>-0`, `<prefix>-1` and so on. A system may show only the first 15 bytes.
    #[must_use]
    pub fn thread_name(mut self, prefix: impl Into<String>) -> PerCore {
        self.name = prefix.into();
        self
    }

    /// As [`per_core`].
    ///
    /// # Errors
    /// As [`per_core`].
    pub fn run<F, Fut, T>(&self, main: F) -> Result<Vec<T>>
    where
        F: Fn(usize) -> Fut + Sync,
        Fut: Future<Output = T>,
        T: Send,
    {
        let main = &main;
        let names: Vec<String> = (0..self.count).map(|index| format!("{}-{index}", self.name)).collect();
        let runtimes = names.iter().map(|name| runtime(name)).collect::<Result<Vec<_>>>()?;
        std::thread::scope(|scope| {
            let mut begin = Vec::with_capacity(self.count);
            let mut threads = Vec::with_capacity(self.count);
            for (index, (name, runtime)) in names.iter().zip(runtimes).enumerate() {
                let (go, wait) = mpsc::channel::<()>();
                let thread = std::thread::Builder::new().name(name.clone()).spawn_scoped(scope, move || {
                    // Nobody begins unless all threads are there: a `main` may wait for the others.
                    wait.recv().ok()?;
                    Some(run(runtime, main(index)))
                });
                threads.push(thread.map_err(|error| refused("thread", error))?);
                begin.push(go);
            }
            for go in begin {
                // The thread waits for it.
                let _ = go.send(());
            }
            let ended: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
            let results = ended.into_iter().map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)));
            Ok(results.flatten().collect())
        })
    }
}
