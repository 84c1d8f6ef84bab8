//! Deadlines: a call's timeout travels with it, and a call made inside a handler inherits what is left of it.

use std::time::{Duration, Instant};

use rpcx::client::{CallOptions, Response};
use rpcx::{Client, Context, Result, Server};

/// Takes as long as it is told to, unless its caller stops waiting before.
async fn work(ctx: Context, milliseconds: u64) -> Result<String> {
    let left = ctx.remaining().map_or("no deadline".to_owned(), |left| format!("{} ms left", left.as_millis()));
    println!("    back: {milliseconds} ms of work to do, {left}");
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(milliseconds)) => Ok("done".to_owned()),
        () = ctx.cancelled() => {
            println!("    back: nobody waits any more, so I stop");
            Err("given up".into())
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let back = Server::builder().function("Back", "Work", work).bind("tcp@127.0.0.1:0").start().await?;
    let to_back = Client::new(&back.addresses()[0].to_string())?.service("Back")?;

    // A handler that calls another server for its caller: `.parent(&ctx)` hands the deadline on.
    let ask = move |ctx: Context, milliseconds: u64| {
        let to_back = to_back.clone();
        async move {
            println!("  front: {} ms left", ctx.remaining().unwrap_or_default().as_millis());
            let options = CallOptions::new().timeout(Duration::from_secs(30)).parent(&ctx);
            let answer: Response<String> = to_back.call_with("Work", &milliseconds, &options).await?;
            Ok(answer.value)
        }
    };
    let front = Server::builder().function("Front", "Ask", ask).bind("tcp@127.0.0.1:0").start().await?;
    let to_front = Client::new(&front.addresses()[0].to_string())?.service("Front")?;

    let options = CallOptions::new().timeout(Duration::from_millis(300));
    for milliseconds in [10u64, 5_000] {
        let begin = Instant::now();
        let result: Result<Response<String>> = to_front.call_with("Ask", &milliseconds, &options).await;
        let took = begin.elapsed().as_millis();
        match result {
            Ok(response) => println!("{} after {took} ms", response.value),
            Err(error) => println!("{error} (kind {}, delivery {}) after {took} ms", error.kind(), error.delivery()),
        }
    }
    // The second call's handlers still print what they do.
    front.shutdown(Duration::from_secs(5)).await?;
    back.shutdown(Duration::from_secs(5)).await
}
