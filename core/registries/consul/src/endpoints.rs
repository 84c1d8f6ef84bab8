//! The agents or servers, of which one at a time is used.

use crate::api::Api;
use crate::http::{Connection, Head};
use crate::options::ConsulOptions;
use rpcx::balance::random_bits;
use rpcx::transport::{Address, DialOptions, Transports};
use rpcx::{Error, Reason, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long one of them may take to be connected and to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// When TCP probes a connection on which nothing moves.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Where the next connection is tried.
#[derive(Debug)]
pub(crate) struct Endpoints {
    next: AtomicUsize,
}

impl Endpoints {
    /// Begins with any of them, so that many programs spread over them.
    pub(crate) fn new() -> Self {
        Self { next: AtomicUsize::new(usize::from(random_bits() as u16)) }
    }

    /// Connects to the first that answers and knows a leader, beginning with the one after that of before; gives its host.
    pub(crate) async fn connect<'o>(&self, options: &'o ConsulOptions) -> Result<(&'o str, Api)> {
        let mut last = None;
        for _ in &options.hosts {
            let host = &options.hosts[self.next.fetch_add(1, Ordering::Relaxed) % options.hosts.len()];
            match connect_to(host, options).await {
                Ok(api) => return Ok((host, api)),
                // None of the others helps.
                Err(error) if error.reason() == Reason::ConfigTls => return Err(error),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::new(Reason::ConfigBadAddress, "consul: no host")))
    }
}

/// Connects to this one.
pub(crate) async fn connect_to(host: &str, options: &ConsulOptions) -> Result<Api> {
    let late =
        |_| Err(Error::new(Reason::ConnectTimeout, format!("consul: no answer from {host} within {CONNECT_LIMIT:?}")));
    let opened = tokio::time::timeout(CONNECT_LIMIT, open(host, options)).await.unwrap_or_else(late);
    opened.map_err(|error| match error.message().contains(host) {
        true => error,
        false => Error::new(error.reason(), format!("{} ({host})", error.message())),
    })
}

async fn open(host: &str, options: &ConsulOptions) -> Result<Api> {
    let transports = Transports::with_tls_files(options.tls.as_ref()).await?;
    let dial = DialOptions { connect_timeout: CONNECT_LIMIT, keepalive: Some(KEEPALIVE), ..DialOptions::default() };
    let io = transports.dial(&Address::new("tcp", host)?, &dial).await?;
    let head = Head::new(host, options.token.as_ref(), options.user.as_ref())?;
    let connection = Connection::open(io.into_stream().0, head).await?;
    let mut api = Api::new(connection, options.datacenter.clone());
    api.has_leader().await?;
    Ok(api)
}
