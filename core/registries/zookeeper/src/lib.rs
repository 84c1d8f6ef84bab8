//! rpcx servers in ZooKeeper: a discovery for clients and a registry for servers, which share paths and data with Go's rpcx.
//!
//! ```text
//! zookeeper://USER:PASSWORD@HOST:PORT,HOST:PORT/BASE?option=value
//! ```
//!
//! `zk` is another name of the scheme. The URL's path is the base path; `/rpcx` and `rpcx` are the same place. Several hosts are
//! servers of one ensemble; one of them is used, and the next one when it fails. A host without a port has port 2181. Options,
//! all of which both sides accept, so that they can share one URL:
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `base_path` | the URL's path | the base path, with or without a leading slash |
//! | `user`, `password` | those before the `@` | who asks (ZooKeeper's `digest`) |
//! | `acl` | `open` | who may change what is written: everybody as with Go (`open`); the user, while all may read (`read`); the user, who alone may read too (`own`) |
//! | `ttl` | `10s` | how long a server that died stays listed: the time-out of the session, within the limits of the ensemble |
//! | `tls` | `false`, `true` with one of the following | whether to use TLS |
//! | `ca` | the system's authorities | PEM file with the authorities of the ensemble's certificates |
//! | `cert`, `key` | none | PEM files with a certificate of one's own and its key |
//! | `server_name` | the host | the name that the ensemble's certificates must have |
//!
//! and those of every discovery and every registry: `empty_hold`, `update_interval` and so on.
//!
//! | path | data | lives by |
//! |---|---|---|
//! | `BASE` | `rpcx_path` | nothing: it stays |
//! | `BASE/SERVICE` | the service's name | nothing: it stays |
//! | `BASE/SERVICE/ADDRESS` | the metadata | the server's session |
//!
//! What Go's rpcx-zookeeper writes is read, and Go's clients read this. Differences to a Go server, each on purpose: a node is
//! put there with its data in one transaction, also in place of another one, so that nobody finds it absent or empty; one that
//! was lost is there again at once; one that others have edited is put there again as they left it, since Go's clients watch
//! for that only; with `update_interval=0` nodes live by the session as well. A ZooKeeper that came back without its data is
//! used again at once.
//!
//! ```
//! use rpcx::Client;
//! use rpcx::discovery::Schemes;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let client = Client::builder()
//!     .schemes(Schemes::default().with(librpcx_zookeeper::scheme()))
//!     .discovery_url("zookeeper://10.0.0.1,10.0.0.2/rpcx_test?empty_hold=30s")
//!     .build()?;
//! # Ok::<(), rpcx::Error>(())
//! # }).unwrap();
//! ```

mod connect;
mod options;
mod source;
mod store;
// For this project's tests, which handle a registry as an operator does.
#[doc(hidden)]
pub mod wire;

pub use options::ZookeeperOptions;
pub use source::Zookeeper;
pub use store::{Version, ZookeeperSession, ZookeeperStore};

use rpcx::Result;
use rpcx::discovery::{Discovery, Registry, Scheme, Schemes, SourceDiscovery, StoreRegistry};
use std::sync::Arc;

/// The schemes `zookeeper` and `zk`, for [`Schemes::with`].
pub fn scheme() -> impl Scheme {
    ZookeeperScheme
}

/// A discovery of the services below a base path. Nothing is asked before the first watch.
///
/// # Errors
///
/// `config.bad_value` for options of the discovery that are out of their range.
pub fn discovery(options: ZookeeperOptions) -> Result<SourceDiscovery<Zookeeper>> {
    let common = options.discovery.clone();
    SourceDiscovery::new(Zookeeper::new(options), common)
}

/// A registry below a base path. Nothing is connected before the first announcement.
///
/// # Errors
///
/// `config.bad_value` for options of the registry that are out of their range.
pub fn registry(options: ZookeeperOptions) -> Result<StoreRegistry<ZookeeperStore>> {
    let common = options.registry.clone();
    StoreRegistry::new(ZookeeperStore::new(options), common)
}

struct ZookeeperScheme;

impl Scheme for ZookeeperScheme {
    fn names(&self) -> &[&str] {
        &["zookeeper", "zk"]
    }

    fn discovery(&self, rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(discovery(ZookeeperOptions::parse(rest)?)?))
    }

    fn registry(&self, rest: &str) -> Result<Arc<dyn Registry>> {
        Ok(Arc::new(registry(ZookeeperOptions::parse(rest)?)?))
    }
}
