//! The bounded pool on which plain (blocking) handlers run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use crate::error::{Error, Reason, Result};

/// At most `threads` handlers at once on the runtime's blocking threads; at most `queue` wait for one.
pub(crate) struct Workers {
    permits: Semaphore,
    threads: usize,
    queue: usize,
    waiting: AtomicUsize,
}

/// Counts a waiting handler for as long as it waits, also when it is cancelled meanwhile.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    pub(crate) fn new(threads: usize, queue: usize) -> Workers {
        Workers { permits: Semaphore::new(threads), threads, queue, waiting: AtomicUsize::new(0) }
    }

    /// Runs `work` on a thread of the pool.
    ///
    /// Dropping the future before the work began keeps it from running; later it runs to its end and its result is lost.
    pub(crate) async fn run<T: Send + 'static>(
        self: Arc<Self>,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => {
                if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.queue {
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    return Err(Error::new(
                        Reason::OverloadWorkers,
                        format!("{} plain handlers run and {} wait already", self.threads, self.queue),
                    ));
                }
                let _waiting = Waiting(&self.waiting);
                let acquired = self.permits.acquire().await;
                acquired.map_err(|_| Error::new(Reason::ClosedLocal, "the server has ended"))?
            }
        };
        permit.forget();
        // Made here: a runtime that ends drops the work without beginning it.
        let permit = Returned(self.clone());
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        match done.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::new(Reason::ClosedLocal, "the server's runtime has ended")),
            },
        }
    }
}

/// Gives a permit back when the work has ended, however it ended: the thread is busy until then.
struct Returned(Arc<Workers>);

impl Drop for Returned {
    fn drop(&mut self) {
        self.0.permits.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    /// Work that a runtime no longer begins is dropped, and its place with it.
    #[test]
    fn a_runtime_that_has_ended_keeps_no_place() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let handle = runtime.handle().clone();
        runtime.shutdown_background();
        let workers = Arc::new(Workers::new(1, 0));
        let _inside = handle.enter();
        let mut work = Box::pin(workers.clone().run(|| Ok(())));
        let Poll::Ready(Err(error)) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("it runs on a runtime that has ended")
        };
        assert_eq!(error.reason(), Reason::ClosedLocal);
        assert_eq!(workers.permits.available_permits(), 1);
    }
}
