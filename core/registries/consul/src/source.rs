//! The discovery: a list, and the list again whenever it has changed.

use crate::api::{Api, Entry};
use crate::endpoints::{Endpoints, connect_to};
use crate::options::ConsulOptions;
use rpcx::discovery::{BoxFuture, Feed, Node, NodeMetadata, Source};
use rpcx::{Error, ErrorKind, Reason, Result};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long Consul may wait for a change. It adds up to a sixteenth, so that not all come back together.
const WAIT: Duration = Duration::from_secs(30);

/// How often Consul is asked whether it is alive, by a program as a whole; it counts as lost when the answer takes as long.
/// One that stood still ends the sessions that could not be renewed meanwhile, which are of 20 seconds and more, and must
/// not empty the list of those who follow.
const PULSE: Duration = Duration::from_secs(2);

/// How long after a list the next one is asked for: Consul gives all of it for every change of one node.
fn pace(nodes: usize) -> Duration {
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    (Duration::from_millis(20) + Duration::from_micros(200).saturating_mul(nodes)).min(Duration::from_millis(500))
}

/// The same after an answer that came early and told nothing new.
const IDLE: Duration = Duration::from_secs(1);

/// The services below a base path; made by [`discovery`](crate::discovery). Each that is followed has a connection; all of
/// them are to the same agent, and one more tells whether it is alive.
#[derive(Debug)]
pub struct Consul {
    options: ConsulOptions,
    endpoints: Endpoints,
    /// Locked while somebody connects, for whom the others wait.
    link: Mutex<Option<Arc<Link>>>,
}

/// The agent that is used.
#[derive(Debug)]
struct Link {
    host: String,
    pulse: Mutex<Pulse>,
}

#[derive(Debug)]
struct Pulse {
    /// None while somebody uses it.
    api: Option<Api>,
    /// When it was last felt.
    at: Instant,
    lost: Option<Error>,
}

impl Consul {
    pub(crate) fn new(options: ConsulOptions) -> Self {
        Self { options, endpoints: Endpoints::new(), link: Mutex::default() }
    }

    async fn link(&self) -> Result<Arc<Link>> {
        let mut link = self.link.lock().await;
        if let Some(link) = &*link {
            return Ok(link.clone());
        }
        let (host, api) = self.endpoints.connect(&self.options).await?;
        let pulse = Mutex::new(Pulse { api: Some(api), at: Instant::now(), lost: None });
        Ok(link.insert(Arc::new(Link { host: host.to_owned(), pulse })).clone())
    }

    /// Whoever follows from here on takes another one.
    async fn forget(&self, old: &Arc<Link>) {
        let mut link = self.link.lock().await;
        if link.as_ref().is_some_and(|link| Arc::ptr_eq(link, old)) {
            *link = None;
        }
    }

    /// Lists, and lists again with each change.
    async fn lists(&self, link: &Link, prefix: &str, feed: &Feed) -> Result<Infallible> {
        let limit = self.options.registry.request_timeout;
        let mut api = connect_to(&link.host, &self.options).await?;
        let (mut seen, mut empty) = (None, false);
        loop {
            let began = Instant::now();
            let (index, entries) = match seen {
                None => within(limit, api.list(prefix, None)).await?,
                // Not to wait is what 0 would say.
                Some(index) => {
                    within(limit + WAIT + WAIT / 16, api.list(prefix, Some((u64::max(index, 1), WAIT)))).await?
                }
            };
            if seen == Some(index) {
                tokio::time::sleep_until(began + IDLE).await;
                continue;
            }
            if entries.is_empty() && !empty {
                // Consul leaves out what the token may not read; a single key it refuses.
                within(limit, api.get(prefix)).await?;
            }
            empty = entries.is_empty();
            let count = entries.len();
            // One that is lower than before comes of an agent that is behind, or of a Consul that has lost its data.
            feed.answer_at(index, entries.into_iter().filter_map(|entry| node(entry, prefix)).collect());
            seen = Some(index);
            tokio::time::sleep(pace(count)).await;
        }
    }

    /// Ends when the agent does not answer any more.
    async fn pulse(&self, link: &Link, key: &str) -> Error {
        loop {
            tokio::time::sleep(PULSE).await;
            let mut pulse = link.pulse.lock().await;
            if let Some(error) = &pulse.lost {
                return error.clone();
            }
            if pulse.at.elapsed() < PULSE {
                continue;
            }
            // Whoever is dropped here leaves no connection with half an answer behind.
            let api = pulse.api.take();
            match within(PULSE, self.feel(api, link, key)).await {
                Ok(api) => (pulse.api, pulse.at) = (Some(api), Instant::now()),
                // Of this service alone.
                Err(error) if error.kind() == ErrorKind::Auth => return error,
                Err(error) => {
                    pulse.lost = Some(error.clone());
                    return error;
                }
            }
        }
    }

    async fn feel(&self, api: Option<Api>, link: &Link, key: &str) -> Result<Api> {
        let mut api = match api.filter(|api| !api.is_closed()) {
            Some(api) => api,
            None => connect_to(&link.host, &self.options).await?,
        };
        api.get(key).await?;
        Ok(api)
    }
}

impl Source for Consul {
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            let link = match self.link().await {
                Ok(link) => link,
                Err(error) => return error,
            };
            let prefix = format!("{}/", self.options.base.service(service));
            let error = tokio::select! {
                ended = self.lists(&link, &prefix, feed) => match ended {
                    Ok(never) => match never {},
                    Err(error) => error,
                },
                error = self.pulse(&link, &prefix) => error,
            };
            if error.kind() != ErrorKind::Auth {
                self.forget(&link).await;
            }
            error
        })
    }

    fn close(&self) {
        // Nobody follows any more, so nobody holds it.
        if let Ok(mut link) = self.link.try_lock() {
            *link = None;
        }
    }
}

async fn within<T>(limit: Duration, request: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(Error::new(Reason::ConnectTimeout, format!("consul: no answer within {limit:?}")));
    tokio::time::timeout(limit, request).await.unwrap_or_else(late)
}

/// What follows the service's key is the address, slashes and all.
fn node(entry: Entry, prefix: &str) -> Option<Node> {
    let address = entry.key.strip_prefix(prefix).filter(|address| !address.is_empty())?;
    Node::new(address, NodeMetadata::new(&entry.value)).ok()
}

#[cfg(test)]
mod tests;
