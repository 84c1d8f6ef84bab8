//! From what was collected to a server that runs: mistakes told, addresses bound, options put where they are looked at.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rpcx_protocol::compress::Compressors;
use rpcx_protocol::limits::Limits;
use tokio::sync::Notify;

use super::announce;
use super::builder::{Place, ServerBuilder};
use super::core::ServerCore;
use super::line::Line;
use super::login::Login;
use super::running::{Parts, Server};
use super::session::SessionOptions;
use super::table::Published;
use super::worker::Workers;
use crate::config::{InFlightPolicy, ServerOptions, ServerTlsOptions};
use crate::discovery::NodeMetadata;
use crate::error::{Error, Reason, Result};
use crate::interceptor::{RateLimit, SlowCalls, Trace, slow_calls};
use crate::shard::{Shard, ShardSet};
use crate::stats::ServedMetrics;
#[cfg(feature = "tls")]
use crate::transport::ServerTls;
use crate::transport::{Address, ListenOptions, Transports};

impl ServerBuilder {
    /// Binds and serves on the runtime of the calling task. Returns once every listener is open and the registries have taken
    /// the services, or `registry_timeout` has passed: a registry that cannot be reached keeps no server from serving, and
    /// is told as soon as it can be.
    ///
    /// # Errors
    /// The first mistake made while building, a bad address, one that cannot be bound or announced: the text names it.
    pub async fn start(self) -> Result<Server> {
        let shard = Shard::current()?;
        self.start_with(vec![shard], None).await
    }

    /// [`start`](Self::start) on shards of the caller's, each with its share of the connections. They are to outlive the server.
    ///
    /// # Errors
    /// As [`start`](Self::start), and `config.bad_argument` without a shard.
    pub async fn start_on(self, shards: Vec<Shard>) -> Result<Server> {
        if shards.is_empty() {
            return Err(Error::new(Reason::ConfigBadArgument, "start_on needs at least one shard"));
        }
        self.start_with(shards, None).await
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
            let _ = sender.send(self.start_with(handles, Some(set)).await);
        });
        receiver.recv().map_err(|_| Error::new(Reason::InternalBug, "the shard that binds has ended"))?
    }

    async fn start_with(mut self, shards: Vec<Shard>, set: Option<ShardSet>) -> Result<Server> {
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
        let limit = RateLimit::new(&options.rate_limit, Instant::now());
        let pipeline = self.authenticator.is_some()
            || options.trace
            || !self.interceptors.is_empty()
            || limit.as_ref().is_some_and(RateLimit::waits);
        let mut slow = nonzero(options.slow_call);
        // Neither the wait for a rate limit nor the authenticator is the handler's time.
        if let Some(threshold) = slow.take_if(|_| pipeline) {
            self.interceptors.insert(0, Arc::new(slow_calls(threshold)));
        }
        if options.trace {
            self.interceptors.insert(0, Arc::new(Trace::server()));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let core = Arc::new(ServerCore {
            services: Published::new(self.table),
            session_options: Arc::new(session_options(&options, self.compressors)),
            workers: Arc::new(Workers::new(options.worker_threads as usize, options.worker_queue as usize)),
            // What waits is bounded by the requests in flight.
            compression: Arc::new(Workers::new(cores, usize::MAX)),
            login: self.authenticator.map(|authenticator| Login::new(authenticator, &options)),
            interceptors: self.interceptors,
            slow_calls: slow.map(SlowCalls::new),
            limit,
            pipeline,
            recorder: self.recorder,
            metrics: ServedMetrics::default(),
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
        let of = Arc::downgrade(&core);
        core.metrics.open(options.metrics_address.as_deref(), move || {
            of.upgrade().map(|core| core.stats().render()).unwrap_or_default()
        })?;
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

pub(super) fn nonzero(duration: Duration) -> Option<Duration> {
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
