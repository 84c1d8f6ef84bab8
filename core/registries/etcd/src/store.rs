//! The registry: nodes on a lease, and watches that tell when others change them.

use crate::connect::{Members, kv, watches};
use crate::failed;
use crate::options::EtcdOptions;
use etcd_client::{
    Client, Compare, CompareOp, Event, EventType, GetOptions, LeaseGrantOptions, LeaseKeepAliveStream, LeaseKeeper,
    PutOptions, Txn, TxnOp, TxnResponse, WatchOptions, WatchRequestSender, WatchResponseStream,
};
use rpcx::balance::random_bits;
use rpcx::discovery::{BasePath, Found, Over, Owner, Place, Store, StoreSession, Touched};
use rpcx::{Error, Reason, Result};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first 16 bits of the leases of this library, which chooses their numbers itself: a node on such a lease that is none
/// of ours belongs to another server, while one on any other was put there by an operator or a tool.
const OURS: i64 = 0x7270;

/// So many of its earlier leases a server remembers.
const EARLIER: usize = 16;

/// The services of servers, below a base path; made by [`registry`](crate::registry).
#[derive(Debug)]
pub struct EtcdStore {
    options: EtcdOptions,
    members: Members,
    /// The leases that this registry has had, the newest last.
    leases: Mutex<Vec<i64>>,
}

impl EtcdStore {
    pub(crate) fn new(options: EtcdOptions) -> Self {
        Self { options, members: Members::new(), leases: Mutex::default() }
    }

    /// The lease of before, if it lives, else a new one.
    async fn lease(&self, client: &Client) -> Result<(LeaseKeeper, LeaseKeepAliveStream)> {
        let before = lock(&self.leases).last().copied();
        if let Some(before) = before {
            match client.lease_client().keep_alive(before).await {
                Ok(kept) => return Ok(kept),
                Err(etcd_client::Error::LeaseKeepAliveError(_)) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let lease = self.grant(client).await?;
        {
            let mut leases = lock(&self.leases);
            if leases.len() == EARLIER {
                leases.remove(0);
            }
            leases.push(lease);
        }
        client.lease_client().keep_alive(lease).await.map_err(failed)
    }

    async fn grant(&self, client: &Client) -> Result<i64> {
        let ttl = i64::try_from(self.options.ttl.as_secs()).unwrap_or(i64::MAX);
        loop {
            let asked = LeaseGrantOptions::new().with_id(lease_number());
            match client.lease_client().grant(ttl, Some(asked)).await {
                Ok(granted) => return Ok(granted.id()),
                // Another server began in the same second and drew the same number.
                Err(etcd_client::Error::GRpcStatus(status)) if status.message().contains("lease already exists") => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

/// A number that nobody has, from the time and from chance.
fn lease_number() -> i64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let seconds = i64::from(u32::try_from(seconds & u64::from(u32::MAX)).unwrap_or_default());
    OURS << 48 | seconds << 16 | i64::from(random_bits() as u16)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for EtcdStore {
    type Session = EtcdSession;

    async fn begin(&self) -> Result<EtcdSession> {
        let client = self.members.connect(&self.options).await?;
        let (keeper, kept) = self.lease(&client).await?;
        let earlier: Vec<i64> = lock(&self.leases).iter().copied().filter(|lease| *lease != keeper.id()).collect();
        // From the first moment on, so that the key of the base is seen to go.
        let base = self.options.base.as_str();
        let (watcher, changes) = watches(&client).watch(base, Some(deletions())).await.map_err(failed)?.split();
        Ok(EtcdSession {
            lease: keeper.id(),
            base: self.options.base.clone(),
            earlier,
            beat: self.options.ttl / 3,
            limit: self.options.registry.request_timeout,
            watched: Mutex::default(),
            watcher: tokio::sync::Mutex::new(watcher),
            streams: Mutex::new(Some((keeper, kept, changes))),
            client,
        })
    }
}

/// A lease, and the watches of what is written under it.
pub struct EtcdSession {
    client: Client,
    lease: i64,
    base: BasePath,
    earlier: Vec<i64>,
    /// How often the lease is renewed.
    beat: Duration,
    limit: Duration,
    /// What is to be done when a key of these goes.
    watched: Mutex<HashMap<String, Watched>>,
    watcher: tokio::sync::Mutex<WatchRequestSender>,
    /// Until `keep` takes them.
    streams: Mutex<Option<(LeaseKeeper, LeaseKeepAliveStream, WatchResponseStream)>>,
}

#[derive(Clone)]
enum Watched {
    /// The key of a service; its value.
    Marker(String),
    Node(Place),
}

impl EtcdSession {
    async fn txn(&self, txn: Txn) -> Result<TxnResponse> {
        kv(&self.client).txn(txn).await.map_err(failed)
    }

    /// Writes a key that stays, unless it is there.
    async fn mark(&self, key: &str, value: &str) -> Result<i64> {
        let absent = Compare::create_revision(key, CompareOp::Equal, 0);
        let done = self.txn(Txn::new().when([absent]).and_then([TxnOp::put(key, value, None)])).await?;
        Ok(done.header().map_or(0, |header| header.revision()))
    }

    /// Has `keep` told of changes of a key after this revision, once for each key.
    async fn watch(&self, key: String, revision: i64, of: Watched) -> Result<()> {
        let options = match of {
            Watched::Marker(_) => deletions(),
            Watched::Node(_) => WatchOptions::new(),
        };
        if lock(&self.watched).insert(key.clone(), of).is_some() {
            return Ok(());
        }
        let options = options.with_start_revision(revision + 1);
        self.watcher.lock().await.watch(key, Some(options)).await.map_err(failed)
    }

    async fn watch_node(&self, place: &Place, revision: i64) -> Result<()> {
        self.watch(self.key(place), revision, Watched::Node(place.clone())).await
    }

    fn key(&self, place: &Place) -> String {
        self.base.node(&place.service, &place.address)
    }

    /// Somebody changed a key.
    async fn changed(&self, event: &Event, touched: &Touched) -> Result<()> {
        let Some(pair) = event.kv() else { return Ok(()) };
        let Ok(key) = std::str::from_utf8(pair.key()) else { return Ok(()) };
        let gone = event.event_type() == EventType::Delete;
        if gone && key == self.base.as_str() {
            return self.mark(key, BasePath::MARKER).await.map(drop);
        }
        let watched = lock(&self.watched).get(key).cloned();
        match watched {
            Some(Watched::Marker(value)) if gone => self.mark(key, &value).await.map(drop),
            Some(Watched::Node(place)) if gone || pair.lease() != self.lease => {
                touched.touch(place);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn keep_streams(
        &self,
        keeper: &mut LeaseKeeper,
        kept: &mut LeaseKeepAliveStream,
        changes: &mut WatchResponseStream,
        touched: &Touched,
    ) -> Result<()> {
        let ended = |what: &str| Error::new(Reason::ClosedRemote, format!("etcd: {what}"));
        let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + self.beat, self.beat);
        let mut unanswered = false;
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    if unanswered {
                        return Err(ended("the lease's renewal is not answered"));
                    }
                    unanswered = true;
                    keeper.keep_alive().await.map_err(failed)?;
                }
                answer = kept.message() => match answer.map_err(failed)? {
                    Some(answer) if answer.ttl() > 0 => unanswered = false,
                    Some(_) => return Err(ended("the lease has expired")),
                    None => return Err(ended("the stream of the lease was ended")),
                },
                response = changes.message() => {
                    let response = response.map_err(failed)?.ok_or_else(|| ended("the watches were ended"))?;
                    if response.compact_revision() > 0 {
                        return Err(ended("the watches are too far behind"));
                    }
                    if response.canceled() {
                        // Not allowed, for instance: what is lost is noticed with the next update.
                        let why = response.cancel_reason();
                        tracing::warn!(target: "rpcx::discovery", why, "etcd refuses a watch of what was announced");
                    }
                    for event in response.events() {
                        let done = tokio::time::timeout(self.limit, self.changed(event, touched)).await;
                        done.map_err(|_| ended("no answer within request_timeout"))??;
                    }
                }
            }
        }
    }
}

/// Of keys that nobody else changes.
fn deletions() -> WatchOptions {
    WatchOptions::new().with_filters([etcd_client::WatchFilterType::NoPut])
}

impl StoreSession for EtcdSession {
    /// The revision of its last change.
    type Version = i64;

    async fn keep<'a>(&'a self, touched: &'a Touched) -> Error {
        let streams = lock(&self.streams).take();
        let Some((mut keeper, mut kept, mut changes)) = streams else {
            return Error::new(Reason::InternalBug, "etcd: a session is kept twice");
        };
        match self.keep_streams(&mut keeper, &mut kept, &mut changes, touched).await {
            Ok(()) => Error::new(Reason::InternalBug, "etcd: a session ended without a reason"),
            Err(error) => error,
        }
    }

    async fn read(&self, place: &Place) -> Result<Option<Found<i64>>> {
        let found = kv(&self.client).get(self.key(place), Some(GetOptions::new())).await.map_err(failed)?;
        self.watch_node(place, found.header().map_or(0, |header| header.revision())).await?;
        Ok(found.kvs().first().map(|pair| Found {
            text: String::from_utf8_lossy(pair.value()).into_owned(),
            version: pair.mod_revision(),
            owner: match pair.lease() {
                lease if lease == self.lease => Owner::Own,
                lease if self.earlier.contains(&lease) => Owner::Nobody,
                lease if lease >> 48 == OURS => Owner::Successor,
                _ => Owner::Nobody,
            },
        }))
    }

    async fn write(&self, place: &Place, text: &str, over: Over<i64>) -> Result<bool> {
        let service = self.base.service(&place.service);
        if !lock(&self.watched).contains_key(&service) {
            // Go's clients go on with dead servers where nothing is left of a service.
            self.mark(self.base.as_str(), BasePath::MARKER).await?;
            let revision = self.mark(&service, &place.service).await?;
            self.watch(service, revision, Watched::Marker(place.service.to_string())).await?;
        }
        let key = self.key(place);
        let condition = match over {
            Over::Anything => Vec::new(),
            Over::Nothing => vec![Compare::create_revision(key.as_str(), CompareOp::Equal, 0)],
            Over::Version(version) => vec![Compare::mod_revision(key.as_str(), CompareOp::Equal, version)],
        };
        let put = TxnOp::put(key, text, Some(PutOptions::new().with_lease(self.lease)));
        let done = self.txn(Txn::new().when(condition).and_then([put])).await?;
        self.watch_node(place, done.header().map_or(0, |header| header.revision())).await?;
        Ok(done.succeeded())
    }

    async fn remove(&self, place: &Place) -> Result<()> {
        let key = self.key(place);
        let own = Compare::lease(key.as_str(), CompareOp::Equal, self.lease);
        self.txn(Txn::new().when([own]).and_then([TxnOp::delete(key, None)])).await.map(drop)
    }

    async fn end(&self) -> Result<()> {
        match self.client.lease_client().revoke(self.lease).await {
            Ok(_) => Ok(()),
            Err(etcd_client::Error::GRpcStatus(status)) if status.message().contains("lease not found") => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}
