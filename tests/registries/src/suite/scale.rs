//! Many nodes, of which many change.

use super::support::discovery;
use super::{Ours, Registry};
use crate::wait::{LIMIT, run};
use rpcx::discovery::NodeMetadata;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

const NODES: usize = 1000;
/// Each second a tenth of them.
const CHANGES: usize = 100;
const SECONDS: usize = 4;

/// Processor time of this thread so far.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("proc");
    // User and system time, after the name in parentheses, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<u64>().expect("a number");
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn address(node: usize) -> String {
    format!("tcp@10.0.{}.{}:8972", node / 250, node % 250)
}

/// Prints how late a client sees the changes, and what that costs it.
///
/// # Panics
/// When half of them come later than they may.
pub fn a_thousand_nodes_of_which_a_tenth_changes_each_second<R: Registry>(_: Ours) {
    let registry = R::start();
    let url = registry.url("/scale", "");
    // When each change was written, by its number.
    let written: Arc<Mutex<HashMap<u64, Instant>>> = Arc::default();
    let (sender, counted) = mpsc::channel();
    let times = written.clone();
    let follower = std::thread::spawn(move || follow::<R>(&url, &times, &sender));
    run(async {
        let nodes: Vec<_> = (0..NODES).map(|node| (address(node), "n=0".to_owned())).collect();
        registry.fill("/scale", "Arith", &nodes).await;
        counted.recv_timeout(LIMIT).expect("the whole list");
        // One after the other, evenly over each second.
        let mut pace = tokio::time::interval(Duration::from_secs(1) / u32::try_from(CHANGES).expect("small"));
        for number in 1..=CHANGES * SECONDS {
            pace.tick().await;
            written.lock().expect("no panic").insert(number as u64, Instant::now());
            registry.put("/scale", "Arith", &address(number * 7 % NODES), &format!("n={number}")).await;
        }
    });
    let (processor, latencies) = follower.join().expect("the client");
    let quantile = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!(
        "{} changes of {NODES} nodes: seen after {:.2?} (median), {:.2?} (99 %), {:.2?} (longest); \
         {processor:.0?} of processor time in {SECONDS} s",
        latencies.len(),
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
    );
    assert!(quantile(0.5) < R::SEEN, "{:?}", quantile(0.5));
}

/// Sees every change, on a thread of its own; the processor time that took, and how late each was, in order.
fn follow<R: Registry>(
    url: &str,
    written: &Mutex<HashMap<u64, Instant>>,
    counted: &mpsc::Sender<()>,
) -> (Duration, Vec<Duration>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let discovery = discovery::<R>(url);
        let mut watch = discovery.watch("Arith");
        while watch.latest().len() < NODES {
            watch.changed().await.expect("a list");
        }
        counted.send(()).expect("the test runs");
        let (began, mut seen, mut latencies) = (processor_time(), 0, Vec::new());
        let mut old = watch.latest();
        while seen < CHANGES * SECONDS {
            let new = watch.changed().await.expect("a list");
            let now = Instant::now();
            let diff = new.diff(&old);
            assert!(diff.added.is_empty() && diff.removed.is_empty());
            for index in &diff.changed {
                let metadata: &NodeMetadata = new.nodes()[*index].metadata();
                let number: u64 = metadata.get("n").and_then(|text| text.parse().ok()).expect("a number");
                let at = written.lock().expect("no panic").get(&number).copied().expect("written");
                latencies.push(now.saturating_duration_since(at));
            }
            seen += diff.changed.len();
            old = new;
        }
        latencies.sort_unstable();
        (processor_time() - began, latencies)
    })
}
