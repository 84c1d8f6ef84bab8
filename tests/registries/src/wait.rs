//! Waiting for what must come true.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a test waits for anything, on a machine that may be busy with others.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Runs a test on a runtime of its own.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let result = runtime.block_on(test);
    runtime.shutdown_timeout(Duration::from_secs(5));
    result
}

/// Asks again and again until there is an answer; gives it with the time that it took.
///
/// # Panics
/// After [`LIMIT`].
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> (T, Duration) {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return (answer, began.elapsed());
        }
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until it is true; gives the time that it took.
///
/// # Panics
/// After [`LIMIT`].
pub async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) -> Duration {
    until(what, async || ask().await.then_some(())).await.1
}
