//! What these tests share.

use rpcx::discovery::{Discovery, Schemes};
use rpcx::{Client, Server};
use rpcx_registries::etcd::{Entry, Etcd};
use rpcx_registries::suite::support;
use rpcx_registries::wait::until;
use std::sync::Arc;

pub(crate) use rpcx_registries::suite::Registry;
pub(crate) use rpcx_registries::suite::support::{address, addresses, multiply, until_seen, without_means};
pub(crate) use rpcx_registries::wait::{LIMIT, eventually, run};
pub(crate) use std::time::Duration;

pub(crate) fn schemes() -> Schemes {
    support::schemes::<Etcd>()
}

pub(crate) async fn server(url: &str, options: &[(&str, &str)]) -> Server {
    support::server::<Etcd>(url, options).await
}

pub(crate) fn discovery(url: &str) -> Arc<dyn Discovery> {
    support::discovery::<Etcd>(url)
}

pub(crate) fn client(url: &str) -> Client {
    support::client::<Etcd>(url)
}

/// Waits until etcd has a key that is as wanted.
pub(crate) async fn until_entry(etcd: &Etcd, key: &str, wanted: impl Fn(&Entry) -> bool) -> Entry {
    let find = async || {
        let entries = etcd.try_entries(key).await.unwrap_or_default();
        entries.into_iter().find(|entry| entry.key == key).filter(|entry| wanted(entry))
    };
    until(key, find).await.0
}
