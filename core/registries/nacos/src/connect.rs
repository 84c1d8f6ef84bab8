//! Connecting to one server of the cluster.

use crate::connection::{Connection, Setup};
use crate::failed;
use crate::login::Login;
use crate::options::{Host, NacosOptions};
use rpcx::balance::random_bits;
use rpcx::config::TlsFiles;
use rpcx::{Error, Reason, Result};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::{UdpSocket, lookup_host};
use tokio::sync::Notify;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// How long one server may take to be connected and to answer.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How much of a list may be on its way.
const WINDOW: u32 = 1 << 20;

/// The servers of the cluster, of which one at a time is used.
#[derive(Debug)]
pub(crate) struct Members {
    options: Arc<NacosOptions>,
    login: Arc<Login>,
    next: AtomicUsize,
}

impl Members {
    /// Begins with any of them, so that many programs spread over the cluster.
    pub(crate) fn new(options: NacosOptions) -> Self {
        Self {
            options: Arc::new(options),
            login: Arc::default(),
            next: AtomicUsize::new(usize::from(random_bits() as u16)),
        }
    }

    pub(crate) fn options(&self) -> &NacosOptions {
        &self.options
    }

    /// Connects to the first that answers, beginning with the one after that of before. When the connection ends, the bell
    /// is rung.
    pub(crate) async fn connect(&self, bell: Option<Arc<Notify>>) -> Result<Connection> {
        let hosts = &self.options.hosts;
        let mut last = None;
        for _ in hosts {
            let host = &hosts[self.next.fetch_add(1, Ordering::Relaxed) % hosts.len()];
            match tokio::time::timeout(CONNECT_LIMIT, self.member(host, bell.clone())).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => {
                    let text = format!("{} ({}:{})", error.message(), host.name, host.grpc);
                    last = Some(Error::new(error.reason(), text));
                }
                Err(_) => {
                    let text = format!("nacos: no answer from {}:{} within {CONNECT_LIMIT:?}", host.name, host.grpc);
                    last = Some(Error::new(Reason::ConnectTimeout, text));
                }
            }
        }
        Err(last.unwrap_or_else(|| Error::new(Reason::ConfigBadAddress, "nacos: no host")))
    }

    async fn member(&self, host: &Host, bell: Option<Arc<Notify>>) -> Result<Connection> {
        let channel = channel(host, self.options.tls.as_ref()).await?;
        // A server that was restarted does not know its tokens any more.
        self.login.clear();
        let setup = Setup {
            options: self.options.clone(),
            login: self.login.clone(),
            host: host.clone(),
            client_ip: local_ip(host).await,
        };
        Connection::open(channel, setup, bell).await
    }
}

async fn channel(host: &Host, tls: Option<&TlsFiles>) -> Result<Channel> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}:{}", host.name, host.grpc))
        .map_err(|_| Error::new(Reason::ConfigBadAddress, format!("nacos: {:?} is no host", host.name)))?
        .connect_timeout(CONNECT_LIMIT)
        .tcp_nodelay(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    if let Some(tls) = tls.cloned() {
        // Files are read where that may block.
        let read = tokio::task::spawn_blocking(move || tls_config(&tls)).await;
        let tls = read.map_err(|error| Error::new(Reason::InternalSystem, format!("nacos: {error}")))?;
        endpoint = endpoint.tls_config(tls?).map_err(|error| {
            Error::new(Reason::ConfigTls, format!("nacos: TLS cannot be used: {}", failed::cause(&error)))
        })?;
    }
    endpoint.connect().await.map_err(|error| failed::transport(&error))
}

fn tls_config(tls: &TlsFiles) -> Result<ClientTlsConfig> {
    let mut config = ClientTlsConfig::new();
    config = match &tls.ca {
        Some(ca) => config.ca_certificate(Certificate::from_pem(pem(ca)?)),
        None => config.with_native_roots(),
    };
    if let Some((cert, key)) = &tls.identity {
        config = config.identity(Identity::from_pem(pem(cert)?, pem(key)?));
    }
    if let Some(name) = &tls.server_name {
        config = config.domain_name(name);
    }
    Ok(config)
}

fn pem(path: &Path) -> Result<Vec<u8>> {
    let wrong = |error| Error::new(Reason::ConfigBadValue, format!("nacos: {}: {error}", path.display()));
    std::fs::read(path).map_err(wrong)
}

/// The IP with which we are seen from there, for the lists of an operator; empty where it cannot be told.
async fn local_ip(host: &Host) -> String {
    let find = async {
        let name = host.name.trim_start_matches('[').trim_end_matches(']');
        let to = lookup_host((name, host.grpc)).await.ok()?.next()?;
        let from: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        // Sends nothing.
        let socket = UdpSocket::bind(from).await.ok()?;
        socket.connect(to).await.ok()?;
        socket.local_addr().ok()
    };
    find.await.map_or_else(String::new, |address| address.ip().to_string())
}
