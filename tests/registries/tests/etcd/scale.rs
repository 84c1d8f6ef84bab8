//! Many nodes, of which many change.

use crate::support::{Duration, Instant, discovery, run};
use etcd_client::{PutOptions, Txn, TxnOp};
use rpcx::discovery::NodeMetadata;
use rpcx_registries::etcd::Etcd;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};

const NODES: usize = 1000;
/// Each second a tenth of them.
const CHANGES: usize = 100;
const SECONDS: usize = 4;

/// Processor time of this thread so far.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // User and system time, after the name in parentheses, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn key(node: usize) -> String {
    format!("/scale/Arith/tcp@10.0.{}.{}:8972", node / 250, node % 250)
}

#[test]
fn a_thousand_nodes_of_which_a_tenth_changes_each_second() {
    let etcd = Etcd::start();
    let url = etcd.url("/scale", "");
    // When each change was written, by its number.
    let written: Arc<Mutex<HashMap<u64, Instant>>> = Arc::default();
    let (sender, counted) = mpsc::channel();
    let times = written.clone();
    let follower = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let discovery = discovery(&url);
            let mut watch = discovery.watch("Arith");
            while watch.latest().len() < NODES {
                watch.changed().await.unwrap();
            }
            sender.send(()).unwrap();
            let (began, mut seen, mut latencies) = (processor_time(), 0, Vec::new());
            let mut old = watch.latest();
            while seen < CHANGES * SECONDS {
                let new = watch.changed().await.unwrap();
                let now = Instant::now();
                let diff = new.diff(&old);
                assert!(diff.added.is_empty() && diff.removed.is_empty());
                for index in &diff.changed {
                    let metadata: &NodeMetadata = new.nodes()[*index].metadata();
                    let number: u64 = metadata.get("n").unwrap().parse().unwrap();
                    let at = times.lock().unwrap().get(&number).copied().unwrap();
                    latencies.push(now.saturating_duration_since(at));
                }
                seen += diff.changed.len();
                old = new;
            }
            latencies.sort_unstable();
            (processor_time() - began, latencies)
        })
    });
    run(async {
        let mut client = etcd.client(None).await;
        let lease = client.lease_grant(600, None).await.unwrap().id();
        let put = |node: usize, value: String| TxnOp::put(key(node), value, Some(PutOptions::new().with_lease(lease)));
        for first in (0..NODES).step_by(100) {
            let puts: Vec<_> = (first..first + 100).map(|node| put(node, "n=0".to_owned())).collect();
            client.txn(Txn::new().and_then(puts)).await.unwrap();
        }
        counted.recv_timeout(crate::support::LIMIT).expect("the whole list");
        // One after the other, evenly over each second.
        let mut pace = tokio::time::interval(Duration::from_secs(1) / u32::try_from(CHANGES).unwrap());
        for number in 1..=CHANGES * SECONDS {
            pace.tick().await;
            written.lock().unwrap().insert(number as u64, Instant::now());
            let options = PutOptions::new().with_lease(lease);
            client.put(key(number * 7 % NODES), format!("n={number}"), Some(options)).await.unwrap();
        }
    });
    let (processor, latencies) = follower.join().unwrap();
    let quantile = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!(
        "{} changes of {NODES} nodes: seen after {:.2?} (median), {:.2?} (99 %), {:.2?} (longest); \
         {processor:.0?} of processor time in {SECONDS} s",
        latencies.len(),
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
    );
    assert!(quantile(0.5) < Duration::from_secs(1), "{:?}", quantile(0.5));
}
