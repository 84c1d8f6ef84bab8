//! The server: requests go to event loops and to the threads for plain handlers.

use std::sync::Arc;

use pyo3::prelude::*;
use rpcx_embed::{Handler, MethodFlags, ServerBuilder, ServerConfig};

use crate::bridge::{Bridge, Event};
use crate::convert;
use crate::error::raise;
use crate::method::Call;
use crate::request::Connection;
use crate::wait::{check, wait};
use crate::workers::{Item, Workers};

/// Where the requests of a method go.
#[derive(FromPyObject)]
enum Target<'py> {
    Loop(Bound<'py, Bridge>),
    Threads(Bound<'py, Workers>),
}

/// A method to register: service, name, what its requests are given, where they go, and whether nothing stops it.
type Registered<'py> = (String, String, Py<PyAny>, Target<'py>, bool);

/// What takes the requests that no method takes.
type Fallback<'py> = Option<(Py<PyAny>, Target<'py>)>;

/// A running server.
#[pyclass(frozen, module = "rpcx._rpcx")]
pub(crate) struct Server(rpcx_embed::Server);

impl From<rpcx_embed::Server> for Server {
    fn from(server: rpcx_embed::Server) -> Server {
        Server(server)
    }
}

#[pymethods]
impl Server {
    /// Binds and serves; the future gets the server.
    #[staticmethod]
    #[expect(clippy::too_many_arguments, reason = "each is one of the server's own")]
    fn start_on(
        bridge: &Bound<'_, Bridge>,
        future: Py<PyAny>,
        listen: Vec<String>,
        options: Vec<(String, String)>,
        registries: Vec<String>,
        metadata: Vec<(String, String)>,
        threads: usize,
        methods: Vec<Registered<'_>>,
        fallback: Fallback<'_>,
        aliases: Vec<(String, String, String, String)>,
        authenticator: Option<(Py<PyAny>, Target<'_>)>,
    ) -> PyResult<Call> {
        let config = ServerConfig { listen, options, registries, metadata, threads };
        let queue = bridge.get().queue().clone();
        let done = move |result| queue.push(Event::Started(future, result));
        Call::new(builder(config, methods, fallback, aliases, authenticator).start(done), None)
    }

    /// As `start_on`, waiting.
    #[staticmethod]
    #[expect(clippy::too_many_arguments, reason = "each is one of the server's own")]
    fn start(
        py: Python<'_>,
        listen: Vec<String>,
        options: Vec<(String, String)>,
        registries: Vec<String>,
        metadata: Vec<(String, String)>,
        threads: usize,
        methods: Vec<Registered<'_>>,
        fallback: Fallback<'_>,
        aliases: Vec<(String, String, String, String)>,
        authenticator: Option<(Py<PyAny>, Target<'_>)>,
    ) -> PyResult<Server> {
        let config = ServerConfig { listen, options, registries, metadata, threads };
        let builder = builder(config, methods, fallback, aliases, authenticator);
        let server = py.detach(|| wait(None, |done| builder.start(done)))?;
        Ok(Server(server))
    }

    fn addresses(&self) -> PyResult<Vec<String>> {
        self.0.addresses().map_err(raise)
    }

    /// What it has counted, as JSON.
    fn stats(&self) -> PyResult<String> {
        self.0.stats_json().map_err(raise)
    }

    /// The same as Prometheus reads it.
    fn metrics(&self, name: &str) -> PyResult<String> {
        self.0.metrics_text(name).map_err(raise)
    }

    /// Replaces what registries are told of a service beside the address; of all services if that is empty.
    fn set_metadata(&self, service: &str, metadata: &str) -> PyResult<()> {
        self.0.set_metadata(service, metadata).map_err(raise)
    }

    fn connections(&self) -> PyResult<Vec<Connection>> {
        Ok(self.0.connections().map_err(raise)?.into_iter().map(Connection).collect())
    }

    /// Ends it at once.
    fn close(&self) {
        self.0.close();
    }

    /// Ends it without losing an accepted request; the future ends when that is done.
    fn start_shutdown(
        &self,
        bridge: &Bound<'_, Bridge>,
        future: Py<PyAny>,
        seconds: f64,
        keep_registered: bool,
    ) -> PyResult<Call> {
        let queue = bridge.get().queue().clone();
        let patience = convert::seconds("timeout", seconds)?;
        let done = move |result| queue.push(Event::Done(future, result));
        Call::new(self.0.shutdown(patience, keep_registered, done), None)
    }

    /// As `start_shutdown`, waiting.
    fn shutdown(&self, py: Python<'_>, seconds: f64, keep_registered: bool) -> PyResult<()> {
        let patience = convert::seconds("timeout", seconds)?;
        py.detach(|| self.0.shutdown_blocking(patience, keep_registered, check))?;
        Ok(())
    }

    /// The future ends when the server has.
    fn start_wait(&self, bridge: &Bound<'_, Bridge>, future: Py<PyAny>) -> PyResult<Call> {
        let queue = bridge.get().queue().clone();
        Call::new(self.0.wait_closed(move |result| queue.push(Event::Done(future, result))), None)
    }

    /// As `start_wait`, waiting.
    fn wait(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| wait(None, |done| self.0.wait_closed(done)))?;
        Ok(())
    }
}

fn builder(
    config: ServerConfig,
    methods: Vec<Registered<'_>>,
    fallback: Fallback<'_>,
    aliases: Vec<(String, String, String, String)>,
    authenticator: Option<(Py<PyAny>, Target<'_>)>,
) -> ServerBuilder {
    let mut builder = ServerBuilder::new(config);
    for (service, method, entry, target, to_completion) in methods {
        let handler = target.handler(Arc::new(entry));
        builder = builder.method(&service, &method, handler, MethodFlags { to_completion });
    }
    if let Some((entry, target)) = fallback {
        builder = builder.fallback(target.handler(Arc::new(entry)));
    }
    for (service, method, real_service, real_method) in aliases {
        builder = builder.alias(&service, &method, &real_service, &real_method);
    }
    if let Some((entry, target)) = authenticator {
        let entry = Arc::new(entry);
        builder = match target {
            Target::Loop(bridge) => {
                let queue = bridge.get().queue().clone();
                builder.authenticator(move |asked| queue.push(Event::Auth(entry.clone(), asked)))
            }
            Target::Threads(workers) => {
                let pool = workers.get().pool().clone();
                builder.authenticator(move |asked| pool.push(Item::Auth(entry.clone(), asked)))
            }
        };
    }
    builder
}

impl Target<'_> {
    fn handler(&self, entry: Arc<Py<PyAny>>) -> Arc<dyn Handler> {
        match self {
            Target::Loop(bridge) => {
                let queue = bridge.get().queue().clone();
                Arc::new(move |request| queue.push(Event::Request(entry.clone(), request)))
            }
            Target::Threads(workers) => {
                let pool = workers.get().pool().clone();
                Arc::new(move |request| pool.push(Item::Request(entry.clone(), request)))
            }
        }
    }
}
