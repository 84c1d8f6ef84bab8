//! Which servers a service has and which of them are in selection, at one moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::endpoint::Endpoint;
use super::health::Health;
use crate::discovery::Snapshot;
use crate::resilience::{Standing, Tally};

/// A consistent view: all servers, and those among which the selector chooses.
pub(crate) struct Table {
    /// The snapshot as discovery gave it, before filters.
    pub(super) source: Arc<Snapshot>,
    pub(super) all: View,
    /// Those in selection. When every server is out, all are in.
    pub(super) eligible: View,
    /// Which of all are out, ascending; all of them when `none_in`.
    out: Vec<u32>,
    /// Every server is out.
    pub(super) none_in: bool,
    /// When the first of those that are out may come back.
    returns: Option<Instant>,
    /// The change of the servers' health that it knows of.
    generation: u64,
    built: Instant,
}

/// Servers by the index of their nodes.
#[derive(Clone)]
pub(super) struct View {
    pub(super) nodes: Snapshot,
    pub(super) servers: Arc<[Arc<Server>]>,
}

/// One server of one service. A call keeps it until its end.
pub(super) struct Server {
    pub(super) endpoint: Arc<Endpoint>,
    /// What its calls came to, if their ends are watched.
    pub(super) tally: Option<Arc<Tally>>,
}

/// Bringing a table up to date takes time in proportion to its servers: between two changes of health at least so much
/// passes for each of them, so that it takes a small share of all time even if servers come and go without end.
const REST_PER_SERVER: Duration = Duration::from_micros(1);

impl Table {
    pub(super) fn empty(now: Instant) -> Table {
        let source = Snapshot::unknown();
        let nothing = View { nodes: source.clone(), servers: Arc::new([]) };
        Table {
            source: Arc::new(source),
            all: nothing.clone(),
            eligible: nothing,
            out: Vec::new(),
            none_in: false,
            returns: None,
            generation: 0,
            built: now,
        }
    }

    /// Of all servers those that are in selection. Shares with `old` what stayed the same.
    pub(super) fn of(
        source: Arc<Snapshot>,
        generation: u64,
        all: View,
        standings: &[Standing],
        old: &Table,
        now: Instant,
    ) -> Table {
        let mut returns: Option<Instant> = None;
        let mut out = Vec::new();
        for (index, server) in all.servers.iter().enumerate() {
            let ejected = standings.get(index).and_then(Standing::ejected_until);
            if let Some(until) = ejected.max(server.endpoint.out_until(now)) {
                returns = Some(returns.map_or(until, |first| first.min(until)));
                out.push(index as u32);
            }
        }
        let none_in = out.len() == all.servers.len() && !out.is_empty();
        let eligible = if out.is_empty() || none_in {
            all.clone()
        } else if all.nodes.shares_nodes(&old.all.nodes) && out == old.out {
            old.eligible.clone()
        } else {
            all.without(&out)
        };
        Table { source, all, eligible, out, none_in, returns, generation, built: now }
    }

    /// Servers have left selection or may come back.
    #[inline]
    pub(super) fn is_behind(&self, health: &Health, now: Instant) -> bool {
        self.generation != health.generation() || self.returns.is_some_and(|at| at <= now)
    }

    /// It is too new to be replaced because of a change of health alone.
    pub(super) fn rests(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.built) < REST_PER_SERVER * self.all.servers.len() as u32
    }

    /// Every server that may be called.
    pub(super) fn servers(&self) -> &[Arc<Server>] {
        &self.all.servers
    }
}

impl View {
    /// The others than those at these indices, which ascend.
    fn without(&self, out: &[u32]) -> View {
        let mut left = out.iter().peekable();
        let mut servers = Vec::with_capacity(self.servers.len() - out.len());
        let mut index = 0;
        let nodes = self.nodes.retain(|_| {
            let is_in = left.next_if(|out| **out == index).is_none();
            if is_in {
                servers.push(self.servers[index as usize].clone());
            }
            index += 1;
            is_in
        });
        View { nodes, servers: servers.into() }
    }
}
