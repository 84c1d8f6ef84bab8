//! rpcx servers in Nacos 2 and 3: a discovery for clients and a registry for servers, which share instances with Go's rpcx.
//!
//! ```text
//! nacos://USER:PASSWORD@HOST:PORT,HOST:PORT/NAMESPACE?option=value
//! ```
//!
//! The URL's path is the namespace, by its ID; without one it is `public`. There is no base path. Several hosts are servers of
//! one cluster; one of them is used, and the next one when it fails. The port is the main one, 8848 where there is none; gRPC,
//! over which everything but the login goes, is 1000 above. Options, all of which both sides accept, so that they can share
//! one URL:
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `namespace` | the URL's path | the ID of the namespace |
//! | `group` | `DEFAULT_GROUP` | the group of the services: Nacos's, not that of the metadata |
//! | `cluster` | any | the cluster in which servers register, and to which clients keep |
//! | `user`, `password` | those before the `@` | whom to log in as |
//! | `grpc_port` | the port and 1000 | the port of gRPC, of all hosts |
//! | `context_path` | `/nacos` | where the HTTP interface is, for the login |
//! | `tls` | `false`, `true` with one of the following | whether to use TLS, for gRPC and for the login |
//! | `ca` | the system's authorities | PEM file with the authorities of the cluster's certificates |
//! | `cert`, `key` | none | PEM files with a certificate of one's own and its key |
//! | `server_name` | the host | the name that the cluster's certificates must have |
//!
//! and those of every discovery and every registry: `empty_hold`, `update_interval` and so on. `metrics` is off by default.
//!
//! | in Nacos | what is there |
//! |---|---|
//! | service | the service's name |
//! | IP and port | those of the address, without network and brackets |
//! | metadata | those of the server, the first value of each key, and `network` |
//! | weight, enabled, healthy | 1, yes, yes |
//!
//! What Go's rpcx-nacos registers is read, and Go's clients read this. Metadata that are no query are lost; addresses without
//! IP and port (`unix`) are refused. An instance lives by the connection on which it was registered and is gone a moment after
//! its server dies, or ends without having handed over: a successor registers before its predecessor ends. After a connection
//! was lost everything is registered anew.
//!
//! Differences to Go's rpcx-nacos, each on purpose: the weight is 1, since other clients of Nacos never choose what has
//! none; IPv6 addresses have brackets; what has no network is dialled as `tcp`; instances that an operator switched off, or
//! whose beats do not come, are left out; a service without instances is empty.
//!
//! Nacos keeps what an operator changes apart, and lays it over what the server registers. So it is never written over, and
//! no server registers it as its own. Nacos writes without conditions and does not tell who registered an instance: of two
//! servers that claim one address, each takes the instance for its own and removes only its own registration. Every
//! `update_interval` a server looks whether its instances are there; with `metrics=true` it registers them with its means,
//! which Go's servers do not do here, and which is a push to every client.
//!
//! ```
//! use rpcx::Client;
//! use rpcx::discovery::Schemes;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let client = Client::builder()
//!     .schemes(Schemes::default().with(librpcx_nacos::scheme()))
//!     .discovery_url("nacos://10.0.0.1,10.0.0.2/test?group=rpcx&empty_hold=30s")
//!     .build()?;
//! # Ok::<(), rpcx::Error>(())
//! # }).unwrap();
//! ```

mod connect;
mod connection;
mod failed;
#[cfg(test)]
mod fake;
mod instance;
mod login;
mod message;
mod options;
mod source;
mod store;

pub use options::NacosOptions;
pub use source::Nacos;
pub use store::{NacosSession, NacosStore};

use rpcx::Result;
use rpcx::discovery::{Discovery, Registry, Scheme, Schemes, SourceDiscovery, StoreRegistry};
use std::sync::Arc;

/// The scheme `nacos`, for [`Schemes::with`].
pub fn scheme() -> impl Scheme {
    NacosScheme
}

/// A discovery of the services of a namespace and group. Nothing is asked before the first watch.
///
/// # Errors
///
/// `config.bad_value` for options of the discovery that are out of their range.
pub fn discovery(options: NacosOptions) -> Result<SourceDiscovery<Nacos>> {
    let common = options.discovery.clone();
    SourceDiscovery::new(Nacos::new(options), common)
}

/// A registry in a namespace and group. Nothing is connected before the first announcement.
///
/// # Errors
///
/// `config.bad_value` for options of the registry that are out of their range.
pub fn registry(options: NacosOptions) -> Result<StoreRegistry<NacosStore>> {
    let common = options.registry.clone();
    StoreRegistry::new(NacosStore::new(options), common)
}

struct NacosScheme;

impl Scheme for NacosScheme {
    fn names(&self) -> &[&str] {
        &["nacos"]
    }

    fn discovery(&self, rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(discovery(NacosOptions::parse(rest)?)?))
    }

    fn registry(&self, rest: &str) -> Result<Arc<dyn Registry>> {
        Ok(Arc::new(registry(NacosOptions::parse(rest)?)?))
    }
}
