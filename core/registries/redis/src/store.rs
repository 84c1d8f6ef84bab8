//! The registry: nodes that live for a while and are renewed, and a look at them every moment.

use crate::connect::Hosts;
use crate::link::Link;
use crate::options::RedisOptions;
use crate::routes::{Inbox, lock};
use crate::value::{Wrapped, stored, unwrap, wrap};
use rpcx::balance::random_bits;
use rpcx::discovery::{BasePath, Found, Over, Owner, Place, Store, StoreSession, Touched};
use rpcx::{Error, Result};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Go's programs write less than this in `LastIndex`, this library more: the number of the server to which the node belongs.
const GO: u64 = 1_000_000_000;

/// How often a server looks at most whether its nodes are there. Whoever empties the whole database tells nobody.
const BEAT: Duration = Duration::from_secs(2);

/// How often a node is read again that somebody else writes while it is removed.
const TRIES: usize = 8;

/// Writes a value over the one that was read.
const SWAP: &str = "if redis.call('GET',KEYS[1])~=ARGV[1] then return 0 end \
                    redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) return 1";

/// Removes the value that was read.
const REMOVE: &str = "if redis.call('GET',KEYS[1])~=ARGV[1] then return 0 end return redis.call('DEL',KEYS[1])";

/// Has the value that was read live on.
const RENEW: &str = "if redis.call('GET',KEYS[1])~=ARGV[1] then return 0 end \
                     return redis.call('PEXPIRE',KEYS[1],ARGV[2])";

/// The services of servers, below a base path; made by [`registry`](crate::registry).
#[derive(Debug)]
pub struct RedisStore {
    options: RedisOptions,
    hosts: Hosts,
    /// Whose nodes they are.
    number: u64,
}

impl RedisStore {
    pub(crate) fn new(options: RedisOptions) -> Self {
        Self { options, hosts: Hosts::default(), number: server_number() }
    }
}

/// A number that no other server has, from the time and from chance. Below 2⁵³, so that programs which read numbers as floats
/// read it right.
fn server_number() -> u64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let random = random_bits() & 0xf_ffff;
    ((seconds & u64::from(u32::MAX)) << 20 | random).max(GO)
}

impl Store for RedisStore {
    type Session = RedisSession;

    async fn begin(&self) -> Result<RedisSession> {
        Ok(RedisSession {
            link: self.hosts.connect(&self.options).await?,
            inbox: Arc::default(),
            base: self.options.base.clone(),
            number: self.number,
            ttl: self.options.ttl,
            poll: self.options.poll_interval,
            watched: Mutex::default(),
            unreadable: Mutex::default(),
        })
    }
}

/// A connection, and the nodes that are renewed over it. Nothing in Redis belongs to the connection: a node lives by its time,
/// and says whose it is.
pub struct RedisSession {
    link: Link,
    inbox: Arc<Inbox>,
    base: BasePath,
    number: u64,
    ttl: Duration,
    poll: Duration,
    /// What should be there, by the keys under which Redis has it.
    watched: Mutex<HashMap<String, Watched>>,
    /// Values that were read where ours should be, and were none that anybody could read.
    unreadable: Mutex<HashMap<String, Vec<u8>>>,
}

#[derive(Clone)]
enum Watched {
    /// The key of the base or of a service, as Go calls it, and its value.
    Marker(String, String),
    /// A node, and when its time began anew.
    Node(Place, Instant),
}

impl RedisSession {
    fn node(&self, place: &Place) -> String {
        self.base.node(&place.service, &place.address)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX)
    }

    /// Writes a key that stays, unless it is there.
    async fn mark(&self, key: &str, value: &str) -> Result<()> {
        let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
        let value = wrap(key, value, u64::from(nanoseconds));
        self.link.ask(redis::cmd("SET").arg(stored(key)).arg(value).arg("NX")).await
    }

    /// Has a node looked after; once for each.
    async fn watch(&self, place: &Place) -> Result<()> {
        let key = stored(&self.node(place));
        if lock(&self.watched).contains_key(&key) {
            return Ok(());
        }
        self.link.tell_key(&key, &self.inbox).await?;
        lock(&self.watched).insert(key, Watched::Node(place.clone(), Instant::now()));
        Ok(())
    }

    /// The markers of a service; once for each.
    async fn watch_service(&self, service: &str) -> Result<()> {
        let key = self.base.service(service);
        if lock(&self.watched).contains_key(&stored(&key)) {
            return Ok(());
        }
        for (key, value) in [(self.base.as_str(), BasePath::MARKER), (&key, service)] {
            self.mark(key, value).await?;
            lock(&self.watched).insert(stored(key), Watched::Marker(key.to_owned(), value.to_owned()));
        }
        Ok(())
    }

    async fn raw(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.link.ask(redis::cmd("GET").arg(key)).await
    }

    async fn swap(&self, key: &str, before: &[u8], value: &str) -> Result<bool> {
        let mut swap = redis::cmd("EVAL");
        swap.arg(SWAP).arg(1).arg(key).arg(before).arg(value).arg(self.millis());
        self.link.ask(&swap).await
    }

    /// Sees to it that everything is there, and that the nodes live on.
    async fn beat(&self, touched: &Touched) -> Result<()> {
        let watched: Vec<(String, Watched)> =
            lock(&self.watched).iter().map(|(key, of)| (key.clone(), of.clone())).collect();
        let keys: Vec<String> = watched.iter().map(|(key, _)| key.clone()).collect();
        // Without any it is still a question whether the server is alive.
        if keys.is_empty() {
            return self.link.ask(&redis::cmd("PING")).await;
        }
        let values = self.link.values(&keys).await?;
        let mut renewals = redis::pipe();
        let mut renewed = Vec::new();
        for ((key, of), value) in watched.into_iter().zip(values) {
            match (of, value) {
                (Watched::Marker(key, text), None) => self.mark(&key, &text).await?,
                (Watched::Marker(..), Some(_)) => {}
                (Watched::Node(place, since), value) => match value.as_deref().and_then(unwrap) {
                    Some(found) if found.index == self.number => {
                        if since.elapsed() >= self.ttl / 2 {
                            let value = value.unwrap_or_default();
                            renewals.cmd("EVAL").arg(RENEW).arg(1).arg(&key).arg(value).arg(self.millis()).ignore();
                            renewed.push(key);
                        }
                    }
                    Some(found) if found.index >= GO => {}
                    _ => touched.touch(place),
                },
            }
        }
        if renewed.is_empty() {
            return Ok(());
        }
        self.link.ask_all::<()>(&renewals).await?;
        renewed.iter().for_each(|key| self.restart(key));
        Ok(())
    }

    /// The time of a node begins anew.
    fn restart(&self, key: &str) {
        if let Some(Watched::Node(_, since)) = lock(&self.watched).get_mut(key) {
            *since = Instant::now();
        }
    }

    async fn keep_on(&self, touched: &Touched) -> Result<Infallible> {
        // At once: what is there may be old.
        let mut next = Instant::now();
        loop {
            tokio::select! {
                () = self.inbox.some() => {
                    self.link.check()?;
                    let told = self.inbox.take();
                    for (key, of) in lock(&self.watched).iter() {
                        if let Watched::Node(place, _) = of
                            && told.as_ref().is_none_or(|told| told.contains(key))
                        {
                            touched.touch(place.clone());
                        }
                    }
                }
                () = tokio::time::sleep_until(next) => {
                    self.beat(touched).await?;
                    let longest = if self.link.tells() { BEAT } else { BEAT.min(self.poll) };
                    next = Instant::now() + longest.min(self.ttl / 6);
                }
            }
        }
    }
}

impl StoreSession for RedisSession {
    /// What was read, byte for byte.
    type Version = Vec<u8>;

    async fn keep<'a>(&'a self, touched: &'a Touched) -> Error {
        match self.keep_on(touched).await {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    async fn read(&self, place: &Place) -> Result<Option<Found<Vec<u8>>>> {
        self.watch(place).await?;
        let key = stored(&self.node(place));
        lock(&self.unreadable).remove(&key);
        let Some(raw) = self.raw(&key).await? else { return Ok(None) };
        let Some(Wrapped { text, index, .. }) = unwrap(&raw) else {
            // Go's clients end at such a value: what was announced takes its place.
            lock(&self.unreadable).insert(key, raw);
            return Ok(None);
        };
        let owner = match index {
            own if own == self.number => Owner::Own,
            GO.. => Owner::Successor,
            _ => Owner::Nobody,
        };
        Ok(Some(Found { text, version: raw, owner }))
    }

    async fn write(&self, place: &Place, text: &str, over: Over<Vec<u8>>) -> Result<bool> {
        self.watch_service(&place.service).await?;
        self.watch(place).await?;
        let node = self.node(place);
        let (key, value) = (stored(&node), wrap(&node, text, self.number));
        let anything = matches!(over, Over::Anything);
        let before = match over {
            Over::Version(before) => Some(before),
            Over::Nothing => lock(&self.unreadable).remove(&key),
            Over::Anything => None,
        };
        let written = match before {
            Some(before) => self.swap(&key, &before, &value).await?,
            None => {
                let mut set = redis::cmd("SET");
                set.arg(&key).arg(value).arg("PX").arg(self.millis());
                if !anything {
                    set.arg("NX");
                }
                self.link.ask::<Option<String>>(&set).await?.is_some()
            }
        };
        if written {
            self.restart(&key);
        }
        Ok(written)
    }

    async fn remove(&self, place: &Place) -> Result<()> {
        let key = stored(&self.node(place));
        // First, so that nobody is told of what this server does itself.
        lock(&self.watched).remove(&key);
        self.link.untell_key(&key).await?;
        for _ in 0..TRIES {
            let Some(raw) = self.raw(&key).await? else { return Ok(()) };
            if unwrap(&raw).is_none_or(|found| found.index != self.number) {
                return Ok(());
            }
            let mut remove = redis::cmd("EVAL");
            remove.arg(REMOVE).arg(1).arg(&key).arg(raw);
            if self.link.ask(&remove).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn end(&self) -> Result<()> {
        Ok(())
    }
}
