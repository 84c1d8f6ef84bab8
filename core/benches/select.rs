//! What choosing a server costs: every select mode at 10, 1,000 and 10,000 nodes, and bringing a selector up to date.
//!
//!     cargo bench -p librpcx --bench select > docs/bench/selection.md
//!
//! Prints the page; with `-- --check` it fails when a selection takes longer than [`LIMIT`] or grows with the nodes.

use rpcx::balance::{
    CallInfo, Closest, ConsistentHash, LeastLoaded, Outcome, Position, Random, RoundRobin, Selector, Verdict,
    WeightedPing, WeightedRoundRobin,
};
use rpcx::discovery::{Node, NodeMetadata, Snapshot, SnapshotState};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const NODES: [usize; 3] = [10, 1_000, 10_000];
const CHANGES: [usize; 4] = [1, 10, 100, 1_000];

/// Nanoseconds that one selection may take.
const LIMIT: f64 = 200.0;

/// Measured this often; the best round counts, since whatever else runs can only add.
const ROUNDS: usize = 15;

const NOTE: &str = "\
The nodes have weights 1 to 9. A selection takes the same time however many nodes there are; `consistent_hash` grows with the
ring, which at 10,000 such nodes has 2.5 million points and no longer fits into the caches. An update reads every node once
(comparing, and the table of the new indices), which is what a single change costs; what is derived from a node is made anew
only for those that changed, which shows where that is dear: a node of `consistent_hash` has hundreds of points.";

type Make = fn() -> Box<dyn Selector>;

const MODES: [(&str, Make); 7] = [
    ("random", || Box::new(Random)),
    ("round_robin", || Box::new(RoundRobin::new())),
    ("weighted_round_robin", || Box::new(WeightedRoundRobin::new())),
    ("weighted_icmp", || Box::new(WeightedPing::new())),
    ("consistent_hash", || Box::new(ConsistentHash::new())),
    ("closest", || Box::new(Closest::new(Position { latitude: 48.86, longitude: 2.35 }))),
    ("least_loaded", || Box::new(LeastLoaded::new())),
];

/// Nodes with weights 1 to 9 somewhere on earth; a fifth of a hundred places each, so that several are nearest.
fn snapshot(nodes: usize, odd: usize) -> Snapshot {
    let node = |index: usize| {
        let weight = 1 + index % 9 + usize::from(index < odd);
        let (latitude, longitude) = (index % 20, index % 5);
        let metadata = format!("weight={weight}&latitude={latitude}&longitude={longitude}");
        let address = format!("tcp@10.{}.{}.{}:8972", index >> 16, index >> 8 & 255, index & 255);
        Node::new(address, NodeMetadata::new(&metadata)).expect("an address")
    };
    Snapshot::new(1, SnapshotState::Live, (0..nodes).map(node).collect())
}

/// Nanoseconds of one run of `work`, which repeats what is measured `times` times.
fn best(times: u32, mut work: impl FnMut()) -> f64 {
    let mut round = || {
        let begin = Instant::now();
        work();
        begin.elapsed()
    };
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or(Duration::MAX);
    best.as_nanos() as f64 / f64::from(times)
}

/// Nanoseconds for a selection and, where the mode learns from them, for telling it of the call's end.
fn selection(make: Make, nodes: usize) -> f64 {
    const CALLS: u32 = 50_000;
    let (selector, snapshot) = (make(), snapshot(nodes, 0));
    selector.update(&snapshot, &snapshot.diff(&Snapshot::unknown()));
    let mut key = 0_u64;
    let now = Instant::now();
    best(CALLS, || {
        for _ in 0..CALLS {
            key += 1;
            let bytes = key.to_le_bytes();
            let call = CallInfo { hash_key: Some(&bytes), ..CallInfo::new("Arith", "Mul") };
            let index = black_box(selector.select(&snapshot, black_box(&call))).expect("a node");
            if selector.wants_feedback() {
                let outcome = Outcome { verdict: Verdict::Answered, latency: Duration::from_millis(1), now };
                selector.feedback(&snapshot, index, &outcome);
            }
        }
    })
}

/// Microseconds for the difference of two snapshots and for a selector's update by it.
fn update(make: Make, nodes: usize, changes: usize) -> f64 {
    let (selector, one, other) = (make(), snapshot(nodes, 0), snapshot(nodes, changes));
    selector.update(&one, &one.diff(&Snapshot::unknown()));
    let nanos = best(2, || {
        selector.update(&other, &black_box(other.diff(&one)));
        selector.update(&one, &black_box(one.diff(&other)));
    });
    nanos / 1e3
}

fn row(name: &str, figures: impl Iterator<Item = f64>) {
    let cells: Vec<String> = figures.map(|figure| format!("{figure:.0}")).collect();
    println!("| `{name}` | {} |", cells.join(" | "));
}

fn main() -> ExitCode {
    println!("# What choosing a server costs\n");
    println!("Best of {ROUNDS} rounds on one core; written by `cargo bench -p librpcx --bench select`.\n");
    println!(
        "Nanoseconds for one selection at so many nodes, `least_loaded` with what it is told of the call's end:\n"
    );
    println!("| select mode | 10 | 1,000 | 10,000 |\n|---|--:|--:|--:|");
    let mut slow = Vec::new();
    for (name, make) in MODES {
        let figures = NODES.map(|nodes| selection(make, nodes));
        row(name, figures.iter().copied());
        slow.extend(figures.iter().filter(|nanos| **nanos > LIMIT).map(|nanos| format!("{name}: {nanos:.0} ns")));
    }
    println!(
        "\nMicroseconds for an update of 10,000 nodes of which so many changed their weight, comparing included:\n"
    );
    println!("| select mode | 1 | 10 | 100 | 1,000 |\n|---|--:|--:|--:|--:|");
    for (name, make) in MODES {
        row(name, CHANGES.iter().map(|changes| update(make, 10_000, *changes)));
    }
    println!("\n{NOTE}");
    if std::env::args().any(|argument| argument == "--check") && !slow.is_empty() {
        eprintln!("above {LIMIT} ns: {}", slow.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
