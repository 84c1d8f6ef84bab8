//! The demo: three servers without any registry, calls of every kind, bursts, a server killed under load, a circuit breaker
//! that opens and closes, and the statistics. Its last line is the verdict; it exits with 0 when all that was promised
//! happened.
//!
//! ```text
//! make demo
//! ```

mod breaker;
mod bursts;
mod calls;
mod failover;
mod load;
mod processes;
mod report;
mod server;
mod service;
mod statistics;

use std::process::ExitCode;
use std::time::Instant;

use processes::Process;
use report::{Outcome, Tally, table};
use rpcx::Client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let begin = Instant::now();
    let mut arguments = std::env::args().skip(1);
    let result = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => demo().await,
        (Some(kind @ ("steady" | "moody")), Some(address)) => {
            return match server::run(&address, kind == "moody").await {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("the server at {address} ended: {error}");
                    ExitCode::FAILURE
                }
            };
        }
        _ => Err("it takes no arguments".into()),
    };
    let seconds = begin.elapsed().as_secs_f64();
    let verdict = match result {
        Ok(Tally { promised, missed: 0 }) => {
            println!("\nOK: all {promised} things happened as promised, in {seconds:.1} s.");
            return ExitCode::SUCCESS;
        }
        Ok(Tally { promised, missed }) => format!("{missed} of {promised} things did not happen as promised"),
        Err(error) => format!("the demo ended early: {error}"),
    };
    println!("\nFAILED: {verdict}.");
    ExitCode::FAILURE
}

/// Everything; returns what was promised and what of it did not happen.
async fn demo() -> Outcome<Tally> {
    let socket = std::env::temp_dir().join(format!("rpcx-demo-{}.sock", std::process::id()));
    let first = Process::start("first", "steady", "tcp@127.0.0.1:0").await?;
    let second = Process::start("second", "steady", &format!("unix@{}", socket.display())).await?;
    let mut third = Process::start("third", "moody", "tcp@127.0.0.1:0").await?;
    let rows: Vec<Vec<String>> = [&first, &second, &third]
        .map(|server| vec![server.name.to_owned(), server.id(), server.address.clone()])
        .to_vec();
    table("Servers, each a process of its own", &["server", "process", "address"], &rows);

    let client = Client::new(&first.address)?;
    let all = Client::builder()
        .discovery_url(&format!("multiple://{},{},{}", first.address, second.address, third.address))
        .option("server_stats", "true")
        .build()?;
    let mut tally = calls::run(&client, &second.address, &all).await?;
    bursts::run(&client).await?;
    tally += failover::run(&all, [&first, &second], &mut third).await?;
    let servers = [&first, &second, &third];
    let guarded = breaker::client(&servers)?;
    tally += breaker::run(&guarded, &servers).await?;
    statistics::of_client("Statistics of the client of the first server", &client);
    statistics::of_endpoints("The servers as the client of the failover saw them", &all, &servers);
    statistics::of_endpoints("The servers as the client with breakers saw them", &guarded, &servers);
    statistics::of_servers(&servers).await?;

    client.close();
    all.close();
    guarded.close();
    for server in [first, second, third] {
        server.stop().await?;
    }
    Ok(tally)
}
