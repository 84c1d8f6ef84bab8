//! The dynamic client.

use std::sync::Arc;
use std::time::Duration;

use rpcx::client::{AnyBytes, Pushes};
use rpcx::config::ClientOptions;
use rpcx::discovery::{Multiple, Node, Schemes};
use rpcx::interceptor::Interceptor;
use rpcx::stats::Exposition;
use rpcx::{Error, Reason, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use rpcx::client::Push;

use crate::driver::Driver;
use crate::fork::Owned;
use crate::job;
use crate::method::{Method, Parts};
use crate::runtime::Lease;
use crate::wait::wait;

/// Where a client finds servers.
#[derive(Clone, Debug)]
pub enum Discovery {
    /// An address (`tcp@127.0.0.1:8972`) or the URL of a discovery: `multiple://…`, `dns://…`, `etcd://…`, `mdns://`.
    /// An address (`tcp@127.0.0.1:8972`) or the URL of a discovery: `multiple://…`, `dns://…`, `etcd://…`, `nacos://…`.
    /// An address (`tcp@127.0.0.1:8972`) or the URL of a discovery: `multiple://…`, `dns://…`, `etcd://…`,
    /// `zookeeper://…`.
    Url(String),
    /// Servers by address, each with its metadata: `tcp@127.0.0.1:8972?weight=7&group=a`. May be empty, may be replaced
    /// with [`Client::set_nodes`].
    Nodes(Vec<String>),
}

/// What a client is made of.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Where it finds servers.
    pub discovery: Discovery,
    /// Options by their names in CONFIGURATION.md, later ones win.
    pub options: Vec<(String, String)>,
    /// Shards it uses; zero and one: one.
    pub threads: usize,
}

impl Default for ClientConfig {
    /// No servers, all defaults.
    fn default() -> Self {
        ClientConfig { discovery: Discovery::Nodes(Vec::new()), options: Vec::new(), threads: 1 }
    }
}

/// A push that takes a place of its subscription until it is dropped, or its place is.
#[derive(Debug)]
pub struct HeldPush {
    /// The message.
    pub push: Push,
    /// What it takes. All places of a subscription are alike.
    pub place: Place,
}

/// A place for a push: dropping it lets another one come.
#[derive(Debug)]
pub struct Place(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

struct Inner {
    client: rpcx::Client,
    lease: Arc<Lease>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.client.close();
    }
}

/// A client. Cheap to clone; the last clone's end closes it.
#[derive(Clone)]
pub struct Client {
    inner: Owned<Arc<Inner>>,
}

impl Client {
    /// Makes a client. Nothing is connected before the first call.
    ///
    /// # Errors
    /// `config` for an option, address or URL that is none, `internal.system` when there is no thread to be had.
    pub fn open(config: ClientConfig) -> Result<Client> {
        Client::open_with(config, Vec::new())
    }

    /// [`open`](Self::open) with interceptors, the outermost first.
    ///
    /// # Errors
    /// As of `open`.
    pub fn open_with(config: ClientConfig, interceptors: Vec<Arc<dyn Interceptor>>) -> Result<Client> {
        let mut options = ClientOptions::default();
        for (name, value) in &config.options {
            options.set(name, value)?;
        }
        let lease = Lease::new(config.threads.max(1))?;
        let _entered = lease.shard().handle().enter();
        let mut builder = rpcx::Client::builder().options(options).schemes(schemes());
        for interceptor in interceptors {
            builder = builder.interceptor(interceptor);
        }
        let builder = match &config.discovery {
            Discovery::Url(url) => builder.discovery_url(url),
            Discovery::Nodes(list) => builder.discovery(Arc::new(Multiple::new(parse(list)?))),
        };
        let client = builder.build()?;
        let lease = lease.clone();
        Ok(Client { inner: Owned::new(Arc::new(Inner { client, lease })) })
    }

    /// A method by its service path and name.
    ///
    /// # Errors
    /// `closed` after [`close`](Self::close), `config` for a name that cannot be one.
    pub fn method(&self, service: &str, method: &str) -> Result<Method> {
        let inner = self.inner.get()?;
        let _entered = inner.lease.shard().handle().enter();
        let service = inner.client.service(service)?.codecs::<AnyBytes>();
        let method = service.method(method)?;
        Ok(Method::new(Parts { method, service, lease: inner.lease.clone() }))
    }

    /// A driver of the client's shard, the first one if it has several: what its connections bring needs no wake-up then.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn driver(&self) -> Result<Driver> {
        Ok(Driver::of(self.inner.get()?.lease.clone(), 0))
    }

    /// Replaces the servers of a client that was made from a list of them, given as such or as `multiple://…`.
    ///
    /// # Errors
    /// `config` for an address that is none, and for other clients.
    pub fn set_nodes(&self, nodes: &[String]) -> Result<()> {
        self.inner.get()?.client.set_nodes(parse(nodes)?)
    }

    /// What it has counted, as JSON.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn stats_json(&self) -> Result<String> {
        let stats = self.inner.get()?.client.stats();
        serde_json::to_string(&stats).map_err(|error| Error::new(Reason::InternalBug, error.to_string()))
    }

    /// The same as Prometheus reads it; `name` tells several clients apart.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn metrics_text(&self, name: &str) -> Result<String> {
        Ok(Exposition::new().client(name, &self.inner.get()?.client.stats()).render())
    }

    /// Sends what servers push to `sink`, on a shard's thread, until the client is closed: then `None` once. `sink` must
    /// not block; one that says false takes no more. Messages go to one sink each: several of them share.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn take_pushes(&self, sink: impl Fn(Option<Push>) -> bool + Send + Sync + 'static) -> Result<()> {
        self.take_held(Semaphore::MAX_PERMITS, move |push| sink(push.map(|held| held.push)))
    }

    /// [`take_pushes`](Self::take_pushes) for a sink that keeps them, as a queue does: when `limit` of them have not been
    /// dropped, further ones wait in the client, as far as its options `push_queue` and `push_overflow` let them.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn take_held(
        &self,
        limit: usize,
        sink: impl Fn(Option<HeldPush>) -> bool + Send + Sync + 'static,
    ) -> Result<()> {
        let inner = self.inner.get()?;
        let mut pushes: Pushes = inner.client.pushes();
        let room = Arc::new(Semaphore::new(limit));
        // Not the client itself: a sink does not keep it open.
        let lease = inner.lease.clone();
        let shard = inner.lease.shard();
        let other = shard.other();
        shard.spawn(async move {
            // The semaphore is never closed.
            while let Ok(place) = room.clone().acquire_owned().await
                && let Some(push) = pushes.next().await
            {
                if !sink(Some(HeldPush { push, place: Place(place) })) {
                    return;
                }
            }
            sink(None);
            drop((other, lease));
        });
        Ok(())
    }

    /// Ends it at once: running calls fail with `closed`. Idempotent, never blocks.
    pub fn close(&self) {
        if let Ok(inner) = self.inner.get() {
            inner.client.close();
        }
    }

    /// Takes no new calls, waits for those under way, at most for `deadline`, then closes. `done` runs on a shard's thread;
    /// it gets `timeout` when calls were cut off. Calls that were begun [`together`](crate::Together) before, from the same
    /// thread and on a client of one shard, are under way.
    ///
    /// # Errors
    /// `closed` in a forked child.
    pub fn shutdown<D>(&self, deadline: Duration, done: D) -> Result<job::Running>
    where
        D: FnOnce(Result<()>) + Send + 'static,
    {
        let inner = self.inner.get()?.clone();
        let lease = inner.lease.clone();
        Ok(job::start_behind(&lease, Box::pin(async move { inner.client.shutdown(deadline).await }), done))
    }

    /// [`shutdown`](Self::shutdown), waiting on this thread. `check` as for [`Method::call_blocking`].
    ///
    /// # Errors
    /// `timeout` when calls were cut off, or the error of `check`.
    pub fn shutdown_blocking<E, C>(&self, deadline: Duration, check: C) -> Result<(), E>
    where
        E: From<Error>,
        C: FnMut() -> Result<(), E>,
    {
        wait(check, |done| self.shutdown(deadline, done))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("inner", &self.inner.get().map(|inner| &inner.client)).finish()
    }
}

/// What URLs may name: everything that the published packages have.
pub(crate) fn schemes() -> Schemes {
    let schemes = Schemes::default().with(librpcx_dns::scheme());
    #[cfg(feature = "consul")]
    let schemes = schemes.with(librpcx_consul::scheme());
    #[cfg(feature = "etcd")]
    let schemes = schemes.with(librpcx_etcd::scheme());
    #[cfg(feature = "redis")]
    let schemes = schemes.with(librpcx_redis::scheme()).with(librpcx_redis::tls_scheme());
    #[cfg(feature = "mdns")]
    let schemes = schemes.with(librpcx_mdns::scheme());
    #[cfg(feature = "nacos")]
    let schemes = schemes.with(librpcx_nacos::scheme());
    #[cfg(feature = "zookeeper")]
    let schemes = schemes.with(librpcx_zookeeper::scheme());
    schemes
}

fn parse(nodes: &[String]) -> Result<Vec<Node>> {
    nodes.iter().map(|node| node.parse()).collect()
}
