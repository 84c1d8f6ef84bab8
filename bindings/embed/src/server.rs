//! The dynamic server.

use std::sync::Arc;
use std::time::Duration;

use rpcx::config::ServerOptions;
use rpcx::interceptor::{BoxFuture, Interceptor};
use rpcx::server::{Authenticator, Context, Method, Shutdown};
use rpcx::stats::Exposition;
use rpcx::{Error, Reason, Result};

use crate::client::schemes;
use crate::driver::Driver;
use crate::fork::Owned;
use crate::job::{self, Running};
use crate::request::{AuthRequest, Connection, Handler, MethodFlags, Request};
use crate::runtime::Lease;
use crate::shard::Other;
use crate::wait::wait;

/// What a server is made of.
#[derive(Clone, Debug, Default)]
pub struct ServerConfig {
    /// Where it listens: `tcp@127.0.0.1:0`, `unix@/run/x.sock`. Port 0 is chosen by the system.
    pub listen: Vec<String>,
    /// Options by their names in CONFIGURATION.md, later ones win.
    pub options: Vec<(String, String)>,
    /// Registries by URL, to announce its services to.
    pub registries: Vec<String>,
    /// What is announced beside the address: service path, empty for all of them, and a query: `group=a&weight=7`.
    pub metadata: Vec<(String, String)>,
    /// Shards it uses; zero: one per core.
    pub threads: usize,
}

/// A server before it is started.
pub struct ServerBuilder {
    builder: rpcx::server::ServerBuilder,
    threads: usize,
    mistake: Option<Error>,
    /// Its shards, if somebody has asked for them before it starts.
    lease: Option<Arc<Lease>>,
}

impl ServerBuilder {
    /// Begins a server. Mistakes are told by [`start`](Self::start).
    pub fn new(config: ServerConfig) -> ServerBuilder {
        let mut options = ServerOptions::default();
        let mut mistake = None;
        for (name, value) in &config.options {
            if let Err(error) = options.set(name, value) {
                mistake.get_or_insert(error);
            }
        }
        let mut builder = rpcx::Server::builder().options(options).schemes(schemes());
        for address in &config.listen {
            builder = builder.bind(address);
        }
        for registry in &config.registries {
            builder = builder.registry_url(registry);
        }
        for (service, metadata) in &config.metadata {
            builder = builder.metadata(service, metadata);
        }
        ServerBuilder { builder, threads: config.threads, mistake, lease: None }
    }

    /// Adds a method. It gets payloads as they are, in every serialize type.
    pub fn method(mut self, service: &str, method: &str, handler: Arc<dyn Handler>, flags: MethodFlags) -> Self {
        let mut made = Method::raw(method, move |context: Context, _payload| {
            let (request, answer) = Request::new(context);
            handler.call(request);
            answer
        });
        if flags.to_completion {
            made = made.to_completion();
        }
        self.builder = self.builder.method(service, made);
        self
    }

    /// Takes the requests that no method takes.
    pub fn fallback(mut self, handler: Arc<dyn Handler>) -> Self {
        self.builder = self.builder.fallback(move |context: Context, _payload| {
            let (request, answer) = Request::new(context);
            handler.call(request);
            answer
        });
        self
    }

    /// Another name for a method.
    pub fn alias(mut self, service: &str, method: &str, real_service: &str, real_method: &str) -> Self {
        self.builder = self.builder.alias(service, method, real_service, real_method);
        self
    }

    /// Has every request's token judged by `check`, which runs on a shard's thread, must not block, and answers from any
    /// thread within the option `auth_timeout`.
    pub fn authenticator(mut self, check: impl Fn(AuthRequest) + Send + Sync + 'static) -> Self {
        self.builder = self.builder.authenticator(Asked(check));
        self
    }

    /// Adds an interceptor, inside of those added before.
    pub fn interceptor(mut self, interceptor: Arc<dyn Interceptor>) -> Self {
        self.builder = self.builder.interceptor(interceptor);
        self
    }

    /// A driver for each shard that the server will live on. A connection stays on one shard, so a thread for each of these,
    /// with a queue of its own, takes requests and gives answers without a wake-up between threads.
    ///
    /// # Errors
    /// `internal.system` when there is no thread to be had, `config.bad_argument` for too many of them.
    pub fn drivers(&mut self) -> Result<Vec<Driver>> {
        let lease = match &self.lease {
            Some(lease) => lease,
            None => self.lease.insert(Lease::new(self.threads)?),
        };
        Ok((0..lease.len()).map(|place| Driver::of(lease.clone(), place)).collect())
    }

    /// Binds and serves. `done` runs on a shard's thread, once every listener is open and the registries have been told.
    ///
    /// # Errors
    /// Mistakes that need no attempt, at once.
    pub fn start<D>(self, done: D) -> Result<Running>
    where
        D: FnOnce(Result<Server>) + Send + 'static,
    {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let lease = match self.lease {
            Some(lease) => lease,
            None => Lease::new(self.threads)?,
        };
        let builder = self.builder;
        let held = lease.clone();
        let start = async move {
            let server = builder.start_on(held.core_shards()).await?;
            let others = held.others();
            Ok(Server { inner: Owned::new(Arc::new(Inner { server, lease: held, _others: others })) })
        };
        Ok(job::start(&lease, Box::pin(start), done))
    }

    /// [`start`](Self::start), waiting on this thread.
    ///
    /// # Errors
    /// `config` for a bad option or address, or one that cannot be bound: the text names it.
    pub fn start_blocking(self) -> Result<Server> {
        wait(|| Ok(()), |done| self.start(done))
    }
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// An authenticator that is asked through requests.
struct Asked<F>(F);

impl<F: Fn(AuthRequest) + Send + Sync + 'static> Authenticator for Asked<F> {
    fn authenticate<'a>(&'a self, context: &'a Context, token: &'a str) -> BoxFuture<'a, Result<()>> {
        let (request, answer) = AuthRequest::new(context.clone(), token);
        (self.0)(request);
        Box::pin(answer)
    }
}

struct Inner {
    server: rpcx::Server,
    lease: Arc<Lease>,
    /// Its connections need their shards at any time.
    _others: Vec<Other>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.server.close();
    }
}

/// A running server. Cheap to clone; the last clone's end closes it.
#[derive(Clone)]
pub struct Server {
    inner: Owned<Arc<Inner>>,
}

impl Server {
    /// Where it listens, in the order given, with the real ports.
    ///
    /// # Errors
    /// `closed` in a forked child, as of every function here.
    pub fn addresses(&self) -> Result<Vec<String>> {
        Ok(self.inner.get()?.server.addresses().iter().map(ToString::to_string).collect())
    }

    /// What it has counted, as JSON.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn stats_json(&self) -> Result<String> {
        let stats = self.inner.get()?.server.stats();
        serde_json::to_string(&stats).map_err(|error| Error::new(Reason::InternalBug, error.to_string()))
    }

    /// The same as Prometheus reads it; `name` tells several servers apart.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn metrics_text(&self, name: &str) -> Result<String> {
        Ok(Exposition::new().server(name, &self.inner.get()?.server.stats()).render())
    }

    /// Replaces what is announced for a service beside the address; empty: for all.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn set_metadata(&self, service: &str, metadata: &str) -> Result<()> {
        self.inner.get()?.server.set_metadata(service, metadata);
        Ok(())
    }

    /// The connections of its clients.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn connections(&self) -> Result<Vec<Connection>> {
        Ok(self.inner.get()?.server.connections().into_iter().map(Connection).collect())
    }

    /// Ends it at once; requests under way are cancelled. Idempotent, never blocks.
    pub fn close(&self) {
        if let Ok(inner) = self.inner.get() {
            let _entered = inner.lease.shard().handle().enter();
            inner.server.close();
        }
    }

    /// Ends it without losing an accepted request: leaves the registries unless `keep_registered`, closes the listeners,
    /// waits for the requests under way, at most for `deadline`. `done` runs on a shard's thread; it gets `timeout` when
    /// calls were cut off.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn shutdown<D>(&self, deadline: Duration, keep_registered: bool, done: D) -> Result<Running>
    where
        D: FnOnce(Result<()>) + Send + 'static,
    {
        let inner = self.inner.get()?.clone();
        let lease = inner.lease.clone();
        let mut how = Shutdown::within(deadline);
        if keep_registered {
            how = how.keep_registered();
        }
        Ok(job::start(&lease, Box::pin(async move { inner.server.shutdown(how).await }), done))
    }

    /// [`shutdown`](Self::shutdown), waiting on this thread. `check` as for
    /// [`Method::call_blocking`](crate::Method::call_blocking).
    ///
    /// # Errors
    /// `timeout` when calls were cut off, or the error of `check`.
    pub fn shutdown_blocking<E, C>(&self, deadline: Duration, keep_registered: bool, check: C) -> Result<(), E>
    where
        E: From<Error>,
        C: FnMut() -> Result<(), E>,
    {
        wait(check, |done| self.shutdown(deadline, keep_registered, done))
    }

    /// `done` runs, on a shard's thread, when the server has ended, however that came.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn wait_closed<D>(&self, done: D) -> Result<Running>
    where
        D: FnOnce(Result<()>) + Send + 'static,
    {
        let inner = self.inner.get()?.clone();
        let lease = inner.lease.clone();
        let ended = async move {
            inner.server.wait().await;
            Ok(())
        };
        Ok(job::start(&lease, Box::pin(ended), done))
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
