//! rpcx servers by mDNS: a discovery for clients and a registry for servers on one network, without any server between them.
//! They find each other's, and those of Go's rpcx.
//!
//! ```text
//! mdns://DOMAIN?option=value
//! ```
//!
//! `mdns://` alone will do: the domain is `local`. Options, all of which both sides accept, so that they can share one URL:
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `interface` | all that are up, without loopback and point-to-point; loopback if there is no other | by comma names or addresses of interfaces |
//! | `ipv6` | `false` | whether to use IPv6 too, and not only on interfaces without IPv4 |
//! | `ttl` | `30s` | how long a server that died stays listed; whole seconds |
//!
//! and those of every discovery and every registry: `empty_hold`, `update_interval` and so on.
//!
//! A server announces each service as an instance of the type `_rpcxservices` (a single label, as Go has it) with a name that
//! nobody else has, when it starts and when its metadata change, and says goodbye when it shuts down. The TXT record has one
//! character string with what Go writes, or a shorter form that Go reads, of at most 255 bytes: what does not fit is refused
//! (`config.bad_value`), and the means `calls` and `connections` are left out where they do not fit. A client hears that, and
//! asks the network three times within each `ttl`; of several clients one asks. A server that was not heard for `ttl`, or for
//! as long as its records say, has gone, as long as others are heard. When all fall silent, it may be the client's own network
//! that fails: all stay in use for `empty_hold` as stale. When the client's host has no interface that is up, they do for as
//! long as that takes.
//!
//! Differences to Go, each on purpose: a service has an instance of its own, so that more than one fits into 255 bytes and two
//! servers of one host do not hide each other; a service is found by its name; changes are seen when they are announced.
//! Go's clients take the servers of every service on the network for those of theirs: keep them apart by domain.
//!
//! Port 5353 is shared with other programs of the host, such as Avahi.
//!
//! ```
//! use rpcx::Client;
//! use rpcx::discovery::Schemes;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let client = Client::builder()
//!     .schemes(Schemes::default().with(librpcx_mdns::scheme()))
//!     .discovery_url("mdns://?interface=eth0")
//!     .build()?;
//! # Ok::<(), rpcx::Error>(())
//! # }).unwrap();
//! ```

mod answers;
mod book;
mod browse;
mod cache;
mod entry;
mod label;
mod links;
mod options;
mod packet;
mod publish;

pub use browse::Mdns;
pub use options::MdnsOptions;
pub use publish::{MdnsSession, MdnsStore};

use rpcx::discovery::{Discovery, Registry, Scheme, Schemes, SourceDiscovery, StoreRegistry};
use rpcx::{Error, Reason, Result};
use std::sync::Arc;

/// The scheme `mdns`, for [`Schemes::with`].
pub fn scheme() -> impl Scheme {
    MdnsScheme
}

/// A discovery of the services on the network. Nothing is asked before the first watch.
///
/// # Errors
///
/// `config.bad_value` for options of the discovery that are out of their range.
pub fn discovery(options: MdnsOptions) -> Result<SourceDiscovery<Mdns>> {
    let common = options.discovery.clone();
    SourceDiscovery::new(Mdns::new(options), common)
}

/// A registry that announces on the network. Nothing is said before the first announcement.
///
/// # Errors
///
/// `config.bad_value` for options of the registry that are out of their range.
pub fn registry(options: MdnsOptions) -> Result<StoreRegistry<MdnsStore>> {
    let common = options.registry.clone();
    StoreRegistry::new(MdnsStore::new(options), common)
}

struct MdnsScheme;

impl Scheme for MdnsScheme {
    fn names(&self) -> &[&str] {
        &["mdns"]
    }

    fn discovery(&self, rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(discovery(MdnsOptions::parse(rest)?)?))
    }

    fn registry(&self, rest: &str) -> Result<Arc<dyn Registry>> {
        Ok(Arc::new(registry(MdnsOptions::parse(rest)?)?))
    }
}

fn failed(what: &str) -> Error {
    Error::new(Reason::ClosedRemote, format!("mDNS: {what}"))
}
