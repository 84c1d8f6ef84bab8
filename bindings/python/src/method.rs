//! A method to call, and the ways to call it.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rpcx_embed::{CallOptions, Kind, Running};

use crate::bridge::{Bridge, Event};
use crate::cancellation::{Cancellation, Ticket};
use crate::convert;
use crate::error::{Failure, raise};
use crate::options::Options;
use crate::wait::{check, wait};

/// The kinds by their number in Python: 0 a call, 1 broadcast, 2 fork.
fn kind(number: u8) -> Kind {
    match number {
        1 => Kind::Broadcast,
        2 => Kind::Fork,
        _ => Kind::Call,
    }
}

/// A method of a service, looked up once.
#[pyclass(frozen, module = "rpcx._rpcx")]
pub(crate) struct Method(pub(crate) rpcx_embed::Method);

#[pymethods]
impl Method {
    /// Starts a call whose end the loop's bridge gives to `future`: the payload alone, or with `full` all of the reply.
    #[pyo3(signature = (bridge, future, payload, options=None, kind=0, full=false, cancel=None))]
    #[expect(clippy::too_many_arguments, reason = "each is one of the call's own")]
    fn start(
        &self,
        bridge: &Bound<'_, Bridge>,
        future: Py<PyAny>,
        payload: &Bound<'_, PyBytes>,
        options: Option<&Bound<'_, Options>>,
        kind: u8,
        full: bool,
        cancel: Option<&Bound<'_, Cancellation>>,
    ) -> PyResult<Call> {
        let queue = bridge.get().queue().clone();
        let done = move |result| {
            queue.push(if full { Event::Reply(future, result) } else { Event::Payload(future, result) });
        };
        let kind = self::kind(kind);
        Call::new(self.0.start(kind, convert::payload(payload), Options::of(options), done), cancel)
    }

    /// Starts a call to every server; the future gets a list of `(server, reply or exception)`.
    #[pyo3(signature = (bridge, future, payload, options=None, cancel=None))]
    fn start_inform(
        &self,
        bridge: &Bound<'_, Bridge>,
        future: Py<PyAny>,
        payload: &Bound<'_, PyBytes>,
        options: Option<&Bound<'_, Options>>,
        cancel: Option<&Bound<'_, Cancellation>>,
    ) -> PyResult<Call> {
        let queue = bridge.get().queue().clone();
        let done = move |result| queue.push(Event::Inform(future, result));
        Call::new(self.0.start_inform(convert::payload(payload), Options::of(options), done), cancel)
    }

    /// Starts to send a request that is never answered; the future ends when the connection has taken it.
    #[pyo3(signature = (bridge, future, payload, options=None, cancel=None))]
    fn start_oneway(
        &self,
        bridge: &Bound<'_, Bridge>,
        future: Py<PyAny>,
        payload: &Bound<'_, PyBytes>,
        options: Option<&Bound<'_, Options>>,
        cancel: Option<&Bound<'_, Cancellation>>,
    ) -> PyResult<Call> {
        let queue = bridge.get().queue().clone();
        let done = move |result| queue.push(Event::Done(future, result));
        Call::new(self.0.start_oneway(convert::payload(payload), Options::of(options), done), cancel)
    }

    /// Sends a request that is never answered and does not wait for a connection.
    #[pyo3(signature = (payload, options=None))]
    fn oneshot(&self, payload: &Bound<'_, PyBytes>, options: Option<&Bound<'_, Options>>) -> PyResult<()> {
        self.0.oneshot(convert::payload(payload), &Options::of(options)).map_err(raise)
    }

    /// Makes a call and waits for it without the interpreter lock.
    #[pyo3(signature = (payload, options=None, kind=0, full=false, cancel=None))]
    fn call<'py>(
        &self,
        py: Python<'py>,
        payload: &Bound<'py, PyBytes>,
        options: Option<&Bound<'py, Options>>,
        kind: u8,
        full: bool,
        cancel: Option<&Bound<'py, Cancellation>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (payload, options, kind) = (convert::payload(payload), Options::of(options), self::kind(kind));
        let cancel = cancel.map(Bound::get);
        let reply = py.detach(|| match cancel {
            None => self.0.call_driving(kind, payload, options, check),
            Some(_) => wait(cancel, |done| self.0.start(kind, payload, options, done)),
        })?;
        if full {
            return Ok(convert::reply(py, &reply)?.into_any());
        }
        Ok(PyBytes::new(py, &reply.payload).into_any())
    }

    /// As `start_inform`, waiting.
    #[pyo3(signature = (payload, options=None, cancel=None))]
    fn inform<'py>(
        &self,
        py: Python<'py>,
        payload: &Bound<'py, PyBytes>,
        options: Option<&Bound<'py, Options>>,
        cancel: Option<&Bound<'py, Cancellation>>,
    ) -> PyResult<Vec<(String, Bound<'py, PyAny>)>> {
        let (payload, options) = (convert::payload(payload), Options::of(options));
        let cancel = cancel.map(Bound::get);
        let answers = py.detach(|| wait(cancel, |done| self.0.start_inform(payload, options, done)))?;
        convert::replies(py, answers)
    }

    /// As `start_oneway`, waiting.
    #[pyo3(signature = (payload, options=None, cancel=None))]
    fn oneway<'py>(
        &self,
        py: Python<'py>,
        payload: &Bound<'py, PyBytes>,
        options: Option<&Bound<'py, Options>>,
        cancel: Option<&Bound<'py, Cancellation>>,
    ) -> PyResult<()> {
        let (payload, options) = (convert::payload(payload), Options::of(options));
        let cancel = cancel.map(Bound::get);
        py.detach(|| wait(cancel, |done| self.0.start_oneway(payload, options, done)))?;
        Ok(())
    }

    /// Makes several calls at once and waits for all: `(method, payload, options, cancel)` each, answers in the same order.
    #[staticmethod]
    fn batch<'py>(py: Python<'py>, calls: Vec<Given<'py>>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let taken = calls.iter().map(|(method, payload, options, cancel)| Taken {
            method: method.get().0.clone(),
            payload: convert::payload(payload),
            options: Options::of(options.as_ref()),
            cancel: cancel.as_ref().map(Bound::get),
        });
        let taken: Vec<Taken<'_>> = taken.collect();
        let results = py.detach(|| all(taken))?;
        results
            .into_iter()
            .map(|result| {
                Ok(match result {
                    Ok(reply) => convert::reply(py, &reply)?.into_any(),
                    Err(error) => crate::error::exception(py, &error).into_value(py).into_bound(py).into_any(),
                })
            })
            .collect()
    }
}

/// A call of a batch as Python gives it.
type Given<'py> =
    (Bound<'py, Method>, Bound<'py, PyBytes>, Option<Bound<'py, Options>>, Option<Bound<'py, Cancellation>>);

/// The same without Python.
struct Taken<'a> {
    method: rpcx_embed::Method,
    payload: rpcx_embed::Bytes,
    options: CallOptions,
    cancel: Option<&'a Cancellation>,
}

type Results = Vec<rpcx_embed::Result<rpcx_embed::Reply>>;

/// Starts all of the calls, then waits for all.
fn all(calls: Vec<Taken<'_>>) -> Result<Results, Failure> {
    let queue = rpcx_embed::Queue::blocking();
    let count = calls.len();
    let mut results: Vec<Option<rpcx_embed::Result<rpcx_embed::Reply>>> = Vec::new();
    results.resize_with(count, || None);
    let mut watched: Vec<(Running, Option<Ticket>)> = Vec::with_capacity(count);
    for (index, Taken { method, payload, options, cancel }) in calls.into_iter().enumerate() {
        let ended = queue.clone();
        match method.start(Kind::Call, payload, options, move |result| ended.push((index, result))) {
            Ok(running) => {
                let ticket = cancel.map(|cancel| cancel.watch(running.clone()));
                watched.push((running, ticket));
            }
            Err(error) => results[index] = Some(Err(error)),
        }
    }
    let mut left = watched.len();
    let mut came = Vec::new();
    while left > 0 {
        if queue.wait(Some(crate::wait::CHECK)) {
            queue.drain(&mut came, usize::MAX);
            left -= came.len();
            came.drain(..).for_each(|(index, result)| results[index] = Some(result));
        } else if let Err(failure) = check() {
            watched.iter().for_each(|(running, _)| running.cancel());
            return Err(failure);
        }
    }
    Ok(results.into_iter().flatten().collect())
}

/// A call under way.
#[pyclass(frozen, module = "rpcx._rpcx")]
pub(crate) struct Call {
    running: Running,
    _watched: Option<Ticket>,
}

impl Call {
    pub(crate) fn new(
        running: rpcx_embed::Result<Running>,
        cancel: Option<&Bound<'_, Cancellation>>,
    ) -> PyResult<Call> {
        let running = running.map_err(raise)?;
        let watched = cancel.map(|cancel| cancel.get().watch(running.clone()));
        Ok(Call { running, _watched: watched })
    }
}

#[pymethods]
impl Call {
    /// Ends the call unless it has ended.
    fn cancel(&self) {
        self.running.cancel();
    }
}
