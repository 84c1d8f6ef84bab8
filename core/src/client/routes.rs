//! The servers of one service, as its discovery has them now, and the choice among them.
//!
//! Nothing runs in the background: a call compares the revision of the latest snapshot with the one it knows, and the first
//! call that sees a newer one brings the table up to date.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use rpcx_protocol::keys;

use super::core::ClientCore;
use super::health::Health;
use super::pinger::Pinger;
use super::request::Heads;
use super::selection::Selected;
use super::table::{Server, Table, View};
use crate::balance::{self, Position, Selector, WeightedPing};
use crate::config::{ClientOptions, SelectMode};
use crate::discovery::{Snapshot, SnapshotState, Watch, visible_after};
use crate::error::{Error, Reason, Result};
use crate::resilience::{Ejector, Standing};
use crate::stats::{EndpointCalls, EndpointStats, MethodRecorder, ServiceStats};

/// One service of one client.
pub(crate) struct Routes {
    service: Arc<str>,
    watch: Watch,
    pub(super) selector: Box<dyn Selector>,
    pub(super) selector_learns: bool,
    /// The ends of attempts are to be told to the selector, a breaker, the ejector or the statistics.
    pub(super) watches_calls: bool,
    pub(super) health: Arc<Health>,
    ejector: Option<Ejector>,
    /// In select mode `weighted_icmp`.
    pinger: Option<Pinger>,
    table: ArcSwap<Table>,
    /// For each server of the table, if the ends of calls are watched, how it stands. Locked by who updates the table.
    standings: Mutex<Vec<Standing>>,
    methods: ArcSwap<HashMap<Arc<str>, Arc<MethodInfo>>>,
    /// With the option `sticky`: the server to stay with until it fails.
    sticky: Option<Mutex<Option<Arc<str>>>>,
}

/// A method with what the client keeps about it.
pub(crate) struct MethodInfo {
    pub(crate) name: Arc<str>,
    pub(crate) recorder: Arc<MethodRecorder>,
    pub(super) heads: Heads,
}

impl Routes {
    pub(super) fn new(service: &str, client: &ClientCore) -> Result<Routes> {
        check_name("service", service)?;
        let watch = client.discovery.watch(service);
        let now = Instant::now();
        let (selector, pinger) = selector(&client.options, now)?;
        let selector_learns = selector.wants_feedback();
        let routes = Routes {
            service: service.into(),
            selector,
            selector_learns,
            watches_calls: selector_learns || client.health.watches_calls() || client.options.server_stats,
            health: client.health.clone(),
            ejector: client.health.ejector(now),
            pinger,
            watch,
            table: ArcSwap::from_pointee(Table::empty(now)),
            standings: Mutex::default(),
            methods: ArcSwap::default(),
            sticky: client.options.sticky.then(Mutex::default),
        };
        routes.refresh(client, now);
        Ok(routes)
    }

    /// The service path.
    pub(crate) fn service(&self) -> &Arc<str> {
        &self.service
    }

    /// What is kept about a method; made at its first call.
    pub(crate) fn method(&self, client: &ClientCore, name: &str) -> Result<Arc<MethodInfo>> {
        if let Some(method) = self.methods.load().get(name) {
            return Ok(method.clone());
        }
        check_name("method", name)?;
        let recorder = client.recorder.method(&self.service, name);
        let fresh = Arc::new(MethodInfo { name: name.into(), recorder, heads: Heads::default() });
        let mut kept = fresh.clone();
        self.methods.rcu(|all| {
            let mut all = HashMap::clone(all);
            kept = all.entry(fresh.name.clone()).or_insert_with(|| fresh.clone()).clone();
            all
        });
        Ok(kept)
    }

    /// The server to stay with, if there is one and `stay` finds that it may be used.
    pub(super) fn sticky<'r>(&self, stay: impl FnOnce(&Arc<str>) -> Option<Selected<'r>>) -> Option<Selected<'r>> {
        let kept = self.sticky.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        stay(&kept)
    }

    /// Stays with a server from now on, if the client is sticky.
    pub(super) fn stick_to<'r>(&self, selected: Selected<'r>) -> Selected<'r> {
        if let Some(sticky) = &self.sticky {
            *sticky.lock().unwrap_or_else(PoisonError::into_inner) = Some(selected.address().clone());
        }
        selected
    }

    /// The servers as discovery and their own health have them now.
    pub(super) fn current(&self, client: &ClientCore, now: Instant) -> Guard<Arc<Table>> {
        let table = self.table.load();
        if table.source.revision() == self.watch.revision() && !table.is_behind(&client.health, now) {
            return table;
        }
        self.refresh(client, now);
        self.table.load()
    }

    /// Measures the servers beside the calls, if the select mode goes by that and it is time.
    #[inline]
    pub(super) fn measure(&self, table: &Table, now: Instant) {
        if let Some(pinger) = &self.pinger {
            pinger.measure(&table.all.servers, now);
        }
    }

    fn refresh(&self, client: &ClientCore, now: Instant) {
        let known = self.table.load();
        let only_health = known.source.revision() == self.watch.revision();
        if only_health && known.rests(now) {
            return;
        }
        let mut standings = match self.standings.try_lock() {
            Ok(standings) => standings,
            // Somebody else is at it; meanwhile a call is better off with what is there than waiting.
            Err(_) if only_health => return,
            Err(_) => self.standings.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let old = self.table.load_full();
        let latest = self.watch.latest();
        // Before the states that it speaks of are read.
        let generation = client.health.generation();
        let came = !Arc::ptr_eq(&old.source, &latest);
        if !came && !old.is_behind(&client.health, now) {
            return;
        }
        let all = if came { self.servers(client, &latest, &old, &mut standings) } else { old.all.clone() };
        if let Some(ejector) = &self.ejector {
            ejector.restore(&mut standings, now);
        }
        let table = Table::of(latest, generation, all, &standings, &old, now);
        if !table.eligible.nodes.shares_nodes(&old.eligible.nodes) || came {
            let diff = table.eligible.nodes.diff(&old.eligible.nodes);
            self.selector.update(&table.eligible.nodes, &diff);
        }
        self.table.store(Arc::new(table));
    }

    /// The servers of a new snapshot. Those that were there before stay as they are.
    fn servers(&self, client: &ClientCore, latest: &Snapshot, old: &Table, standings: &mut Vec<Standing>) -> View {
        let group = client.options.group.as_deref().unwrap_or_default();
        let (nodes, diff) = visible_after(latest, group, &old.source, &old.all.nodes);
        let old = &old.all;
        if diff.added.is_empty() && diff.removed.is_empty() {
            return View { servers: old.servers.clone(), nodes };
        }
        if self.watches_calls {
            let mut before: Vec<Option<Standing>> = standings.drain(..).map(Some).collect();
            let carried = diff.origins().map(|origin| origin.and_then(|origin| before[origin].take()));
            *standings = carried.map(Option::unwrap_or_default).collect();
        }
        if let Some(pinger) = self.pinger.as_ref().filter(|_| !diff.added.is_empty()) {
            pinger.hurry();
        }
        let fresh = |index: usize| {
            let endpoint = client.endpoint(&nodes.nodes()[index].shared_address());
            let tally = standings.get(index).map(|standing| standing.tally().clone());
            Arc::new(Server { endpoint, tally })
        };
        let servers = diff.origins().enumerate();
        let servers = servers.map(|(index, origin)| match origin {
            Some(origin) => old.servers[origin].clone(),
            None => fresh(index),
        });
        View { servers: servers.collect(), nodes }
    }

    /// Looks, when it is time, which servers stand out.
    pub(super) fn compare_servers(&self, now: Instant) {
        let Some(ejector) = &self.ejector else { return };
        if !ejector.claim(now) {
            return;
        }
        // Whoever holds it brings the table up to date; the next look is not far.
        if let Ok(mut standings) = self.standings.try_lock()
            && ejector.sweep(&mut standings, now)
        {
            self.health.changed();
        }
    }

    /// What is known of each server.
    pub(super) fn stats(&self, client: &ClientCore, now: Instant) -> Vec<EndpointStats> {
        let table = Guard::into_inner(self.current(client, now));
        let standings = self.standings.lock().unwrap_or_else(PoisonError::into_inner);
        let stats = table.all.servers.iter().enumerate().map(|(index, server)| {
            let stats = server.endpoint.stats(&self.service, now);
            let Some(tally) = &server.tally else { return stats };
            let totals = tally.totals();
            // Another thread may have brought a newer table since: then the standings are of its servers.
            let same = |standing: &&Standing| Arc::ptr_eq(standing.tally(), tally);
            let standing = standings.get(index).filter(same).or_else(|| standings.iter().find(same));
            EndpointStats {
                ejected: standing.is_some_and(|standing| standing.ejected_until().is_some_and(|until| until > now)),
                ejections: standing.map_or(0, Standing::ejections),
                calls: Some(EndpointCalls::new(totals.good, totals.bad, totals.mean_latency())),
                ..stats
            }
        });
        stats.collect()
    }

    /// What discovery knows of the service.
    pub(super) fn discovery_stats(&self, now: Instant) -> ServiceStats {
        let (latest, problem) = (self.watch.latest(), self.watch.problem());
        let stale = match latest.state() {
            SnapshotState::Stale(since) => Some(now.saturating_duration_since(since)),
            SnapshotState::Live | SnapshotState::Unknown => None,
        };
        let known = latest.state() != SnapshotState::Unknown;
        ServiceStats::new(&self.service, latest.len(), problem.as_deref(), stale, known)
    }

    /// Waits for the first answer of a discovery that has none yet.
    ///
    /// # Errors
    /// `no_server.discovery_timeout` after `discovery_timeout` or at the call's deadline.
    pub(super) async fn known(
        &self,
        client: &ClientCore,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Result<Guard<Arc<Table>>> {
        let table = self.current(client, now);
        if table.source.state() != SnapshotState::Unknown {
            return Ok(table);
        }
        drop(table);
        let _begun = client.begun.enter();
        let limit = Instant::now() + client.options.discovery_timeout;
        let until = deadline.map_or(limit, |deadline| deadline.min(limit));
        let mut watch = self.watch.clone();
        match tokio::time::timeout_at(until.into(), watch.known()).await {
            Ok(Some(_)) => Ok(self.current(client, Instant::now())),
            // In time, but closed: it will never answer.
            Ok(None) | Err(_) => {
                let why = watch.problem().map(|problem| format!(": {problem}")).unwrap_or_default();
                Err(Error::new(
                    Reason::NoServerDiscoveryTimeout,
                    format!("discovery has not answered for service {} yet{why}", self.service),
                ))
            }
        }
    }
}

/// The select mode that the options ask for, and what measures the servers for it.
fn selector(options: &ClientOptions, now: Instant) -> Result<(Box<dyn Selector>, Option<Pinger>)> {
    let selector: Box<dyn Selector> = match options.select_mode {
        SelectMode::Random => Box::new(balance::Random),
        SelectMode::RoundRobin => Box::new(balance::RoundRobin::new()),
        SelectMode::WeightedRoundRobin => Box::new(balance::WeightedRoundRobin::new()),
        SelectMode::ConsistentHash => Box::new(balance::ConsistentHash::new()),
        SelectMode::LeastLoaded => Box::new(balance::LeastLoaded::new()),
        SelectMode::Closest => {
            let (Some(latitude), Some(longitude)) = (options.latitude, options.longitude) else {
                return Err(Error::new(
                    Reason::ConfigBadValue,
                    "select_mode: closest needs the options latitude and longitude",
                ));
            };
            Box::new(balance::Closest::new(Position { latitude, longitude }))
        }
        SelectMode::WeightedIcmp => {
            let selector: Arc<WeightedPing> = Arc::default();
            let pinger = Pinger::new(selector.clone(), options.ping_interval, now);
            return Ok((Box::new(selector), Some(pinger)));
        }
    };
    Ok((selector, None))
}

/// Names are sent as they are; these would mean something else to the peer.
fn check_name(what: &str, name: &str) -> Result<()> {
    let problem = if name.is_empty() {
        "is empty"
    } else if what == "service" && name == keys::INTERNAL_SERVICE {
        "is reserved"
    } else {
        return Ok(());
    };
    Err(Error::new(Reason::ConfigBadArgument, format!("{what}: the name {name:?} {problem}")))
}
