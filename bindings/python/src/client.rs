//! The client: bytes in, bytes out.

use pyo3::prelude::*;
use rpcx_embed::{ClientConfig, Discovery};

use crate::bridge::{Bridge, Event};
use crate::convert;
use crate::error::raise;
use crate::method::{Call, Method};
use crate::pushes::Pushes;
use crate::wait::check;

/// A client for any number of services.
#[pyclass(frozen, module = "rpcx._rpcx")]
pub(crate) struct Client(rpcx_embed::Client);

/// Where servers are: an address or URL, or a list of addresses.
#[derive(FromPyObject)]
enum Where {
    Url(String),
    Nodes(Vec<String>),
}

#[pymethods]
impl Client {
    /// Nothing is connected yet.
    #[new]
    fn new(discovery: Where, options: Vec<(String, String)>, threads: usize) -> PyResult<Client> {
        let discovery = match discovery {
            Where::Url(url) => Discovery::Url(url),
            Where::Nodes(nodes) => Discovery::Nodes(nodes),
        };
        rpcx_embed::Client::open(ClientConfig { discovery, options, threads }).map(Client).map_err(raise)
    }

    /// A method, to be kept.
    fn method(&self, service: &str, method: &str) -> PyResult<Method> {
        self.0.method(service, method).map(Method).map_err(raise)
    }

    /// Replaces the servers of a client that was made from a list.
    fn set_nodes(&self, nodes: Vec<String>) -> PyResult<()> {
        self.0.set_nodes(&nodes).map_err(raise)
    }

    /// What it has counted, as JSON.
    fn stats(&self) -> PyResult<String> {
        self.0.stats_json().map_err(raise)
    }

    /// The same as Prometheus reads it.
    fn metrics(&self, name: &str) -> PyResult<String> {
        self.0.metrics_text(name).map_err(raise)
    }

    /// What servers push to it.
    fn pushes(&self) -> Pushes {
        Pushes::new(self.0.clone())
    }

    /// Ends it at once.
    fn close(&self) {
        self.0.close();
    }

    /// Waits for running calls, then closes; the future ends when that is done.
    fn start_shutdown(&self, bridge: &Bound<'_, Bridge>, future: Py<PyAny>, seconds: f64) -> PyResult<Call> {
        let queue = bridge.get().queue().clone();
        let patience = convert::seconds("timeout", seconds)?;
        Call::new(self.0.shutdown(patience, move |result| queue.push(Event::Done(future, result))), None)
    }

    /// As `start_shutdown`, waiting.
    fn shutdown(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let patience = convert::seconds("timeout", seconds)?;
        py.detach(|| self.0.shutdown_blocking(patience, check))?;
        Ok(())
    }
}
