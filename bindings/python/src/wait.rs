//! Waiting without the interpreter lock, while signals are still seen.

use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use pyo3::prelude::*;
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

static MAIN: Mutex<Option<ThreadId>> = Mutex::new(None);

/// Says that signals are handled on this thread.
#[pyfunction]
pub(crate) fn mark_main_thread() {
    *MAIN.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current().id());
}

fn is_main_thread() -> bool {
    *MAIN.lock().unwrap_or_else(PoisonError::into_inner) == Some(std::thread::current().id())
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
