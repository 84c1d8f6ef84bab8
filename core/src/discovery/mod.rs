//! Finding servers, and announcing them: the traits [`Discovery`] and [`Registry`], the values they exchange, and the
//! discoveries that need no server of their own.
//!
//! A discovery is a value that changes. [`Discovery::watch`] gives a [`Watch`], which always holds the newest
//! [`Snapshot`] of a service's nodes: a slow reader skips what lies between, and never lags. [`Snapshot::diff`] says what
//! changed since an older one, so that whoever keeps state for each node pays only for the change.
//!
//! What a client makes of a snapshot (connections, selection) is not decided here; addresses are text, kept as written.

mod base_path;
mod feed;
#[cfg(feature = "json")]
mod file_cache;
mod filter;
mod in_process;
mod keeping;
mod list;
mod load;
mod locator;
mod metadata;
mod node;
mod reaching;
mod refresh;
mod snapshot;
mod source;
mod url;
mod watch;

pub use base_path::BasePath;
pub use feed::Feed;
#[cfg(feature = "json")]
pub use file_cache::FileCache;
pub use filter::{in_group, is_active, visible, visible_after};
pub use in_process::{InProcess, InProcessRegistry};
pub use keeping::{Found, Over, Owner, Place, Store, StoreRegistry, StoreSession, Touched};
pub use list::{Multiple, Peer2Peer};
pub use load::{Load, LoadCounts};
pub use locator::Locator;
pub use metadata::NodeMetadata;
pub use node::Node;
pub use refresh::refreshed;
pub use snapshot::{Diff, NodeChange, Snapshot, SnapshotState};
pub use source::{Source, SourceDiscovery};
pub use url::{Scheme, Schemes};
pub use watch::{Publisher, Watch};

use crate::error::{Error, Reason, Result};
use std::sync::Arc;

pub use crate::future::BoxFuture;

/// Finds the servers of services.
///
/// Implementations own a [`Publisher`] for each service and fill it from their source. They never block: opening a
/// discovery and watching a service return at once, connecting goes on in the background, and a source that cannot be
/// reached leaves the snapshot as it was, marked [`SnapshotState::Stale`].
pub trait Discovery: Send + Sync {
    /// Follows the nodes of a service, named as callers name it. Dropping the watch unsubscribes; all watches of one
    /// discovery share its session.
    fn watch(&self, service: &str) -> Watch;

    /// Ends the session and every watch: they keep their last snapshot, and [`Watch::changed`] gives `None`. Idempotent,
    /// and returns without waiting.
    fn close(&self);

    /// The nodes of every service, where the user gave them; a client checks their addresses when it is made. By default
    /// there are none: they come from elsewhere.
    fn given(&self) -> Option<Arc<Snapshot>> {
        None
    }

    /// Replaces the nodes of a discovery that is a list kept by the user; the change reaches the watches at once.
    ///
    /// # Errors
    ///
    /// `config.bad_argument` where the nodes come from elsewhere, which is the default.
    fn set_nodes(&self, nodes: Vec<Node>) -> Result<()> {
        let _ = nodes;
        Err(Error::new(Reason::ConfigBadArgument, "the servers of this discovery cannot be set: it is not a list"))
    }
}

/// Announces servers, so that clients with the matching [`Discovery`] find them.
///
/// Sessions, leases, and announcing again what a registry lost are the implementation's own business.
pub trait Registry: Send + Sync {
    /// Announces one service at one address. The future ends when the registry has taken it for the first time; from then on
    /// the registry's session keeps it there.
    ///
    /// Dropping the future gives the announcement up: what it may have written is taken back, or left to expire.
    ///
    /// # Errors
    ///
    /// Kind `config` for what can never be announced there; any other means that another attempt may succeed.
    fn announce(&self, announcement: Announcement) -> BoxFuture<'_, Result<Arc<dyn Announced>>>;

    /// Withdraws all that was announced, as far as the registry can be reached, and ends the session. Idempotent. Dropping
    /// the future gives up waiting for it.
    fn close(&self) -> BoxFuture<'_, ()>;

    /// Whether what is announced is found by this process alone, so that addresses which only it knows (`memu`) make sense.
    fn is_local(&self) -> bool {
        false
    }
}

/// What a server tells a registry about one of its services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The name that callers use.
    pub service: Arc<str>,
    /// Where the service is to be found, and its metadata.
    pub node: Node,
    /// Where to ask what the server has done; `None` if nobody counts.
    pub load: Option<Load>,
}

/// A service that was announced. Dropping it changes nothing: the service stays until it is withdrawn or the registry
/// is closed.
pub trait Announced: Send + Sync {
    /// Replaces the metadata of the node.
    ///
    /// # Errors
    ///
    /// As [`Registry::announce`]. The metadata of before then stay, or the new ones are there already.
    fn update(&self, metadata: NodeMetadata) -> BoxFuture<'_, Result<()>>;

    /// Takes the node out of the registry, and keeps it out. Again is no error.
    ///
    /// # Errors
    ///
    /// Why the registry could not be told; it forgets the node by itself when the session ends.
    fn withdraw(&self) -> BoxFuture<'_, Result<()>>;
}
