//! A connection: requests, and who is told of which keys.

use crate::failed;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, PushInfo, PushKind, Value};
use rpcx::{Error, Reason, Result};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// So many keys at most are remembered one by one until somebody looks at them.
const MOST: usize = 10_000;

/// So many keys are asked for at a time.
const BATCH: usize = 1_000;

/// The events without which changes are missed: of keyspaces, of commands on any key and on strings, of expiry.
const EVENTS: &str = "Kg$x";

/// Of those above and of eviction, which `maxmemory` may bring.
const WANTED: &str = "Kg$xe";

/// A connection. It ends when it is dropped.
pub(crate) struct Link {
    connection: MultiplexedConnection,
    database: i64,
    routes: Arc<Routes>,
    /// Whether this connection can be told anything.
    pushes: bool,
    /// One at a time, so that the end of a subscription never overtakes the beginning of the next.
    subscribing: tokio::sync::Mutex<()>,
    _driver: Driver,
}

/// The task that reads and writes.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the connection is told.
#[derive(Default)]
pub(crate) struct Routes {
    /// By pattern or channel.
    to: Mutex<HashMap<String, Weak<Inbox>>>,
    lost: AtomicBool,
    /// Whether changes are told, as far as can be known.
    told: AtomicBool,
}

/// The keys that have changed since somebody looked.
#[derive(Default)]
pub(crate) struct Inbox {
    keys: Mutex<Keys>,
    some: Notify,
}

#[derive(Default)]
struct Keys {
    keys: BTreeSet<String>,
    many: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    /// Waits until there is something, or the connection is lost.
    pub(crate) async fn some(&self) {
        self.some.notified().await;
    }

    /// Takes the keys out; `None` when there were too many to remember.
    pub(crate) fn take(&self) -> Option<BTreeSet<String>> {
        let Keys { keys, many } = std::mem::take(&mut *lock(&self.keys));
        (!many).then_some(keys)
    }

    /// Whether it holds this key, or may have.
    pub(crate) fn holds(&self, key: &str) -> bool {
        let keys = lock(&self.keys);
        keys.many || keys.keys.contains(key)
    }

    fn put(&self, key: &str) {
        let mut keys = lock(&self.keys);
        if keys.keys.len() >= MOST {
            *keys = Keys { keys: BTreeSet::new(), many: true };
        }
        if !keys.many && !keys.keys.contains(key) {
            keys.keys.insert(key.to_owned());
        }
        drop(keys);
        self.some.notify_one();
    }
}

impl Routes {
    /// Called by the task that reads, in the order in which the server said it: whatever an answer shows was told before it.
    pub(crate) fn push(&self, info: PushInfo) {
        let text = |index: usize| match info.data.get(index) {
            Some(Value::BulkString(bytes)) => std::str::from_utf8(bytes).ok(),
            Some(Value::SimpleString(text)) => Some(text.as_str()),
            _ => None,
        };
        let (route, channel, event) = match info.kind {
            PushKind::Disconnection => return self.lose(),
            PushKind::PMessage => (text(0), text(1), text(2)),
            PushKind::Message => (text(0), text(0), text(1)),
            _ => return,
        };
        let (Some(route), Some(channel), Some(event)) = (route, channel, event) else { return };
        if event == "set" {
            self.told.store(true, Ordering::Release);
        }
        // What is under the key stays the same.
        if matches!(event, "expire" | "persist") {
            return;
        }
        let Some((_, key)) = channel.split_once("__:") else { return };
        let inbox = lock(&self.to).get(route).and_then(Weak::upgrade);
        if let Some(inbox) = inbox {
            inbox.put(key);
        }
    }

    fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        for inbox in lock(&self.to).values().filter_map(Weak::upgrade) {
            inbox.some.notify_one();
        }
    }
}

impl Link {
    pub(crate) fn new(
        connection: MultiplexedConnection,
        database: i64,
        routes: Arc<Routes>,
        pushes: bool,
        driver: JoinHandle<()>,
    ) -> Self {
        let subscribing = tokio::sync::Mutex::default();
        Self { connection, database, routes, pushes, subscribing, _driver: Driver(driver) }
    }

    /// One request.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let asked = command.query_async(&mut self.connection.clone()).await;
        asked.map_err(|error| self.fail(error))
    }

    /// Several at once.
    pub(crate) async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T> {
        let asked = commands.query_async(&mut self.connection.clone()).await;
        asked.map_err(|error| self.fail(error))
    }

    fn fail(&self, error: redis::RedisError) -> Error {
        if error.is_io_error() {
            self.lose();
        }
        failed(error)
    }

    /// Nobody is to use it any more.
    pub(crate) fn lose(&self) {
        self.routes.lose();
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.routes.lost.load(Ordering::Acquire)
    }

    /// An error if it is lost.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_lost() {
            return Err(Error::new(Reason::ClosedRemote, "redis: the connection was lost"));
        }
        Ok(())
    }

    /// Whether changes are told, as far as can be known.
    pub(crate) fn tells(&self) -> bool {
        self.pushes && self.routes.told.load(Ordering::Acquire)
    }

    /// Finds out whether the server tells changes, and has it do so if `set` and it may be told that.
    pub(crate) async fn find_events(&self, set: bool) -> Result<()> {
        let told = self.pushes && self.events_on(set).await?;
        self.routes.told.store(told, Ordering::Release);
        Ok(())
    }

    async fn events_on(&self, set: bool) -> Result<bool> {
        const NAME: &str = "notify-keyspace-events";
        let asked: Result<HashMap<String, String>> = self.ask(redis::cmd("CONFIG").arg("GET").arg(NAME)).await;
        let flags = match asked {
            Ok(mut found) => found.remove(NAME).unwrap_or_default(),
            Err(error) if self.is_lost() => return Err(error),
            // Not permitted, or not known: events show that there are some.
            Err(_) => return Ok(false),
        };
        let Some(wanted) = with_events(&flags) else { return Ok(true) };
        if !set {
            return Ok(false);
        }
        match self.ask::<()>(redis::cmd("CONFIG").arg("SET").arg(NAME).arg(wanted)).await {
            Err(error) if self.is_lost() => Err(error),
            done => Ok(done.is_ok()),
        }
    }

    /// Has an inbox told of the keys that begin with this, for as long as it is there. False if the server refuses.
    pub(crate) async fn tell_prefix(&self, prefix: &str, inbox: &Arc<Inbox>) -> Result<bool> {
        let pattern = format!("__keyspace@{}__:{}*", self.database, escaped(prefix));
        let _guard = self.subscribing.lock().await;
        self.subscribe(pattern, inbox, true).await
    }

    /// Has an inbox told of one key.
    pub(crate) async fn tell_key(&self, key: &str, inbox: &Arc<Inbox>) -> Result<bool> {
        let channel = self.channel(key);
        let _guard = self.subscribing.lock().await;
        self.subscribe(channel, inbox, false).await
    }

    async fn subscribe(&self, name: String, inbox: &Arc<Inbox>, pattern: bool) -> Result<bool> {
        if !self.pushes {
            return Ok(false);
        }
        lock(&self.routes.to).insert(name.clone(), Arc::downgrade(inbox));
        let mut connection = self.connection.clone();
        let asked = if pattern { connection.psubscribe(&name).await } else { connection.subscribe(&name).await };
        match asked {
            Ok(()) => Ok(true),
            Err(error) if error.is_io_error() => Err(self.fail(error)),
            Err(error) => {
                lock(&self.routes.to).remove(&name);
                self.routes.told.store(false, Ordering::Release);
                tracing::warn!(target: "rpcx::discovery", %error, "redis refuses to tell changes");
                Ok(false)
            }
        }
    }

    /// Has nobody told of this key any more.
    pub(crate) async fn untell_key(&self, key: &str) -> Result<()> {
        let channel = self.channel(key);
        let _guard = self.subscribing.lock().await;
        if lock(&self.routes.to).remove(&channel).is_none() {
            return Ok(());
        }
        self.connection.clone().unsubscribe(channel).await.map_err(|error| self.fail(error))
    }

    /// Ends the subscriptions of patterns whose inboxes are gone.
    pub(crate) async fn tidy(&self) -> Result<()> {
        let _guard = self.subscribing.lock().await;
        let gone: Vec<String> = {
            let mut to = lock(&self.routes.to);
            let gone = to.iter().filter(|(_, inbox)| inbox.strong_count() == 0).map(|(name, _)| name.clone()).collect();
            to.retain(|_, inbox| inbox.strong_count() > 0);
            gone
        };
        if gone.is_empty() {
            return Ok(());
        }
        self.connection.clone().punsubscribe(gone).await.map_err(|error| self.fail(error))
    }

    fn channel(&self, key: &str) -> String {
        format!("__keyspace@{}__:{key}", self.database)
    }

    /// The keys that begin with this.
    pub(crate) async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let pattern = format!("{}*", escaped(prefix));
        let (mut keys, mut cursor) = (BTreeSet::new(), 0_u64);
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(BATCH);
            let (next, found): (u64, Vec<Vec<u8>>) = self.ask(&scan).await?;
            // One key may come twice.
            keys.extend(found.into_iter().filter_map(|key| String::from_utf8(key).ok()));
            cursor = next;
            if cursor == 0 {
                return Ok(keys.into_iter().collect());
            }
        }
    }

    /// What is under these keys.
    pub(crate) async fn values(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut values = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let found: Vec<Option<Vec<u8>>> = self.ask(redis::cmd("MGET").arg(batch)).await?;
            values.extend(found);
        }
        Ok(values)
    }
}

/// Text that a pattern takes as it is.
fn escaped(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

/// These flags with those that are missing; none if none is.
fn with_events(flags: &str) -> Option<String> {
    let has = |flag: char| flags.contains(flag) || flag != 'K' && flags.contains('A');
    if EVENTS.chars().all(has) {
        return None;
    }
    let missing = WANTED.chars().filter(|flag| !has(*flag));
    Some(flags.chars().chain(missing).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(routes: &Routes, kind: PushKind, data: &[&str]) {
        let data = data.iter().map(|text| Value::BulkString(text.as_bytes().to_vec())).collect();
        routes.push(PushInfo { kind, data });
    }

    #[test]
    fn events_are_added_to_what_others_have_set() {
        for (flags, wanted) in [
            ("", Some("Kg$xe")),
            ("AKE", None),
            ("KA", None),
            ("g$xK", None),
            ("AE", Some("AEK")),
            ("Ex", Some("ExKg$e")),
            ("Kx", Some("Kxg$e")),
        ] {
            assert_eq!(with_events(flags).as_deref(), wanted, "{flags}");
        }
    }

    #[test]
    fn patterns_take_text_as_it_is() {
        assert_eq!(escaped("//a*b/[c]?\\/tcp@[::1]:1"), "//a\\*b/\\[c\\]\\?\\\\/tcp@\\[::1\\]:1");
    }

    #[test]
    fn events_reach_the_inbox_of_their_pattern_once() {
        let routes = Routes::default();
        let (inbox, other) = (Arc::new(Inbox::default()), Arc::new(Inbox::default()));
        lock(&routes.to).insert("p".into(), Arc::downgrade(&inbox));
        lock(&routes.to).insert("__keyspace@0__:/c".into(), Arc::downgrade(&other));
        told(&routes, PushKind::PMessage, &["p", "__keyspace@0__:/a__:b", "expire"]);
        assert!(!routes.told.load(Ordering::Acquire) && inbox.take().expect("few").is_empty());
        for event in ["set", "del", "expired"] {
            told(&routes, PushKind::PMessage, &["p", "__keyspace@0__:/a__:b", event]);
        }
        told(&routes, PushKind::Message, &["__keyspace@0__:/c", "del"]);
        // What is no event of ours.
        told(&routes, PushKind::PMessage, &["p", "channel", "set"]);
        told(&routes, PushKind::PMessage, &["p"]);
        told(&routes, PushKind::PMessage, &["q", "__keyspace@0__:/a", "set"]);
        told(&routes, PushKind::Invalidate, &["p", "__keyspace@0__:/a", "set"]);
        assert!(routes.told.load(Ordering::Acquire) && inbox.holds("/a__:b") && !inbox.holds("/a"));
        assert_eq!(inbox.take().expect("few").into_iter().collect::<Vec<_>>(), ["/a__:b"]);
        assert_eq!(other.take().expect("few").into_iter().collect::<Vec<_>>(), ["/c"]);
        assert!(inbox.take().expect("few").is_empty());
    }

    #[test]
    fn an_inbox_that_nobody_empties_stays_small() {
        let inbox = Inbox::default();
        for number in 0..MOST * 2 {
            inbox.put(&number.to_string());
        }
        assert!(lock(&inbox.keys).keys.len() <= MOST && inbox.holds("any"));
        assert_eq!(inbox.take(), None, "all are to be looked at");
        assert_eq!(inbox.take(), Some(BTreeSet::new()));
    }

    #[test]
    fn whoever_waits_is_woken_when_the_connection_is_lost() {
        let routes = Routes::default();
        let inbox = Arc::new(Inbox::default());
        lock(&routes.to).insert("p".into(), Arc::downgrade(&inbox));
        told(&routes, PushKind::Disconnection, &[]);
        let woken = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime")
            .block_on(tokio::time::timeout(std::time::Duration::from_secs(10), inbox.some()));
        assert!(woken.is_ok() && routes.lost.load(Ordering::Acquire));
    }
}
