//! What these tests share.

use rpcx::Server;
use rpcx::discovery::{Discovery, Schemes};
use rpcx_registries::consul::{Consul, Entry};
use rpcx_registries::suite::support;
use rpcx_registries::wait::until;
use std::sync::Arc;

pub(crate) use rpcx_registries::suite::Registry;
pub(crate) use rpcx_registries::suite::support::{address, addresses, until_seen, without_means};
pub(crate) use rpcx_registries::wait::{LIMIT, eventually, run};
pub(crate) use std::time::{Duration, Instant};

pub(crate) fn schemes() -> Schemes {
    support::schemes::<Consul>()
}

pub(crate) async fn server(url: &str, options: &[(&str, &str)]) -> Server {
    support::server::<Consul>(url, options).await
}

pub(crate) fn discovery(url: &str) -> Arc<dyn Discovery> {
    support::discovery::<Consul>(url)
}

/// Waits until Consul has a key that is as wanted.
pub(crate) async fn until_entry(consul: &Consul, key: &str, wanted: impl Fn(&Entry) -> bool) -> Entry {
    let find = async || {
        let entries = consul.try_entries(key).await.unwrap_or_default();
        entries.into_iter().find(|entry| entry.key == key).filter(|entry| wanted(entry))
    };
    until(key, find).await.0
}
