//! The hosts, of which one at a time is used.

use crate::bounded::{Bounded, Unread};
use crate::failed;
use crate::link::Link;
use crate::options::RedisOptions;
use crate::routes::Routes;
use redis::aio::{MultiplexedConnection, SendError};
use redis::{AsyncConnectionConfig, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisError};
use rpcx::transport::{Address, DialOptions, Transports};
use rpcx::{Error, Reason, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long one host may take to be connected and to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// When TCP asks whether a silent server is there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The hosts, in their order: one primary and its replicas, of which any may become the primary.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    /// Where the last connection was made.
    last: AtomicUsize,
}

impl Hosts {
    /// Connects to the primary, which alone can be written to; where none is found to the first replica that answers.
    pub(crate) async fn connect(&self, options: &RedisOptions) -> Result<Link> {
        let transports = Transports::with_tls_files(options.tls.as_ref()).await?;
        let (mut replica, mut problem) = (None, None);
        let (first, count) = (self.last.load(Ordering::Relaxed), options.hosts.len());
        for index in (0..count).map(|step| (first + step) % count) {
            let host = &options.hosts[index];
            match tokio::time::timeout(CONNECT_LIMIT, open(host, options, &transports)).await {
                Ok(Ok(link)) if count == 1 || is_primary(&link).await => {
                    self.last.store(index, Ordering::Relaxed);
                    link.find_events(options.set_events).await?;
                    return Ok(link);
                }
                Ok(Ok(link)) => drop(replica.get_or_insert(link)),
                Ok(Err(error)) => {
                    let text = error.message();
                    let named = if text.contains(host) { text.to_owned() } else { format!("{text} ({host})") };
                    problem = Some(Error::new(error.reason(), named));
                }
                Err(_) => {
                    let text = format!("redis: no answer from {host} within {CONNECT_LIMIT:?}");
                    problem = Some(Error::new(Reason::ConnectTimeout, text));
                }
            }
        }
        match (replica, problem) {
            (Some(link), _) => link.find_events(options.set_events).await.map(|()| link),
            (None, Some(error)) => Err(error),
            (None, None) => Err(Error::new(Reason::ConfigBadAddress, "redis: no host")),
        }
    }
}

/// Whether it says so; one that may not be asked counts as one.
async fn is_primary(link: &Link) -> bool {
    let role: Result<Vec<redis::Value>> = link.ask(&redis::cmd("ROLE")).await;
    let says = |text: &[u8]| text == b"master";
    match role.as_deref() {
        Ok([redis::Value::BulkString(role), ..]) => says(role),
        Ok([redis::Value::SimpleString(role), ..]) => says(role.as_bytes()),
        _ => true,
    }
}

/// Connects with the protocol in which the server can tell changes, else, before Redis 6, with the one in which it cannot.
async fn open(host: &str, options: &RedisOptions, transports: &Transports) -> Result<Link> {
    match open_as(ProtocolVersion::RESP3, host, options, transports).await? {
        Ok(link) => Ok(link),
        Err(error) if is_old(&error) => {
            open_as(ProtocolVersion::RESP2, host, options, transports).await?.map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn is_old(error: &RedisError) -> bool {
    error.kind() == redis::ErrorKind::RESP3NotSupported
        || error.code() == Some("NOPROTO")
        || error.detail().is_some_and(|detail| detail.contains("unknown command"))
}

async fn open_as(
    protocol: ProtocolVersion,
    host: &str,
    options: &RedisOptions,
    transports: &Transports,
) -> Result<std::result::Result<Link, RedisError>> {
    let address = Address::new("tcp", host)?;
    let dial = DialOptions { keepalive: Some(KEEPALIVE), connect_timeout: CONNECT_LIMIT, ..DialOptions::default() };
    let (stream, _) = transports.dial(&address, &dial).await?.into_stream();
    let mut info = RedisConnectionInfo::default()
        .set_protocol(protocol)
        .set_db(options.database)
        .set_lib_name("librpcx", env!("CARGO_PKG_VERSION"));
    if let Some(user) = &options.user {
        info = info.set_username(user);
    }
    if let Some(password) = &options.password {
        info = info.set_password(password.expose());
    }
    let unread = Unread::default();
    let stream = Bounded::new(stream, unread.clone());
    let routes = Arc::new(Routes::default());
    let mut config = AsyncConnectionConfig::new().set_response_timeout(Some(options.registry.request_timeout));
    let pushes = matches!(protocol, ProtocolVersion::RESP3);
    if pushes {
        let (routes, unread) = (routes.clone(), unread.clone());
        config = config.set_push_sender(move |told: PushInfo| -> std::result::Result<(), SendError> {
            unread.clear();
            routes.push(told);
            Ok(())
        });
    }
    Ok(MultiplexedConnection::new_with_config(&info, stream, config).await.map(|(connection, driver)| {
        let driver = tokio::spawn(driver);
        Link::new(connection, options.database, routes, pushes, unread, driver)
    }))
}
