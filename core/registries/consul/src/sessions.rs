//! The sessions that nodes live by, one each, as Go has them: so that whoever takes one node over takes no other along.

use rpcx::discovery::Place;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The sessions of one registry, which outlive its connections.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<Place, String>>);

impl Sessions {
    /// The session of a node.
    pub(crate) fn of(&self, place: &Place) -> Option<String> {
        self.lock().get(place).cloned()
    }

    pub(crate) fn set(&self, place: Place, session: String) {
        self.lock().insert(place, session);
    }

    /// This session is gone.
    pub(crate) fn lost(&self, place: &Place, session: &str) {
        let mut all = self.lock();
        if all.get(place).is_some_and(|known| known == session) {
            all.remove(place);
        }
    }

    pub(crate) fn all(&self) -> Vec<(Place, String)> {
        self.lock().iter().map(|(place, session)| (place.clone(), session.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
