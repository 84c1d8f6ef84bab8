//! What the tests share: one at a time, with a deadline, and the ways in which calls end.

use bytes::Bytes;
use rpcx::Client;
use rpcx::client::{ClientBuilder, Service};
use rpcx::codec::Raw;
use rpcx::error::{Delivery, Error, Result};
use rpcx_faults::{Held, Victim, held};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_rpcx-faults-victim");
/// Whatever lasts so long hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// What a busy machine may add.
pub(crate) const MARGIN: Duration = Duration::from_millis(1500);

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Runs one test at a time, since they count what this process holds, and on a runtime of its own, whose end lets go of it.
pub(crate) fn run(test: impl Future<Output = ()>) {
    run_within(LIMIT, test);
}

pub(crate) fn run_within(limit: Duration, test: impl Future<Output = ()>) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(limit, test).await.expect("the test hangs") });
    drop(runtime);
}

pub(crate) fn victim(options: &[&str]) -> Victim {
    Victim::start(PROGRAM, options).unwrap()
}

/// A client that notices silence soon.
pub(crate) fn client(to: &str) -> ClientBuilder {
    Client::builder()
        .discovery_url(to)
        .option("heartbeat_interval", "100ms")
        .option("heartbeat_timeout", "300ms")
        .option("stuck_timeout", "200ms")
        .option("write_timeout", "500ms")
        .option("connect_timeout", "2s")
        .option("time_to_disallow", "0")
        .option("retries", "0")
        .option("timeout", "10s")
}

pub(crate) fn raw(client: &Client) -> Service<Raw> {
    client.service("T").unwrap().raw()
}

pub(crate) async fn call(service: &Service<Raw>, method: &str, payload: &[u8]) -> Result<Bytes> {
    service.call(method, payload).await
}

/// Waits until something is so.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let until = Instant::now() + Duration::from_secs(15);
    while !is_so().await {
        assert!(Instant::now() < until, "{what}: not so in time");
        tokio::time::sleep(ms(5)).await;
    }
}

/// Begins this many calls that wait and returns how they and their time ended.
pub(crate) async fn waiting(
    service: &Service<Raw>,
    count: usize,
) -> Vec<tokio::task::JoinHandle<(Result<Bytes>, Instant)>> {
    assert!(call(service, "Echo", b"first").await.is_ok());
    let polled = Arc::new(AtomicUsize::new(0));
    let begun = (0..count).map(|_| {
        let (service, polled) = (service.clone(), polled.clone());
        tokio::spawn(async move {
            let mut call = std::pin::pin!(call(&service, "Hold", b""));
            let mut first = true;
            let result = std::future::poll_fn(|cx| {
                let result = call.as_mut().poll(cx);
                if std::mem::take(&mut first) {
                    polled.fetch_add(1, Ordering::SeqCst);
                }
                result
            });
            (result.await, Instant::now())
        })
    });
    let begun = begun.collect();
    eventually("every call has begun", || async { polled.load(Ordering::SeqCst) == count }).await;
    // Behind them on the same connection: they have left.
    assert!(call(service, "Echo", b"behind").await.is_ok());
    begun
}

pub(crate) async fn all_fail(
    calls: Vec<tokio::task::JoinHandle<(Result<Bytes>, Instant)>>,
    before: Instant,
    expected: impl Fn(&Error) -> bool,
) {
    for call in calls {
        let (result, at) = call.await.unwrap();
        let error = result.expect_err("nobody answered");
        assert!(expected(&error) && error.delivery() == Delivery::MaybeRun, "{error:?}");
        assert!(at < before + MARGIN, "{:?} late", at - before);
    }
}

pub(crate) async fn recovers(service: &Service<Raw>) {
    eventually("calls succeed again", || async { call(service, "Echo", b"again").await.is_ok() }).await;
}

/// What is held must come down to what it was, memory but for a fixed bound.
pub(crate) async fn comes_down(process: u32, before: Held, memory_kib: usize) {
    eventually("descriptors and memory come down", || async {
        let now = held(process).unwrap();
        now.descriptors <= before.descriptors && now.memory_kib <= before.memory_kib + memory_kib
    })
    .await;
}
