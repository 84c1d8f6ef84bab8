//! rpcx servers in Redis: a discovery for clients and a registry for servers, which share keys and values with Go's rpcx.
//!
//! ```text
//! redis://USER:PASSWORD@HOST:PORT/BASE?option=value
//! ```
//!
//! `rediss://`, of [`tls_scheme`], is the same with TLS. The URL's path is the base path with its leading slash, which counts:
//! `/rpcx` and `rpcx` are two places. It is no number of a database; that is the option `db`. Several hosts are a primary and
//! its replicas; the one that is the primary is used. A host without a port has port 6379. Options, all of which both sides
//! accept, so that they can share one URL:
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `base_path` | the URL's path | the base path as it is, for one without a leading slash |
//! | `db` | `0` | the number of the database |
//! | `user`, `password` | those before the `@` | whom to log in as; a password alone is that of the default user |
//! | `ttl` | twice `update_interval`, as Go has it | how long a server that died stays listed |
//! | `poll_interval` | `1s` | how often services are listed while Redis does not tell changes |
//! | `set_events` | `true` | whether keyspace events are switched on where they are off |
//! | `tls` | `false`, `true` with `rediss` or one of the following | whether to use TLS |
//! | `ca` | the system's authorities | PEM file with the authorities of the server's certificates |
//! | `cert`, `key` | none | PEM files with a certificate of one's own and its key |
//! | `server_name` | the host | the name that the server's certificate must have |
//!
//! and those of every discovery and every registry: `empty_hold`, `update_interval` and so on.
//!
//! | key | value | lives |
//! |---|---|---|
//! | `/BASE` | `rpcx_path` | for ever |
//! | `/BASE/SERVICE` | the service's name | for ever |
//! | `/BASE/SERVICE/ADDRESS` | the metadata | for `ttl`, again and again |
//!
//! with the leading slash that Go's library adds to whatever there is, and each value in the JSON text that it writes:
//! `{"Key":"BASE/SERVICE/ADDRESS","Value":"BASE64","LastIndex":0}`. Here `LastIndex` is of the server that the node belongs
//! to; Go's programs do not look at it.
//!
//! Changes are told by Redis's keyspace events, which this library switches on if it may, beside those that are on already.
//! Where Redis does not tell them, because it may not be configured, because the user may not subscribe, or because it is
//! older than version 6, services are listed every `poll_interval` instead; a warning says so, and
//! [`is_polling`](Redis::is_polling). Listing walks through all keys of the database: give the services one of their own if
//! there are many others.
//!
//! ```
//! use rpcx::Client;
//! use rpcx::discovery::Schemes;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let schemes = Schemes::default().with(librpcx_redis::scheme()).with(librpcx_redis::tls_scheme());
//! let client =
//!     Client::builder().schemes(schemes).discovery_url("redis://10.0.0.1/rpcx_test?empty_hold=30s").build()?;
//! # Ok::<(), rpcx::Error>(())
//! # }).unwrap();
//! ```

mod bounded;
mod connect;
mod link;
mod options;
mod routes;
mod source;
mod store;
mod value;

pub use options::RedisOptions;
pub use source::Redis;
pub use store::{RedisSession, RedisStore};

use redis::{ErrorKind, RedisError, ServerErrorKind};
use rpcx::discovery::{Discovery, Registry, Scheme, Schemes, SourceDiscovery, StoreRegistry};
use rpcx::{Error, Reason, Result};
use std::sync::Arc;

/// The scheme `redis`, for [`Schemes::with`].
pub fn scheme() -> impl Scheme {
    RedisScheme { secured: false }
}

/// The scheme `rediss`, which is `redis` with TLS.
pub fn tls_scheme() -> impl Scheme {
    RedisScheme { secured: true }
}

/// A discovery of the services below a base path. Nothing is asked before the first watch.
///
/// # Errors
///
/// `config.bad_value` for options of the discovery that are out of their range.
pub fn discovery(options: RedisOptions) -> Result<SourceDiscovery<Redis>> {
    let common = options.discovery.clone();
    SourceDiscovery::new(Redis::new(options), common)
}

/// A registry below a base path. Nothing is connected before the first announcement.
///
/// # Errors
///
/// `config.bad_value` for options of the registry that are out of their range.
pub fn registry(options: RedisOptions) -> Result<StoreRegistry<RedisStore>> {
    let common = options.registry.clone();
    StoreRegistry::new(RedisStore::new(options), common)
}

struct RedisScheme {
    secured: bool,
}

impl RedisScheme {
    fn options(&self, rest: &str) -> Result<RedisOptions> {
        if self.secured { RedisOptions::parse_tls(rest) } else { RedisOptions::parse(rest) }
    }
}

impl Scheme for RedisScheme {
    fn names(&self) -> &[&str] {
        if self.secured { &["rediss"] } else { &["redis"] }
    }

    fn discovery(&self, rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(discovery(self.options(rest)?)?))
    }

    fn registry(&self, rest: &str) -> Result<Arc<dyn Registry>> {
        Ok(Arc::new(registry(self.options(rest)?)?))
    }
}

/// Of what a server says, so many letters are passed on.
const LONGEST_TEXT: usize = 500;

/// An error of the client library as one of ours. Neither has credentials in its text.
fn failed(error: RedisError) -> Error {
    let says = |part: &str| error.detail().is_some_and(|detail| detail.contains(part));
    let reason = match error.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => Reason::AuthRefused,
        ErrorKind::Io if error.is_timeout() => Reason::ConnectTimeout,
        ErrorKind::Io if error.is_connection_refusal() => Reason::ConnectRefused,
        _ if matches!(error.code(), Some("WRONGPASS" | "NOAUTH")) => Reason::AuthRefused,
        _ if says("without any password configured") || says("invalid password") => Reason::AuthRefused,
        // Under one key of ours is something else altogether; there is no such database.
        _ if error.code() == Some("WRONGTYPE") || says("DB index") => Reason::ConfigBadValue,
        _ => Reason::ClosedRemote,
    };
    Error::new(reason, format!("redis: {}", one_line(&error.to_string())))
}

/// What a server says, as part of a text that is logged.
fn one_line(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_line_of_no_great_length() {
        let error = RedisError::from((ErrorKind::Client, "wrong", format!("a\nb\u{1b}[1m{}", "x".repeat(10_000))));
        let error = failed(error);
        assert_eq!(error.reason(), Reason::ClosedRemote);
        assert!(error.message().contains("a b [1mxxx") && error.message().len() < 1_000, "{error}");
    }
}
