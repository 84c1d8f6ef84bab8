//! Finds rpcx servers by DNS.
//!
//! | URL | servers |
//! |---|---|
//! | `dns://arith.example.org:8972` | every A and AAAA record of the name, with the port that is given |
//! | `dns://_rpcx._tcp.arith.example.org` | every SRV record, with the port and the weight that it has |
//!
//! The servers are the same for every service. Options follow a `?`:
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `network` | `tcp` | what stands before the `@` of the addresses; `tcp4` asks for A records only, `tcp6` for AAAA |
//! | `interval` | `30s` | longest time between two look-ups; records that live shorter are looked up when they expire |
//! | `min_interval` | `1s` | shortest time between two look-ups |
//! | `server` | those of the system | whom to ask: `10.0.0.53`, `10.0.0.53:5353`, `[::1]:53`; several by comma |
//!
//! and those of every discovery, such as `empty_hold`. A name without records (NXDOMAIN too) is an empty answer. Since
//! resolvers also say so while they restart, it is believed only after `empty_hold`; until then, and while no DNS server can
//! be reached, the servers of before stay in use as stale.
//!
//! ```
//! use rpcx::Client;
//! use rpcx::discovery::Schemes;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let client = Client::builder()
//!     .schemes(Schemes::default().with(librpcx_dns::scheme()))
//!     .discovery_url("dns://arith.example.org:8972?interval=10s")
//!     .build()?;
//! # Ok::<(), rpcx::Error>(())
//! # }).unwrap();
//! ```
//!
//! Of SRV records only those of the lowest priority are used. RFC 2782 has a client go on to the next priority when it
//! reaches none of these; here it does not, since which servers can be reached is known to each client and not to the
//! discovery, which several clients may share. Servers that calls shall fall back to belong into the same priority with a
//! low weight, or under a name of their own, for a second client to be used when calls of the first fail. When the records
//! of the lowest priority are taken out of DNS, the next look-up brings those of the next. A weight of 0 counts as 1:
//! seldom, not never.

mod options;
mod records;

pub use options::DnsOptions;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use options::Records;
use rpcx::discovery::{BoxFuture, Discovery, Feed, Scheme, Schemes, Source, SourceDiscovery};
use rpcx::{Error, Reason, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait before a name without servers is looked up again, if `interval` is not shorter.
const EMPTY_PAUSE: Duration = Duration::from_secs(5);

/// The scheme `dns`, for [`Schemes::with`].
pub fn scheme() -> impl Scheme {
    DnsScheme
}

/// A discovery by DNS. Nothing is asked before the first watch.
///
/// ```
/// use librpcx_dns::DnsOptions;
///
/// let options = DnsOptions::parse("arith.example.org:8972?network=tcp4")?;
/// let discovery = librpcx_dns::discovery(options)?;
/// # drop(discovery);
/// # Ok::<(), rpcx::Error>(())
/// ```
///
/// # Errors
///
/// `config.bad_value` for options of the discovery that are out of their range.
pub fn discovery(options: DnsOptions) -> Result<SourceDiscovery<Dns>> {
    let common = options.common.clone();
    SourceDiscovery::new(Dns(options), common)
}

struct DnsScheme;

impl Scheme for DnsScheme {
    fn names(&self) -> &[&str] {
        &["dns"]
    }

    fn discovery(&self, rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(discovery(DnsOptions::parse(rest)?)?))
    }
}

/// Records that are looked up again and again; made by [`discovery`].
#[derive(Debug)]
pub struct Dns(DnsOptions);

impl Dns {
    fn resolver(&self) -> Result<TokioResolver> {
        let mut builder = if self.0.servers.is_empty() {
            TokioResolver::builder_tokio().map_err(|error| failed("the system's resolver", &error))?
        } else {
            let servers = self.0.servers.iter().map(name_server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            *builder.options_mut() = own_servers();
            builder
        };
        // Records are asked for when they expire; one kept here as well would be older than it says.
        builder.options_mut().cache_size = 0;
        builder.build().map_err(|error| failed("the resolver", &error))
    }

    /// Looks the records up once; gives the nodes, and when to look again.
    async fn look_up(&self, resolver: &TokioResolver, feed: &Feed) -> Result<Duration> {
        let found = match &self.0.records {
            Records::Addresses { name, port } => records::addresses(resolver, name, *port, &self.0.network).await?,
            Records::Services { name } => records::services(resolver, name, &self.0.network).await?,
        };
        let expires = match found.nodes.is_empty() {
            true => EMPTY_PAUSE,
            false => found.expires,
        };
        // There is no session that could vouch for an empty answer: each look-up is one of its own.
        feed.begin();
        feed.answer(found.nodes);
        Ok(expires.min(self.0.interval).max(self.0.min_interval))
    }
}

impl Source for Dns {
    fn follow<'a>(&'a self, _service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            // Made anew after each failure, since the system's configuration may have changed.
            let resolver = match self.resolver() {
                Ok(resolver) => resolver,
                Err(error) => return error,
            };
            loop {
                match self.look_up(&resolver, feed).await {
                    Ok(pause) => tokio::time::sleep(pause).await,
                    Err(error) => return error,
                }
            }
        })
    }
}

/// One server over UDP, and over TCP where an answer is too long.
fn name_server(at: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = at.port();
        connection
    });
    NameServerConfig::new(at.ip(), true, connections.into())
}

/// For servers that were named: nothing of the system's own plays a part.
fn own_servers() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.use_hosts_file = ResolveHosts::Never;
    // A server that is gone is known to be before `discovery_timeout` has passed.
    options.timeout = Duration::from_secs(1);
    options.attempts = 1;
    options
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(Reason::ConnectResolve, format!("DNS: {what}: {error}"))
}
