//! What tests wait by, in more than one of the programs here: a deadline for each, and conditions that must come true.

use std::future::Future;
use std::time::{Duration, Instant};

/// Longer than anything here takes: whatever lasts so long hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Runs a test on a runtime of its own. It fails, instead of hanging, when it takes too long.
#[track_caller]
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, test).await.expect("the test hangs") })
}

/// Waits until something is so. Conditions that nobody signals are looked at every millisecond.
#[track_caller]
pub(crate) fn eventually(what: &'static str, mut is_so: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let until = Instant::now() + LIMIT;
    async move {
        while !is_so() {
            assert!(Instant::now() < until, "{what}: not so after {LIMIT:?}");
            tokio::time::sleep(ms(1)).await;
        }
    }
}
