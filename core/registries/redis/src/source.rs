//! The discovery: a list, and the changes that are told, or a list again and again where they are not.

use crate::connect::Hosts;
use crate::link::Link;
use crate::options::RedisOptions;
use crate::routes::Inbox;
use crate::value::{stored, unwrap};
use rpcx::balance::jittered;
use rpcx::discovery::{BoxFuture, Feed, Node, NodeChange, NodeMetadata, Source};
use rpcx::{Error, Reason, Result};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How often a server that tells changes is asked whether it is alive; it counts as lost when it has not answered before the
/// next time. A Redis that stood still lets nodes expire that could not be renewed meanwhile, and must not empty the list of
/// those who follow.
const PROBE: Duration = Duration::from_secs(2);

/// How often at least everything is listed although changes are told: whoever switches events off, or empties the whole
/// database, tells nobody.
const RELIST: Duration = Duration::from_secs(30);

/// After some changes others are waited for, so that many are asked for together.
const PAUSE: Duration = Duration::from_millis(50);

/// The services below a base path; made by [`discovery`](crate::discovery). All that are followed share one connection.
#[derive(Debug)]
pub struct Redis {
    options: RedisOptions,
    hosts: Hosts,
    /// Locked while somebody connects, for whom the others wait. Whoever follows has it.
    link: Mutex<Weak<Link>>,
    polling: AtomicBool,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("lost", &self.is_lost()).finish_non_exhaustive()
    }
}

impl Redis {
    pub(crate) fn new(options: RedisOptions) -> Self {
        Self { options, hosts: Hosts::default(), link: Mutex::default(), polling: AtomicBool::new(false) }
    }

    /// Whether the server does not tell changes, so that the services are listed every `poll_interval`.
    pub fn is_polling(&self) -> bool {
        self.polling.load(Ordering::Acquire)
    }

    async fn link(&self) -> Result<Arc<Link>> {
        let mut shared = self.link.lock().await;
        if let Some(link) = shared.upgrade().filter(|link| !link.is_lost()) {
            return Ok(link);
        }
        let link = Arc::new(self.hosts.connect(&self.options).await?);
        *shared = Arc::downgrade(&link);
        Ok(link)
    }

    /// Lists and follows until the connection is lost.
    async fn follow_on(&self, service: &str, feed: &Feed) -> Result<Infallible> {
        let link = self.link().await?;
        let marker = self.options.base.service(service);
        let prefix = format!("{marker}/");
        let inbox = Arc::new(Inbox::default());
        // Before the list, so that no change falls between the two.
        let subscribed = link.tell_prefix(&stored(&prefix), &inbox).await?;
        let mut following = Following { link: &link, feed, marker, prefix, inbox: &inbox, subscribed, known: None };
        following.list(self.options.set_events).await?;
        let mut settled = Instant::now();
        let (mut next, mut again) = (settled + PROBE.min(self.options.poll_interval), settled + relist());
        loop {
            self.say(following.tells());
            let some = async {
                tokio::time::sleep_until(settled).await;
                inbox.some().await;
            };
            tokio::select! {
                () = some => {
                    link.check()?;
                    following.changed(self.options.set_events).await?;
                    settled = Instant::now() + PAUSE;
                }
                () = tokio::time::sleep_until(next) => {
                    link.check()?;
                    if !following.tells() || Instant::now() >= again {
                        following.list(self.options.set_events).await?;
                        again = Instant::now() + relist();
                    } else {
                        following.probe().await?;
                    }
                    next = Instant::now() + if following.tells() { PROBE } else { self.options.poll_interval };
                }
            }
        }
    }

    fn say(&self, tells: bool) {
        let polled = self.polling.swap(!tells, Ordering::AcqRel);
        if !tells && !polled {
            let every = self.options.poll_interval;
            tracing::warn!(
                target: "rpcx::discovery", ?every,
                "redis does not tell changes: services are listed again and again; set notify-keyspace-events to Kg$x"
            );
        }
    }
}

/// Up to `RELIST` and not less than half of it, so that clients which came back together do not list together for ever.
fn relist() -> Duration {
    jittered(RELIST)
}

/// One service.
struct Following<'a> {
    link: &'a Link,
    feed: &'a Feed,
    /// The service's own key, and what begins those of its nodes, as Go calls them.
    marker: String,
    prefix: String,
    inbox: &'a Inbox,
    /// Whether the server lets the inbox be told.
    subscribed: bool,
    /// The nodes by the keys under which Redis has them; none before the first list.
    known: Option<HashMap<String, Node>>,
}

impl Following<'_> {
    fn tells(&self) -> bool {
        self.subscribed && self.link.tells()
    }

    async fn list(&mut self, set_events: bool) -> Result<()> {
        let keys = self.link.keys(&stored(&self.prefix)).await?;
        let values = self.link.values(&keys).await?;
        let nodes = keys.into_iter().zip(values);
        let found: HashMap<String, Node> = nodes
            .filter_map(|(key, value)| {
                let node = self.node(&key, value.as_deref())?;
                Some((key, node))
            })
            .collect();
        if self.tells() && self.known.as_ref().is_some_and(|known| self.missed(known, &found)) {
            // Somebody has switched events off.
            self.link.find_events(set_events).await?;
        }
        // The service's key stays when its last server leaves: where it is missing too, Redis has lost its data.
        if found.is_empty() && !self.link.ask::<bool>(redis::cmd("EXISTS").arg(stored(&self.marker))).await? {
            self.feed.begin();
        }
        self.feed.answer(found.values().cloned().collect());
        self.known = Some(found);
        Ok(())
    }

    /// Whether there is a change of which nothing was told. Events come before the answers that show what they tell.
    fn missed(&self, known: &HashMap<String, Node>, found: &HashMap<String, Node>) -> bool {
        let differs = |key: &String| known.get(key) != found.get(key);
        known.keys().chain(found.keys()).any(|key| differs(key) && !self.inbox.holds(key))
    }

    async fn changed(&mut self, set_events: bool) -> Result<()> {
        let Some(keys) = self.inbox.take() else { return self.list(set_events).await };
        let keys: Vec<String> = keys.into_iter().collect();
        let values = self.link.values(&keys).await?;
        let mut known = self.known.take().unwrap_or_default();
        let mut changes = Vec::new();
        for (key, value) in keys.into_iter().zip(values) {
            let node = self.node(&key, value.as_deref());
            let before = known.remove(&key);
            if let Some(before) = &before
                && node.as_ref().is_none_or(|node| node.address() != before.address())
            {
                changes.push(NodeChange::Remove(before.shared_address()));
            }
            if let Some(node) = node {
                if before.as_ref() != Some(&node) {
                    changes.push(NodeChange::Set(node.clone()));
                }
                known.insert(key, node);
            }
        }
        self.known = Some(known);
        if !changes.is_empty() {
            self.feed.change(None, changes);
        }
        Ok(())
    }

    async fn probe(&self) -> Result<()> {
        let asked = async {
            self.link.tidy().await?;
            self.link.probe(PROBE / 2).await
        };
        tokio::time::timeout(PROBE, asked).await.unwrap_or_else(|_| {
            self.link.lose();
            Err(Error::new(Reason::ConnectTimeout, "redis: it stands still"))
        })
    }

    /// The node of a key. Where it is says the value, as Go's clients read it. A value that Go's clients could not read is
    /// none, nor is one without an address.
    fn node(&self, key: &str, value: Option<&[u8]>) -> Option<Node> {
        let value = unwrap(value?)?;
        let address = value.key.strip_prefix(&self.prefix).or_else(|| key.strip_prefix(&stored(&self.prefix)))?;
        Node::new(address, NodeMetadata::new(&value.text)).ok()
    }
}

impl Source for Redis {
    fn follow<'a>(&'a self, service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            match self.follow_on(service, feed).await {
                Err(error) => error,
                Ok(never) => match never {},
            }
        })
    }
}
