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
use super::endpoint::Endpoint;
use super::request::Heads;
use crate::balance::{self, CallInfo, Outcome, Position, Selector, Verdict};
use crate::config::{ClientOptions, SelectMode};
use crate::discovery::{Snapshot, SnapshotState, Watch, visible_after};
use crate::error::{Delivery, Error, ErrorKind, Reason, Result};
use crate::stats::MethodRecorder;

/// A consistent view: the servers by the index that the selector uses.
pub(crate) struct Table {
    /// The snapshot as discovery gave it, before filters.
    source: Arc<Snapshot>,
    visible: Snapshot,
    /// Shared with the table before where no server has come or gone.
    endpoints: Arc<[Arc<Endpoint>]>,
}

/// Selections in a row that may fall on servers which wait out a failed dial.
const MAX_RESELECT: usize = 16;

/// One service of one client.
pub(crate) struct Routes {
    service: Arc<str>,
    watch: Watch,
    selector: Box<dyn Selector>,
    table: ArcSwap<Table>,
    updating: Mutex<()>,
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
        let empty = Snapshot::unknown();
        let routes = Routes {
            service: service.into(),
            selector: selector(&client.options)?,
            watch,
            table: ArcSwap::from_pointee(Table {
                source: Arc::new(empty.clone()),
                visible: empty,
                endpoints: Arc::default(),
            }),
            updating: Mutex::new(()),
            methods: ArcSwap::default(),
            sticky: client.options.sticky.then(Mutex::default),
        };
        routes.refresh(client);
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

    /// The server to stay with, if it is still there and has not just failed.
    fn sticky(&self, endpoints: &[Arc<Endpoint>], avoid: &[Arc<str>]) -> Option<Arc<Endpoint>> {
        let kept = self.sticky.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        if avoid.contains(&kept) {
            return None;
        }
        endpoints.iter().find(|endpoint| endpoint.address == kept).cloned()
    }

    fn stick_to(&self, endpoint: &Endpoint) {
        if let Some(sticky) = &self.sticky {
            *sticky.lock().unwrap_or_else(PoisonError::into_inner) = Some(endpoint.address.clone());
        }
    }

    /// The servers as discovery has them now.
    pub(super) fn current(&self, client: &ClientCore) -> Guard<Arc<Table>> {
        let table = self.table.load();
        if table.source.revision() == self.watch.revision() {
            return table;
        }
        self.refresh(client);
        self.table.load()
    }

    fn refresh(&self, client: &ClientCore) {
        let _updating = self.updating.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = self.watch.latest();
        let old = self.table.load_full();
        if Arc::ptr_eq(&old.source, &latest) {
            return;
        }
        let group = client.options.group.as_deref().unwrap_or_default();
        let (visible, diff) = visible_after(&latest, group, &old.source, &old.visible);
        let endpoints = if diff.added.is_empty() && diff.removed.is_empty() {
            old.endpoints.clone()
        } else {
            // Servers that stay are taken over as they are; only new ones are looked up.
            let endpoints = diff.origins().zip(visible.nodes()).map(|(origin, node)| match origin {
                Some(index) => old.endpoints[index].clone(),
                None => client.endpoint(&node.shared_address()),
            });
            endpoints.collect()
        };
        self.selector.update(&visible, &diff);
        self.table.store(Arc::new(Table { source: latest, visible, endpoints }));
    }

    /// Waits for the first answer of a discovery that has none yet.
    ///
    /// # Errors
    /// `no_server.discovery_timeout` after `discovery_timeout` or at the call's deadline.
    pub(super) async fn known(&self, client: &ClientCore, deadline: Option<Instant>) -> Result<Guard<Arc<Table>>> {
        let table = self.current(client);
        if table.source.state() != SnapshotState::Unknown {
            return Ok(table);
        }
        drop(table);
        let limit = Instant::now() + client.options.discovery_timeout;
        let until = deadline.map_or(limit, |deadline| deadline.min(limit));
        let mut watch = self.watch.clone();
        match tokio::time::timeout_at(until.into(), watch.known()).await {
            Ok(Some(_)) => Ok(self.current(client)),
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

impl Table {
    /// Every server that may be called.
    pub(super) fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Chooses a server; those in `tried` and those that wait out a failed dial only when there is no other.
    ///
    /// # Errors
    /// `no_server`, naming why.
    pub(super) fn select<'r>(
        self: &Arc<Self>,
        routes: &'r Routes,
        info: &CallInfo<'_>,
        target: Option<&str>,
        now: Instant,
    ) -> Result<Selected<'r>> {
        if let Some(target) = target {
            let found = self.endpoints.iter().find(|endpoint| &*endpoint.address == target).ok_or_else(|| {
                Error::new(
                    Reason::NoServerNoneEligible,
                    format!("target {target} is none of the {} servers of {}", self.endpoints.len(), routes.service),
                )
            })?;
            return Ok(Selected::given(found.clone()));
        }
        if self.endpoints.is_empty() {
            return Err(match self.source.nodes().len() {
                0 => Error::new(Reason::NoServerEmpty, format!("no server offers the service {}", routes.service)),
                all => Error::new(
                    Reason::NoServerNoneEligible,
                    format!("none of the {all} servers of {} is active and in the client's group", routes.service),
                ),
            });
        }
        if let Some(sticky) = routes.sticky(&self.endpoints, info.avoid) {
            return Ok(Selected::given(sticky));
        }
        let first = self.choose(routes, info, now)?;
        if self.endpoints.len() == 1 || first.endpoint.is_ready_or_allowed(now) {
            return Ok(first);
        }
        // It could not be dialled a moment ago. Others are asked for by the same select mode; if none can be dialled, any will do.
        let mut avoid = info.avoid.to_vec();
        avoid.push(first.endpoint.address.clone());
        for _ in 0..MAX_RESELECT.min(self.endpoints.len() - 1) {
            let next = self.choose(routes, &CallInfo { avoid: &avoid, ..*info }, now)?;
            if next.endpoint.is_ready_or_allowed(now) {
                return Ok(next);
            }
            if avoid.contains(&next.endpoint.address) {
                break;
            }
            avoid.push(next.endpoint.address.clone());
        }
        Ok(first)
    }

    /// What the select mode says.
    fn choose<'r>(self: &Arc<Self>, routes: &'r Routes, info: &CallInfo<'_>, now: Instant) -> Result<Selected<'r>> {
        let Some(index) = routes.selector.select(&self.visible, info) else {
            return Err(Error::new(
                Reason::NoServerNoneEligible,
                format!("the select mode found none of the {} servers of {}", self.endpoints.len(), routes.service),
            ));
        };
        let endpoint = self.endpoints[index].clone();
        routes.stick_to(&endpoint);
        let report = routes
            .selector
            .wants_feedback()
            .then(|| Box::new(Report { routes, table: self.clone(), index, began: now }));
        Ok(Selected { endpoint, report: Pending(report) })
    }
}

/// A server for one attempt.
pub(super) struct Selected<'r> {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) report: Pending<'r>,
}

/// A report that the selector may be waiting for. Boxed: most select modes want none, and this moves with every call.
pub(super) struct Pending<'r>(Option<Box<Report<'r>>>);

/// What the selector is still to be told about an attempt.
struct Report<'r> {
    routes: &'r Routes,
    table: Arc<Table>,
    index: usize,
    began: Instant,
}

impl Selected<'_> {
    /// A server that was not chosen by the selector.
    pub(super) fn given(endpoint: Arc<Endpoint>) -> Selected<'static> {
        Selected { endpoint, report: Pending(None) }
    }
}

impl Pending<'_> {
    /// The attempt is over. Dropping it instead says that the caller gave up.
    pub(super) fn ended(mut self, result: Result<(), &Error>) {
        let Some(report) = self.0.take() else { return };
        let verdict = match result {
            Ok(()) => Verdict::Answered,
            Err(error) if error.delivery() == Delivery::Answered && error.is_service() => Verdict::Answered,
            Err(error) if error.kind() == ErrorKind::Config || error.kind() == ErrorKind::Codec => Verdict::Abandoned,
            Err(_) => Verdict::Failed,
        };
        report.tell(verdict);
    }
}

impl Report<'_> {
    fn tell(&self, verdict: Verdict) {
        let now = Instant::now();
        let outcome = Outcome { verdict, latency: now.saturating_duration_since(self.began), now };
        self.routes.selector.feedback(&self.table.visible, self.index, &outcome);
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(report) = self.0.take() {
            report.tell(Verdict::Abandoned);
        }
    }
}

/// The select mode that the options ask for.
fn selector(options: &ClientOptions) -> Result<Box<dyn Selector>> {
    Ok(match options.select_mode {
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
            return Err(Error::new(
                Reason::UnsupportedFeature,
                "select_mode: weighted_icmp is not there yet; least_loaded measures servers by their answers",
            ));
        }
    })
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
