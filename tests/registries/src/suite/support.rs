//! What these tests share.

use super::{Ours, Registry};
use crate::process::Talker;
use crate::wait::{LIMIT, until};
use bytes::Bytes;
use rpcx::discovery::{Discovery, Node, Schemes, SnapshotState, Watch};
use rpcx::{Client, Context, Server};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The schemes with that of a registry.
pub fn schemes<R: Registry>() -> Schemes {
    Schemes::default().with(R::scheme())
}

/// A server of `Arith` and `Arith2`, announced.
///
/// # Panics
/// When it cannot be started or announced.
pub async fn server<R: Registry>(url: &str, options: &[(&str, &str)]) -> Server {
    let mut builder = Server::builder().schemes(schemes::<R>()).bind("tcp@127.0.0.1:0").registry_url(url);
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

/// Where it is.
///
/// # Panics
/// When it listens nowhere.
pub fn address(server: &Server) -> String {
    server.addresses()[0].to_string()
}

/// A server as a process of its own, with what it said of itself: its address.
///
/// # Panics
/// When it cannot be started.
pub fn server_process(ours: Ours, url: &str, options: &[&str]) -> (Talker, String) {
    serving(started(ours.server, &[&[url], options].concat()))
}

/// A program that talks.
///
/// # Panics
/// When it cannot be started.
pub fn started(program: &[&str], arguments: &[&str]) -> Talker {
    let arguments: Vec<String> = program[1..].iter().chain(arguments).map(|text| (*text).to_owned()).collect();
    Talker::start(program[0], &arguments)
}

/// A server that says where it is.
///
/// # Panics
/// When it does not.
pub fn serving(mut talker: Talker) -> (Talker, String) {
    let line = talker.hear("its address", |line| line.starts_with("serving "));
    (talker, line["serving ".len()..].to_owned())
}

/// The discovery of a URL.
///
/// # Panics
/// When the URL cannot be read.
pub fn discovery<R: Registry>(url: &str) -> Arc<dyn Discovery> {
    schemes::<R>().open(url).expect(url)
}

/// A client by the discovery of a URL.
///
/// # Panics
/// When the URL cannot be read.
pub fn client<R: Registry>(url: &str) -> Client {
    Client::builder().schemes(schemes::<R>()).discovery_url(url).build().expect(url)
}

/// Six times seven, as `Arith` of ours and of Go's has it.
///
/// # Errors
/// As the call.
pub async fn multiply(client: &Client) -> rpcx::Result<i64> {
    let product: Value = client.service("Arith")?.call("Mul", &json!({"A": 6, "B": 7})).await?;
    Ok(product["C"].as_i64().unwrap_or_default())
}

/// What a watch holds: `tcp@a:1?weight=2 live`.
pub fn seen(watch: &Watch) -> String {
    let latest = watch.latest();
    let state = match latest.state() {
        SnapshotState::Unknown => "unknown",
        SnapshotState::Live => "live",
        SnapshotState::Stale(_) => "stale",
    };
    latest.nodes().iter().map(|node| format!("{node} ")).collect::<String>() + state
}

/// Waits until a watch holds this; gives the time that it took.
///
/// # Panics
/// When it does not come to that.
pub async fn until_seen(watch: &Watch, expected: &str) -> Duration {
    let began = Instant::now();
    let mut watch = watch.clone();
    while seen(&watch) != expected {
        let changed = tokio::time::timeout(LIMIT.saturating_sub(began.elapsed()), watch.changed()).await;
        assert!(changed.is_ok(), "expected {expected:?}, but the watch holds {:?}", seen(&watch));
    }
    began.elapsed()
}

/// The addresses that a watch holds, as they are now, in order.
pub fn addresses(watch: &Watch) -> Vec<String> {
    let mut found: Vec<_> = watch.latest().nodes().iter().map(|node: &Node| node.address().to_owned()).collect();
    found.sort();
    found
}

/// Waits until the registry has a node of `Arith` whose metadata are as wanted; gives them.
///
/// # Panics
/// When it does not come to that.
pub async fn until_node<R: Registry>(registry: &R, base: &str, address: &str, wanted: impl Fn(&str) -> bool) -> String {
    let find = async || {
        let nodes = registry.nodes(base, "Arith").await.unwrap_or_default();
        nodes.into_iter().find(|(at, text)| at == address && wanted(text)).map(|(_, text)| text)
    };
    until(&format!("{base}/Arith/{address}"), find).await.0
}

/// Whether the registry has a node of `Arith`; it must be there to be asked.
///
/// # Panics
/// When it is not.
pub async fn has_node<R: Registry>(registry: &R, base: &str, address: &str) -> bool {
    registry.nodes(base, "Arith").await.expect("it answers").iter().any(|(at, _)| at == address)
}

/// Metadata without the two numbers that vary.
///
/// # Panics
/// When they are not numbers as Go writes them.
pub fn without_means(text: &str) -> String {
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
