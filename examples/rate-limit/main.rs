//! Rate limits of a server: for all clients together, for each client, for one service; refuse or wait.

use std::time::Instant;

use rpcx::{Client, Context, Result, Server};

async fn answer(_ctx: Context, question: String) -> Result<String> {
    Ok(format!("{question}: 42"))
}

#[tokio::main]
async fn main() -> Result<()> {
    // Five requests a second each client, and as many at once after a pause of a second.
    let refusing = Server::builder()
        .function("Oracle", "Ask", answer)
        .option("rate_limit.requests", "1000")
        .option("rate_limit.requests_per_peer", "5")
        .option("rate_limit.burst", "1s")
        .bind("tcp@127.0.0.1:0")
        .start()
        .await?;
    let address = refusing.addresses()[0].to_string();
    let client = Client::builder().discovery_url(&address).option("retries", "0").build()?;
    let oracle = client.service("Oracle")?;
    for n in 1..=7 {
        let result: Result<String> = oracle.call("Ask", &format!("question {n}")).await;
        match result {
            Ok(reply) => println!("{reply}"),
            // Answered `overload` before any handler began: asking another server would be safe.
            Err(error) => println!("question {n}: {} (kind {})", error.message(), error.kind()),
        }
    }

    // The same limit for one service, whose requests wait for their turn.
    let patient = Server::builder()
        .function("Oracle", "Ask", answer)
        .option("rate_limit.services", "Oracle=50")
        .option("rate_limit.request_policy", "block")
        .option("rate_limit.burst", "0")
        .bind("tcp@127.0.0.1:0")
        .start()
        .await?;
    let client = Client::new(&patient.addresses()[0].to_string())?;
    let oracle = client.service("Oracle")?;
    let began = Instant::now();
    for n in 1..=5 {
        let _: String = oracle.call("Ask", &format!("question {n}")).await?;
    }
    println!("5 questions at 50 a second took {} ms", began.elapsed().as_millis());
    Ok(())
}
