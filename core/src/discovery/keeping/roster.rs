//! What a registry should have, and how far that is done. Those who announce write the one, the keeping task the other.

use super::Place;
use crate::discovery::Load;
use crate::error::{Error, ErrorKind};
use std::collections::BTreeMap;

/// The nodes that servers want to be there. Changes are numbered over all of them.
#[derive(Default)]
pub(super) struct Roster {
    entries: BTreeMap<Place, Entry>,
    changes: u64,
    /// Everything leaves, and the session ends.
    pub(super) closing: bool,
}

struct Entry {
    /// The announcement that it belongs to; an earlier one has nothing to say any more.
    holder: u64,
    text: String,
    load: Option<Load>,
    /// The last change of what is wanted.
    change: u64,
    /// The change that the registry has.
    written: u64,
    /// The change that the registry refused; it is not tried again before the next update.
    refused: u64,
    /// Why the last change did not come about.
    problem: Option<Error>,
    /// Something may be in the registry.
    begun: bool,
    leaving: bool,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// What is wanted has changed.
    Write { place: Place, text: String, change: u64 },
    /// Nobody wants it any more.
    Remove(Place),
}

/// What became of a change.
pub(super) enum Outcome {
    Pending,
    Done,
    Failed(Error),
}

impl Roster {
    /// A new announcement; gives its holder, which is the number of its change too. None when closing.
    pub(super) fn announce(&mut self, place: Place, text: String, load: Option<Load>) -> Option<u64> {
        if self.closing {
            return None;
        }
        self.changes += 1;
        let begun = self.entries.get(&place).is_some_and(|entry| entry.begun);
        let entry = Entry {
            holder: self.changes,
            text,
            load,
            change: self.changes,
            written: 0,
            refused: 0,
            problem: None,
            begun,
            leaving: false,
        };
        self.entries.insert(place, entry);
        Some(self.changes)
    }

    /// Other metadata for a node that is still the holder's; gives the number of the change.
    pub(super) fn update(&mut self, place: &Place, holder: u64, text: String) -> Option<u64> {
        let entry = self.entries.get_mut(place).filter(|entry| entry.holder == holder && !entry.leaving)?;
        self.changes += 1;
        entry.text = text;
        entry.change = self.changes;
        entry.problem = None;
        Some(self.changes)
    }

    /// The holder's node is to leave. One that was never begun is gone at once.
    pub(super) fn leave(&mut self, place: &Place, holder: u64) {
        let Some(entry) = self.entries.get_mut(place).filter(|entry| entry.holder == holder) else { return };
        if !entry.begun {
            self.entries.remove(place);
            return;
        }
        self.changes += 1;
        entry.change = self.changes;
        entry.leaving = true;
        entry.problem = None;
    }

    /// Everything is to leave.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.entries.retain(|_, entry| entry.begun);
        for entry in self.entries.values_mut() {
            entry.leaving = true;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the registry has the change of a node, or why not. A node that is gone or another's is done with.
    pub(super) fn outcome(&mut self, place: &Place, holder: u64, change: u64) -> Outcome {
        let Some(entry) = self.entries.get_mut(place).filter(|entry| entry.holder == holder) else {
            return Outcome::Done;
        };
        match entry.problem.take() {
            _ if !entry.leaving && entry.written >= change => Outcome::Done,
            Some(problem) => Outcome::Failed(problem),
            None => Outcome::Pending,
        }
    }

    /// What is to be done next, those that leave first.
    pub(super) fn next(&mut self) -> Option<Job> {
        if let Some((place, _)) = self.entries.iter().find(|(_, entry)| entry.leaving && entry.refused < entry.change) {
            return Some(Job::Remove(place.clone()));
        }
        let wanting = |entry: &Entry| !entry.leaving && entry.written.max(entry.refused) < entry.change;
        let (place, entry) = self.entries.iter_mut().find(|(_, entry)| wanting(entry))?;
        entry.begun = true;
        Some(Job::Write { place: place.clone(), text: entry.text.clone(), change: entry.change })
    }

    /// What a node should say, if it is to be there and is: what was announced, and what its server has done.
    pub(super) fn wanted(&self, place: &Place) -> Option<(String, Option<Load>)> {
        let entry = self.entries.get(place).filter(|entry| !entry.leaving && entry.written > 0)?;
        Some((entry.text.clone(), entry.load.clone()))
    }

    /// Every node that was written; what was refused is tried once more.
    pub(super) fn all(&mut self) -> Vec<Place> {
        for entry in self.entries.values_mut() {
            entry.refused = 0;
        }
        self.entries.iter().filter(|(_, entry)| entry.written > 0).map(|(place, _)| place.clone()).collect()
    }

    /// The registry has this change of the node.
    pub(super) fn written(&mut self, place: &Place, change: u64) {
        if let Some(entry) = self.entries.get_mut(place) {
            entry.written = entry.written.max(change);
        }
    }

    /// The node has left.
    pub(super) fn left(&mut self, place: &Place) {
        if self.entries.get(place).is_some_and(|entry| entry.leaving) {
            self.entries.remove(place);
        }
    }

    /// The registry refuses what is wanted of this node.
    pub(super) fn refused(&mut self, place: &Place, error: Error) {
        if let Some(entry) = self.entries.get_mut(place) {
            entry.refused = entry.change;
            entry.problem = Some(error);
            // Neither let in nor out: it is not there.
            if entry.leaving && entry.written == 0 {
                self.entries.remove(place);
            }
        }
    }

    /// The registry could not be reached: whoever waits is told.
    pub(super) fn failed(&mut self, error: &Error) {
        for entry in self.entries.values_mut().filter(|entry| entry.leaving || entry.written < entry.change) {
            entry.problem = Some(error.clone());
        }
    }
}

/// Whether trying again does not help.
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Config | ErrorKind::Auth)
}
