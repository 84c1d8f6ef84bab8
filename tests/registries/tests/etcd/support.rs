//! What these tests share.

use bytes::Bytes;
use rpcx::discovery::{Discovery, Node, Schemes, SnapshotState, Watch};
use rpcx::{Client, Context, Server};
use rpcx_registries::etcd::{Entry, Etcd};
use rpcx_registries::wait::until;
use std::sync::Arc;

pub(crate) use rpcx_registries::Talker;
pub(crate) use rpcx_registries::wait::{LIMIT, eventually, run};
pub(crate) use std::time::{Duration, Instant};

pub(crate) fn schemes() -> Schemes {
    Schemes::default().with(librpcx_etcd::scheme())
}

/// A server of `Arith` and `Arith2`, announced.
pub(crate) async fn server(url: &str, options: &[(&str, &str)]) -> Server {
    let mut builder = Server::builder().schemes(schemes()).bind("tcp@127.0.0.1:0").registry_url(url);
    for (name, value) in options {
        builder = builder.option(name, value);
    }
    for service in ["Arith", "Arith2"] {
        builder = builder.raw(service, "Echo", |_: Context, payload: Bytes| async move { Ok(payload) });
    }
    let server = builder.start().await.expect("a server");
    server.announced(LIMIT).await.expect("announced");
    server
}

/// A server as a process of its own, with what it said of itself: its address.
pub(crate) fn server_process(url: &str, options: &[&str]) -> (Talker, String) {
    let mut arguments = vec![url.to_owned()];
    arguments.extend(options.iter().map(|option| (*option).to_owned()));
    let mut talker = Talker::start(env!("CARGO_BIN_EXE_rpcx-registries-server"), &arguments);
    let line = talker.hear("its address", |line| line.starts_with("serving "));
    (talker, line["serving ".len()..].to_owned())
}

pub(crate) fn address(server: &Server) -> String {
    server.addresses()[0].to_string()
}

pub(crate) fn discovery(url: &str) -> Arc<dyn Discovery> {
    schemes().open(url).expect(url)
}

pub(crate) fn client(url: &str) -> Client {
    Client::builder().schemes(schemes()).discovery_url(url).build().expect(url)
}

/// What a watch holds: `tcp@a:1?weight=2 live`.
pub(crate) fn seen(watch: &Watch) -> String {
    let latest = watch.latest();
    let state = match latest.state() {
        SnapshotState::Unknown => "unknown",
        SnapshotState::Live => "live",
        SnapshotState::Stale(_) => "stale",
    };
    latest.nodes().iter().map(|node| format!("{node} ")).collect::<String>() + state
}

/// Waits until a watch holds this; gives the time that it took.
pub(crate) async fn until_seen(watch: &Watch, expected: &str) -> Duration {
    let began = Instant::now();
    let mut watch = watch.clone();
    while seen(&watch) != expected {
        let changed = tokio::time::timeout(LIMIT.saturating_sub(began.elapsed()), watch.changed()).await;
        assert!(changed.is_ok(), "expected {expected:?}, but the watch holds {:?}", seen(&watch));
    }
    began.elapsed()
}

/// The addresses that a watch holds, as they are now.
pub(crate) fn addresses(watch: &Watch) -> Vec<String> {
    watch.latest().nodes().iter().map(|node: &Node| node.address().to_owned()).collect()
}

/// Waits until etcd has a key that is as wanted.
pub(crate) async fn until_entry(etcd: &Etcd, key: &str, wanted: impl Fn(&Entry) -> bool) -> Entry {
    let find = async || {
        let entries = etcd.try_entries(key).await.unwrap_or_default();
        entries.into_iter().find(|entry| entry.key == key).filter(|entry| wanted(entry))
    };
    until(key, find).await.0
}

/// A value without the two numbers that vary.
pub(crate) fn without_means(text: &str) -> String {
    let pairs = text.split('&').map(|pair| match pair.split_once('=') {
        Some((key @ ("calls" | "connections"), mean)) => {
            let (whole, rest) = mean.split_once('.').unwrap_or_else(|| panic!("{mean}: no fraction"));
            assert!(whole.parse::<u64>().is_ok() && rest.len() == 2, "{mean}: not two decimals");
            format!("{key}=*")
        }
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}
