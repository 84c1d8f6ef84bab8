//! What a registry keeps in Consul: the sessions that nodes live by, one each, as Go has them, so that whoever takes one node
//! over takes no other along; and the keys that stay.

use rpcx::discovery::Place;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The sessions and the keys of one registry, which outlive its connections.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    nodes: Mutex<BTreeMap<Place, String>>,
    markers: Mutex<BTreeMap<String, String>>,
}

impl Sessions {
    /// The session of a node.
    pub(crate) fn of(&self, place: &Place) -> Option<String> {
        lock(&self.nodes).get(place).cloned()
    }

    pub(crate) fn set(&self, place: Place, session: String) {
        lock(&self.nodes).insert(place, session);
    }

    /// This session is gone.
    pub(crate) fn lost(&self, place: &Place, session: &str) {
        let mut all = lock(&self.nodes);
        if all.get(place).is_some_and(|known| known == session) {
            all.remove(place);
        }
    }

    pub(crate) fn all(&self) -> Vec<(Place, String)> {
        lock(&self.nodes).iter().map(|(place, session)| (place.clone(), session.clone())).collect()
    }

    /// This key is to stay, with what it holds.
    pub(crate) fn mark(&self, key: &str, value: &str) {
        lock(&self.markers).insert(key.to_owned(), value.to_owned());
    }

    pub(crate) fn markers(&self) -> BTreeMap<String, String> {
        lock(&self.markers).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
