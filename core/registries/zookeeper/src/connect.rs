//! Sessions as the options say.

use crate::options::{Tls, ZookeeperOptions};
use crate::wire::{Ensemble, Server, Session, Ticket};
use rpcx::transport::{ClientTls, Transports};
use rpcx::{Error, Reason, Result};
use std::future::Future;
use std::time::Duration;

/// Opens a session, or takes up that of `before`; says a word at least as often as `beat`.
pub(crate) async fn open(
    ensemble: &Ensemble,
    options: &ZookeeperOptions,
    before: Option<&Ticket>,
    beat: Option<Duration>,
) -> Result<Session> {
    let mut transports = Transports::default();
    if let Some(tls) = options.tls.clone() {
        // Files are read where that may block.
        let read = tokio::task::spawn_blocking(move || client_tls(&tls)).await;
        let tls = read.map_err(|error| Error::new(Reason::InternalSystem, format!("zookeeper: {error}")))?;
        transports = transports.with_client_tls(tls?);
    }
    let server =
        Server { hosts: options.hosts.clone(), transports, user: options.user.clone(), timeout: options.ttl, beat };
    ensemble.open(&server, before).await
}

fn client_tls(tls: &Tls) -> Result<ClientTls> {
    let mut builder = ClientTls::builder();
    if let Some(ca) = &tls.ca {
        builder = builder.ca_file(ca);
    }
    if let Some((cert, key)) = &tls.identity {
        builder = builder.identity_files(cert, key);
    }
    if let Some(name) = &tls.server_name {
        builder = builder.server_name(name);
    }
    builder.build()
}

/// One request, or several that belong together.
pub(crate) async fn within<T>(limit: Duration, request: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| {
        let text = format!("zookeeper: no answer within request_timeout ({limit:?})");
        Err(Error::new(Reason::ConnectTimeout, text))
    };
    tokio::time::timeout(limit, request).await.unwrap_or_else(late)
}
