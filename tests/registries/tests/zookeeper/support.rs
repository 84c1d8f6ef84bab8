//! What these tests share.

use rpcx::Server;
use rpcx::discovery::{Discovery, Schemes};
use rpcx_registries::suite::support;
use rpcx_registries::wait::until;
use rpcx_registries::zookeeper::{Entry, ZooKeeper};
use std::sync::Arc;

pub(crate) use rpcx_registries::suite::Registry;
pub(crate) use rpcx_registries::suite::support::{
    address, addresses, multiply, seen, server_process, until_seen, without_means,
};
pub(crate) use rpcx_registries::wait::{LIMIT, eventually, run};
pub(crate) use std::time::{Duration, Instant};

pub(crate) fn schemes() -> Schemes {
    support::schemes::<ZooKeeper>()
}

pub(crate) async fn server(url: &str, options: &[(&str, &str)]) -> Server {
    support::server::<ZooKeeper>(url, options).await
}

pub(crate) fn discovery(url: &str) -> Arc<dyn Discovery> {
    support::discovery::<ZooKeeper>(url)
}

/// Waits until ZooKeeper has a node that is as wanted.
pub(crate) async fn until_entry(registry: &ZooKeeper, path: &str, wanted: impl Fn(&Entry) -> bool) -> Entry {
    let find = async || {
        let entries = registry.try_entries(path).await.unwrap_or_default();
        entries.into_iter().next().filter(|entry| wanted(entry))
    };
    until(path, find).await.0
}
