//! The client of the README's quickstart.
// README: the text from here on.

use rpcx::{Client, Result};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Args {
    a: i64,
    b: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    c: i64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let client = Client::new("tcp@127.0.0.1:8972")?;
    let arith = client.service("Arith")?;
    let reply: Reply = arith.call("Mul", &Args { a: 6, b: 7 }).await?;
    println!("6 x 7 = {}", reply.c);
    Ok(())
}
