//! Many calls at once: how fast they are.

use std::time::{Duration, Instant};

use rpcx::client::{Batch, CallOptions, Response};
use rpcx::stats::{Distribution, Histogram};
use rpcx::{Client, Error, Result};

use crate::report::{Outcome, expect, table};
use crate::service::{Args, ArithClient, Reply};

/// Calls of each burst.
const CALLS: i64 = 10_000;

/// Bursts of 10,000 calls, by the number of callers, then as one batch.
pub(crate) async fn run(client: &Client) -> Outcome<()> {
    let arith = ArithClient::new(client)?;
    let mut rows = Vec::new();
    for callers in [1, 10, 100] {
        let begin = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..callers {
            let arith = arith.clone();
            tasks.push(tokio::spawn(async move {
                let latencies = Histogram::default();
                for number in 0..CALLS / callers {
                    let begin = Instant::now();
                    let product = arith.mul(&Args { a: number, b: 3 }).await?.c;
                    latencies.record(begin.elapsed().as_nanos().try_into().unwrap_or(u64::MAX));
                    if product != 3 * number {
                        return Err(Error::from(format!("{number} x 3 = {product}")));
                    }
                }
                Ok(latencies)
            }));
        }
        let mut latencies = Distribution::default();
        for task in tasks {
            latencies.add(&task.await??);
        }
        let who = if callers == 1 { "1 caller".to_owned() } else { format!("{callers} callers") };
        rows.push(row(who, latencies.count(), begin.elapsed(), Some(&latencies)));
    }
    let mut batch = Batch::new();
    for number in 0..CALLS {
        batch.add(arith.mul_method(), Args { a: number, b: 3 }, CallOptions::new());
    }
    let begin = Instant::now();
    let results: Vec<Result<Response<Reply>>> = batch.run().await;
    let took = begin.elapsed();
    let good = results.iter().filter(|result| result.is_ok()).count();
    expect(good == results.len(), || format!("{good} of {} calls of the batch succeeded", results.len()))?;
    rows.push(row("1 batch".to_owned(), good as u64, took, None));
    let headings = ["10,000 calls by", "calls", "ms", "calls/s", "p50 us", "p99 us", "max us"];
    table("Bursts over one connection, one thread at each end", &headings, &rows);
    Ok(())
}

fn row(who: String, calls: u64, took: Duration, latencies: Option<&Distribution>) -> Vec<String> {
    let us = |duration: Duration| format!("{:.1}", duration.as_secs_f64() * 1e6);
    let mut row = vec![
        who,
        calls.to_string(),
        format!("{:.1}", took.as_secs_f64() * 1e3),
        format!("{:.0}", calls as f64 / took.as_secs_f64()),
    ];
    row.extend(match latencies {
        Some(latencies) => [us(latencies.quantile(0.5)), us(latencies.quantile(0.99)), us(latencies.max())],
        None => ["-", "-", "-"].map(str::to_owned),
    });
    row
}
