//! What a client is made of, and the client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rpcx_protocol::compress::{Compressor, Compressors};
use rpcx_protocol::header::CompressType;

use super::core::{ClientCore, check_nodes};
use super::push::Pushes;
use super::service::Service;
use crate::codec::Serde;
use crate::config::{ClientOptions, ClientTlsOptions};
use crate::discovery::{Discovery, Node, Schemes};
use crate::error::{Error, Reason, Result};
use crate::interceptor::{Interceptor, Trace, parent, slow_calls};
use crate::shard::Shard;
use crate::stats::ClientStats;
#[cfg(feature = "tls")]
use crate::transport::ClientTls;
use crate::transport::Transports;

/// Collects options and collaborators; [`build`](ClientBuilder::build) makes a [`Client`] of them.
pub struct ClientBuilder {
    options: ClientOptions,
    /// With whether it was opened here.
    discovery: Option<(Arc<dyn Discovery>, bool)>,
    schemes: Schemes,
    transports: Transports,
    compressors: Compressors,
    interceptors: Vec<Arc<dyn Interceptor>>,
    mistake: Option<Error>,
}

impl ClientBuilder {
    /// Sets all options at once.
    pub fn options(mut self, options: ClientOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets one option by its name in CONFIGURATION.md. A mistake is told by [`build`](Self::build).
    pub fn option(mut self, name: &str, value: &str) -> Self {
        if let Err(error) = self.options.set(name, value) {
            self.mistake.get_or_insert(error);
        }
        self
    }

    /// Where the servers are: an address (`tcp@host:port`), or a URL such as `multiple://tcp@a:8972,tcp@b:8972`.
    pub fn discovery_url(mut self, url: &str) -> Self {
        match self.schemes.open(url) {
            Ok(discovery) => self.discovery = Some((discovery, true)),
            Err(error) => drop(self.mistake.get_or_insert(error)),
        }
        self
    }

    /// Finds servers through a discovery of your own, which other clients may use too: the end of the client does not close
    /// it.
    pub fn discovery(mut self, discovery: Arc<dyn Discovery>) -> Self {
        self.discovery = Some((discovery, false));
        self
    }

    /// Sets the URL schemes that [`discovery_url`](Self::discovery_url) knows; call it before that.
    pub fn schemes(mut self, schemes: Schemes) -> Self {
        self.schemes = schemes;
        self
    }

    /// Sets the transports, with TLS for instance.
    pub fn transports(mut self, transports: Transports) -> Self {
        self.transports = transports;
        self
    }

    /// Gives a compress type a compressor of your own, or another number to one of ours.
    pub fn compressor(mut self, number: CompressType, compressor: Arc<dyn Compressor>) -> Self {
        self.compressors.set(number, compressor);
        self
    }

    /// Adds an interceptor, inside those added before.
    pub fn interceptor(mut self, interceptor: impl Interceptor + 'static) -> Self {
        self.interceptors.push(Arc::new(interceptor));
        self
    }

    /// Makes the client. Nothing is connected before the first call. With the option `metrics_address` this must be called in
    /// a runtime, which serves the metrics.
    ///
    /// # Errors
    /// The first mistake made while building; `config.listen` when the metrics cannot be served where they should be.
    pub fn build(self) -> Result<Client> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        self.options.validate()?;
        let discovery = self.discovery.ok_or_else(|| {
            Error::new(Reason::ConfigBadArgument, "the client has no discovery: call discovery_url(\"tcp@host:port\")")
        })?;
        let transports = with_tls(self.transports, &self.options.tls)?;
        if let Some(given) = discovery.0.given() {
            check_nodes(&transports, given.nodes())?;
        }
        parent::client_made();
        let mut interceptors = self.interceptors;
        // Without a chain, a call is timed where it ends.
        let chained = self.options.trace || !interceptors.is_empty();
        if chained && self.options.slow_call > Duration::ZERO {
            interceptors.insert(0, Arc::new(slow_calls(self.options.slow_call)));
        }
        if self.options.trace {
            interceptors.insert(0, Arc::new(Trace::client()));
        }
        let core = Arc::new(ClientCore::new(self.options, discovery, transports, self.compressors, interceptors));
        if let Some(at) = &core.options.metrics_address {
            // It has no thread of its own.
            Shard::current()?;
            let of = Arc::downgrade(&core);
            let render = move || of.upgrade().map(|core| core.stats().render()).unwrap_or_default();
            core.metrics.open(Some(at), render)?;
        }
        Ok(Client { core })
    }
}

/// The transports with TLS as the options say.
#[cfg(feature = "tls")]
fn with_tls(transports: Transports, options: &ClientTlsOptions) -> Result<Transports> {
    if !options.is_on() {
        return Ok(transports);
    }
    let mut tls = ClientTls::builder();
    if let Some(ca) = &options.ca {
        tls = tls.ca_file(ca);
    }
    if let (Some(cert), Some(key)) = (&options.cert, &options.key) {
        tls = tls.identity_files(cert, key);
    }
    if let Some(name) = &options.server_name {
        tls = tls.server_name(name);
    }
    Ok(transports.with_client_tls(tls.build()?))
}

#[cfg(not(feature = "tls"))]
fn with_tls(transports: Transports, options: &ClientTlsOptions) -> Result<Transports> {
    if options.is_on() {
        return Err(Error::new(Reason::UnsupportedTransport, "tls: this build has no TLS (feature `tls`)"));
    }
    Ok(transports)
}

/// Calls services. Made from a discovery, serves any number of services, and shares its connections among them.
///
/// Cheap to clone; all clones are the same client. May be used from any thread that runs in a tokio runtime. The connections
/// are closed when the last clone, service and method of it are dropped, or by [`close`](Client::close).
#[derive(Clone)]
pub struct Client {
    core: Arc<ClientCore>,
}

impl Client {
    /// A client with default options for an address or a discovery URL; see [`ClientBuilder::discovery_url`].
    ///
    /// # Errors
    /// `config` for an address or URL that cannot be read.
    pub fn new(discovery: &str) -> Result<Client> {
        Client::builder().discovery_url(discovery).build()
    }

    /// Begins a client with options.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            options: ClientOptions::default(),
            discovery: None,
            schemes: Schemes::default(),
            transports: Transports::default(),
            compressors: Compressors::default(),
            interceptors: Vec::new(),
            mistake: None,
        }
    }

    /// A service by its path. Keep it: making one looks its servers up.
    ///
    /// # Errors
    /// `config` for a name that cannot be one, `unsupported` for a select mode that is not there.
    pub fn service(&self, name: &str) -> Result<Service<Serde>> {
        self.core.check_open()?;
        Ok(Service::new(self.core.clone(), self.core.routes(name)?))
    }

    /// Replaces the servers of a client whose discovery is a list kept by the user.
    ///
    /// # Errors
    /// `config.bad_argument` where the servers come from elsewhere, `config` for an address that nothing dials.
    pub fn set_nodes(&self, nodes: Vec<Node>) -> Result<()> {
        self.core.set_nodes(nodes)
    }

    /// The messages that servers send on their own.
    pub fn pushes(&self) -> Pushes {
        Pushes { queue: self.core.pushes.clone() }
    }

    /// What it has counted so far.
    pub fn stats(&self) -> ClientStats {
        self.core.stats()
    }

    /// Where the metrics are served, with the real port; `None` without the option `metrics_address`, and after the end.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.core.metrics.address()
    }

    /// Ends the client at once: calls in progress fail with `closed`. Idempotent, never blocks.
    pub fn close(&self) {
        self.core.close();
    }

    /// Takes no new calls, waits for those that have begun, at most for `deadline`, then closes.
    ///
    /// Calls that wait for a connection, for discovery or for their next attempt go on as well, and what was sent without
    /// waiting for an answer leaves before the end.
    ///
    /// # Errors
    /// `timeout` when calls were cut off.
    pub async fn shutdown(&self, deadline: Duration) -> Result<()> {
        self.core.stop();
        let finished = tokio::time::timeout(deadline, self.core.finished()).await.is_ok();
        // A call that waits on the slower way may be counted on both sides.
        let cut = self.core.begun.count().max(self.core.in_flight());
        if finished {
            self.core.close_behind_requests();
        }
        self.core.close();
        if finished || cut == 0 {
            return Ok(());
        }
        Err(Error::new(Reason::TimeoutCall, format!("{cut} calls were cut off by the shutdown's deadline")))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("options", &self.core.options).finish_non_exhaustive()
    }
}
