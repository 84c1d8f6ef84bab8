//! The last known servers in files: a client that starts while its registry is down calls the servers of last time.

use std::sync::Arc;
use std::time::Duration;

use rpcx::config::DiscoveryOptions;
use rpcx::discovery::{Discovery, FileCache, Schemes, SnapshotState};
use rpcx::{Client, Context, Result, Server};

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder()
        .function("Arith", "Add", |_ctx: Context, (a, b): (i64, i64)| async move { Ok(a + b) })
        .bind("tcp@127.0.0.1:0")
        .registry_url("inprocess://registry")
        .start()
        .await?;
    let folder = std::env::temp_dir().join(format!("rpcx-example-cache-{}", std::process::id()));

    // The registry is up: what it says is kept in a file, in the form of Go's cached discovery.
    let first =
        Client::builder().discovery_url(&format!("cache://{}?of=inprocess://registry", folder.display())).build()?;
    let sum: i64 = first.service("Arith")?.call("Add", &(1, 2)).await?;
    println!("1 + 2 = {sum}");
    let file = folder.join("Arith.json");
    let list = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            // It is written beside the call, not before it.
            match std::fs::read_to_string(&file) {
                Ok(list) => return list,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    });
    println!("the file: {}", list.await.map_err(|_| "no file was written")?);
    first.close();

    // The next start finds the registry down: nobody answers at this address.
    let down = Schemes::default().with(librpcx_dns::scheme()).open("dns://arith.example:8972?server=127.0.0.1:9")?;
    let cache = Arc::new(FileCache::new(&folder, down, DiscoveryOptions::default())?);
    let second = Client::builder().discovery(cache.clone()).build()?;
    let sum: i64 = second.service("Arith")?.call("Add", &(3, 4)).await?;
    let stale = matches!(cache.watch("Arith").latest().state(), SnapshotState::Stale(_));
    println!("3 + 4 = {sum}, with the registry down; the servers are stale: {stale}");
    second.close();
    // What cannot be removed is left to the system, which clears its folder.
    let _ = std::fs::remove_dir_all(&folder);
    server.shutdown(Duration::from_secs(5)).await
}
