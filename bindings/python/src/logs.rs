//! The library's events for `logging`. They are told on the library's own threads, which must not take the interpreter lock,
//! so they wait in a queue for a thread of Python.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use pyo3::prelude::*;
use rpcx_embed::Queue;
use rpcx_embed::logs::{self, Level};

/// An event: level, part of the library, text.
type Told = (u8, String, String);

/// Bounded by what the library tells: at most a hundred events a second, and the thread that takes them only logs.
static EVENTS: LazyLock<Arc<Queue<Told>>> = LazyLock::new(Queue::blocking);

/// Has the library tell events of this level and above: 1 error, 2 warning, 3 info, 4 debug, 5 trace; 0: none.
#[pyfunction]
pub(crate) fn set_logs(level: u8) {
    let level = match level {
        0 => return logs::clear(),
        1 => Level::Error,
        2 => Level::Warn,
        3 => Level::Info,
        4 => Level::Debug,
        _ => Level::Trace,
    };
    let events = EVENTS.clone();
    logs::set(level, move |record| {
        events.push((record.level as u8, record.target.to_owned(), record.message.to_owned()))
    });
}

/// Waits up to a second for events and takes them.
#[pyfunction]
pub(crate) fn take_logs(py: Python<'_>) -> Vec<Told> {
    let mut told = Vec::new();
    py.detach(|| {
        if EVENTS.wait(Some(Duration::from_secs(1))) {
            EVENTS.drain(&mut told, usize::MAX);
        }
    });
    told
}
