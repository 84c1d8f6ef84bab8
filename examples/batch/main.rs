//! Batches: many calls handed over at once, so that they share system calls. Each has its own result.

use std::time::Instant;

use rpcx::client::{Batch, CallOptions, Response};
use rpcx::{Client, Context, Result, Server};

const CALLS: i64 = 1_000;

#[tokio::main]
async fn main() -> Result<()> {
    let div =
        |_ctx: Context, (a, b): (i64, i64)| async move { a.checked_div(b).ok_or_else(|| "divide by zero".into()) };
    let server = Server::builder().function("Arith", "Div", div).bind("tcp@127.0.0.1:0").start().await?;
    let client = Client::new(&server.addresses()[0].to_string())?;
    let div = client.service("Arith")?.method("Div")?;
    // The connection is made by the first call.
    let _: i64 = div.call(&(1, 1)).await?;

    let begin = Instant::now();
    for number in 0..CALLS {
        let _: i64 = div.call(&(number, 1)).await?;
    }
    println!("{CALLS} calls, one after the other: {:?}", begin.elapsed());

    let writes = client.stats().traffic.writes;
    let begin = Instant::now();
    let mut batch = Batch::new();
    for number in 0..CALLS {
        // Every hundredth is a mistake, which is that call's own.
        batch.add(&div, (number, number % 100), CallOptions::new());
    }
    let results: Vec<Result<Response<i64>>> = batch.run().await;
    let took = begin.elapsed();
    let failed = results.iter().filter(|result| result.is_err()).count();
    println!("{CALLS} calls in a batch: {took:?}, {} writes, {failed} failed", client.stats().traffic.writes - writes);
    if let Some(Err(error)) = results.first() {
        println!("the first says: {error}");
    }
    Ok(())
}
