//! A connection to one member of the cluster.

use crate::failed;
use crate::options::EtcdOptions;
use etcd_client::{Certificate, Client, ConnectOptions, GetOptions, Identity, KvClient, TlsOptions, WatchClient};
use rpcx::balance::random_bits;
use rpcx::config::TlsFiles;
use rpcx::{Error, Reason, Result};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long one member may take to be connected and to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// When a connection on which nothing moves is probed, and how long the answer may take. More often than every five seconds
/// is what etcd closes connections for.
const PROBE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// Longest list or change that is read: some 100,000 nodes.
const MAX_MESSAGE: usize = 64 << 20;

/// The members of the cluster, of which one at a time is used.
#[derive(Debug)]
pub(crate) struct Members {
    next: AtomicUsize,
}

impl Members {
    /// Begins with any of them, so that many programs spread over the cluster.
    pub(crate) fn new() -> Self {
        Self { next: AtomicUsize::new(usize::from(random_bits() as u16)) }
    }

    /// Connects to the first that answers, beginning with the one after that of before.
    pub(crate) async fn connect(&self, options: &EtcdOptions) -> Result<Client> {
        let connect = connect_options(options).await?;
        let mut last = None;
        for _ in &options.hosts {
            let host = &options.hosts[self.next.fetch_add(1, Ordering::Relaxed) % options.hosts.len()];
            match tokio::time::timeout(CONNECT_LIMIT, member(host, options, &connect)).await {
                Ok(Ok(client)) => return Ok(client),
                Ok(Err(error)) => last = Some(error),
                Err(_) => {
                    let text = format!("etcd: no answer from {host} within {CONNECT_LIMIT:?}");
                    last = Some(Error::new(Reason::ConnectTimeout, text));
                }
            }
        }
        Err(last.unwrap_or_else(|| Error::new(Reason::ConfigBadAddress, "etcd: no host")))
    }
}

/// Connects to one member, which answers as part of a cluster that has a leader.
async fn member(host: &str, options: &EtcdOptions, connect: &ConnectOptions) -> Result<Client> {
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let named = |error: Error| Error::new(error.reason(), format!("{} ({host})", error.message()));
    let client = Client::connect([format!("{scheme}://{host}")], Some(connect.clone())).await.map_err(failed);
    let client = client.map_err(named)?;
    let asked = client.kv_client().get(options.base.as_str(), Some(GetOptions::new().with_count_only())).await;
    match asked.map_err(failed) {
        Ok(_) => Ok(client),
        Err(error) => Err(named(error)),
    }
}

async fn connect_options(options: &EtcdOptions) -> Result<ConnectOptions> {
    let mut connect = ConnectOptions::new()
        .with_connect_timeout(CONNECT_LIMIT)
        .with_keep_alive(PROBE.0, PROBE.1)
        .with_keep_alive_while_idle(false)
        .with_require_leader(true);
    if let Some((user, password)) = &options.user {
        connect = connect.with_user(user.clone(), password.expose()).with_auto_token_refresh(true);
    }
    if let Some(tls) = options.tls.clone() {
        // Files are read where that may block.
        let read = tokio::task::spawn_blocking(move || tls_options(&tls)).await;
        let tls = read.map_err(|error| Error::new(Reason::InternalSystem, format!("etcd: {error}")))?;
        connect = connect.with_tls(tls?);
    }
    Ok(connect)
}

fn tls_options(tls: &TlsFiles) -> Result<TlsOptions> {
    let mut read = TlsOptions::new();
    read = match &tls.ca {
        Some(ca) => read.ca_certificate(Certificate::from_pem(pem(ca)?)),
        None => read.with_native_roots(),
    };
    if let Some((cert, key)) = &tls.identity {
        read = read.identity(Identity::from_pem(pem(cert)?, pem(key)?));
    }
    if let Some(name) = &tls.server_name {
        read = read.domain_name(name);
    }
    Ok(read)
}

fn pem(path: &Path) -> Result<Vec<u8>> {
    let wrong = |error| Error::new(Reason::ConfigBadValue, format!("etcd: {}: {error}", path.display()));
    std::fs::read(path).map_err(wrong)
}

/// Reads and writes of lists of any length.
pub(crate) fn kv(client: &Client) -> KvClient {
    client.kv_client().max_decoding_message_size(MAX_MESSAGE)
}

/// Changes of any size.
pub(crate) fn watches(client: &Client) -> WatchClient {
    client.watch_client().max_decoding_message_size(MAX_MESSAGE)
}
