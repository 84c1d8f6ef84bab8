//! Calls to every server of a service: broadcast, fork and inform. One of the three servers always fails.

use std::time::Duration;

use rpcx::client::{CallOptions, Response};
use rpcx::{Client, Context, Result, Server};

#[tokio::main]
async fn main() -> Result<()> {
    let mut servers = Vec::new();
    for number in 1..=3u64 {
        let clear = move |_: Context, what: String| async move {
            tokio::time::sleep(Duration::from_millis(10 * number)).await;
            if number == 1 { Err("no room to work".into()) } else { Ok(format!("{what} cleared on {number}")) }
        };
        servers.push(Server::builder().function("Cache", "Clear", clear).bind("tcp@127.0.0.1:0").start().await?);
    }
    let addresses: Vec<String> = servers.iter().map(|server| server.addresses()[0].to_string()).collect();
    let client = Client::new(&format!("multiple://{}", addresses.join(",")))?;
    let clear = client.service("Cache")?.method("Clear")?;
    let options = CallOptions::new();

    // All must succeed.
    let all: Result<Response<String>> = clear.broadcast("users", &options).await;
    println!("broadcast: {:?}", all.map(|answer| answer.value).map_err(|error| error.message().to_owned()));
    // The first success wins; the others are cancelled.
    let first: Response<String> = clear.fork("users", &options).await?;
    println!("fork: {:?}", first.value);
    // Every server's own result.
    let each: Vec<(_, Result<Response<String>>)> = clear.inform("users", &options).await?;
    println!("inform:");
    for address in &addresses {
        let Some((_, result)) = each.iter().find(|(server, _)| **server == **address) else {
            return Err(format!("nothing of {address}").into());
        };
        match result {
            Ok(answer) => println!("    {:?}", answer.value),
            Err(error) => println!("    failed: {} ({})", error.message(), error.delivery()),
        }
    }
    Ok(())
}
