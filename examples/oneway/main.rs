//! Oneway: requests that are never answered. `oneway` waits until the connection has the request, `oneshot` for nothing.

use std::time::Duration;

use rpcx::client::CallOptions;
use rpcx::{Client, Context, Result, Server};
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<()> {
    let (store, mut stored) = mpsc::unbounded_channel();
    let log = move |ctx: Context, line: String| {
        let store = store.clone();
        async move {
            // The program reads until its end.
            let _ = store.send(format!("{line} (oneway: {})", ctx.is_oneway()));
            Ok(())
        }
    };
    let server = Server::builder().function("Log", "Write", log).bind("tcp@127.0.0.1:0").start().await?;
    let client = Client::new(&server.addresses()[0].to_string())?;
    let log = client.service("Log")?;
    let options = CallOptions::new();

    log.oneway("Write", "first, once the connection is there", &options).await?;
    log.oneshot("Write", "second, without waiting at all", &options)?;
    log.oneway("NoSuchMethod", "nobody hears of this", &options).await?;
    println!("three requests sent, no answer awaited");

    for _ in 0..2 {
        match tokio::time::timeout(Duration::from_secs(5), stored.recv()).await {
            Ok(line) => println!("the server has: {}", line.unwrap_or_default()),
            Err(_) => return Err("a oneway request did not arrive".into()),
        }
    }
    Ok(())
}
