//! What the tests share: a server that says who it is, and what a watch is to hold.

use rpcx::client::CallOptions;
use rpcx::discovery::{Node, SnapshotState, Watch};
use rpcx::server::ServerBuilder;
use rpcx::{Client, Context, Result, Server};
use std::future::Future;

pub(crate) use crate::waiting::{LIMIT, eventually, ms, run};

/// What a watch holds: `tcp@a:1?weight=2 tcp@b:1 live`.
pub(crate) fn seen(watch: &Watch) -> String {
    let latest = watch.latest();
    let state = match latest.state() {
        SnapshotState::Unknown => "unknown",
        SnapshotState::Live => "live",
        SnapshotState::Stale(_) => "stale",
    };
    let nodes = latest.nodes().iter().map(Node::to_string).map(|node| node + " ");
    nodes.collect::<String>() + state
}

/// Waits until a watch holds this.
#[track_caller]
pub(crate) fn until_seen(watch: &Watch, expected: impl Into<String>) -> impl Future<Output = ()> {
    let (mut watch, expected) = (watch.clone(), expected.into());
    let caller = std::panic::Location::caller();
    async move {
        let waiting = async {
            while seen(&watch) != expected {
                watch.changed().await;
            }
        };
        if tokio::time::timeout(LIMIT, waiting).await.is_err() {
            panic!("{caller}: expected {expected:?}, but the watch holds {:?}", seen(&watch));
        }
    }
}

/// A server of the service `Who`, which answers with `name`.
pub(crate) fn who(name: &'static str) -> ServerBuilder {
    Server::builder()
        .bind("tcp@127.0.0.1:0")
        .function("Who", "Am", move |_: Context, (): ()| async move { Ok(name.to_owned()) })
}

/// Where a server listens.
pub(crate) fn url(server: &Server) -> String {
    server.addresses()[0].to_string()
}

/// Asks a server of `Who` for its name, without any retry.
pub(crate) async fn ask(client: &Client) -> Result<String> {
    let answer = client.service("Who")?.call_with("Am", &(), &CallOptions::new().retries(0)).await?;
    Ok(answer.value)
}
