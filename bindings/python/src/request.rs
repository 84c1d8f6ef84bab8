//! Requests of a server, tokens to be judged, and connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rpcx_embed::{Metadata, Parent};

use crate::bridge::{Bridge, Event};
use crate::convert;
use crate::error::{by_reason, raise};

/// A request under way. Answered once; dropped without an answer it is answered as a panic is.
#[pyclass(frozen, module = "rpcx._rpcx")]
pub(crate) struct Request {
    entry: Arc<Py<PyAny>>,
    request: Mutex<Option<rpcx_embed::Request>>,
}

impl Request {
    pub(crate) fn new(entry: Arc<Py<PyAny>>, request: rpcx_embed::Request) -> Request {
        Request { entry, request: Mutex::new(Some(request)) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<rpcx_embed::Request>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a nested call inherits; nothing once it has been answered.
    pub(crate) fn parent(&self) -> Option<Parent> {
        self.lock().as_ref().map(rpcx_embed::Request::parent)
    }

    fn with<T>(&self, body: impl FnOnce(&rpcx_embed::Request) -> T) -> PyResult<T> {
        match &*self.lock() {
            Some(request) => Ok(body(request)),
            None => {
                Err(PyRuntimeError::new_err("the request has been answered: keep what you need of its context before"))
            }
        }
    }
}

#[pymethods]
impl Request {
    /// What it was registered with.
    #[getter]
    fn entry(&self, py: Python<'_>) -> Py<PyAny> {
        self.entry.clone_ref(py)
    }

    #[getter]
    fn service(&self) -> PyResult<String> {
        self.with(|request| request.service().into_owned())
    }

    #[getter]
    fn method(&self) -> PyResult<String> {
        self.with(|request| request.method().into_owned())
    }

    #[getter]
    fn serialize_type(&self) -> PyResult<u8> {
        self.with(|request| request.serialize_type().get())
    }

    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.with(|request| PyBytes::new(py, request.payload()))
    }

    /// Its metadata, the protocol's own keys included.
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let metadata: Metadata = self.with(rpcx_embed::Request::metadata)?;
        convert::dict(py, &metadata)
    }

    #[getter]
    fn is_oneway(&self) -> PyResult<bool> {
        self.with(rpcx_embed::Request::is_oneway)
    }

    #[getter]
    fn peer(&self) -> PyResult<String> {
        self.with(|request| request.peer().to_owned())
    }

    #[getter]
    fn tls_subject(&self) -> PyResult<Option<String>> {
        self.with(|request| request.tls_subject().map(str::to_owned))
    }

    /// Seconds until the caller stops waiting; `None` without a deadline.
    fn remaining(&self) -> PyResult<Option<f64>> {
        self.with(|request| request.remaining().map(|left| left.as_secs_f64()))
    }

    /// Nobody waits for the answer any more; so too once it was given.
    #[getter]
    fn is_cancelled(&self) -> bool {
        self.lock().as_ref().is_none_or(rpcx_embed::Request::is_cancelled)
    }

    /// Has `tell` called on the loop of the bridge when nobody waits for the answer any more.
    fn on_cancel(&self, bridge: &Bound<'_, Bridge>, tell: Py<PyAny>) -> PyResult<()> {
        let queue = bridge.get().queue().clone();
        self.with(|request| request.on_cancel(move || queue.push(Event::Cancelled(tell))))
    }

    fn set_metadata(&self, key: &str, value: &str) -> PyResult<()> {
        self.with(|request| request.set_metadata(key, value))
    }

    /// Sends a message to the caller's client.
    fn push(
        &self,
        service: &str,
        method: &str,
        metadata: &Bound<'_, PyDict>,
        payload: &Bound<'_, PyBytes>,
    ) -> PyResult<()> {
        let metadata = convert::metadata(metadata)?;
        self.with(|request| request.push(service, method, &metadata, payload.as_bytes()))?.map_err(raise)
    }

    /// The connection it came on.
    fn connection(&self) -> PyResult<Connection> {
        self.with(|request| Connection(request.connection()))
    }

    /// Answers with the encoded reply. Later answers count for nothing.
    fn answer(&self, payload: &Bound<'_, PyBytes>) {
        let request = self.lock().take();
        if let Some(request) = request {
            request.answer(Ok(convert::payload(payload)));
        }
    }

    /// Answers with an error.
    fn fail(&self, reason: &str, message: String) {
        let request = self.lock().take();
        if let Some(request) = request {
            request.answer(Err(by_reason(reason, message)));
        }
    }
}

/// A token to be judged. Answered once; dropped without an answer it refuses.
#[pyclass(frozen, module = "rpcx._rpcx")]
pub(crate) struct AuthRequest {
    entry: Arc<Py<PyAny>>,
    request: Mutex<Option<rpcx_embed::AuthRequest>>,
}

impl AuthRequest {
    pub(crate) fn new(entry: Arc<Py<PyAny>>, request: rpcx_embed::AuthRequest) -> AuthRequest {
        AuthRequest { entry, request: Mutex::new(Some(request)) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<rpcx_embed::AuthRequest>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, body: impl FnOnce(&rpcx_embed::AuthRequest) -> T) -> PyResult<T> {
        let judged = || PyRuntimeError::new_err("the token has been judged");
        self.lock().as_ref().map(body).ok_or_else(judged)
    }
}

#[pymethods]
impl AuthRequest {
    /// What it was registered with.
    #[getter]
    fn entry(&self, py: Python<'_>) -> Py<PyAny> {
        self.entry.clone_ref(py)
    }

    #[getter]
    fn token(&self) -> PyResult<String> {
        self.with(|request| request.token().to_owned())
    }

    #[getter]
    fn service(&self) -> PyResult<String> {
        self.with(|request| request.service().into_owned())
    }

    #[getter]
    fn method(&self) -> PyResult<String> {
        self.with(|request| request.method().into_owned())
    }

    /// The request's metadata.
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let metadata = self.with(rpcx_embed::AuthRequest::metadata)?;
        convert::dict(py, &metadata)
    }

    #[getter]
    fn peer(&self) -> PyResult<String> {
        self.with(|request| request.peer().to_owned())
    }

    #[getter]
    fn tls_subject(&self) -> PyResult<Option<String>> {
        self.with(|request| request.tls_subject().map(str::to_owned))
    }

    /// Lets the request pass.
    fn accept(&self) {
        let request = self.lock().take();
        if let Some(request) = request {
            request.answer(Ok(()));
        }
    }

    /// Refuses it.
    fn fail(&self, reason: &str, message: String) {
        let request = self.lock().take();
        if let Some(request) = request {
            request.answer(Err(by_reason(reason, message)));
        }
    }
}

/// A client's connection to a server.
#[pyclass(frozen, module = "rpcx._rpcx")]
pub(crate) struct Connection(pub(crate) rpcx_embed::Connection);

#[pymethods]
impl Connection {
    #[getter]
    fn id(&self) -> u64 {
        self.0.id()
    }

    #[getter]
    fn peer(&self) -> &str {
        self.0.peer()
    }

    #[getter]
    fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// Sends a message to the client.
    fn push(
        &self,
        service: &str,
        method: &str,
        metadata: &Bound<'_, PyDict>,
        payload: &Bound<'_, PyBytes>,
    ) -> PyResult<()> {
        let metadata = convert::metadata(metadata)?;
        self.0.push(service, method, &metadata, payload.as_bytes()).map_err(raise)
    }

    /// Ends it without a word.
    fn close(&self) {
        self.0.close();
    }
}
