//! Outlier ejection: of three servers one is slow; it leaves selection, and comes back when its time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rpcx::{Client, Context, Result, Server};
use tokio::task::JoinSet;

/// Calls from twenty tasks for half a second. Returns how long the slowest took.
async fn load(client: &Client) -> Result<Duration> {
    let until = Instant::now() + Duration::from_millis(500);
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        let service = client.service("Work")?;
        callers.spawn(async move {
            let mut slowest = Duration::ZERO;
            while Instant::now() < until {
                let begin = Instant::now();
                let _: u32 = service.call("Do", &1u32).await?;
                slowest = slowest.max(begin.elapsed());
            }
            Ok(slowest)
        });
    }
    let slowest: Result<Vec<Duration>> = callers.join_all().await.into_iter().collect();
    Ok(slowest?.into_iter().max().unwrap_or_default())
}

#[tokio::main]
async fn main() -> Result<()> {
    let slow = Arc::new(AtomicBool::new(true));
    let mut servers = Vec::new();
    for number in 0..3 {
        let slow = slow.clone();
        let work = move |_: Context, what: u32| {
            let time = if number == 1 && slow.load(Ordering::Relaxed) { 50 } else { 2 };
            async move {
                tokio::time::sleep(Duration::from_millis(time)).await;
                Ok(what)
            }
        };
        servers.push(Server::builder().function("Work", "Do", work).bind("tcp@127.0.0.1:0").start().await?);
    }
    let addresses: Vec<String> = servers.iter().map(|server| server.addresses()[0].to_string()).collect();
    let client = Client::builder()
        .discovery_url(&format!("multiple://{}", addresses.join(",")))
        .option("ejection.enabled", "true")
        .option("ejection.interval", "100ms")
        .option("ejection.base_time", "700ms")
        .option("ejection.latency_factor", "5")
        .build()?;

    for round in 1..=4 {
        // From the second round on it is as fast as the others, and in that round its time is over.
        slow.store(round < 2, Ordering::Relaxed);
        let slowest = load(&client).await?;
        println!("round {round}: the slowest call took {} ms", slowest.as_millis());
        for server in client.stats().servers {
            let calls = server.calls.unwrap_or_default();
            let state = if server.ejected { "ejected" } else { "in" };
            println!("    {}: {state}, {} calls, {:.1} ms on average", server.server, calls.good, calls.mean_us / 1e3);
        }
    }
    for server in servers {
        server.shutdown(Duration::from_secs(5)).await?;
    }
    Ok(())
}
