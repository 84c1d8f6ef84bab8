//! What a registry's crate implements for servers: how nodes are read and written, and what keeps them there.

use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// A registry's own part in keeping servers announced. [`StoreRegistry`](super::StoreRegistry) makes a [`Registry`](crate::discovery::Registry)
/// of it, which has the rest: what to write when, serially; beginning again after a failure; leaving.
///
/// Futures run on a runtime with timers and I/O, and must not block their thread. Every request is given
/// `request_timeout`; a store sets no limit of its own.
pub trait Store: Send + Sync + 'static {
    /// What nodes live by: a lease, a session, a connection.
    type Session: StoreSession;

    /// Connects, and begins a session or takes up the one of before, if it lives. Called again after each loss.
    ///
    /// # Errors
    ///
    /// Kind `config` or `auth` where trying again does not help: whoever announces is told at once.
    fn begin(&self) -> impl Future<Output = Result<Self::Session>> + Send;
}

/// A session with the registry. One request at a time is made, beside [`keep`](Self::keep).
pub trait StoreSession: Send + Sync + 'static {
    /// What tells whether a node was written since it was read.
    type Version: Send + Sync + 'static;

    /// Keeps the session alive, and says which nodes others have changed or removed. Ends when the session is lost, or may
    /// be, with the reason. Dropping it leaves the session to expire.
    fn keep<'a>(&'a self, touched: &'a Touched) -> impl Future<Output = Error> + Send + 'a;

    /// The node as it is in the registry now.
    ///
    /// # Errors
    ///
    /// Kind `config` or `auth` concern this node alone; any other means that the session is lost.
    fn read(&self, place: &Place) -> impl Future<Output = Result<Option<Found<Self::Version>>>> + Send;

    /// Writes the node, so that it lives by this session. False, and nothing is written, if it is not as `over` says.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn write(&self, place: &Place, text: &str, over: Over<Self::Version>) -> impl Future<Output = Result<bool>> + Send;

    /// Removes the node if it lives by this session. It is no error if there is none.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn remove(&self, place: &Place) -> impl Future<Output = Result<()>> + Send;

    /// Ends the session, which has no nodes any more.
    ///
    /// # Errors
    ///
    /// Why the registry could not be told; the session then expires.
    fn end(&self) -> impl Future<Output = Result<()>> + Send;
}

/// Service and address of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The name that callers use.
    pub service: Arc<str>,
    /// Where the server is.
    pub address: Arc<str>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.service, self.address)
    }
}

/// A node as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<V> {
    /// Its metadata.
    pub text: String,
    /// For [`Over::Version`].
    pub version: V,
    /// By what it lives.
    pub owner: Owner,
}

/// By what a node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// By this session.
    Own,
    /// By nothing, by an earlier session of this very server, or by that of a tool with which an operator wrote it: it is to
    /// be written again, as it is, so that it lives by this session.
    Nobody,
    /// By the session of another server, which has taken the address over: it is left alone.
    Successor,
}

/// What may be written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over<V> {
    /// Whatever is there.
    Anything,
    /// Nothing: there is no such node.
    Nothing,
    /// The node as it was read.
    Version(V),
}

/// Where a session says which nodes it should look at.
#[derive(Debug, Default)]
pub struct Touched {
    places: Mutex<BTreeSet<Place>>,
    some: Notify,
}

impl Touched {
    /// Somebody else wrote or removed this node. May be called from any thread; more often than needed does no harm.
    pub fn touch(&self, place: Place) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
        self.some.notify_one();
    }

    /// Takes one out.
    pub(super) fn next(&self) -> Option<Place> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).pop_first()
    }

    /// Waits until there is one.
    pub(super) async fn some(&self) {
        self.some.notified().await;
    }
}
