//! Who is told of which keys.

use redis::{PushInfo, PushKind, Value};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::Notify;

/// So many keys at most are remembered one by one until somebody looks at them.
const MOST: usize = 10_000;

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

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Whether changes are told, as far as can be known.
    pub(crate) fn tells(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    pub(crate) fn set_told(&self, told: bool) {
        self.told.store(told, Ordering::Release);
    }

    /// Has an inbox told of what comes by this pattern or channel, for as long as it is there.
    pub(crate) fn add(&self, name: String, inbox: &Arc<Inbox>) {
        lock(&self.to).insert(name, Arc::downgrade(inbox));
    }

    /// False if there was none.
    pub(crate) fn remove(&self, name: &str) -> bool {
        lock(&self.to).remove(name).is_some()
    }

    /// Takes out those whose inboxes are gone.
    pub(crate) fn take_gone(&self) -> Vec<String> {
        let mut to = lock(&self.to);
        let gone = to.iter().filter(|(_, inbox)| inbox.strong_count() == 0).map(|(name, _)| name.clone()).collect();
        to.retain(|_, inbox| inbox.strong_count() > 0);
        gone
    }

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

    /// The connection is lost: whoever waits is woken.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        for inbox in lock(&self.to).values().filter_map(Weak::upgrade) {
            inbox.some.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(routes: &Routes, kind: PushKind, data: &[&str]) {
        let data = data.iter().map(|text| Value::BulkString(text.as_bytes().to_vec())).collect();
        routes.push(PushInfo { kind, data });
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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let limit = std::time::Duration::from_secs(10);
        let woken = runtime.block_on(async { tokio::time::timeout(limit, inbox.some()).await });
        assert!(woken.is_ok() && routes.lost.load(Ordering::Acquire));
    }
}
