//! rpcx servers in Consul: a discovery for clients and a registry for servers, which share keys and values with Go's rpcx.
//!
//! ```text
//! consul://HOST:PORT,HOST:PORT/BASE?option=value
//! ```
//!
//! The URL's path is the base path; one leading slash does not count, so that `/rpcx` and `rpcx` are one place. Several hosts
//! are agents or servers of one datacenter; one of them is used, and the next one when it fails. A host without a port has
//! port 8500. Options, all of which both sides accept, so that they can share one URL:
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `base_path` | the URL's path | the base path |
//! | `token` | none | the ACL token |
//! | `dc` | that of the agent | the datacenter |
//! | `user`, `password` | those before the `@` | for a proxy in front of Consul that asks for them (HTTP basic) |
//! | `ttl` | `30s` | how long a server that died stays listed; Consul takes 20 seconds to 48 hours |
//! | `tls` | `false`, `true` with one of the following | whether to use TLS |
//! | `ca` | the system's authorities | PEM file with the authorities of Consul's certificates |
//! | `cert`, `key` | none | PEM files with a certificate of one's own and its key |
//! | `server_name` | the host | the name that Consul's certificates must have |
//!
//! and those of every discovery and every registry: `empty_hold`, `update_interval` and so on.
//!
//! | key | value | lives by |
//! |---|---|---|
//! | `BASE` | `rpcx_path` | nothing: it stays |
//! | `BASE/SERVICE` | the service's name | nothing: it stays |
//! | `BASE/SERVICE/ADDRESS` | the metadata | a session of its own, whose end deletes it |
//!
//! These are keys of Consul's key-value store, as Go's rpcx-consul writes and reads them, with its flags; the catalogue of
//! services is not used. Differences to a Go server, each on purpose: a node is there with its metadata from the first moment
//! on; its session ends with it, and does not depend on the health of the agent; a node that was lost is written again
//! within about a second, and not with the next update; an operator's edits are never written over.
//!
//! The token needs `write` on the keys below the base path and on the sessions of the agent's node for a server, `read` on
//! the keys for a client.
//!
//! ```
//! use rpcx::Client;
//! use rpcx::discovery::Schemes;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let client = Client::builder()
//!     .schemes(Schemes::default().with(librpcx_consul::scheme()))
//!     .discovery_url("consul://127.0.0.1/rpcx_test?empty_hold=30s")
//!     .build()?;
//! # Ok::<(), rpcx::Error>(())
//! # }).unwrap();
//! ```

mod api;
mod endpoints;
mod http;
mod options;
mod sessions;
mod source;
mod store;

pub use options::ConsulOptions;
pub use source::Consul;
pub use store::{ConsulSession, ConsulStore, Held};

use rpcx::Result;
use rpcx::discovery::{Discovery, Registry, Scheme, Schemes, SourceDiscovery, StoreRegistry};
use std::sync::Arc;

/// The scheme `consul`, for [`Schemes::with`].
pub fn scheme() -> impl Scheme {
    ConsulScheme
}

/// A discovery of the services below a base path. Nothing is asked before the first watch.
///
/// # Errors
///
/// `config.bad_value` for options of the discovery that are out of their range.
pub fn discovery(options: ConsulOptions) -> Result<SourceDiscovery<Consul>> {
    let common = options.discovery.clone();
    SourceDiscovery::new(Consul::new(options), common)
}

/// A registry below a base path. Nothing is connected before the first announcement.
///
/// # Errors
///
/// `config.bad_value` for options of the registry that are out of their range.
pub fn registry(options: ConsulOptions) -> Result<StoreRegistry<ConsulStore>> {
    let common = options.registry.clone();
    StoreRegistry::new(ConsulStore::new(options), common)
}

struct ConsulScheme;

impl Scheme for ConsulScheme {
    fn names(&self) -> &[&str] {
        &["consul"]
    }

    fn discovery(&self, rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(discovery(ConsulOptions::parse(rest)?)?))
    }

    fn registry(&self, rest: &str) -> Result<Arc<dyn Registry>> {
        Ok(Arc::new(registry(ConsulOptions::parse(rest)?)?))
    }
}
