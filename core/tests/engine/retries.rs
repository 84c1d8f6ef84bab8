//! What is tried again, where, and how often: every fail mode with every outcome of an attempt.

use crate::support::{Over, Probe, WithProbe, eventually, raw, run, url};
use bytes::Bytes;
use rpcx::client::{CallOptions, ClientBuilder};
use rpcx::error::{Delivery, Error, ErrorKind, Result};
use rpcx::{Client, Context, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Three servers over TCP, each with its count of calls.
struct Servers {
    running: Vec<Server>,
    counts: Vec<Arc<AtomicUsize>>,
}

impl Servers {
    async fn start() -> Servers {
        let mut servers = Servers { running: Vec::new(), counts: Vec::new() };
        for _ in 0..3 {
            let count = Arc::new(AtomicUsize::new(0));
            let (refuses, drops, waits) = (count.clone(), count.clone(), count.clone());
            let server = Over::Tcp
                .way()
                .server()
                .raw("T", "Refuse", move |_: Context, _: Bytes| {
                    refuses.fetch_add(1, Ordering::SeqCst);
                    async { Err::<Bytes, Error>("no".into()) }
                })
                .raw("T", "Drop", move |ctx: Context, _: Bytes| {
                    drops.fetch_add(1, Ordering::SeqCst);
                    ctx.connection().close();
                    async { Ok(Bytes::new()) }
                })
                .raw("T", "Wait", move |ctx: Context, _: Bytes| {
                    waits.fetch_add(1, Ordering::SeqCst);
                    async move {
                        ctx.cancelled().await;
                        Ok(Bytes::new())
                    }
                });
            servers.running.push(server.start().await.unwrap());
            servers.counts.push(count);
        }
        servers
    }

    fn client(&self) -> ClientBuilder {
        let list: Vec<String> = self.running.iter().map(url).collect();
        Over::Tcp
            .way()
            .client(format!("multiple://{}", list.join(",")))
            .option("retries", "2")
            .option("retry_interval", "1ms")
            .option("backup_latency", "5s")
    }

    /// How often each server ran a call, most first.
    fn ran(&self) -> Vec<usize> {
        let mut counts: Vec<_> = self.counts.iter().map(|count| count.load(Ordering::SeqCst)).collect();
        counts.sort_by(|a, b| b.cmp(a));
        counts
    }
}

async fn fails(client: ClientBuilder, method: &str, options: &CallOptions) -> Error {
    let service = client.build().unwrap().service("T").unwrap().raw();
    let result: Result<_> = service.call_with::<_, Bytes>(method, &b""[..], options).await;
    result.expect_err("no server answers well")
}

fn with(mode: &str) -> CallOptions {
    CallOptions::new().set("fail_mode", mode).unwrap()
}

#[test]
fn an_answer_is_final() {
    for mode in ["failover", "failtry", "failbackup", "failfast"] {
        run(async {
            let servers = Servers::start().await;
            let error = fails(servers.client(), "Refuse", &with(mode).idempotent(true)).await;
            assert_eq!((error.delivery(), error.attempts()), (Delivery::Answered, 1), "{mode}: {error:?}");
            assert_eq!(servers.ran(), [1, 0, 0], "{mode}");
        });
    }
}

#[test]
fn what_may_have_run_is_tried_again_where_it_is_marked() {
    for (mode, marked, ran) in [
        ("failover", false, [1, 0, 0]),
        ("failover", true, [1, 1, 1]),
        ("failtry", false, [1, 0, 0]),
        ("failtry", true, [3, 0, 0]),
        ("failbackup", false, [1, 0, 0]),
        ("failbackup", true, [1, 1, 0]),
        ("failfast", true, [1, 0, 0]),
    ] {
        run(async {
            let servers = Servers::start().await;
            let error = fails(servers.client(), "Drop", &with(mode).idempotent(marked)).await;
            assert_eq!((error.kind(), error.delivery()), (ErrorKind::Closed, Delivery::MaybeRun), "{mode}: {error:?}");
            assert_eq!(error.attempts() as usize, ran.iter().sum::<usize>(), "{mode}, {marked}: {error:?}");
            assert_eq!(servers.ran(), ran, "{mode}, {marked}");
        });
    }
}

#[test]
fn a_passed_deadline_is_final() {
    for mode in ["failover", "failtry", "failfast"] {
        run(async {
            let servers = Servers::start().await;
            let options = with(mode).idempotent(true).timeout(Duration::from_millis(100));
            let began = Instant::now();
            let error = fails(servers.client(), "Wait", &options).await;
            assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1), "{mode}: {error:?}");
            assert!(began.elapsed() < Duration::from_secs(5), "{mode}: {:?}", began.elapsed());
            assert_eq!(servers.ran(), [1, 0, 0], "{mode}");
        });
    }
}

#[test]
fn a_backup_request_keeps_the_calls_one_deadline() {
    run(async {
        let servers = Servers::start().await;
        let client = servers.client().option("backup_latency", "20ms");
        let options = with("failbackup").idempotent(true).timeout(Duration::from_millis(200));
        let began = Instant::now();
        let error = fails(client, "Wait", &options).await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(servers.ran(), [1, 1, 0]);
    });
}

/// Whether a call that may have run is tried again is asked of the call first, then of its client.
#[test]
fn a_call_says_itself_whether_it_may_run_twice() {
    for (client, call, attempts) in
        [("false", None, 1), ("true", None, 3), ("false", Some("true"), 3), ("true", Some("false"), 1)]
    {
        run(async {
            let servers = Servers::start().await;
            let mut options = CallOptions::new();
            if let Some(value) = call {
                options = options.set("retry_maybe_run", value).unwrap();
            }
            let error = fails(servers.client().option("retry_maybe_run", client), "Drop", &options).await;
            assert_eq!((error.delivery(), error.attempts()), (Delivery::MaybeRun, attempts), "{client}, {call:?}");
        });
    }
}

/// Servers whose `T.Hold` waits, and a client that asks a second one after `latency`.
async fn holding(count: usize, latency: &str, retries: &str) -> (Vec<(Server, Probe)>, Client) {
    let mut servers = Vec::new();
    for _ in 0..count {
        let probe = Probe::new();
        servers.push((Over::Tcp.way().server().with_probe(&probe).start().await.unwrap(), probe));
    }
    let list: Vec<String> = servers.iter().map(|(server, _)| url(server)).collect();
    let client = Over::Tcp.way().client(format!("multiple://{}", list.join(","))).option("fail_mode", "failbackup");
    (servers, client.option("backup_latency", latency).option("retries", retries).build().unwrap())
}

#[test]
fn an_answer_of_the_first_server_counts_the_backup_request_too() {
    run(async {
        let (servers, client) = holding(2, "200ms", "1").await;
        let (service, options) = (raw(&client), CallOptions::new().idempotent(true));
        let (answer, first) = tokio::join!(service.call_with::<_, Bytes>("Hold", &b""[..], &options), async {
            let started = |(_, probe): &&(Server, Probe)| probe.started() > 0;
            eventually("the first is asked", || servers.iter().any(|server| started(&server))).await;
            let first = servers.iter().find(started).unwrap();
            eventually("the second is asked", || servers.iter().all(|server| started(&server))).await;
            first.1.release(1);
            url(&first.0)
        });
        let answer = answer.unwrap();
        assert_eq!((&*answer.server, answer.attempts), (&*first, 2));
    });
}

#[test]
fn no_backup_request_goes_to_the_same_server_or_beyond_the_retries() {
    for (servers, retries) in [(1, "3"), (2, "0")] {
        run(async {
            let (servers, client) = holding(servers, "20ms", retries).await;
            let (service, options) = (raw(&client), CallOptions::new().idempotent(true));
            let (answer, ()) = tokio::join!(service.call_with::<_, Bytes>("Hold", &b""[..], &options), async {
                tokio::time::sleep(Duration::from_millis(200)).await; // ten times the latency
                servers.iter().for_each(|(_, probe)| probe.release(2));
            });
            assert_eq!(answer.unwrap().attempts, 1);
            assert_eq!(servers.iter().map(|(_, probe)| probe.started()).sum::<usize>(), 1, "{retries} retries");
            assert_eq!(client.stats().retries, 0);
        });
    }
}
