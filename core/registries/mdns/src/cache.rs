//! What was heard of services, and how long it is good. Nothing here reads a clock or a socket.

use crate::entry::Entry;
use crate::label::Birth;
use crate::packet::{Text, Told};
use hickory_proto::rr::Name;
use rpcx::discovery::{Node, NodeMetadata};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// So many instances are remembered, and so many names are asked for at once: what is said on a network is bounded here.
const MOST_INSTANCES: usize = 8192;
const MOST_ASKED: usize = 256;

/// Go's servers of one host share one name: so many are told apart.
const MOST_SHARING: usize = 16;

/// How long answers take at most, with the time that servers leave between two of them.
const ANSWERED: Duration = Duration::from_millis(1200);

/// Nobody is asked more often than three times in this time.
const SHORTEST: Duration = Duration::from_secs(2);

/// How long one stays that nobody may stand behind any more.
const DOUBT: Duration = Duration::from_secs(2);

/// When a server is asked for that was not heard: after these percents of its time to live.
const CHECKS: [u32; 3] = [80, 87, 94];

/// Everything that servers have said.
#[derive(Debug)]
pub(crate) struct Cache {
    /// How long a server that is silent stays, whatever it has said of itself.
    ttl: Duration,
    instances: HashMap<Name, Vec<Server>>,
    servers: usize,
    /// Counts those that came, of which a later one is the successor of an earlier one.
    came: u64,
    /// Instances that are to be asked for now.
    asked: HashSet<Name>,
    ask_since: Option<Instant>,
    /// Nobody is heard any more.
    quiet: bool,
}

/// What time has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    Nothing,
    /// Some have gone.
    Changed,
    /// All are silent. It may be this host that hears nothing: what is known stays.
    Quiet,
}

/// One process, or one service of it.
#[derive(Debug)]
struct Server {
    /// Of its first service; tells apart those who use the same name.
    address: String,
    entries: Vec<(String, Node)>,
    heard: Instant,
    life: Duration,
    /// How many of [`CHECKS`] were made.
    checks: usize,
    rank: Rank,
    /// Why it may not be there any more.
    doubt: Option<Doubt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// One that uses the same name has changed.
    Shared,
    /// A successor has come: it does not count before it is heard again.
    Superseded,
}

/// Of two that publish the same address the higher one counts: the one that was born later, or that came later.
type Rank = (Option<Birth>, u64);

impl Server {
    fn ends(&self) -> Instant {
        self.heard + self.life
    }

    fn check_at(&self) -> Option<Instant> {
        CHECKS.get(self.checks).map(|percent| self.heard + self.life * *percent / 100)
    }

    fn doubt(&mut self, now: Instant, why: Doubt) {
        self.renew(now, self.life.min(DOUBT));
        self.doubt = Some(why);
    }

    fn renew(&mut self, now: Instant, life: Duration) {
        (self.heard, self.life, self.checks, self.doubt) = (now, life, 0, None);
    }
}

impl Cache {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            instances: HashMap::new(),
            servers: 0,
            came: 0,
            asked: HashSet::new(),
            ask_since: None,
            quiet: false,
        }
    }

    /// Takes what was said of an instance; true if a list may have changed.
    pub(crate) fn hear(&mut self, instance: &Name, told: Told, now: Instant) -> bool {
        let life = Duration::from_secs(told.ttl.into()).min(self.ttl);
        match told.text {
            Text::Foreign => false,
            text if told.ttl == 0 => self.goodbye(instance, text, now),
            Text::List(list) => self.list(instance, list, now, life),
            Text::Absent => {
                if let Some([server]) = self.instances.get_mut(instance).map(Vec::as_mut_slice) {
                    let superseded = server.doubt == Some(Doubt::Superseded);
                    server.renew(now, life);
                    return superseded;
                }
                // What it has, or whose it is, does not show.
                self.ask(instance.clone(), now);
                false
            }
        }
    }

    /// The services of an instance.
    fn list(&mut self, instance: &Name, list: Vec<Entry>, now: Instant, life: Duration) -> bool {
        let Some(address) = list.first().map(|entry| entry.address.clone()) else {
            return self.without_services(instance, now, life);
        };
        let entries: Vec<_> = list.into_iter().filter_map(node).collect();
        let sharing = self.instances.get(instance).map_or(0, Vec::len);
        let rank = (instance.iter().next().and_then(Birth::of), self.came);
        let servers = self.instances.get_mut(instance).map(Vec::as_mut_slice).unwrap_or_default();
        let same = servers.iter().position(|server| server.address == address);
        let known = same.or_else(|| servers.iter().position(|server| server.entries.is_empty()));
        if let Some(server) = known.map(|known| &mut servers[known]) {
            let superseded = server.doubt == Some(Doubt::Superseded);
            server.renew(now, life);
            server.address = address;
            if server.entries == entries {
                return superseded;
            }
            server.entries = entries;
            return true;
        }
        if self.servers >= MOST_INSTANCES || sharing >= MOST_SHARING {
            return false;
        }
        if rank.0.is_some() {
            self.supersede(&entries, rank, now);
        }
        let server = Server { address, entries, heard: now, life, checks: 0, rank, doubt: None };
        self.instances.entry(instance.clone()).or_default().push(server);
        self.servers += 1;
        self.came += 1;
        true
    }

    /// A successor of others at the same address may have come: whoever of them lives will say so.
    fn supersede(&mut self, entries: &[(String, Node)], rank: Rank, now: Instant) {
        let same = |(service, node): &(String, Node)| {
            entries.iter().any(|(other, new)| service == other && node.address() == new.address())
        };
        let mut asked = Vec::new();
        for (instance, servers) in &mut self.instances {
            for server in servers.iter_mut().filter(|server| server.rank < rank && server.entries.iter().any(same)) {
                server.doubt(now, Doubt::Superseded);
                asked.push(instance.clone());
            }
        }
        for instance in asked {
            self.ask(instance, now);
        }
    }

    /// An instance has no services any more, or not yet.
    fn without_services(&mut self, instance: &Name, now: Instant, life: Duration) -> bool {
        match self.instances.get_mut(instance).map(Vec::as_mut_slice) {
            Some([server]) => {
                server.renew(now, life);
                !std::mem::take(&mut server.entries).is_empty()
            }
            Some(_) => {
                self.doubt(instance, now);
                false
            }
            None => false,
        }
    }

    fn goodbye(&mut self, instance: &Name, text: Text, now: Instant) -> bool {
        let Some(servers) = self.instances.get_mut(instance) else { return false };
        let address = match &text {
            Text::List(list) => list.first().map(|entry| &entry.address),
            _ => None,
        };
        let leaving = match address {
            Some(address) => servers.iter().position(|server| server.address == *address),
            None if servers.len() == 1 => Some(0),
            None => {
                self.doubt(instance, now);
                return false;
            }
        };
        let Some(leaving) = leaving else { return false };
        servers.remove(leaving);
        if servers.is_empty() {
            self.instances.remove(instance);
        }
        self.servers -= 1;
        true
    }

    /// Somebody of several who use the name has changed; those who still stand behind what they said will say it again.
    fn doubt(&mut self, instance: &Name, now: Instant) {
        for server in self.instances.get_mut(instance).into_iter().flatten() {
            server.doubt(now, Doubt::Shared);
        }
        self.ask(instance.clone(), now);
    }

    fn ask(&mut self, instance: Name, now: Instant) {
        self.ask_since.get_or_insert(now);
        if self.asked.len() < MOST_ASKED {
            self.asked.insert(instance);
        }
    }

    /// Takes those out whose time is over, as long as others are heard.
    pub(crate) fn expire(&mut self, now: Instant) -> Passed {
        let all = || self.instances.values().flatten();
        if self.quiet || !all().any(|server| server.ends() <= now) {
            return Passed::Nothing;
        }
        // Those in doubt say nothing about the network.
        let certain = all().filter(|server| server.doubt.is_none());
        let (newest, first) = certain.fold((None, None), |(newest, first), server| {
            (newest.max(Some(server.heard)), Some(first.map_or(server.ends(), |end| server.ends().min(end))))
        });
        let silent = |newest: Instant| newest + self.life() / 2 <= now && newest + self.life() / 3 + ANSWERED <= now;
        if first.is_some_and(|first: Instant| first <= now) && newest.is_some_and(silent) {
            self.quiet = true;
            return Passed::Quiet;
        }
        let mut over = 0;
        self.instances.retain(|_, servers| {
            over += servers.extract_if(.., |server| server.ends() <= now).count();
            !servers.is_empty()
        });
        self.servers -= over;
        Passed::Changed
    }

    /// The shortest time after which one who is silent has gone. In each of it everybody is to be asked three times.
    pub(crate) fn life(&self) -> Duration {
        let certain = self.instances.values().flatten().filter(|server| server.doubt.is_none());
        let shortest = certain.map(|server| server.life).min();
        shortest.unwrap_or(self.ttl).clamp(SHORTEST, self.ttl)
    }

    /// Whether nobody is heard any more.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// When [`expire`](Self::expire) or [`take_asked`](Self::take_asked) has something to do next; a time that has passed if at once.
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.ask_since.is_some() {
            return self.ask_since;
        }
        let servers = self.instances.values().flatten().filter(|_| !self.quiet);
        servers.map(|server| server.check_at().unwrap_or_else(|| server.ends()).min(server.ends())).min()
    }

    /// Instances that are to be asked for by name.
    pub(crate) fn take_asked(&mut self, now: Instant) -> Vec<Name> {
        let mut asked = std::mem::take(&mut self.asked);
        self.ask_since = None;
        for (instance, servers) in &mut self.instances {
            for server in servers {
                if !self.quiet && server.check_at().is_some_and(|at| at <= now) {
                    server.checks += 1;
                    asked.insert(instance.clone());
                }
            }
        }
        asked.into_iter().collect()
    }

    /// Nobody listened or spoke for a while: what is known must be heard again soon.
    pub(crate) fn doubt_all(&mut self, now: Instant, life: Duration) {
        self.quiet = false;
        for server in self.instances.values_mut().flatten() {
            server.renew(now, server.life.min(life));
        }
    }

    /// Whether every server was heard since.
    pub(crate) fn all_heard_since(&self, since: Instant) -> bool {
        self.instances.values().flatten().all(|server| server.heard > since)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// The nodes of a service.
    pub(crate) fn nodes(&self, service: &str) -> Vec<Node> {
        let mut nodes: BTreeMap<&str, (Rank, &Node)> = BTreeMap::new();
        for server in self.instances.values().flatten().filter(|server| server.doubt != Some(Doubt::Superseded)) {
            for (_, node) in server.entries.iter().filter(|(name, _)| name == service) {
                let known = nodes.entry(node.address()).or_insert((server.rank, node));
                if known.0 <= server.rank {
                    *known = (server.rank, node);
                }
            }
        }
        nodes.into_values().map(|(_, node)| node.clone()).collect()
    }
}

fn node(entry: Entry) -> Option<(String, Node)> {
    let node = Node::new(entry.address, NodeMetadata::new(&entry.metadata)).ok()?;
    Some((entry.service, node))
}

#[cfg(test)]
mod tests;
