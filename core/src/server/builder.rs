//! What a server is made of, before it runs.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rpcx_protocol::compress::{Compressor, Compressors};
use rpcx_protocol::header::CompressType;
use rpcx_protocol::limits::Limits;
use tokio::sync::Notify;

use super::announce::{self, OwnedRegistry, ServiceMetadata};
use super::context::Context;
use super::core::ServerCore;
use super::line::Line;
use super::pipeline::Authenticator;
use super::protocol::Protocol;
use super::running::{Parts, Server};
use super::session::SessionOptions;
use super::table::{Method, Published, Service, Table};
use super::worker::Workers;
use crate::codec::{Decode, Encode, Serde};
use crate::config::{Alias, InFlightPolicy, ServerOptions, ServerTlsOptions};
use crate::discovery::{NodeMetadata, Registry, Schemes};
use crate::error::{Error, Reason, Result};
use crate::interceptor::{Interceptor, RateLimit, Tee, slow_calls};
use crate::shard::{Shard, ShardSet};
use crate::stats::ServerRecorder;
#[cfg(feature = "tls")]
use crate::transport::ServerTls;
use crate::transport::{Address, ListenOptions, Listener, Transports};

/// Where a server listens.
pub(super) enum Place {
    Address(String),
    Listener(Box<dyn Listener>),
}

/// Collects services, options and addresses; [`start`](ServerBuilder::start) makes a [`Server`] of them.
///
/// ```no_run
/// use rpcx::server::{Context, Server};
///
/// # async fn example() -> rpcx::Result<()> {
/// let server = Server::builder()
///     .function("Fn", "Greet", |_ctx: Context, name: String| async move { Ok(format!("hi {name}")) })
///     .bind("tcp@127.0.0.1:8972")
///     .start()
///     .await?;
/// println!("listening on {}", server.addresses()[0]);
/// server.wait().await;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct ServerBuilder {
    options: ServerOptions,
    table: Table,
    recorder: Arc<ServerRecorder>,
    authenticator: Option<Arc<dyn Authenticator>>,
    interceptors: Vec<Arc<dyn Interceptor>>,
    tee: Option<Tee>,
    protocols: Vec<Arc<dyn Protocol>>,
    compressors: Compressors,
    transports: Transports,
    places: Vec<Place>,
    registries: Vec<OwnedRegistry>,
    schemes: Schemes,
    metadata: ServiceMetadata,
    /// The first mistake; told by `start`.
    mistake: Option<Error>,
}

impl ServerBuilder {
    /// Sets all options at once.
    pub fn options(mut self, options: ServerOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets one option by its name in CONFIGURATION.md. A mistake is told by [`start`](Self::start).
    pub fn option(mut self, name: &str, value: &str) -> Self {
        if let Err(error) = self.options.set(name, value) {
            self.mistake.get_or_insert(error);
        }
        self
    }

    /// Registers a service object under its own name; see [`#[rpcx::service]`](crate::service). Registering a name
    /// again replaces its methods.
    pub fn service<S: Service>(self, service: S) -> Self {
        self.service_as(S::NAME, service)
    }

    /// Registers a service object under another name.
    pub fn service_as<S: Service>(mut self, name: &str, service: S) -> Self {
        self.table.remove(name);
        for method in service.methods() {
            self = self.method(name, method);
        }
        self
    }

    /// Registers one method.
    pub fn method(mut self, service: &str, method: Method) -> Self {
        let recorder = self.recorder.method(service, method.name());
        self.table.insert(service, method, recorder);
        self
    }

    /// Registers one function with arguments and reply in JSON and MessagePack. Other formats: [`Method::new`].
    pub fn function<A, R, F, Fut>(self, service: &str, name: &str, function: F) -> Self
    where
        Serde: Decode<A> + Encode<R>,
        A: 'static,
        R: 'static,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
    {
        self.method(service, Method::new::<Serde, A, R, F, Fut>(name, function))
    }

    /// Registers one function that gets and gives payloads as they are.
    pub fn raw<F, Fut>(self, service: &str, name: &str, function: F) -> Self
    where
        F: Fn(Context, Bytes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Bytes>> + Send + 'static,
    {
        self.method(service, Method::raw(name, function))
    }

    /// Handles every service and method that is not registered, with payloads as they are.
    pub fn fallback<F, Fut>(mut self, function: F) -> Self
    where
        F: Fn(Context, Bytes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Bytes>> + Send + 'static,
    {
        self.table.set_fallback(Method::raw("*", function), self.recorder.method("*", "*"));
        self
    }

    /// Lets a method answer to a second name, as Go's alias plugin does; the option `aliases` does the same. Handlers and
    /// interceptors see the method's own name. [`start`](Self::start) refuses an alias of a method that is not there.
    pub fn alias(mut self, service: &str, method: &str, real_service: &str, real_method: &str) -> Self {
        self.options.aliases.push(Alias {
            service: service.to_owned(),
            method: method.to_owned(),
            real_service: real_service.to_owned(),
            real_method: real_method.to_owned(),
        });
        self
    }

    /// Checks every request before anything else is done with it. Heartbeats pass.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Adds an interceptor, inside those added before.
    pub fn interceptor(mut self, interceptor: impl Interceptor + 'static) -> Self {
        self.interceptors.push(Arc::new(interceptor));
        self
    }

    /// Copies what clients send, in whatever protocol.
    pub fn tee(mut self, tee: Tee) -> Self {
        self.tee = Some(tee);
        self
    }

    /// Serves another protocol on the same ports.
    pub fn protocol(mut self, protocol: impl Protocol) -> Self {
        self.protocols.push(Arc::new(protocol));
        self
    }

    /// Gives a compress type a compressor of your own, or another number to one of ours.
    pub fn compressor(mut self, number: CompressType, compressor: Arc<dyn Compressor>) -> Self {
        self.compressors.set(number, compressor);
        self
    }

    /// Sets the transports, with TLS for instance.
    pub fn transports(mut self, transports: Transports) -> Self {
        self.transports = transports;
        self
    }

    /// Listens on an address such as `tcp@127.0.0.1:8972` or `unix@/run/arith.sock`; port 0 is chosen by the system.
    /// May be called several times.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.places.push(Place::Address(address.into()));
        self
    }

    /// Listens on a listener that is open already: inherited, or taken over from another process.
    pub fn listener(mut self, listener: Box<dyn Listener>) -> Self {
        self.places.push(Place::Listener(listener));
        self
    }

    /// Announces the services to a registry, which other servers may use too: the end of the server withdraws what it
    /// announced and does not close it. May be called several times.
    ///
    /// Clients are told the addresses that the server listens on, or those of the option `advertise`.
    pub fn registry(mut self, registry: Arc<dyn Registry>) -> Self {
        self.registries.push((registry, false));
        self
    }

    /// As [`registry`](Self::registry), by the URL of a scheme that is known; the registry ends with the server.
    pub fn registry_url(mut self, url: &str) -> Self {
        match self.schemes.open_registry(url) {
            Ok(registry) => self.registries.push((registry, true)),
            Err(error) => drop(self.mistake.get_or_insert(error)),
        }
        self
    }

    /// Sets the URL schemes that [`registry_url`](Self::registry_url) knows; call it before that.
    pub fn schemes(mut self, schemes: Schemes) -> Self {
        self.schemes = schemes;
        self
    }

    /// What a service says about itself in registries, such as `weight=7&group=a`, instead of the option `metadata`.
    pub fn metadata(mut self, service: &str, metadata: &str) -> Self {
        self.metadata.own.insert(service.into(), NodeMetadata::new(metadata));
        self
    }

    /// Binds and serves on the runtime of the calling task. Returns once every listener is open and the registries have taken
    /// the services, or `registry_timeout` has passed: a registry that cannot be reached keeps no server from serving, and
    /// is told as soon as it can be.
    ///
    /// # Errors
    /// The first mistake made while building, a bad address, one that cannot be bound or announced: the text names it.
    pub async fn start(self) -> Result<Server> {
        let shard = Shard::current()?;
        self.start_on(vec![shard], None).await
    }

    /// Serves on `shards` threads of its own, each with its share of the connections: the fastest way, and the one with the
    /// shortest tails. Zero: one per core. The threads end with the server. Must not be called from async code.
    ///
    /// # Errors
    /// As [`start`](Self::start); besides `internal` when no thread can be made.
    pub fn serve_per_core(self, shards: usize) -> Result<Server> {
        let count = match shards {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            count => count,
        };
        let set = ShardSet::new(count)?;
        let handles = set.handles();
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let first = handles[0].clone();
        first.spawn(async move {
            // The receiver waits below.
            let _ = sender.send(self.start_on(handles, Some(set)).await);
        });
        receiver.recv().map_err(|_| Error::new(Reason::InternalBug, "the shard that binds has ended"))?
    }

    async fn start_on(mut self, shards: Vec<Shard>, set: Option<ShardSet>) -> Result<Server> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        self.options.validate()?;
        for alias in &self.options.aliases {
            if !self.table.answers(&alias.real_service, &alias.real_method) {
                let text = format!("alias {alias}: {}.{} is not registered", alias.real_service, alias.real_method);
                return Err(Error::new(Reason::ConfigBadArgument, text));
            }
            self.table.alias(alias);
        }
        if self.places.is_empty() {
            return Err(Error::new(
                Reason::ConfigBadArgument,
                "the server has no address: call bind(\"tcp@host:port\")",
            ));
        }
        self.transports = with_tls(self.transports, &self.options.tls)?;
        let listen_options = ListenOptions {
            tcp_nodelay: self.options.tcp_nodelay,
            keepalive: nonzero(self.options.tcp_keepalive),
            backlog: self.options.backlog,
        };
        let mut listeners = Vec::new();
        for place in self.places {
            listeners.push(match place {
                Place::Listener(listener) => listener,
                Place::Address(text) => {
                    let address: Address = text.parse()?;
                    self.transports.bind(&address, &listen_options).await?
                }
            });
        }
        let options = self.options;
        if options.slow_call > Duration::ZERO {
            self.interceptors.insert(0, Arc::new(slow_calls(options.slow_call)));
        }
        let limit = RateLimit::new(&options.rate_limit, Instant::now());
        let pipeline = self.authenticator.is_some()
            || !self.interceptors.is_empty()
            || limit.as_ref().is_some_and(RateLimit::waits);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let core = Arc::new(ServerCore {
            services: Published::new(self.table),
            session_options: Arc::new(session_options(&options, self.compressors)),
            workers: Arc::new(Workers::new(options.worker_threads as usize, options.worker_queue as usize)),
            // What waits is bounded by the requests in flight.
            compression: Arc::new(Workers::new(cores, usize::MAX)),
            authenticator: self.authenticator,
            auth_timeout: nonzero(options.auth_timeout),
            interceptors: self.interceptors,
            limit,
            pipeline,
            recorder: self.recorder,
            waiting: AtomicUsize::new(0),
            max_waiting: options.max_server_in_flight as usize,
            max_connections: options.max_connections as usize,
            draining: AtomicBool::new(false),
            sessions: Mutex::default(),
            connections: AtomicUsize::new(0),
            pushes: AtomicU64::new(0),
            changed: Notify::new(),
            line: Line::default(),
        });
        let mut metadata = self.metadata;
        metadata.common = NodeMetadata::new(options.metadata.as_deref().unwrap_or_default());
        let listening: Vec<Address> = listeners.iter().map(|listener| listener.address()).collect();
        let announcing = match self.registries {
            registries if registries.is_empty() => None,
            registries => {
                let addresses = announce::addresses(&options.advertise, &listening, &registries)?;
                Some((registries, addresses, metadata))
            }
        };
        let (protocols, tee) = (self.protocols, self.tee);
        let server = Server::start(Parts { core, listeners, protocols, tee, options, shards, set, announcing });
        // Whoever gives up waiting for the registries has no handle to end the server by.
        let starting = CloseOnDrop { server: &server, armed: true };
        server.announce().await?;
        starting.disarm();
        Ok(server)
    }
}

/// Closes a server that nobody gets.
struct CloseOnDrop<'a> {
    server: &'a Server,
    armed: bool,
}

impl CloseOnDrop<'_> {
    /// Somebody gets it.
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.server.close();
        }
    }
}

/// The transports with TLS as the options say.
#[cfg(feature = "tls")]
fn with_tls(transports: Transports, options: &ServerTlsOptions) -> Result<Transports> {
    let (Some(cert), Some(key)) = (&options.cert, &options.key) else { return Ok(transports) };
    let mut tls = ServerTls::builder(cert, key);
    if let Some(ca) = &options.client_ca {
        tls = tls.client_ca_file(ca);
    }
    Ok(transports.with_server_tls(tls.build()?))
}

#[cfg(not(feature = "tls"))]
fn with_tls(transports: Transports, options: &ServerTlsOptions) -> Result<Transports> {
    if options.is_on() {
        return Err(Error::new(Reason::UnsupportedTransport, "tls: this build has no TLS (feature `tls`)"));
    }
    Ok(transports)
}

fn nonzero(duration: Duration) -> Option<Duration> {
    (duration > Duration::ZERO).then_some(duration)
}

fn session_options(options: &ServerOptions, compressors: Compressors) -> SessionOptions {
    SessionOptions {
        limits: Limits {
            max_message_size: options.max_message_size,
            max_metadata_size: options.max_metadata_size,
            max_metadata_pairs: options.max_metadata_pairs as usize,
        },
        max_decompressed_size: options.max_decompressed_size,
        compressors,
        compress_min_size: options.compress_min_size,
        max_in_flight: options.max_in_flight as usize,
        reject_overload: options.in_flight_policy == InFlightPolicy::Reject,
        read_timeout: nonzero(options.read_timeout),
        write_timeout: nonzero(options.write_timeout),
        idle_timeout: nonzero(options.idle_timeout),
        cancel_grace: options.cancel_grace,
        inline_limit: options.inline_limit,
        panic_text: options.panic_text,
        max_pushes: options.push_queue as usize,
        push_to_unknown: options.push_to_unknown,
    }
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}
