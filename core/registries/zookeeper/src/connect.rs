//! Sessions as the options say.

use crate::options::ZookeeperOptions;
use crate::wire::{Ensemble, Server, Session, Ticket};
use rpcx::transport::Transports;
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
    let transports = Transports::with_tls_files(options.tls.as_ref()).await?;
    let server =
        Server { hosts: options.hosts.clone(), transports, user: options.user.clone(), timeout: options.ttl, beat };
    ensemble.open(&server, before).await
}

/// One request, or several that belong together.
pub(crate) async fn within<T>(limit: Duration, request: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| {
        let text = format!("zookeeper: no answer within request_timeout ({limit:?})");
        Err(Error::new(Reason::ConnectTimeout, text))
    };
    tokio::time::timeout(limit, request).await.unwrap_or_else(late)
}
