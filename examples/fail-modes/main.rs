//! Fail modes: what happens to a call whose server breaks off, and to one whose server is slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rpcx::client::{CallOptions, Response};
use rpcx::config::FailMode;
use rpcx::{Client, Context, Result, Server};

#[tokio::main]
async fn main() -> Result<()> {
    let calls = Arc::new(AtomicU32::new(0));
    let mut servers = Vec::new();
    for bad in [true, false] {
        let counted = calls.clone();
        let break_off = move |ctx: Context, (): ()| {
            counted.fetch_add(1, Ordering::Relaxed);
            if bad {
                // As if it had died: its client sees the connection end without an answer.
                ctx.connection().close();
            }
            async { Ok("done".to_owned()) }
        };
        let slow = move |_: Context, (): ()| async move {
            tokio::time::sleep(Duration::from_millis(if bad { 500 } else { 5 })).await;
            Ok("done".to_owned())
        };
        let server = Server::builder().function("Work", "BreakOff", break_off).function("Work", "Slow", slow);
        servers.push(server.bind("tcp@127.0.0.1:0").start().await?);
    }
    let [bad, good] = [0, 1].map(|index| servers[index].addresses()[0].to_string());
    let ask = async |method: &str, mode: FailMode, idempotent: bool| -> Result<()> {
        let client = Client::builder().discovery_url(&format!("multiple://{bad},{good}")).build()?;
        let service = client.service("Work")?;
        // They take turns: when the good one has answered, the bad one is next.
        while *service.call_with::<_, String>("Slow", &(), &CallOptions::new()).await?.server != *good {}
        calls.store(0, Ordering::Relaxed);
        let begin = Instant::now();
        let options = CallOptions::new().fail_mode(mode).idempotent(idempotent);
        let result: Result<Response<String>> = service.call_with(method, &(), &options).await;
        let (ran, took) = (calls.load(Ordering::Relaxed), begin.elapsed().as_millis());
        let marked = if idempotent { "idempotent" } else { "not marked" };
        match result {
            Ok(answer) => {
                println!("  {}, {marked}: attempt {} succeeded after {took} ms", mode.as_str(), answer.attempts)
            }
            Err(error) => {
                println!("  {}, {marked}: {}, {}; ran {ran} times", mode.as_str(), error.reason(), error.delivery())
            }
        }
        Ok(())
    };

    println!("the server breaks off");
    ask("BreakOff", FailMode::Failfast, true).await?;
    ask("BreakOff", FailMode::Failtry, true).await?;
    // It may have run: it runs again only if it is said that this does no harm.
    ask("BreakOff", FailMode::Failover, false).await?;
    ask("BreakOff", FailMode::Failover, true).await?;
    println!("the server is slow");
    ask("Slow", FailMode::Failover, true).await?;
    ask("Slow", FailMode::Failbackup, true).await
}
