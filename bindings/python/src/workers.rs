//! The threads for plain handlers: who takes the next request.
//!
//! Under the interpreter lock a second thread helps only while the first one waits for something, and every hand-over costs
//! more than a quick handler. So one thread takes request after request; another joins when none was taken for a while
//! though some wait, and goes on as long as there is work. A thread that has nothing to do watches for that.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use rpcx_embed::{AuthRequest as Asked, Error, Reason};

use crate::request::{AuthRequest, Request};

/// How long requests wait for the threads at work before another joins them.
const STALLED: Duration = Duration::from_micros(500);

/// What a thread is given.
pub(crate) enum Item {
    Request(Arc<Py<PyAny>>, rpcx_embed::Request),
    Auth(Arc<Py<PyAny>>, Asked),
}

impl Item {
    /// Nobody waits for the answer any more.
    fn is_cancelled(&self) -> bool {
        matches!(self, Item::Request(_, request) if request.is_cancelled())
    }

    fn refuse(self, queue: usize) {
        let text = || format!("all threads for plain handlers are busy and {queue} requests wait for one");
        match self {
            Item::Request(_, request) => request.answer(Err(Error::new(Reason::OverloadWorkers, text()))),
            Item::Auth(_, asked) => asked.answer(Err(Error::new(Reason::OverloadWorkers, text()))),
        }
    }
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    /// Threads that there are.
    threads: usize,
    /// Threads with a request.
    busy: usize,
    /// Threads that wait.
    idle: usize,
    /// Requests taken so far.
    taken: u64,
    /// A thread looks whether the others get on.
    watched: bool,
    closed: bool,
}

/// The queue before the threads.
pub(crate) struct Pool {
    state: Mutex<State>,
    come: Condvar,
    most_threads: usize,
    most_waiting: usize,
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request has come, on a shard.
    pub(crate) fn push(&self, item: Item) {
        let mut state = self.lock();
        let free = self.most_threads.saturating_sub(state.busy);
        if state.closed || state.items.len() >= self.most_waiting + free {
            drop(state);
            return item.refuse(self.most_waiting);
        }
        state.items.push_back(item);
        let wake = state.idle > 0 && (state.busy == 0 || !state.watched);
        drop(state);
        if wake {
            self.come.notify_one();
        }
    }

    /// The next request without waiting; what nobody waits for any more is left out.
    fn pop(state: &mut State) -> Option<Item> {
        while let Some(item) = state.items.pop_front() {
            if !item.is_cancelled() {
                state.busy += 1;
                state.taken = state.taken.wrapping_add(1);
                return Some(item);
            }
        }
        None
    }

    /// Waits for a request that this thread should take; `None` when the pool is closed.
    fn wait(&self) -> Option<Item> {
        let mut state = self.lock();
        loop {
            if state.items.is_empty() {
                if state.closed {
                    return None;
                }
                state.idle += 1;
                state = self.come.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            }
            if state.busy > 0 && !state.watched {
                let taken = state.taken;
                state.watched = true;
                state.idle += 1;
                state = self.come.wait_timeout(state, STALLED).unwrap_or_else(PoisonError::into_inner).0;
                state.idle -= 1;
                state.watched = false;
                if state.taken != taken {
                    continue;
                }
            } else if state.busy > 0 {
                state.idle += 1;
                state = self.come.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            }
            if let Some(item) = Pool::pop(&mut state) {
                if !state.items.is_empty() && state.idle > 0 {
                    // The next one to watch.
                    self.come.notify_one();
                }
                return Some(item);
            }
        }
    }
}

/// Gives requests to the threads that ask for them.
#[pyclass(frozen, module = "rpcx._rpcx")]
pub(crate) struct Workers(Arc<Pool>);

#[pymethods]
impl Workers {
    /// At most so many threads, and so many requests that wait for one.
    #[new]
    fn new(threads: usize, waiting: usize) -> Workers {
        Workers(Arc::new(Pool {
            state: Mutex::default(),
            come: Condvar::new(),
            most_threads: threads,
            most_waiting: waiting,
        }))
    }

    /// The next request for a thread; `None` ends the thread. `did`: it has done what it was given before.
    ///
    /// Runs no Python but constructors of its own: a thread that asks for the interpreter lock while the interpreter ends is
    /// unwound by CPython up to 3.13, which frames of Rust do not survive.
    fn next<'py>(&self, py: Python<'py>, did: bool) -> PyResult<Option<Bound<'py, PyAny>>> {
        let ready = {
            let mut state = self.0.lock();
            state.busy -= usize::from(did);
            Pool::pop(&mut state)
        };
        let item = match ready {
            Some(item) => Some(item),
            None => py.detach(|| self.0.wait()),
        };
        Ok(Some(match item {
            None => {
                self.0.lock().threads -= 1;
                return Ok(None);
            }
            Some(Item::Request(entry, request)) => Bound::new(py, Request::new(entry, request))?.into_any(),
            Some(Item::Auth(entry, asked)) => Bound::new(py, AuthRequest::new(entry, asked))?.into_any(),
        }))
    }

    /// Whether whoever has just taken a request shall start another thread, since none is left to wait for the next one. It is
    /// counted already.
    fn needs_another(&self) -> bool {
        let mut state = self.0.lock();
        let lonely = state.idle == 0 && state.threads < self.0.most_threads && !state.closed;
        state.threads += usize::from(lonely);
        lonely
    }

    /// A thread that was counted could not be started.
    fn not_started(&self) {
        self.0.lock().threads -= 1;
    }

    /// Counts a first thread that is about to start; false when there is one already.
    fn begin(&self) -> bool {
        let mut state = self.0.lock();
        let first = state.threads == 0;
        state.threads += usize::from(first);
        first
    }

    /// Ends the threads once the queue is empty; later requests are refused.
    fn close(&self) {
        self.0.lock().closed = true;
        self.0.come.notify_all();
    }
}

impl Workers {
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.0
    }
}
