//! A server that runs: its listeners, its connections, its end.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::Gate;
use super::announce::{Announcer, OwnedRegistry, ServiceMetadata};
use super::builder::ServerBuilder;
use super::core::ServerCore;
use super::incoming::accept;
use super::protocol::Protocol;
use super::push::ConnectionHandle;
use super::table::{Method, Service};
use crate::config::ServerOptions;
use crate::discovery::{Load, LoadCounts, NodeMetadata};
use crate::error::{Error, ErrorKind, Reason, Result};
use crate::interceptor::{AccessList, Tee, parent};
use crate::shard::{Shard, ShardSet};
use crate::stats::ServerStats;
use crate::transport::{Address, Listener};

/// What accept loops and the handle share.
pub(super) struct Shared {
    pub(super) core: Arc<ServerCore>,
    pub(super) gate: Gate,
    pub(super) tee: Option<Tee>,
    pub(super) protocols: Vec<Arc<dyn Protocol>>,
    pub(super) options: ServerOptions,
    /// No new connections.
    pub(super) closing: CancellationToken,
    /// Its listeners.
    listening: TaskTracker,
    /// Everything ends, foreign protocols too.
    pub(super) closed: CancellationToken,
    pub(super) tasks: TaskTracker,
    /// Where there are registries.
    announcer: Option<Announcer>,
}

/// How a server shuts down; a [`Duration`] is a deadline and nothing else.
///
/// ```
/// use rpcx::server::Shutdown;
/// use std::time::Duration;
///
/// let shutdown = Shutdown::within(Duration::from_secs(10)).keep_registered();
/// ```
#[derive(Clone, Debug)]
pub struct Shutdown {
    deadline: Duration,
    keep_registered: bool,
}

impl Shutdown {
    /// Whatever still runs after `deadline` is cut off.
    pub fn within(deadline: Duration) -> Self {
        Self { deadline, keep_registered: false }
    }

    /// Leaves the services in the registries: another process has taken over the listeners, and announces them itself.
    #[must_use]
    pub fn keep_registered(mut self) -> Self {
        self.keep_registered = true;
        self
    }
}

impl From<Duration> for Shutdown {
    fn from(deadline: Duration) -> Self {
        Self::within(deadline)
    }
}

/// A running server. Dropping the handle leaves it running; [`shutdown`](Server::shutdown) and [`close`](Server::close) end it.
///
/// Methods may be called from any thread. A server owns its services: one that needs the server keeps a
/// [`Weak`](std::sync::Weak) of it, or neither is ever freed.
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<Address>,
    /// The threads it runs on, if they are its own.
    shards: Mutex<Option<ShardSet>>,
}

/// What a server is started with.
pub(super) struct Parts {
    pub(super) core: Arc<ServerCore>,
    pub(super) listeners: Vec<Box<dyn Listener>>,
    pub(super) protocols: Vec<Arc<dyn Protocol>>,
    pub(super) tee: Option<Tee>,
    pub(super) options: ServerOptions,
    pub(super) shards: Vec<Shard>,
    /// The threads of `shards`, if they are the server's own.
    pub(super) set: Option<ShardSet>,
    /// Where to announce which addresses, with what metadata.
    pub(super) announcing: Option<(Vec<OwnedRegistry>, Vec<Arc<str>>, ServiceMetadata)>,
}

impl Server {
    /// Begins a new server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    pub(super) fn start(parts: Parts) -> Server {
        let Parts { core, listeners, protocols, tee, options, shards, set, announcing } = parts;
        parent::server_made();
        let addresses = listeners.iter().map(|listener| listener.address()).collect();
        let tasks = TaskTracker::new();
        let announcer = announcing.map(|(registries, addresses, metadata)| {
            Announcer::start(registries, addresses, metadata, &load(&core), &shards[0], &tasks)
        });
        let shared = Arc::new(Shared {
            core,
            gate: Gate::new(&options),
            tee,
            protocols,
            options,
            closing: CancellationToken::new(),
            listening: TaskTracker::new(),
            closed: CancellationToken::new(),
            tasks,
            announcer,
        });
        for listener in listeners {
            let accepting = shared.listening.track_future(accept(shared.clone(), listener, shards.clone()));
            shards[0].spawn(shared.tasks.track_future(accepting));
        }
        shared.listening.close();
        Server { shared, addresses, shards: Mutex::new(set) }
    }

    /// Announces the services for the first time.
    pub(super) async fn announce(&self) -> Result<()> {
        self.announce_services();
        match self.announced(self.shared.options.registry_timeout).await {
            Err(error) if error.kind() == ErrorKind::Config => Err(error),
            Err(error) => {
                tracing::warn!(target: "rpcx::server", %error, "the server runs, but a registry does not list it yet");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Tells the registries what there is now.
    fn announce_services(&self) {
        if let Some(announcer) = &self.shared.announcer {
            announcer.set_services(|| self.services());
        }
    }

    /// Waits until every registry has taken all that this server offers now, at most for `limit`. At once when there is no
    /// registry.
    ///
    /// # Errors
    /// The last error of a registry that has not.
    pub async fn announced(&self, limit: Duration) -> Result<()> {
        match &self.shared.announcer {
            Some(announcer) => announcer.settled(Instant::now() + limit).await,
            None => Ok(()),
        }
    }

    /// Changes what a service says about itself in the registries, such as `weight=7&state=inactive`; with an empty name, what
    /// all of them say. Returns at once; [`announced`](Self::announced) waits.
    pub fn set_metadata(&self, service: &str, metadata: &str) {
        if let Some(announcer) = &self.shared.announcer {
            announcer.set_metadata(service, NodeMetadata::new(metadata), || self.services());
        }
    }

    /// Where it listens, in the order of the `bind` calls, with real ports.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// What it has counted so far.
    pub fn stats(&self) -> ServerStats {
        self.shared.core.stats()
    }

    /// Where the metrics are served, with the real port; `None` without the option `metrics_address`, and after the end.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.shared.core.metrics.address()
    }

    /// The clients that are connected now; those that speak another protocol take no pushes and are not among them.
    pub fn connections(&self) -> Vec<ConnectionHandle> {
        self.shared.core.sessions().iter().map(ConnectionHandle::new).collect()
    }

    /// Adds a service while the server runs, or replaces the one of that name. Registries are told in the background.
    pub fn add_service<S: Service>(&self, name: &str, service: S) {
        let methods: Vec<Method> = service.methods();
        let core = &self.shared.core;
        let recorders: Vec<_> = methods.iter().map(|method| core.recorder.method(name, method.name())).collect();
        core.services.change(|table| {
            table.remove(name);
            for (method, recorder) in methods.into_iter().zip(recorders) {
                table.insert(name, method, recorder);
            }
        });
        self.announce_services();
    }

    /// Takes a service out, of the registries too; calls in progress go on. False when there is none of that name.
    pub fn remove_service(&self, name: &str) -> bool {
        let removed = self.shared.core.services.change(|table| table.remove(name));
        self.announce_services();
        removed
    }

    /// Changes who may connect, from the next connection on: instead of the options `access.allow` and `access.deny`.
    /// Connections that are open stay.
    pub fn set_access(&self, list: AccessList) {
        self.shared.gate.set_access(list);
    }

    /// The services that can be called.
    pub fn services(&self) -> Vec<String> {
        self.shared.core.services.current().services().collect()
    }

    /// Waits until the server has ended.
    pub async fn wait(&self) {
        self.shared.closed.cancelled().await;
        self.shared.tasks.wait().await;
    }

    /// Ends the server without losing an accepted request: leaves the registries, closes the listeners, tells clients to go
    /// elsewhere, finishes the calls in progress, then closes the connections. Whatever still runs after the deadline is cut
    /// off; [`Shutdown`] has what else can be said. A registry that cannot be reached holds it up for `registry_timeout`.
    ///
    /// Clients that cannot be told keep being served until they leave, or until `shutdown_linger` after the last call.
    ///
    /// # Errors
    /// `timeout` when calls had to be cut off.
    pub async fn shutdown(&self, how: impl Into<Shutdown>) -> Result<()> {
        let how: Shutdown = how.into();
        let until = Instant::now() + how.deadline;
        let core = &self.shared.core;
        if let Some(announcer) = &self.shared.announcer {
            let limit = self.shared.options.registry_timeout.min(how.deadline);
            announcer.end((!how.keep_registered).then_some(limit));
            // Whoever still finds the server is served until the listeners close. An error was logged where it came.
            let _ = announcer.settled(Instant::now() + limit).await;
        }
        core.draining.store(true, Ordering::Release);
        self.shared.closing.cancel();
        // A client that is told while a socket listens might connect anew, and lose its request when the socket closes.
        let _ = tokio::time::timeout_at(until.into(), self.shared.listening.wait()).await;
        for session in core.sessions() {
            session.send_drain();
        }
        let drained = tokio::time::timeout_at(until.into(), self.drained()).await.is_ok();
        let cut = core.waiting.load(Ordering::Acquire);
        for session in core.sessions() {
            session.link.close_after_flush(Error::new(Reason::ShuttingDownServer, "the server has shut down"));
        }
        let left = async {
            loop {
                let changed = core.changed.notified();
                if core.sessions().is_empty() {
                    return;
                }
                changed.await;
            }
        };
        // A client that takes no bytes does not hold the end up.
        let _ = tokio::time::timeout_at(until.max(Instant::now() + Duration::from_millis(100)).into(), left).await;
        self.finish().await;
        if drained || cut == 0 {
            return Ok(());
        }
        Err(Error::new(Reason::TimeoutServer, format!("{cut} calls were cut off by the shutdown's deadline")))
    }

    /// Waits until no call runs and the clients have left, or have been quiet for the linger time.
    async fn drained(&self) {
        let core = &self.shared.core;
        loop {
            let changed = core.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            if core.waiting.load(Ordering::Acquire) > 0 {
                changed.await;
                continue;
            }
            if core.connections.load(Ordering::Acquire) == 0 {
                return;
            }
            if tokio::time::timeout(self.shared.options.shutdown_linger, changed).await.is_err()
                && core.waiting.load(Ordering::Acquire) == 0
            {
                return;
            }
        }
    }

    /// Ends the server at once; calls in progress are cancelled and get no answer. Idempotent, never blocks. Registries are
    /// told in the background, as far as the runtime goes on; sessions that are not ended run out by themselves.
    pub fn close(&self) {
        if let Some(announcer) = &self.shared.announcer {
            announcer.end(Some(self.shared.options.registry_timeout));
        }
        self.shared.core.metrics.close();
        self.shared.closed.cancel();
        self.shared.closing.cancel();
        self.shared.core.draining.store(true, Ordering::Release);
        for session in self.shared.core.sessions() {
            session.link.close(Error::new(Reason::ClosedLocal, "the server was closed"));
        }
        self.shared.tasks.close();
        drop(self.take_shards());
    }

    async fn finish(&self) {
        for session in self.shared.core.sessions() {
            session.link.close(Error::new(Reason::ClosedLocal, "the server has shut down"));
        }
        self.shared.core.metrics.close();
        self.shared.closed.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        if let Some(set) = self.take_shards() {
            // Waiting for threads must not hold up the caller's own.
            let _ = tokio::task::spawn_blocking(move || set.shutdown(Duration::from_secs(1))).await;
        }
    }

    fn take_shards(&self) -> Option<ShardSet> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What the server has done, for registries.
fn load(core: &Arc<ServerCore>) -> Load {
    let core = Arc::downgrade(core);
    Load::new(move || {
        let count = |core: Arc<ServerCore>| {
            let stats = core.stats();
            LoadCounts { calls: stats.calls, connections: stats.connections.opened }
        };
        core.upgrade().map(count).unwrap_or_default()
    })
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}
