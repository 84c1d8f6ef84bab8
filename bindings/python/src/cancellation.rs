//! A handle by which any thread ends calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use rpcx_embed::Running;

#[derive(Default)]
struct State {
    cancelled: bool,
    next: u64,
    running: HashMap<u64, Running>,
}

/// The calls that it was given to, as long as they run.
#[pyclass(frozen, module = "rpcx._rpcx")]
#[derive(Default)]
pub(crate) struct Cancellation {
    state: Arc<Mutex<State>>,
}

#[pymethods]
impl Cancellation {
    #[new]
    fn new() -> Cancellation {
        Cancellation::default()
    }

    /// Ends every call that this was given to, and those that it is given to later.
    fn cancel(&self) {
        let running = {
            let mut state = lock(&self.state);
            state.cancelled = true;
            std::mem::take(&mut state.running)
        };
        running.values().for_each(Running::cancel);
    }

    /// Whether it was used.
    #[getter]
    fn cancelled(&self) -> bool {
        lock(&self.state).cancelled
    }
}

impl Cancellation {
    /// Has the call ended with this, as long as the ticket lives.
    pub(crate) fn watch(&self, running: Running) -> Ticket {
        let mut state = lock(&self.state);
        if state.cancelled {
            drop(state);
            running.cancel();
            return Ticket(None);
        }
        let number = state.next;
        state.next += 1;
        state.running.insert(number, running);
        Ticket(Some((self.state.clone(), number)))
    }
}

/// A call's place in a [`Cancellation`].
pub(crate) struct Ticket(Option<(Arc<Mutex<State>>, u64)>);

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some((state, number)) = self.0.take() {
            lock(&state).running.remove(&number);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
