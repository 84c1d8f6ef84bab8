//! What all services of a client share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rpcx_protocol::compress::Compressors;
use rpcx_protocol::limits::Limits;

use super::begun::BegunCalls;
use super::endpoint::Endpoint;
use super::health::Health;
use super::push::PushQueue;
use super::routes::Routes;
use crate::config::ClientOptions;
use crate::connection::LinkOptions;
use crate::connection::caller::{Caller, CallerOptions, LifeSink};
use crate::connection::link::QueueLimits;
use crate::discovery::{Discovery, Node};
use crate::error::{Error, Reason, Result};
use crate::interceptor::{Interceptor, SlowCalls};
use crate::resilience::{BudgetRules, RetryBudget};
use crate::shard::Shard;
use crate::stats::{ClientRecorder, ClientStats, EndpointStats, QueueTotals, ServedMetrics, ServiceStats};
use crate::transport::{Address, DialOptions, Transports};

/// Opens connections the way the client's options say.
pub(crate) struct Dialer {
    transports: Transports,
    dial: DialOptions,
    limits: Limits,
    queue: QueueLimits,
    caller: CallerOptions,
    pushes: Arc<PushQueue>,
    recorder: Arc<ClientRecorder>,
    pub(super) connections: usize,
    pub(super) time_to_disallow: Duration,
    pub(super) health: Arc<Health>,
    closed: AtomicBool,
}

impl Dialer {
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Opens one connection on `shard`, which is the calling one.
    pub(super) async fn dial(&self, address: &Address, life: Box<dyn LifeSink>, shard: &Shard) -> Result<Arc<Caller>> {
        if self.is_closed() {
            return Err(Error::new(Reason::ClosedLocal, "the client is closed"));
        }
        // The transports keep connect_timeout, handshakes included.
        let io = self.transports.dial(address, &self.dial).await.inspect_err(|_| self.recorder.failed())?;
        let options = LinkOptions { limits: self.limits, queue: self.queue, recorder: self.recorder.connection() };
        let pushes: Arc<PushQueue> = self.pushes.clone();
        self.recorder.opened();
        Ok(crate::connection::start_client(io, options, self.caller.clone(), Some(pushes), Some(life), shard))
    }

    /// Waits for a sign of life on a new connection, which ends if there is none.
    pub(super) async fn prove(&self, caller: &Caller) -> Result<()> {
        let proven = caller.proven(self.dial.connect_timeout).await;
        proven.inspect_err(|error| {
            self.recorder.failed();
            caller.link.close(error.clone());
        })
    }
}

/// The servers that any service of the client uses.
#[derive(Default)]
struct Endpoints {
    known: HashMap<Arc<str>, Weak<Endpoint>>,
    /// Those that nobody uses any more are forgotten when there are so many entries.
    sweep_at: usize,
}

impl Endpoints {
    /// Costs each new server a constant time, whatever their number.
    fn sweep(&mut self) {
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, endpoint| endpoint.strong_count() > 0);
            self.sweep_at = 2 * self.known.len() + 16;
        }
    }
}

pub(crate) struct ClientCore {
    pub(super) options: ClientOptions,
    pub(super) discovery: Arc<dyn Discovery>,
    /// The discovery was opened for this client alone, and ends with it.
    owns_discovery: bool,
    pub(super) dialer: Arc<Dialer>,
    pub(super) compressors: Compressors,
    pub(super) interceptors: Vec<Arc<dyn Interceptor>>,
    /// With the option `slow_call`, unless there are interceptors: then it is one of them.
    pub(super) slow_calls: Option<SlowCalls>,
    pub(super) budget: RetryBudget,
    pub(super) health: Arc<Health>,
    pub(super) recorder: Arc<ClientRecorder>,
    pub(super) metrics: ServedMetrics,
    pub(super) pushes: Arc<PushQueue>,
    /// Calls that no connection counts.
    pub(super) begun: Arc<BegunCalls>,
    routes: ArcSwap<HashMap<Arc<str>, Arc<Routes>>>,
    /// Servers, shared by all services that they serve.
    endpoints: Mutex<Endpoints>,
    closed: AtomicBool,
}

/// Nodes that the user gave have addresses that can be dialled.
pub(super) fn check_nodes(transports: &Transports, nodes: &[Node]) -> Result<()> {
    nodes.iter().try_for_each(|node| transports.check_dial(&node.address().parse()?))
}

impl ClientCore {
    pub(super) fn new(
        options: ClientOptions,
        (discovery, owns_discovery): (Arc<dyn Discovery>, bool),
        transports: Transports,
        compressors: Compressors,
        interceptors: Vec<Arc<dyn Interceptor>>,
    ) -> ClientCore {
        let nonzero = |duration: Duration| (duration > Duration::ZERO).then_some(duration);
        let recorder: Arc<ClientRecorder> = Arc::default();
        let pushes = Arc::new(PushQueue::new(options.push_queue as usize, options.push_overflow, recorder.clone()));
        let health = Arc::new(Health::new(&options));
        let dialer = Dialer {
            transports,
            dial: DialOptions {
                tcp_nodelay: options.tcp_nodelay,
                keepalive: nonzero(options.tcp_keepalive),
                connect_timeout: options.connect_timeout,
            },
            limits: Limits {
                max_message_size: options.max_message_size,
                max_metadata_size: options.max_metadata_size,
                max_metadata_pairs: options.max_metadata_pairs as usize,
            },
            queue: QueueLimits { frames: options.max_queued_requests as usize, bytes: options.max_queued_bytes },
            caller: CallerOptions {
                max_in_flight: options.max_in_flight as usize,
                max_lingering: options.max_lingering as usize,
                idle_timeout: nonzero(options.idle_timeout),
                write_timeout: nonzero(options.write_timeout),
                heartbeat_interval: options.heartbeat_interval,
                heartbeat_timeout: options.heartbeat_timeout,
                stuck_timeout: options.stuck_timeout,
                recorder: recorder.clone(),
            },
            pushes: pushes.clone(),
            recorder: recorder.clone(),
            connections: options.connections as usize,
            time_to_disallow: options.time_to_disallow,
            health: health.clone(),
            closed: AtomicBool::new(false),
        };
        let rules = BudgetRules {
            min: options.retry_budget.min,
            ratio: options.retry_budget.ratio,
            window: options.retry_budget.window,
        };
        ClientCore {
            budget: RetryBudget::new(rules, Instant::now()),
            health,
            slow_calls: nonzero(options.slow_call).filter(|_| interceptors.is_empty()).map(SlowCalls::new),
            options,
            discovery,
            owns_discovery,
            dialer: Arc::new(dialer),
            compressors,
            interceptors,
            recorder,
            metrics: ServedMetrics::default(),
            pushes,
            begun: Arc::default(),
            routes: ArcSwap::default(),
            endpoints: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// See [`Client::set_nodes`](super::Client::set_nodes).
    pub(super) fn set_nodes(&self, nodes: Vec<Node>) -> Result<()> {
        self.check_open()?;
        check_nodes(&self.dialer.transports, &nodes)?;
        self.discovery.set_nodes(nodes)
    }

    /// What the client has counted so far.
    pub(super) fn stats(&self) -> ClientStats {
        let mut queue = QueueTotals::default();
        let mut in_flight = 0;
        for caller in self.connections() {
            queue += caller.link.queue();
            in_flight += caller.in_flight();
        }
        let now = Instant::now();
        ClientStats {
            retry_budget_left: self.budget.left(now),
            services: self.service_stats(now),
            servers: self.endpoint_stats(now),
            ..self.recorder.snapshot(in_flight, queue)
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.dialer.limits
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(Reason::ClosedLocal, "the client is closed"));
        }
        Ok(())
    }

    /// The servers of a service and how one of them is chosen; made at the first use.
    pub(super) fn routes(self: &Arc<Self>, service: &str) -> Result<Arc<Routes>> {
        if let Some(routes) = self.routes.load().get(service) {
            return Ok(routes.clone());
        }
        let fresh = Arc::new(Routes::new(service, self)?);
        let name: Arc<str> = service.into();
        let mut kept = fresh.clone();
        self.routes.rcu(|all| {
            let mut all = HashMap::clone(all);
            kept = all.entry(name.clone()).or_insert_with(|| fresh.clone()).clone();
            all
        });
        Ok(kept)
    }

    /// The server at an address; one object however many services it serves.
    pub(super) fn endpoint(&self, address: &Arc<str>) -> Arc<Endpoint> {
        let mut endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = endpoints.known.get(address).and_then(Weak::upgrade) {
            return endpoint;
        }
        endpoints.sweep();
        let endpoint = Arc::new(Endpoint::new(address.clone(), self.dialer.clone()));
        endpoints.known.insert(address.clone(), Arc::downgrade(&endpoint));
        endpoint
    }

    /// Every connection that is open.
    pub(super) fn connections(&self) -> Vec<Arc<Caller>> {
        let endpoints: Vec<_> = {
            let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
            endpoints.known.values().filter_map(Weak::upgrade).collect()
        };
        endpoints.iter().flat_map(|endpoint| endpoint.connections()).collect()
    }

    /// The servers of every service that was used.
    pub(super) fn endpoint_stats(&self, now: Instant) -> Vec<EndpointStats> {
        let routes = self.routes.load();
        let mut stats: Vec<EndpointStats> = routes.values().flat_map(|routes| routes.stats(self, now)).collect();
        stats.sort_by(|a, b| (&a.service, &a.server).cmp(&(&b.service, &b.server)));
        stats
    }

    /// What discovery knows of every service that was used.
    fn service_stats(&self, now: Instant) -> Vec<ServiceStats> {
        let routes = self.routes.load();
        let mut stats: Vec<ServiceStats> = routes.values().map(|routes| routes.discovery_stats(now)).collect();
        stats.sort_by(|a, b| a.service.cmp(&b.service));
        stats
    }

    /// A retry is within the budget.
    pub(super) fn may_spend_retry(&self, now: Instant) -> bool {
        self.budget.try_retry(now)
    }

    /// No call begins any more; those that have begun go on.
    pub(super) fn stop(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Waits until no call goes on.
    pub(super) async fn finished(&self) {
        loop {
            self.begun.none().await;
            for caller in self.connections() {
                caller.idle().await;
            }
            // A call may have failed on its connection and begun to wait for another one, or the other way round.
            if self.begun.count() == 0 && self.in_flight() == 0 {
                return;
            }
        }
    }

    /// Calls that wait for answers.
    pub(super) fn in_flight(&self) -> usize {
        self.connections().iter().map(|caller| caller.in_flight()).sum()
    }

    /// Ends the connections behind what was handed to them.
    pub(super) fn close_behind_requests(&self) {
        for caller in self.connections() {
            caller.link.close_after_flush(Error::new(Reason::ClosedLocal, "the client was closed"));
        }
    }

    /// Ends everything at once.
    pub(super) fn close(&self) {
        self.stop();
        self.dialer.closed.store(true, Ordering::Release);
        for caller in self.connections() {
            caller.link.close(Error::new(Reason::ClosedLocal, "the client was closed"));
        }
        if self.owns_discovery {
            self.discovery.close();
        }
        self.pushes.close();
        self.metrics.close();
    }
}

impl Drop for ClientCore {
    fn drop(&mut self) {
        self.close();
    }
}
