//! The demo: three servers without any registry, calls of every kind, bursts, a server killed under load, and the
//! statistics. It exits with 0 when everything was as expected.
//!
//! ```text
//! make demo
//! ```

mod calls;
mod load;
mod processes;
mod report;
mod server;
mod service;
mod statistics;

use std::process::ExitCode;
use std::time::Instant;

use processes::Process;
use report::{Outcome, table};
use rpcx::Client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let result = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => demo().await,
        (Some("server"), Some(address)) => server::run(&address).await.map(|()| 0).map_err(Into::into),
        _ => Err("usage: demo".into()),
    };
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => {
            println!("\n{failures} things were not as expected");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the demo ended early: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Everything; returns how many things were not as expected.
async fn demo() -> Outcome<usize> {
    let begin = Instant::now();
    let socket = std::env::temp_dir().join(format!("rpcx-demo-{}.sock", std::process::id()));
    let first = Process::start("first", "tcp@127.0.0.1:0").await?;
    let second = Process::start("second", &format!("unix@{}", socket.display())).await?;
    let mut third = Process::start("third", "tcp@127.0.0.1:0").await?;
    let rows: Vec<Vec<String>> = [&first, &second, &third]
        .map(|server| vec![server.name.to_owned(), server.id(), server.address.clone()])
        .to_vec();
    table("Servers, each a process of its own", &["server", "process", "address"], &rows);

    let client = Client::new(&first.address)?;
    let all = Client::new(&format!("multiple://{},{},{}", first.address, second.address, third.address))?;
    let mut failures = calls::run(&client, &second.address, &all).await?;
    load::bursts(&client).await?;
    failures += load::failover(&all, &[&first, &second], &mut third).await?;
    statistics::of_client("Statistics of the client of the first server", &client);
    statistics::of_client("Statistics of the client of all three", &all);
    statistics::of_servers(&[&first, &second]).await?;

    client.close();
    all.close();
    first.stop().await?;
    second.stop().await?;
    println!("\nThe servers have shut down; {:.1} s in all.", begin.elapsed().as_secs_f64());
    Ok(failures)
}
