//! rpcx servers in etcd v3: a discovery for clients and a registry for servers, which share keys and values with Go's rpcx.
//!
//! ```text
//! etcd://USER:PASSWORD@HOST:PORT,HOST:PORT/BASE?option=value
//! ```
//!
//! `etcdv3` is another name of the scheme. The URL's path is the base path with its leading slash, which counts: `/rpcx` and
//! `rpcx` are two places. Several hosts are members of one cluster; one of them is used, and the next one when it fails. A host
//! without a port has port 2379. Options, all of which both sides accept, so that they can share one URL:
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `base_path` | the URL's path | the base path as it is, for one without a leading slash |
//! | `user`, `password` | those before the `@` | whom to log in as |
//! | `ttl` | `30s` | how long a server that died stays listed; whole seconds |
//! | `tls` | `false`, `true` with one of the following | whether to use TLS |
//! | `ca` | the system's authorities | PEM file with the authorities of the cluster's certificates |
//! | `cert`, `key` | none | PEM files with a certificate of one's own and its key |
//! | `server_name` | the host | the name that the cluster's certificates must have |
//!
//! and those of every discovery and every registry: `empty_hold`, `update_interval` and so on.
//!
//! | key | value | lives by |
//! |---|---|---|
//! | `BASE` | `rpcx_path` | nothing: it stays |
//! | `BASE/SERVICE` | the service's name | nothing: it stays |
//! | `BASE/SERVICE/ADDRESS` | the metadata | the server's lease |
//!
//! What Go's rpcx-etcd writes by either of its layouts is read, and Go's clients read this. Its client keeps dead servers for
//! ever where nothing is left below a service; the second key, which stays, keeps it from that. Differences to a Go server,
//! each on purpose: every service is there at once; the lease has the time to live that is asked for, and is revoked at the
//! end; a node that was lost is written again at once; an operator's edits are never written over.
//!
//! ```
//! use rpcx::Client;
//! use rpcx::discovery::Schemes;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let client = Client::builder()
//!     .schemes(Schemes::default().with(librpcx_etcd::scheme()))
//!     .discovery_url("etcd://10.0.0.1,10.0.0.2/rpcx_test?empty_hold=30s")
//!     .build()?;
//! # Ok::<(), rpcx::Error>(())
//! # }).unwrap();
//! ```

mod connect;
mod options;
mod source;
mod store;

pub use options::EtcdOptions;
pub use source::Etcd;
pub use store::{EtcdSession, EtcdStore};

use rpcx::discovery::{Discovery, Registry, Scheme, Schemes, SourceDiscovery, StoreRegistry};
use rpcx::{Error, Reason, Result};
use std::sync::Arc;

/// The schemes `etcd` and `etcdv3`, for [`Schemes::with`].
pub fn scheme() -> impl Scheme {
    EtcdScheme
}

/// A discovery of the services below a base path. Nothing is asked before the first watch.
///
/// # Errors
///
/// `config.bad_value` for options of the discovery that are out of their range.
pub fn discovery(options: EtcdOptions) -> Result<SourceDiscovery<Etcd>> {
    let common = options.discovery.clone();
    SourceDiscovery::new(Etcd::new(options), common)
}

/// A registry below a base path. Nothing is connected before the first announcement.
///
/// # Errors
///
/// `config.bad_value` for options of the registry that are out of their range.
pub fn registry(options: EtcdOptions) -> Result<StoreRegistry<EtcdStore>> {
    let common = options.registry.clone();
    StoreRegistry::new(EtcdStore::new(options), common)
}

struct EtcdScheme;

impl Scheme for EtcdScheme {
    fn names(&self) -> &[&str] {
        &["etcd", "etcdv3"]
    }

    fn discovery(&self, rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(discovery(EtcdOptions::parse(rest)?)?))
    }

    fn registry(&self, rest: &str) -> Result<Arc<dyn Registry>> {
        Ok(Arc::new(registry(EtcdOptions::parse(rest)?)?))
    }
}

/// gRPC's number for a server that cannot be reached.
const UNAVAILABLE: i32 = 14;

/// An error of the client library as one of ours. Neither has credentials in its text.
fn failed(error: etcd_client::Error) -> Error {
    use etcd_client::Error as E;
    let refused = |status: &str| {
        ["authentication failed", "user name is empty", "permission denied", "invalid auth token"]
            .iter()
            .any(|part| status.contains(part))
    };
    let reason = match &error {
        E::InvalidArgs(_) | E::InvalidUri(_) => Reason::ConfigBadAddress,
        E::GRpcStatus(status) if refused(status.message()) => Reason::AuthRefused,
        E::GRpcStatus(status) if status.code() as i32 == UNAVAILABLE => Reason::ConnectRefused,
        E::IoError(_) | E::TransportError(_) | E::EndpointError(_) => Reason::ConnectRefused,
        _ => Reason::ClosedRemote,
    };
    let text = match &error {
        E::GRpcStatus(status) => {
            // What went wrong below gRPC says more than that something did.
            let mut cause = std::error::Error::source(status);
            let mut text = status.message().to_owned();
            while let Some(inner) = cause {
                text = inner.to_string();
                cause = inner.source();
            }
            text
        }
        other => other.to_string(),
    };
    Error::new(reason, format!("etcd: {text}"))
}
