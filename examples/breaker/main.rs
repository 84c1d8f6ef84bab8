//! A circuit breaker: a server that fails every call is left alone for a while, then probed, then used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rpcx::{Client, Context, Result, Server};

#[tokio::main]
async fn main() -> Result<()> {
    let broken = Arc::new(AtomicBool::new(false));
    let state = broken.clone();
    let serve = move |_: Context, who: String| {
        let broken = state.load(Ordering::Relaxed);
        async move { if broken { Err("the database is away".into()) } else { Ok(format!("Hello {who}!")) } }
    };
    let server = Server::builder().function("Greeter", "Greet", serve).bind("tcp@127.0.0.1:0").start().await?;
    let client = Client::builder()
        .discovery_url(&server.addresses()[0].to_string())
        .option("breaker.enabled", "true")
        .option("breaker.failures", "3")
        .option("breaker.open_time", "300ms")
        .option("breaker.probes", "1")
        // Here the service's own errors count too. By default only those of the server do: no connection, no answer in time,
        // an overload.
        .option("breaker.service_errors", "true")
        .build()?;
    let greeter = client.service("Greeter")?;

    for step in ["all is well", "the server breaks", "its breaker is open", "it is well again"] {
        broken.store(step == "the server breaks" || step == "its breaker is open", Ordering::Relaxed);
        if step == "it is well again" {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        println!("{step}");
        for _ in 0..3 {
            let result: Result<String> = greeter.call("Greet", "you").await;
            let breaker = client.stats().servers[0].breaker.unwrap_or("none");
            match result {
                Ok(text) => println!("    breaker {breaker}: {text}"),
                Err(error) => println!("    breaker {breaker}: {} ({})", error.message(), error.delivery()),
            }
        }
    }
    server.shutdown(Duration::from_secs(5)).await
}
