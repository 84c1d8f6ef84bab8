//! What a nested call inherits from the call it is made for.
//!
//! A call made inside a handler finds its parent by itself: while a handler is polled, its call stands in a value of the
//! thread. A process that has no client never sets it, one that has no server never looks.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rpcx_protocol::keys;
use rpcx_protocol::metadata::Metadata;

/// The call that a nested call is made for: its deadline, and the metadata of which `propagate_metadata` names the keys
/// that are handed on. Made from a handler's context.
#[derive(Clone, Debug, Default)]
pub struct Parent {
    deadline: Option<Instant>,
    metadata: Metadata,
}

impl Parent {
    /// A parent by its parts.
    pub fn new(deadline: Option<Instant>, metadata: Metadata) -> Parent {
        Parent { deadline, metadata }
    }

    /// When the parent's caller stops waiting.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Adds the pairs that `keys` name to `metadata`, unless it has them. Keys of the protocol are never handed on.
    pub(crate) fn hand_on(&self, names: &[String], metadata: &mut Metadata) {
        for name in names.iter().filter(|name| !keys::is_reserved(name)) {
            if let Some(value) = self.metadata.get(name)
                && !metadata.contains(name)
            {
                metadata.insert(name, value);
            }
        }
    }

    /// The call whose handler is being polled on this thread.
    pub(crate) fn current() -> Option<Parent> {
        if !SERVERS.load(Ordering::Relaxed) {
            return None;
        }
        let parent = |current: &Current| {
            Parent::new(current.deadline, current.call.as_ref().map(|call| call.metadata()).unwrap_or_default())
        };
        CURRENT.try_with(|current| current.borrow().as_ref().map(parent)).ok().flatten()
    }

    /// There is such a call, and it hands something on.
    #[inline]
    pub(crate) fn is_inside() -> bool {
        SERVERS.load(Ordering::Relaxed)
            && CURRENT.try_with(|current| current.borrow().is_some()).is_ok_and(|inside| inside)
    }
}

/// What a server knows of the call whose handler it polls.
pub(crate) trait Call: Send + Sync {
    fn metadata(&self) -> Metadata;
}

/// The call whose handler is being polled.
pub(crate) struct Current {
    pub(crate) deadline: Option<Instant>,
    /// For its metadata; absent when none of them could be handed on.
    pub(crate) call: Option<Arc<dyn Call>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// This process has made a client: handlers may make calls.
static CLIENTS: AtomicBool = AtomicBool::new(false);
/// This process has made a server: calls may be made in handlers.
static SERVERS: AtomicBool = AtomicBool::new(false);

/// A client was made.
pub(crate) fn client_made() {
    CLIENTS.store(true, Ordering::Relaxed);
}

/// A server was made.
pub(crate) fn server_made() {
    SERVERS.store(true, Ordering::Relaxed);
}

/// Puts the outer call back, also when a handler panics.
struct Restore(Option<Current>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.replace(self.0.take());
    }
}

/// Polls a handler as a part of the call that `current` gives; `None` when it hands nothing on.
#[inline]
pub(crate) fn within<T>(current: impl FnOnce() -> Option<Current>, poll: impl FnOnce() -> T) -> T {
    if !CLIENTS.load(Ordering::Relaxed) {
        return poll();
    }
    let _restore = Restore(CURRENT.replace(current()));
    poll()
}
