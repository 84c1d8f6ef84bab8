//! The server of the README's quickstart.
// README: the text from here on.

use rpcx::{Context, Result, Server};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Args {
    a: i64,
    b: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    c: i64,
}

#[rpcx::service]
trait Arith {
    async fn mul(&self, ctx: &Context, args: Args) -> Result<Reply>;
}

struct Calculator;

impl Arith for Calculator {
    async fn mul(&self, ctx: &Context, args: Args) -> Result<Reply> {
        println!("{} x {} for {}", args.a, args.b, ctx.peer());
        Ok(Reply { c: args.a * args.b })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder().service(ArithServer(Calculator)).bind("tcp@127.0.0.1:8972").start().await?;
    println!("listening on {}", server.addresses()[0]);
    server.wait().await;
    Ok(())
}
