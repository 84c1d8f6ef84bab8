//! The registry: nodes that live by a session, and watches that tell when others change them.

use crate::connect::open;
use crate::options::ZookeeperOptions;
use crate::wire::{Acl, Change, Code, Ensemble, Event, Session, Stat, Ticket};
use rpcx::discovery::{BasePath, Found, Over, Owner, Place, Store, StoreSession, Touched};
use rpcx::{Error, Reason, Result};
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// So many of its earlier sessions a server remembers.
const EARLIER: usize = 16;

/// The services of servers, below a base path; made by [`registry`](crate::registry).
#[derive(Debug)]
pub struct ZookeeperStore {
    options: ZookeeperOptions,
    ensemble: Ensemble,
    past: Arc<Mutex<Past>>,
}

/// What outlives a connection.
#[derive(Debug, Default)]
struct Past {
    /// That of the last session, if it was not ended.
    ticket: Option<Ticket>,
    /// The sessions before.
    earlier: Vec<i64>,
    /// The transaction by which each node was written here last. A node of one's own with another one was written by others.
    written: BTreeMap<Place, i64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ZookeeperStore {
    pub(crate) fn new(options: ZookeeperOptions) -> Self {
        Self { options, ensemble: Ensemble::new(), past: Arc::default() }
    }
}

impl Store for ZookeeperStore {
    type Session = ZookeeperSession;

    async fn begin(&self) -> Result<ZookeeperSession> {
        let before = lock(&self.past).ticket.clone();
        let session = open(&self.ensemble, &self.options, before.as_ref(), None).await?;
        {
            let mut past = lock(&self.past);
            if let Some(before) = past.ticket.replace(session.ticket().clone())
                && &before != session.ticket()
            {
                if past.earlier.len() == EARLIER {
                    past.earlier.remove(0);
                }
                past.earlier.push(before.session());
            }
        }
        let (sender, events) = mpsc::unbounded_channel();
        Ok(ZookeeperSession {
            session,
            base: self.options.base.clone(),
            acl: self.options.acl,
            past: self.past.clone(),
            prepared: Mutex::default(),
            sender,
            events: Mutex::new(Some(events)),
        })
    }
}

/// A session, and the watches of what lives by it.
#[derive(Debug)]
pub struct ZookeeperSession {
    session: Session,
    base: BasePath,
    acl: Acl,
    past: Arc<Mutex<Past>>,
    /// Services with everything above their nodes.
    prepared: Mutex<HashSet<Arc<str>>>,
    sender: mpsc::UnboundedSender<Event>,
    /// Until `keep` takes them.
    events: Mutex<Option<mpsc::UnboundedReceiver<Event>>>,
}

/// A node as it was read.
///
/// Versions count from 0 in each node, so a successor's node may have that of ours, which it replaced. Whoever creates a node
/// therefore writes its service's key as well, as Go's rpcx does: a node is the same as long as both versions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    service: i32,
    node: i32,
    /// It is not enough to write its data.
    replace: bool,
}

impl ZookeeperSession {
    fn path(&self, place: &Place) -> String {
        self.base.node(&place.service, &place.address)
    }

    /// What happens to nodes of a service is told from here on.
    fn listen(&self, place: &Place) {
        self.session.listen(&self.base.service(&place.service), &self.sender);
    }

    fn place(&self, path: &str) -> Option<Place> {
        let (service, address) = path.strip_prefix(self.base.as_str())?.strip_prefix('/')?.rsplit_once('/')?;
        Some(Place { service: service.into(), address: address.into() })
    }

    fn owner(&self, place: &Place, stat: &Stat) -> Owner {
        let past = lock(&self.past);
        match stat.owner {
            // Go's clients see an operator's edit only when the node is put there again.
            own if own == self.session.id() => match past.written.get(place) {
                Some(written) if *written != stat.modified => Owner::Nobody,
                _ => Owner::Own,
            },
            0 => Owner::Nobody,
            other if past.earlier.contains(&other) => Owner::Nobody,
            _ => Owner::Successor,
        }
    }

    /// Creates what is above the nodes of a service.
    async fn prepare(&self, service: &Arc<str>) -> Result<()> {
        let (base, of_service) = (self.base.as_str(), self.base.service(service));
        let mut at = 1;
        while at <= of_service.len() {
            at = of_service[at..].find('/').map_or(of_service.len(), |slash| at + slash);
            let path = &of_service[..at];
            at += 1;
            let data: &str = match path {
                _ if path == base => BasePath::MARKER,
                _ if path == of_service => service,
                _ => "",
            };
            self.mark(path, data).await?;
        }
        lock(&self.prepared).insert(service.clone());
        Ok(())
    }

    /// Writes a key that stays, unless it is there.
    async fn mark(&self, path: &str, data: &str) -> Result<()> {
        // Asked before, since whoever may not create it may yet write below.
        let found = self.session.stat(path, false).await?;
        let change = match found {
            // As Go's servers leave it that come back to a registry without data.
            Ok(stat) if stat.size == 0 && !data.is_empty() => Change::Set(path, data.as_bytes(), -1),
            Ok(_) => return Ok(()),
            Err(Code::NO_NODE) => Change::Create { path, data: data.as_bytes(), ephemeral: false, acl: self.acl },
            Err(code) => return Err(code.error(path)),
        };
        match self.session.change(change).await? {
            // Somebody else was faster, or will be asked again below.
            Ok(()) | Err(Code::NODE_EXISTS | Code::NO_NODE) => Ok(()),
            Err(Code::NO_AUTH) if found.is_ok() => Ok(()),
            Err(code) => Err(code.error(path)),
        }
    }

    fn refuse(&self, place: &Place) -> Result<()> {
        let Place { service, address } = place;
        let strange = |part: &str| part.is_empty() || matches!(part, "." | "..") || part.chars().any(char::is_control);
        if address.contains('/') || strange(address) || service.split('/').any(strange) {
            let text =
                format!("zookeeper: {place} has no place there: a name is not empty, and an address has no slash");
            return Err(Error::new(Reason::ConfigBadAddress, text));
        }
        Ok(())
    }
}

impl StoreSession for ZookeeperSession {
    type Version = Version;

    async fn keep<'a>(&'a self, touched: &'a Touched) -> Error {
        let events = lock(&self.events).take();
        let Some(mut events) = events else {
            return Error::new(Reason::InternalBug, "zookeeper: a session is kept twice");
        };
        let watching = async {
            while let Some(event) = events.recv().await {
                if let Some(place) = self.place(&event.path) {
                    touched.touch(place);
                }
            }
            // The other half is here.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = watching => Error::new(Reason::InternalBug, "zookeeper: the watches ended"),
            error = self.session.lost() => error,
        }
    }

    async fn read(&self, place: &Place) -> Result<Option<Found<Version>>> {
        self.listen(place);
        let (service, path) = (self.base.service(&place.service), self.path(place));
        loop {
            // First: what is created later changes it.
            let above = match self.session.stat(&service, false).await? {
                Ok(stat) => stat.version,
                Err(Code::NO_NODE) => -1,
                Err(code) => return Err(code.error(&service)),
            };
            match self.session.data(&path, true).await? {
                Ok((data, stat)) => {
                    let owner = self.owner(place, &stat);
                    return Ok(Some(Found {
                        text: String::from_utf8_lossy(&data).into_owned(),
                        version: Version { service: above, node: stat.version, replace: owner != Owner::Own },
                        owner,
                    }));
                }
                Err(Code::NO_NODE) => {}
                Err(code) => return Err(code.error(&path)),
            }
            // By this its coming is told.
            match self.session.stat(&path, true).await? {
                Ok(_) => {}
                Err(Code::NO_NODE) => return Ok(None),
                Err(code) => return Err(code.error(&path)),
            }
        }
    }

    async fn write(&self, place: &Place, text: &str, over: Over<Version>) -> Result<bool> {
        self.refuse(place)?;
        self.listen(place);
        let prepared = lock(&self.prepared).contains(&place.service);
        if !prepared {
            self.prepare(&place.service).await?;
        }
        let (service, path, data) = (self.base.service(&place.service), self.path(place), text.as_bytes());
        // In one transaction, so that nobody finds it absent or empty. A version of 0 is left to those of Go.
        let create = [
            Change::Create { path: &path, data, ephemeral: true, acl: self.acl },
            Change::Set(&path, data, 0),
            Change::Set(&service, place.service.as_bytes(), -1),
        ];
        loop {
            let mut changes = Vec::with_capacity(5);
            match over {
                Over::Nothing => changes.extend(create),
                Over::Version(version) => {
                    changes.push(Change::Check(&service, version.service));
                    if version.replace {
                        changes.push(Change::Delete(&path, version.node));
                        changes.extend(create);
                    } else {
                        changes.push(Change::Set(&path, data, version.node));
                    }
                }
                Over::Anything => {
                    // Watched first: what happens from here on, our own writing too, is told and looked at.
                    match self.session.stat(&path, true).await? {
                        // It may be that of another server, which died here: it goes with that one's session, ours stays.
                        Ok(_) => changes.push(Change::Delete(&path, -1)),
                        Err(Code::NO_NODE) => {}
                        Err(code) => return Err(code.error(&path)),
                    }
                    changes.extend(create);
                }
            }
            match self.session.change_all(&changes).await? {
                Ok(transaction) => {
                    lock(&self.past).written.insert(place.clone(), transaction);
                    return Ok(true);
                }
                Err((_, Code::NO_NODE | Code::NODE_EXISTS | Code::BAD_VERSION)) if matches!(over, Over::Version(_)) => {
                    return Ok(false);
                }
                // What is above it is gone, or the node that was to be replaced.
                Err((_, Code::NO_NODE)) => self.prepare(&place.service).await?,
                Err((_, Code::NODE_EXISTS)) if over == Over::Nothing => return Ok(false),
                Err((_, Code::NODE_EXISTS | Code::BAD_VERSION)) => {}
                Err((_, code)) => return Err(code.error(&path)),
            }
        }
    }

    async fn remove(&self, place: &Place) -> Result<()> {
        let (service, path) = (self.base.service(&place.service), self.path(place));
        loop {
            let above = match self.session.stat(&service, false).await? {
                Ok(stat) => stat,
                Err(Code::NO_NODE) => break,
                Err(code) => return Err(code.error(&service)),
            };
            let node = match self.session.stat(&path, false).await? {
                Ok(stat) if stat.owner == self.session.id() => stat,
                Ok(_) | Err(Code::NO_NODE) => break,
                Err(code) => return Err(code.error(&path)),
            };
            let changes = [Change::Check(&service, above.version), Change::Delete(&path, node.version)];
            match self.session.change_all(&changes).await? {
                Ok(_) => break,
                Err((_, Code::NO_NODE | Code::BAD_VERSION)) => {}
                Err((_, code)) => return Err(code.error(&path)),
            }
        }
        lock(&self.past).written.remove(place);
        Ok(())
    }

    async fn end(&self) -> Result<()> {
        lock(&self.past).ticket = None;
        self.session.end().await
    }
}
