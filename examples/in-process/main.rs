//! A client and a server of one process that find each other without any registry, and speak through memory.

use rpcx::{Client, Context, Result, Server};

#[tokio::main]
async fn main() -> Result<()> {
    // One name for both: what is announced at inprocess://shop is found there.
    let server = Server::builder()
        .function("Arith", "Add", |_ctx: Context, (a, b): (i64, i64)| async move { Ok(a + b) })
        .metadata("Arith", "weight=7")
        .bind("memu@arith")
        .registry_url("inprocess://shop")
        .start()
        .await?;

    let client = Client::builder().discovery_url("inprocess://shop").option("retries", "0").build()?;
    let arith = client.service("Arith")?;
    let sum: i64 = arith.call("Add", &(1, 2)).await?;
    println!("1 + 2 = {sum}, through memory");

    // It leaves the registry before it stops listening.
    server.shutdown(std::time::Duration::from_secs(5)).await?;
    let late: Result<i64> = arith.call("Add", &(1, 2)).await;
    match late {
        Ok(_) => return Err("a server that is gone has answered".into()),
        Err(error) => println!("after its shutdown: {error}"),
    }
    Ok(())
}
