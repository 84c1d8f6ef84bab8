//! The closed loop: `concurrency` tasks on tokio, each making one call after the other on connection `i % conns`.

use crate::{Opts, recorder, report};
use std::future::Future;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};

/// Calls on one connection; cloned once per caller.
pub trait Caller: Clone + Send + 'static {
    /// One whole call: encode, send, await, decode and check the reply.
    fn call(&mut self) -> impl Future<Output = Result<(), String>> + Send;
}

/// A runtime as the options ask: `--rt mt` (the default) with `--threads N` workers (one per core if not given), or
/// `--rt ct`, a current-thread runtime.
///
/// # Panics
///
/// If the system refuses the runtime's threads or descriptors.
#[must_use]
pub fn runtime(opts: &Opts) -> Runtime {
    let mut builder = if opts.is("rt", "ct") {
        Builder::new_current_thread()
    } else {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(opts.num("threads", cores).max(1));
        builder
    };
    builder.enable_all().build().expect("start a tokio runtime")
}

/// Calls until the window has ended, recording each latency. A failed call is followed by a pause of 5 ms.
pub async fn caller_loop(mut caller: impl Caller) {
    let mut began = Instant::now();
    while recorder::running() {
        let result = caller.call().await;
        let now = Instant::now();
        match result {
            Ok(()) => recorder::record(now.duration_since(began).as_nanos().try_into().unwrap_or(u64::MAX)),
            Err(e) => {
                recorder::error(e);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        began = now;
    }
}

/// The client of a peer: makes a [`runtime`], connects `--conns` times with `connect`, runs the callers, prints the
/// report. `connect` is given the number of the connection.
pub fn run_client<C, F, Fut>(opts: &Opts, connect: F) -> ExitCode
where
    C: Caller,
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Result<C, String>> + Send + 'static,
{
    let runtime = runtime(opts);
    let handle = runtime.handle().clone();
    // a current-thread runtime makes progress only inside block_on
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    for i in 0..opts.conns {
        match on(&handle, connect(i)) {
            Ok(caller) => {
                for _ in 0..opts.callers_on(i) {
                    handle.spawn(caller_loop(caller.clone()));
                }
            }
            Err(e) => {
                eprintln!("connection {i}: {e}");
                return ExitCode::FAILURE;
            }
        }
    }
    report::finish(opts)
}

/// Connects where the connection will live.
fn on<C: Send + 'static>(
    handle: &Handle,
    connecting: impl Future<Output = Result<C, String>> + Send + 'static,
) -> Result<C, String> {
    let (tx, rx) = mpsc::sync_channel(1);
    handle.spawn(async move { tx.send(connecting.await) });
    rx.recv().unwrap_or_else(|_| Err("connecting panicked".into()))
}
