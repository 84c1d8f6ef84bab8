//! Many calls: how fast they are, and what becomes of them when a server dies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rpcx::client::{Batch, CallOptions, Response};
use rpcx::stats::{Distribution, Histogram};
use rpcx::{Client, Error, Result};

use crate::processes::Process;
use crate::report::{Outcome, Report, expect, table};
use crate::service::{Args, ArithClient, Reply};

/// Calls of each burst.
const CALLS: i64 = 10_000;

/// Callers that call at once while a server dies.
const CALLERS: usize = 8;

/// Bursts of 10,000 calls, by the number of callers, then as one batch.
pub(crate) async fn bursts(client: &Client) -> Outcome<()> {
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

/// What a caller saw.
#[derive(Default)]
struct Seen {
    /// Answers by server, before and after its death.
    answers: BTreeMap<Arc<str>, [u64; 2]>,
    failures: Vec<String>,
    retried: u64,
    longest: Duration,
}

/// Calls three servers without a pause while one of them is killed.
pub(crate) async fn failover(client: &Client, servers: &[&Process], victim: &mut Process) -> Result<usize> {
    let mut report = Report::new("Failover: three servers, one is killed (SIGKILL) under load");
    let victim_address = victim.address.clone();
    let mut seen = Seen::default();
    report
        .step("round robin", async {
            let dead = Arc::new(AtomicBool::new(false));
            let end = Arc::new(AtomicBool::new(false));
            let arith = ArithClient::new(client)?;
            let callers: Vec<_> =
                (0..CALLERS).map(|_| tokio::spawn(call_until(arith.clone(), dead.clone(), end.clone()))).collect();
            tokio::time::sleep(Duration::from_millis(500)).await;
            victim.kill().await?;
            dead.store(true, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1_000)).await;
            end.store(true, Ordering::Relaxed);
            for caller in callers {
                let one = caller.await?;
                for (server, [before, after]) in one.answers {
                    let sum = seen.answers.entry(server).or_default();
                    *sum = [sum[0] + before, sum[1] + after];
                }
                seen.failures.extend(one.failures);
                seen.retried += one.retried;
                seen.longest = seen.longest.max(one.longest);
            }
            expect(seen.failures.is_empty(), || format!("{} calls failed: {}", seen.failures.len(), seen.failures[0]))?;
            let total: u64 = seen.answers.values().flatten().sum();
            Ok(format!(
                "{total} calls, none failed; {} were sent again, the longest took {:.1} ms",
                seen.retried,
                seen.longest.as_secs_f64() * 1e3
            ))
        })
        .await;
    report
        .step("the survivors", async {
            for server in servers {
                let [before, after] = seen.answers.get(server.address.as_str()).copied().unwrap_or_default();
                expect(before > 0 && after > 0, || format!("{} answered {before}, then {after} calls", server.name))?;
            }
            let [before, _] = seen.answers.get(victim_address.as_str()).copied().unwrap_or_default();
            expect(before > 0, || "the victim never answered".to_owned())?;
            Ok("took over what the dead one had answered".to_owned())
        })
        .await;
    let failures = report.print();
    let rows: Vec<Vec<String>> = servers
        .iter()
        .map(|server| (server.name, &server.address))
        .chain([(victim.name, &victim_address)])
        .map(|(name, address)| {
            let [before, after] = seen.answers.get(address.as_str()).copied().unwrap_or_default();
            vec![name.to_owned(), address.clone(), before.to_string(), after.to_string()]
        })
        .collect();
    table("Answers by server", &["server", "address", "before the kill", "after it"], &rows);
    Ok(failures)
}

async fn call_until(arith: ArithClient, dead: Arc<AtomicBool>, end: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    let options = CallOptions::new().idempotent(true).timeout(Duration::from_secs(3));
    for number in 0.. {
        if end.load(Ordering::Relaxed) {
            break;
        }
        let begin = Instant::now();
        match arith.mul_with(&Args { a: number, b: 3 }, &options).await {
            Ok(response) => {
                let answers = seen.answers.entry(response.server).or_default();
                answers[usize::from(dead.load(Ordering::Relaxed))] += 1;
                seen.retried += u64::from(response.attempts > 1);
            }
            Err(error) => seen.failures.push(error.to_string()),
        }
        seen.longest = seen.longest.max(begin.elapsed());
    }
    seen
}
