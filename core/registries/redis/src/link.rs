//! A connection: requests and subscriptions.

use crate::bounded::Unread;
use crate::failed;
use crate::routes::{Inbox, Routes, lock};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline};
use rpcx::{Error, Reason, Result};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

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
    unread: Unread,
    /// When it answered last.
    heard: Mutex<Instant>,
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

impl Link {
    pub(crate) fn new(
        connection: MultiplexedConnection,
        database: i64,
        routes: Arc<Routes>,
        pushes: bool,
        unread: Unread,
        driver: JoinHandle<()>,
    ) -> Self {
        let (heard, subscribing) = (Mutex::new(Instant::now()), tokio::sync::Mutex::default());
        Self { connection, database, routes, pushes, unread, heard, subscribing, _driver: Driver(driver) }
    }

    /// One request.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let answer = command.query_async(&mut self.connection.clone()).await;
        self.unread.clear();
        let answer = answer.map_err(|error| self.fail(error))?;
        *lock(&self.heard) = Instant::now();
        Ok(answer)
    }

    /// Asks whether it is alive, unless that has shown since.
    pub(crate) async fn probe(&self, since: Duration) -> Result<()> {
        if lock(&self.heard).elapsed() < since {
            return Ok(());
        }
        self.ask(&redis::cmd("PING")).await
    }

    /// Several at once.
    pub(crate) async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T> {
        let asked = commands.query_async(&mut self.connection.clone()).await;
        self.unread.clear();
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
        self.routes.is_lost()
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
        self.pushes && self.routes.tells()
    }

    /// Finds out whether the server tells changes, and has it do so if `set` and it may be told that.
    pub(crate) async fn find_events(&self, set: bool) -> Result<()> {
        let told = self.pushes && self.events_on(set).await?;
        self.routes.set_told(told);
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
        self.routes.add(name.clone(), inbox);
        let mut connection = self.connection.clone();
        let asked = if pattern { connection.psubscribe(&name).await } else { connection.subscribe(&name).await };
        match asked {
            Ok(()) => Ok(true),
            Err(error) if error.is_io_error() => Err(self.fail(error)),
            Err(error) => {
                self.routes.remove(&name);
                self.routes.set_told(false);
                tracing::warn!(target: "rpcx::discovery", %error, "redis refuses to tell changes");
                Ok(false)
            }
        }
    }

    /// Has nobody told of this key any more.
    pub(crate) async fn untell_key(&self, key: &str) -> Result<()> {
        let channel = self.channel(key);
        let _guard = self.subscribing.lock().await;
        if !self.routes.remove(&channel) {
            return Ok(());
        }
        self.connection.clone().unsubscribe(channel).await.map_err(|error| self.fail(error))
    }

    /// Ends the subscriptions of patterns whose inboxes are gone.
    pub(crate) async fn tidy(&self) -> Result<()> {
        let _guard = self.subscribing.lock().await;
        let gone = self.routes.take_gone();
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
}
