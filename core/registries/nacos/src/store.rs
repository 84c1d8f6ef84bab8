//! The registry: instances that live by the connection on which they were registered.

use crate::connect::Members;
use crate::connection::Connection;
use crate::instance::{Endpoint, Pairs, text, without_edits};
use crate::message::Response;
use crate::options::NacosOptions;
use rpcx::discovery::{Found, Over, Owner, Place, Store, StoreSession, Touched};
use rpcx::{Error, Reason, Result};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The services of servers, in a namespace and group; made by [`registry`](crate::registry).
#[derive(Debug)]
pub struct NacosStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    members: Members,
    /// What was last registered, on this connection or an earlier one.
    registered: Mutex<BTreeMap<Place, Pairs>>,
}

impl NacosStore {
    pub(crate) fn new(options: NacosOptions) -> Self {
        Self { shared: Arc::new(Shared { members: Members::new(options), registered: Mutex::default() }) }
    }
}

impl Store for NacosStore {
    type Session = NacosSession;

    async fn begin(&self) -> Result<NacosSession> {
        let bell = Arc::new(Notify::new());
        let first = Line::new(self.shared.members.connect(Some(bell.clone())).await?);
        Ok(NacosSession { shared: self.shared.clone(), lines: Mutex::new(vec![first]), bell })
    }
}

/// Connections, one for each address: of one connection Java's Nacos keeps but one instance of a service. A connection that
/// is lost ends the session.
#[derive(Debug)]
pub struct NacosSession {
    shared: Arc<Shared>,
    lines: Mutex<Vec<Line>>,
    /// Rung when a connection has ended.
    bell: Arc<Notify>,
}

#[derive(Debug)]
struct Line {
    connection: Arc<Connection>,
    /// The address of its instances; none as long as it has none.
    address: Option<Arc<str>>,
    places: Vec<Place>,
}

impl Line {
    fn new(connection: Connection) -> Self {
        Self { connection: Arc::new(connection), address: None, places: Vec::new() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NacosSession {
    /// The connection on which an address is registered, or is to be.
    fn line(&self, address: &Arc<str>) -> Option<Arc<Connection>> {
        let mut lines = lock(&self.lines);
        let find = |of: Option<&Arc<str>>| lines.iter().position(|line| line.address.as_ref() == of);
        let at = find(Some(address)).or_else(|| find(None))?;
        let line = &mut lines[at];
        line.address = Some(address.clone());
        Some(line.connection.clone())
    }

    async fn connection(&self, address: &Arc<str>) -> Result<Arc<Connection>> {
        if let Some(known) = self.line(address) {
            return Ok(known);
        }
        let another = Line::new(self.shared.members.connect(Some(self.bell.clone())).await?);
        lock(&self.lines).push(another);
        self.line(address).ok_or_else(|| Error::new(Reason::InternalBug, "nacos: a connection got lost"))
    }

    fn is_own(&self, place: &Place) -> bool {
        lock(&self.lines).iter().any(|line| line.places.contains(place))
    }

    /// A second instance of one IP and port would take the place of the first.
    fn check(&self, place: &Place, endpoint: &Endpoint<'_>) -> Result<()> {
        let lines = lock(&self.lines);
        let others = lines.iter().flat_map(|line| &line.places).filter(|other| other.service == place.service);
        for other in others.filter(|other| other.address != place.address) {
            let taken = Endpoint::parse(&other.address)?;
            if (taken.ip, taken.port) == (endpoint.ip, endpoint.port) {
                let text = format!("nacos keeps one server an IP and port: {place} is beside {}", other.address);
                return Err(Error::new(Reason::ConfigBadAddress, text));
            }
        }
        Ok(())
    }

    async fn instance(&self, kind: &str, place: &Place, pairs: &Pairs) -> Result<Response> {
        let options = self.shared.members.options();
        let endpoint = Endpoint::parse(&place.address)?;
        let body = json!({
            "requestId": "",
            "module": "naming",
            "namespace": options.namespace,
            "groupName": options.group,
            "serviceName": &*place.service,
            "type": kind,
            "instance": {
                "instanceId": "",
                "ip": endpoint.ip,
                "port": endpoint.port,
                "weight": 1.0,
                "healthy": true,
                "enabled": true,
                "ephemeral": true,
                "clusterName": options.cluster,
                "serviceName": "",
                "metadata": pairs,
            },
        });
        self.connection(&place.address).await?.request("InstanceRequest", &body).await
    }
}

impl StoreSession for NacosSession {
    /// The metadata as they were read: there is no number that tells whether they have changed since.
    type Version = Pairs;

    async fn keep<'a>(&'a self, _touched: &'a Touched) -> Error {
        loop {
            let rung = self.bell.notified();
            let lost = lock(&self.lines).iter().find_map(|line| line.connection.lost());
            match lost {
                Some(error) => return error,
                None => rung.await,
            }
        }
    }

    /// Who registered an instance is not told, so that there are no successors here: what is not this session's is taken for
    /// an earlier session's. Java's Nacos keeps the instances of several servers at one address beside each other.
    async fn read(&self, place: &Place) -> Result<Option<Found<Pairs>>> {
        let options = self.shared.members.options();
        let endpoint = Endpoint::parse(&place.address)?;
        let body = json!({
            "requestId": "",
            "module": "naming",
            "namespace": options.namespace,
            "groupName": options.group,
            "serviceName": &*place.service,
            "cluster": options.cluster,
            "healthyOnly": false,
            "udpPort": 0,
        });
        let response = self.connection(&place.address).await?.request("ServiceQueryRequest", &body).await?;
        let list = response.service_info.and_then(|info| info.hosts);
        let list = list.ok_or_else(|| Error::new(Reason::ClosedRemote, "nacos: an answer without a list"))?;
        Ok(list.iter().rfind(|host| host.is_at(&endpoint)).map(|host| {
            let read = host.pairs();
            let owner = if self.is_own(place) { Owner::Own } else { Owner::Nobody };
            Found { text: text(&read), version: read, owner }
        }))
    }

    /// Registers the instance, whatever is there: Nacos knows no conditions. An operator's edits are none of it, since Nacos
    /// keeps them apart.
    async fn write(&self, place: &Place, text: &str, over: Over<Pairs>) -> Result<bool> {
        let endpoint = Endpoint::parse(&place.address)?;
        self.check(place, &endpoint)?;
        let wanted = endpoint.pairs(text);
        let pairs = match &over {
            Over::Version(read) => {
                let own = lock(&self.shared.registered).get(place).cloned().unwrap_or_default();
                without_edits(wanted, read, &own)
            }
            Over::Anything | Over::Nothing => wanted,
        };
        self.instance("registerInstance", place, &pairs).await?;
        lock(&self.shared.registered).insert(place.clone(), pairs);
        let mut lines = lock(&self.lines);
        let line = lines.iter_mut().find(|line| line.address.as_ref() == Some(&place.address));
        if let Some(line) = line.filter(|line| !line.places.contains(place)) {
            line.places.push(place.clone());
        }
        Ok(true)
    }

    async fn remove(&self, place: &Place) -> Result<()> {
        if self.is_own(place) {
            self.instance("deregisterInstance", place, &Pairs::new()).await?;
        }
        lock(&self.shared.registered).remove(place);
        for line in &mut *lock(&self.lines) {
            line.places.retain(|other| other != place);
            if line.places.is_empty() {
                line.address = None;
            }
        }
        Ok(())
    }

    async fn end(&self) -> Result<()> {
        lock(&self.lines).clear();
        Ok(())
    }
}
