//! What servers push to a client. Few messages wait here, each holding a place until it is read: the others wait in the
//! client's own queue, whose options bound it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use rpcx_embed::{Client, HeldPush, Push, Queue};

use crate::bridge::{Bridge, Event};
use crate::convert;
use crate::error::{Failure, raise};
use crate::wait::{CHECK, check};

/// Most messages that are taken out of the client's queue before somebody asks for them.
const AHEAD: usize = 64;

#[derive(Default)]
struct State {
    messages: VecDeque<HeldPush>,
    /// The client hands messages on.
    asked: bool,
    closed: bool,
    /// Futures of loops that wait for a message.
    waiting: Vec<(Arc<Queue<Event>>, Py<PyAny>)>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    come: Condvar,
}

/// The messages that servers push to a client.
#[pyclass(frozen, module = "rpcx._rpcx")]
pub(crate) struct Pushes {
    client: Client,
    shared: Arc<Shared>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On a shard: keeps what came; `None`: no more will.
    fn take(&self, push: Option<HeldPush>) {
        let waiting = {
            let mut state = self.lock();
            match push {
                Some(push) => state.messages.push_back(push),
                None => state.closed = true,
            }
            std::mem::take(&mut state.waiting)
        };
        self.come.notify_all();
        for (queue, future) in waiting {
            queue.push(Event::Done(future, Ok(())));
        }
    }
}

impl Pushes {
    pub(crate) fn new(client: Client) -> Pushes {
        Pushes { client, shared: Arc::default() }
    }

    /// Has the client hand messages on, from the first time that somebody asks for one.
    fn ask(&self) -> rpcx_embed::Result<()> {
        if std::mem::replace(&mut self.shared.lock().asked, true) {
            return Ok(());
        }
        let shared = self.shared.clone();
        self.client.take_held(AHEAD, move |push| {
            shared.take(push);
            true
        })
    }

    fn shown<'py>(py: Python<'py>, push: &Push) -> PyResult<Bound<'py, PyTuple>> {
        let payload = PyBytes::new(py, &push.payload());
        let metadata = convert::dict(py, &push.metadata())?;
        (push.service(), push.method(), metadata, payload, push.serialize_type().get(), push.server()).into_pyobject(py)
    }
}

#[pymethods]
impl Pushes {
    /// The next message as `(service, method, metadata, payload, serialize type, server)`; false when none has come, `None`
    /// when none will.
    fn pop<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.ask().map_err(raise)?;
        let (push, closed) = {
            let mut state = self.shared.lock();
            (state.messages.pop_front(), state.closed)
        };
        match push {
            Some(held) => Ok(Some(Pushes::shown(py, &held.push)?.into_any())),
            None if closed => Ok(None),
            None => Ok(Some(pyo3::types::PyBool::new(py, false).to_owned().into_any())),
        }
    }

    /// Ends the future when a message has come or none will; at once if so already.
    fn start_wait(&self, bridge: &Bound<'_, Bridge>, future: Py<PyAny>) -> PyResult<()> {
        let queue = bridge.get().queue();
        let mut state = self.shared.lock();
        if state.messages.is_empty() && !state.closed {
            state.waiting.push((queue.clone(), future));
        } else {
            drop(state);
            queue.push(Event::Done(future, Ok(())));
        }
        Ok(())
    }

    /// Waits until a message has come or none will; false when the time was up before.
    #[pyo3(signature = (seconds=None))]
    fn wait(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<bool> {
        let limit = seconds.map(|seconds| convert::seconds("timeout", seconds)).transpose()?;
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let come = py.detach(|| {
            let mut state = self.shared.lock();
            while state.messages.is_empty() && !state.closed {
                let left = until.map_or(CHECK, |until| until.saturating_duration_since(Instant::now()).min(CHECK));
                if left.is_zero() {
                    return Ok(false);
                }
                state = self.shared.come.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                if state.messages.is_empty() {
                    drop(state);
                    check()?;
                    state = self.shared.lock();
                }
            }
            Ok::<bool, Failure>(true)
        })?;
        Ok(come)
    }
}
