//! The server of Go's own examples: clients of Go's rpcx and `arith-client` find the service `Arith` here.
//!
//! ```text
//! arith-server [--addr tcp@127.0.0.1:8972]
//! ```
//!
//! It runs until Ctrl-C, then finishes what it has accepted.

mod addr;
mod service;

use std::time::Duration;

use rpcx::{Context, Result, Server};
use service::{Args, Arith, ArithServer, Reply};

struct Calculator;

impl Arith for Calculator {
    async fn mul(&self, _ctx: &Context, args: Args) -> Result<Reply> {
        Ok(Reply { c: args.a.wrapping_mul(args.b) })
    }

    async fn add(&self, _ctx: &Context, args: Args) -> Result<Reply> {
        Ok(Reply { c: args.a.wrapping_add(args.b) })
    }

    async fn div(&self, _ctx: &Context, args: Args) -> Result<Reply> {
        let c = args.a.checked_div(args.b).ok_or("divide by zero")?;
        Ok(Reply { c })
    }

    async fn say(&self, ctx: &Context, name: String) -> Result<String> {
        println!("{} says hello from {}", name, ctx.peer());
        Ok(format!("hello {name}"))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let server = Server::builder().service(ArithServer(Calculator)).bind(addr::from_arguments()).start().await?;
    println!("listening on {}", server.addresses()[0]);
    if tokio::signal::ctrl_c().await.is_err() {
        eprintln!("Ctrl-C cannot be caught here: the server runs until it is killed");
        server.wait().await;
    }
    println!("shutting down");
    server.shutdown(Duration::from_secs(5)).await
}
