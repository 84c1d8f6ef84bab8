//! The discovery: a list, and the changes from its revision on.

use crate::connect::{Members, kv, watches};
use crate::failed;
use crate::options::EtcdOptions;
use etcd_client::{Client, EventType, GetOptions, KeyValue, WatchOptions, WatchResponse};
use rpcx::discovery::{BoxFuture, Feed, Node, NodeChange, NodeMetadata, Source};
use rpcx::{Error, Reason, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How often a watch is asked whether it is alive; it counts as lost when it has not answered before the next time. An etcd
/// that stood still ends the leases that could not be renewed meanwhile, and must not empty the list of those who follow.
const PROBE: Duration = Duration::from_secs(2);

/// The services below a base path; made by [`discovery`](crate::discovery). All that are followed share one connection.
#[derive(Debug)]
pub struct Etcd {
    options: EtcdOptions,
    members: Members,
    /// Locked while somebody connects, for whom the others wait.
    connection: Mutex<Connection>,
}

#[derive(Default)]
struct Connection {
    client: Option<Client>,
    /// Grows with each connection, so that an old one's failure says nothing about a newer one.
    number: u64,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Etcd {
    pub(crate) fn new(options: EtcdOptions) -> Self {
        Self { options, members: Members::new(), connection: Mutex::default() }
    }

    async fn client(&self) -> Result<(Client, u64)> {
        let mut connection = self.connection.lock().await;
        if let Some(client) = &connection.client {
            return Ok((client.clone(), connection.number));
        }
        let client = self.members.connect(&self.options).await?;
        connection.number += 1;
        connection.client = Some(client.clone());
        Ok((client, connection.number))
    }

    /// Nobody uses this connection any more.
    async fn forget(&self, number: u64) {
        let mut connection = self.connection.lock().await;
        if connection.number == number {
            connection.client = None;
        }
    }

    /// Lists and follows until the connection is lost.
    async fn follow_on(&self, client: &Client, service: &str, feed: &Feed) -> Error {
        let prefix = format!("{}/", self.options.base.service(service));
        loop {
            if let Err(error) = self.list_and_watch(client, &prefix, feed).await {
                return error;
            }
        }
    }

    /// Ends well when the changes since the list are not known any more.
    async fn list_and_watch(&self, client: &Client, prefix: &str, feed: &Feed) -> Result<()> {
        let limit = self.options.registry.request_timeout;
        let late =
            |_| Error::new(Reason::ConnectTimeout, format!("etcd: no answer within request_timeout ({limit:?})"));
        let mut requests = kv(client);
        let list = requests.get(prefix, Some(GetOptions::new().with_prefix()));
        let list = tokio::time::timeout(limit, list).await.map_err(late)?.map_err(failed)?;
        let revision = list.header().map_or(0, |header| header.revision());
        feed.answer_at(number(revision), list.kvs().iter().filter_map(|pair| node(pair, prefix)).collect());
        drop(list);
        let from = WatchOptions::new().with_prefix().with_start_revision(revision + 1);
        let mut requests = watches(client);
        let watch = requests.watch(prefix, Some(from));
        let mut changes = tokio::time::timeout(limit, watch).await.map_err(late)?.map_err(failed)?;
        let mut probe = tokio::time::interval(PROBE);
        // An etcd before 3.4 answers none.
        let (mut asked, mut answers) = (false, false);
        loop {
            let response = tokio::select! {
                response = changes.message() => response.map_err(failed)?,
                _ = probe.tick() => {
                    if asked && answers {
                        return Err(Error::new(Reason::ConnectTimeout, "etcd: it stands still"));
                    }
                    asked = true;
                    changes.request_progress().await.map_err(failed)?;
                    continue;
                }
            };
            let Some(response) = response else {
                return Err(Error::new(Reason::ClosedRemote, "etcd: the watch was ended"));
            };
            if response.events().is_empty() && !response.created() && asked {
                (asked, answers) = (false, true);
            }
            if response.compact_revision() > 0 {
                return Ok(());
            }
            if response.canceled() {
                return Err(Error::new(
                    Reason::ClosedRemote,
                    format!("etcd: the watch was cancelled: {}", response.cancel_reason()),
                ));
            }
            tell(feed, &response, prefix);
        }
    }
}

impl Source for Etcd {
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            match self.client().await {
                Err(error) => error,
                Ok((client, number)) => {
                    let error = self.follow_on(&client, service, feed).await;
                    self.forget(number).await;
                    error
                }
            }
        })
    }

    fn close(&self) {
        // Nobody follows any more, so nobody holds it.
        if let Ok(mut connection) = self.connection.try_lock() {
            connection.client = None;
        }
    }
}

fn tell(feed: &Feed, response: &WatchResponse, prefix: &str) {
    let changes = response.events().iter().filter_map(|event| {
        let pair = event.kv()?;
        match event.event_type() {
            EventType::Put => node(pair, prefix).map(NodeChange::Set),
            EventType::Delete => address(pair, prefix).map(NodeChange::Remove),
        }
    });
    let revision = response.header().map(|header| number(header.revision()));
    let changes: Vec<_> = changes.collect();
    if !changes.is_empty() {
        feed.change(revision, changes);
    }
}

fn number(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or_default()
}

/// What follows the service's key is the address, slashes and all.
fn address(pair: &KeyValue, prefix: &str) -> Option<Arc<str>> {
    let address = std::str::from_utf8(pair.key()).ok()?.strip_prefix(prefix)?;
    (!address.is_empty()).then(|| address.into())
}

fn node(pair: &KeyValue, prefix: &str) -> Option<Node> {
    let metadata = String::from_utf8_lossy(pair.value());
    Node::new(address(pair, prefix)?, NodeMetadata::new(&metadata)).ok()
}
