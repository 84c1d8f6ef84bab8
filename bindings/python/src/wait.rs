//! Waiting without the interpreter lock, while signals are still seen.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use rpcx_embed::{Queue, Result, Running};

use crate::cancellation::Cancellation;
use crate::error::Failure;

/// How often a thread that waits looks for signals.
pub(crate) const CHECK: Duration = Duration::from_millis(100);

/// Looks for signals such as Ctrl-C. Only the main thread handles them, so only it takes the interpreter lock for that.
pub(crate) fn check() -> std::result::Result<(), Failure> {
    if !is_main_thread() {
        return Ok(());
    }
    Python::attach(|py| py.check_signals()).map_err(Failure::Python)
}

/// The thread that signals are handled on, as `threading.get_ident` has it; zero: none is known.
static MAIN: AtomicU64 = AtomicU64::new(0);

/// Says that signals are handled on this thread: in a forked child, where the thread that forked is the main one.
#[pyfunction]
pub(crate) fn mark_main_thread() {
    MAIN.store(this_thread(), Ordering::Relaxed);
}

/// Finds out which thread handles signals, whichever imports this first.
pub(crate) fn watch_main_thread(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let main = py.import("threading")?.call_method0("main_thread")?.getattr("ident")?;
    MAIN.store(main.extract::<Option<u64>>()?.unwrap_or_default(), Ordering::Relaxed);
    let after = PyDict::new(py);
    after.set_item("after_in_child", module.getattr("mark_main_thread")?)?;
    py.import("os")?.call_method("register_at_fork", (), Some(&after))?;
    Ok(())
}

fn this_thread() -> u64 {
    // SAFETY: asks for nothing but the thread's own handle.
    unsafe { libc::pthread_self() as u64 }
}

fn is_main_thread() -> bool {
    MAIN.load(Ordering::Relaxed) == this_thread()
}

/// Starts something with a `done` and waits for it; `cancel` ends it from another thread.
pub(crate) fn wait<T: Send + 'static>(
    cancel: Option<&Cancellation>,
    start: impl FnOnce(Box<dyn FnOnce(Result<T>) + Send>) -> Result<Running>,
) -> std::result::Result<T, Failure> {
    let queue = Queue::blocking();
    let ended = queue.clone();
    let running = start(Box::new(move |result| ended.push(result)))?;
    let _watched = cancel.map(|cancel| cancel.watch(running.clone()));
    let mut results = Vec::new();
    loop {
        if queue.wait(Some(CHECK)) {
            queue.drain(&mut results, 1);
        }
        if let Some(result) = results.pop() {
            return result.map_err(Failure::Call);
        }
        if let Err(failure) = check() {
            running.cancel();
            return Err(failure);
        }
    }
}
