//! Servers in trouble among others, as processes of their own: the calls go to the healthy ones, and recovery needs no restart.

use bytes::Bytes;
use rpcx::Client;
use rpcx::stats::EndpointStats;
use rpcx_faults::Victim;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rpcx-faults-victim");
/// Whatever lasts so long hangs.
const LIMIT: Duration = Duration::from_secs(60);
/// A call that takes longer waited for a server in trouble.
const SLOW: Duration = Duration::from_millis(150);

/// Calls without pause from some tasks.
struct Load {
    tasks: JoinSet<()>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    stop: AtomicBool,
    good: AtomicUsize,
    slow: AtomicUsize,
    failed: AtomicUsize,
}

impl Load {
    fn start(client: &Client, tasks: usize) -> Load {
        let counts: Arc<Counts> = Arc::default();
        let mut load = Load { tasks: JoinSet::new(), counts: counts.clone() };
        for _ in 0..tasks {
            let (service, counts) = (client.service("T").unwrap().raw(), counts.clone());
            load.tasks.spawn(async move {
                while !counts.stop.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    let result: rpcx::Result<Bytes> = service.call("Echo", &b"x"[..]).await;
                    let count = match result {
                        Err(_) => &counts.failed,
                        Ok(_) if begin.elapsed() > SLOW => &counts.slow,
                        Ok(_) => &counts.good,
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        }
        load
    }

    /// Good, slow and failed calls so far.
    fn counts(&self) -> [usize; 3] {
        [&self.counts.good, &self.counts.slow, &self.counts.failed].map(|count| count.load(Ordering::Relaxed))
    }

    async fn end(mut self) -> [usize; 3] {
        self.counts.stop.store(true, Ordering::Relaxed);
        while let Some(task) = self.tasks.join_next().await {
            task.unwrap();
        }
        self.counts()
    }
}

async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + LIMIT / 3;
    while !is_so() {
        assert!(Instant::now() < until, "{what}: not so in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn stats(client: &Client, victim: &Victim) -> EndpointStats {
    client.stats().servers.into_iter().find(|server| server.server == victim.address()).expect("the server")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server_is_left_alone_until_it_goes_on() {
    let victims: Vec<Victim> = (0..3).map(|_| Victim::start(PROGRAM, &[]).unwrap()).collect();
    let addresses: Vec<&str> = victims.iter().map(Victim::address).collect();
    let client = Client::builder()
        .discovery_url(&format!("multiple://{}", addresses.join(",")))
        .option("idempotent", "true")
        .option("heartbeat_interval", "100ms")
        .option("stuck_timeout", "200ms")
        .option("breaker.enabled", "true")
        .option("breaker.failures", "3")
        .option("breaker.open_time", "1s")
        .option("breaker.probes", "1")
        .build()
        .unwrap();
    let load = Load::start(&client, 20);
    eventually("every server has calls", || {
        let servers = client.stats().servers;
        servers.len() == 3 && servers.iter().all(|server| server.calls.is_some_and(|calls| calls.good > 20))
    })
    .await;

    // The system still accepts connections for it: only calls tell that it does not work.
    victims[0].signal("STOP").unwrap();
    eventually("its breaker opens", || stats(&client, &victims[0]).breaker == Some("open")).await;
    let before = load.counts();
    tokio::time::sleep(Duration::from_millis(900)).await;
    let after = load.counts();
    let [good, slow, _] = [0, 1, 2].map(|count| after[count] - before[count]);
    assert!(good > 100 && slow * 20 < good, "the others take the load: {good} good calls, {slow} slow ones");

    victims[0].signal("CONT").unwrap();
    eventually("its breaker closes", || stats(&client, &victims[0]).breaker == Some("closed")).await;
    let good = |victim: &Victim| stats(&client, victim).calls.expect("counted").good;
    let at_first = good(&victims[0]);
    eventually("it has calls again", || good(&victims[0]) > at_first + 50).await;
    let [_, _, failed] = load.end().await;
    assert_eq!(failed, 0, "no call that may be repeated failed");
    assert!(victims[1..].iter().all(|victim| stats(&client, victim).breaker_opened == 0));
}
