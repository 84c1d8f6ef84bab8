//! Graceful shutdown: the server finishes what it has accepted, sends its clients elsewhere, and loses no request.

use std::sync::Arc;
use std::time::Duration;

use rpcx::{Client, Context, Result, Server};
use tokio::sync::Notify;

#[tokio::main]
async fn main() -> Result<()> {
    let begun = Arc::new(Notify::new());
    let signal = begun.clone();
    let bake = move |_ctx: Context, what: String| {
        let begun = signal.clone();
        async move {
            begun.notify_one();
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok(format!("one {what}, baked"))
        }
    };
    let server = Server::builder().function("Oven", "Bake", bake).bind("tcp@127.0.0.1:0").start().await?;
    let client = Client::new(&server.addresses()[0].to_string())?;
    let oven = client.service("Oven")?;

    let slow = tokio::spawn({
        let oven = oven.clone();
        async move { oven.call::<_, String>("Bake", "bread").await }
    });
    begun.notified().await;
    println!("a call is in the oven; the server shuts down");
    server.shutdown(Duration::from_secs(5)).await?;
    println!("shut down, nothing was cut off");
    match slow.await {
        Ok(result) => println!("the call in progress: {}", result?),
        Err(_) => return Err("the caller ended early".into()),
    }

    let late: Result<String> = oven.call("Bake", "cake").await;
    match late {
        Ok(_) => return Err("a server that is gone has answered".into()),
        Err(error) => println!("a later call: {error} (kind {}, delivery {})", error.kind(), error.delivery()),
    }
    // The client's own end: no new calls, those in progress may finish.
    client.shutdown(Duration::from_secs(1)).await
}
