//! The way from shards to an event loop: a queue behind a descriptor that the loop watches.
//!
//! One crossing takes all that has come: futures get their results here, requests are handed over as one list. While much
//! comes the loop drives the shard itself ([`LoopGuest`]), and no thread is woken at all.

use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::IntoPyObjectExt;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use rpcx_embed::{AuthRequest as Asked, EventFd, InformReply, LoopGuest, Queue, Reply, Result, Watch};

use crate::convert;
use crate::error;
use crate::request::{AuthRequest, Request};
use crate::server::Server;

/// Most events of one turn of the loop; others on the loop have a right to theirs.
const BATCH: usize = 1024;

/// What waits for an event loop.
pub(crate) enum Event {
    /// A call that wanted nothing but the payload.
    Payload(Py<PyAny>, Result<Reply>),
    /// A call that wanted all of the reply.
    Reply(Py<PyAny>, Result<Reply>),
    /// Something that ends without a value.
    Done(Py<PyAny>, Result<()>),
    /// What each server answered.
    Inform(Py<PyAny>, Result<Vec<InformReply>>),
    /// A server that has started.
    Started(Py<PyAny>, Result<rpcx_embed::Server>),
    /// A request for a handler on the loop.
    Request(Arc<Py<PyAny>>, rpcx_embed::Request),
    /// A token to be judged.
    Auth(Arc<Py<PyAny>>, Asked),
    /// Nobody waits for the answer to a request any more: the function to tell.
    Cancelled(Py<PyAny>),
}

/// The completion queue of one event loop.
#[pyclass(frozen, module = "rpcx._rpcx")]
pub(crate) struct Bridge {
    queue: Arc<Queue<Event>>,
    event: Arc<EventFd>,
    guest: Arc<LoopGuest>,
    /// The list that is drained into, kept for its capacity.
    spare: Mutex<Vec<Event>>,
}

#[pymethods]
impl Bridge {
    #[new]
    fn new() -> PyResult<Bridge> {
        let event = Arc::new(EventFd::new()?);
        let guest = Arc::new(LoopGuest::new(event.clone()));
        let announcing = guest.clone();
        Ok(Bridge { queue: Queue::new(move || announcing.announce()), event, guest, spare: Mutex::default() })
    }

    /// The descriptor to watch for reading.
    fn fileno(&self) -> i32 {
        self.event.fd()
    }

    /// The descriptor is readable: gives futures their results and calls what was cancelled; returns the requests that
    /// came, in order, if any did. `watch(fd, begin)` is called when the loop is to watch another descriptor for `turn`.
    fn drain<'py>(&self, py: Python<'py>, watch: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyList>>> {
        self.event.clear();
        self.follow(watch, self.guest.heard())?;
        self.deliver(py)
    }

    /// The other descriptor is readable: the same, after the shard had its turn.
    fn turn<'py>(&self, py: Python<'py>, watch: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyList>>> {
        // Other threads of Python go on meanwhile: there may be much to decompress.
        let change = py.detach(|| self.guest.turn());
        self.follow(watch, change)?;
        self.deliver(py)
    }

    /// Ends it: what comes later is dropped.
    fn close(&self) {
        self.queue.close();
    }
}

impl Bridge {
    pub(crate) fn queue(&self) -> &Arc<Queue<Event>> {
        &self.queue
    }

    fn follow(&self, watch: &Bound<'_, PyAny>, change: Option<Watch>) -> PyResult<()> {
        match change {
            None => {}
            Some(Watch::Begin(fd)) => drop(watch.call1((fd, true))?),
            Some(Watch::End(fd)) => drop(watch.call1((fd.as_raw_fd(), false))?),
        }
        Ok(())
    }

    fn deliver<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let mut events = std::mem::take(&mut *self.spare.lock().unwrap_or_else(PoisonError::into_inner));
        if self.queue.drain(&mut events, BATCH) {
            self.event.signal();
        }
        let mut requests = None;
        for event in events.drain(..) {
            event.deliver(py, &mut requests)?;
        }
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = events;
        Ok(requests)
    }
}

impl Event {
    fn deliver<'py>(self, py: Python<'py>, requests: &mut Option<Bound<'py, PyList>>) -> PyResult<()> {
        match self {
            Event::Payload(future, Ok(reply)) => resolve(py, &future, PyBytes::new(py, &reply.payload)),
            Event::Reply(future, Ok(reply)) => resolve(py, &future, convert::reply(py, &reply)?),
            Event::Done(future, Ok(())) => resolve(py, &future, py.None()),
            Event::Inform(future, Ok(answers)) => resolve(py, &future, convert::replies(py, answers)?),
            Event::Started(future, Ok(server)) => resolve(py, &future, Server::from(server)),
            Event::Payload(future, Err(error))
            | Event::Reply(future, Err(error))
            | Event::Done(future, Err(error))
            | Event::Inform(future, Err(error))
            | Event::Started(future, Err(error)) => {
                let exception = error::exception(py, &error);
                ignore(future.bind(py).call_method1(intern!(py, "set_exception"), (exception,)));
            }
            Event::Request(entry, request) => {
                requests.get_or_insert_with(|| PyList::empty(py)).append(Request::new(entry, request))?;
            }
            Event::Auth(entry, request) => {
                requests.get_or_insert_with(|| PyList::empty(py)).append(AuthRequest::new(entry, request))?;
            }
            Event::Cancelled(tell) => ignore(tell.bind(py).call0()),
        }
        Ok(())
    }
}

fn resolve<'py>(py: Python<'py>, future: &Py<PyAny>, value: impl IntoPyObject<'py>) {
    if let Ok(value) = value.into_bound_py_any(py) {
        ignore(future.bind(py).call_method1(intern!(py, "set_result"), (value,)));
    }
}

/// A future whose task was cancelled takes no result, nor does one of a closed loop: nobody waits for either.
fn ignore(result: PyResult<Bound<'_, PyAny>>) {
    drop(result);
}
