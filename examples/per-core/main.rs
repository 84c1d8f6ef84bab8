//! Shards: a server on threads of its own and clients on one thread per core, the fastest way to serve and to call.
//!
//! A connection lives whole on one shard, so nothing moves between threads.

use std::time::{Duration, Instant};

use rpcx::shard::per_core;
use rpcx::{Client, Context, Result, Server};

const CALLS: i64 = 2_000;

fn main() -> Result<()> {
    let add = |_ctx: Context, (a, b): (i64, i64)| async move { Ok(a + b) };
    // Zero would be one thread per core.
    let server = Server::builder().function("Arith", "Add", add).bind("tcp@127.0.0.1:0").serve_per_core(2)?;
    let address = server.addresses()[0].to_string();

    // Each thread has a client, and so connections, of its own.
    let results: Vec<Result<Duration>> = per_core(2, |shard| {
        let address = address.clone();
        async move {
            let client = Client::new(&address)?;
            let add = client.service("Arith")?.method("Add")?;
            let begin = Instant::now();
            for number in 0..CALLS {
                let sum: i64 = add.call(&(number, 1)).await?;
                assert_eq!(sum, number + 1);
            }
            let took = begin.elapsed();
            println!("shard {shard}: {CALLS} calls in {took:?}");
            Ok(took)
        }
    })?;
    for result in results {
        result?;
    }
    println!("the server answered {} calls on {} connections", server.stats().calls, server.stats().connections.opened);
    server.close();
    Ok(())
}
