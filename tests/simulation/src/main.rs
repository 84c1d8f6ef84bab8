//! Runs every simulation and draws what came out: `simulate FOLDER`.

use rpcx::resilience::{BreakerRules, BudgetRules, EjectionRules};
use rpcx_plot::{Line, Panel, chart, line};
use rpcx_simulation::{ejection, hashing, partition, storm};
use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "docs/simulation".to_owned());
    std::fs::create_dir_all(&folder)?;
    let charts = [("storm", storms()), ("ejection", ejections()), ("partition", partitions()), ("hashing", hashes())];
    for (name, svg) in charts {
        std::fs::write(Path::new(&folder).join(format!("{name}.svg")), svg)?;
    }
    Ok(())
}

fn seconds((from, to): (u64, u64)) -> Vec<(f64, f64)> {
    vec![(from as f64, to as f64)]
}

fn storms() -> String {
    let (with, without) = (storm::run(BudgetRules::default()), storm::run(storm::unlimited()));
    let panel = |title, figure: fn(&storm::Second) -> u64| Panel {
        title,
        lines: vec![
            line("with a retry budget", "with", with.iter().map(|second| figure(second) as f64)),
            line("with unlimited retries", "without", without.iter().map(|second| figure(second) as f64)),
        ],
        shaded: seconds(storm::TROUBLE),
        marks: Vec::new(),
    };
    let panels = [
        panel("good answers a second", |second| second.answered),
        panel("attempts a second", |second| second.attempts),
    ];
    chart("Servers that were slow for five seconds, and the retries after that", "s", &panels)
}

fn ejections() -> String {
    let (with, without) = (ejection::run(Some(EjectionRules::default())), ejection::run(None));
    let both = |title, figure: fn(&ejection::Second) -> f64| Panel {
        title,
        lines: vec![
            line("with ejection", "with", with.iter().map(figure)),
            line("without", "without", without.iter().map(figure)),
        ],
        shaded: seconds(ejection::TROUBLE),
        marks: Vec::new(),
    };
    let out = Panel {
        title: "servers that are out",
        lines: vec![
            line("bad ones", "with", with.iter().map(|second| second.bad_out as f64)),
            line("good ones", "third", with.iter().map(|second| second.good_out as f64)),
        ],
        shaded: seconds(ejection::TROUBLE),
        marks: Vec::new(),
    };
    let panels = [
        both("failed calls, %", |second| second.failed * 100.0),
        both("p99 of good calls, ms", |second| second.p99_ms),
        out,
    ];
    chart("60 of 1,000 servers fail or are slow for 40 seconds", "s", &panels)
}

fn partitions() -> String {
    let (with, without) = (partition::run(Some(BreakerRules::default())), partition::run(None));
    let both = |title, figure: fn(&partition::Second) -> f64| Panel {
        title,
        lines: vec![
            line("with breakers", "with", with.iter().map(figure)),
            line("without", "without", without.iter().map(figure)),
        ],
        shaded: seconds(partition::TROUBLE),
        marks: Vec::new(),
    };
    let open = Panel {
        title: "breakers that are not closed",
        lines: vec![line("with breakers", "with", with.iter().map(|second| second.open as f64))],
        shaded: seconds(partition::TROUBLE),
        marks: Vec::new(),
    };
    let panels = [
        both("attempts at servers beyond the cut, a second", |second| second.beyond as f64),
        both("calls that failed after all attempts, a second", |second| second.failed as f64),
        open,
    ];
    chart("800 of 2,000 servers cannot be reached for 20 seconds", "s", &panels)
}

fn hashes() -> String {
    let curve = |name, class, count, leaves| {
        let moved = hashing::moved(count, leaves);
        let last = (moved.len() - 1).max(1) as f64;
        let points = moved.into_iter().enumerate().map(|(index, moved)| (index as f64 / last * 100.0, moved));
        Line { name, class, points: points.collect() }
    };
    let panel = Panel {
        title: "keys that moved, in n-ths of all keys",
        lines: vec![
            curve("of 10 servers", "third", 10, 10),
            curve("of 100 servers", "with", 100, 100),
            curve("of 1,000 servers", "without", 1_000, 100),
        ],
        shaded: Vec::new(),
        marks: Vec::new(),
    };
    chart("One of n servers leaves: the keys that move, ordered by how many", "% of the leaves", &[panel])
}
