//! A minute in which servers and their registry are killed, restarted and paused under a load of calls, and a picture of it.

use super::support::{addresses, client, discovery, seen, server_process};
use super::{Ours, Registry};
use crate::process::Talker;
use crate::wait::{eventually, run};
use bytes::Bytes;
use rpcx::client::CallOptions;
use rpcx::discovery::Watch;
use rpcx_plot::{Line, Panel, chart};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CALLERS: usize = 8;
const SAMPLE: Duration = Duration::from_millis(500);
const BASE: &str = "/story";

/// What goes on, from which second on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A server is killed.
    Kill(usize),
    /// It is started again, at another port.
    Start(usize),
    /// The registry is killed.
    Down,
    /// It is started again.
    Up,
    /// It is started again, without its data.
    UpEmpty,
    /// It stands still.
    Pause,
    /// It goes on.
    Continue,
    /// A server ends and leaves its node to the next one on its port.
    Replace(usize),
}

const SCRIPT: &[(u64, Step)] = &[
    (3, Step::Kill(0)),
    (8, Step::Start(0)),
    (13, Step::Down),
    (17, Step::Kill(1)),
    (21, Step::Up),
    (26, Step::Start(1)),
    (30, Step::Down),
    (33, Step::UpEmpty),
    (38, Step::Pause),
    (43, Step::Continue),
    (48, Step::Replace(0)),
    (50, Step::Replace(1)),
    (52, Step::Replace(2)),
];
const END: u64 = 60;

/// What was counted until a moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    second: f64,
    calls: u64,
    errors: u64,
    /// Servers in the client's list.
    listed: usize,
    stale: bool,
}

#[derive(Default)]
struct Counts {
    calls: AtomicU64,
    errors: AtomicU64,
    ended: AtomicBool,
}

/// Not one call fails that had a live server: here at least one always lives. The picture goes to the folder that
/// `RPCX_PICTURES` names.
///
/// # Panics
/// When it is not so.
pub fn calls_go_on_while_servers_and_registry_are_killed_and_come_back<R: Registry>(ours: Ours) {
    run(async {
        let mut registry = R::start();
        let url = registry.url(BASE, &format!("{}&request_timeout=1s&max_reconnect_interval=1s", R::SHORT));
        let mut servers: Vec<(Talker, String)> = (0..3).map(|_| server_process(ours, &url, &[])).collect();
        let discovery = discovery::<R>(&url);
        let watch = discovery.watch("Arith");
        eventually("all are seen", async || addresses(&watch).len() == 3).await;
        let counts = Arc::new(Counts::default());
        let callers: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(call::<R>(url.clone(), counts.clone()))).collect();
        eventually("the first calls", async || counts.calls.load(Ordering::Acquire) > 100).await;
        let began = Instant::now();
        let sampler = tokio::spawn(sample(watch.clone(), counts.clone(), began));
        for (second, step) in SCRIPT {
            tokio::time::sleep_until((began + Duration::from_secs(*second)).into()).await;
            println!("{second} s: {step:?}");
            perform(*step, &mut registry, &mut servers, ours, &url);
        }
        tokio::time::sleep_until((began + Duration::from_secs(END)).into()).await;
        eventually("all are seen", async || seen(&watch).ends_with("live") && addresses(&watch).len() == 3).await;
        counts.ended.store(true, Ordering::Release);
        let mut errors = Vec::new();
        for caller in callers {
            errors.extend(caller.await.expect("a caller"));
        }
        let samples = sampler.await.expect("the samples");
        println!("{} calls, {} failed", counts.calls.load(Ordering::Acquire), errors.len());
        if let Some(folder) = std::env::var_os("RPCX_PICTURES") {
            let path = Path::new(&folder).join(format!("registries-{}.svg", R::NAME));
            std::fs::write(path, draw::<R>(&samples)).expect("the picture");
        }
        assert!(errors.is_empty(), "{:?}", &errors[..errors.len().min(5)]);
    });
}

fn perform<R: Registry>(step: Step, registry: &mut R, servers: &mut [(Talker, String)], ours: Ours, url: &str) {
    match step {
        Step::Kill(index) => servers[index].0.process().kill(),
        Step::Start(index) => servers[index] = server_process(ours, url, &[]),
        Step::Down => registry.daemon_mut().down(),
        Step::Up => registry.daemon_mut().up(),
        Step::UpEmpty => {
            registry.daemon().wipe();
            registry.daemon_mut().up();
        }
        Step::Pause => registry.daemon().signal("STOP"),
        Step::Continue => registry.daemon().signal("CONT"),
        Step::Replace(index) => {
            let (old, at) = &mut servers[index];
            old.tell("keep");
            old.finish();
            old.hear("its end", |line| line == "ended");
            let bind = format!("bind={at}");
            servers[index] = server_process(ours, url, &[&bind]);
        }
    }
}

async fn call<R: Registry>(url: String, counts: Arc<Counts>) -> Vec<String> {
    let client = client::<R>(&url);
    let service = client.service("Arith").expect("a service").raw();
    let mut errors = Vec::new();
    while !counts.ended.load(Ordering::Acquire) {
        let options = CallOptions::new().idempotent(true);
        match service.call_with::<_, Bytes>("Echo", &Bytes::from_static(b"x"), &options).await {
            Ok(_) => drop(counts.calls.fetch_add(1, Ordering::AcqRel)),
            Err(error) => {
                counts.errors.fetch_add(1, Ordering::AcqRel);
                errors.push(error.to_string());
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    errors
}

async fn sample(watch: Watch, counts: Arc<Counts>, began: Instant) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut tick = tokio::time::interval(SAMPLE);
    while !counts.ended.load(Ordering::Acquire) && began.elapsed() < Duration::from_secs(END) {
        tick.tick().await;
        samples.push(Sample {
            second: began.elapsed().as_secs_f64(),
            calls: counts.calls.load(Ordering::Acquire),
            errors: counts.errors.load(Ordering::Acquire),
            listed: addresses(&watch).len(),
            stale: seen(&watch).ends_with("stale"),
        });
    }
    samples
}

fn draw<R: Registry>(samples: &[Sample]) -> String {
    let rate = |figure: fn(&Sample) -> u64| -> Vec<(f64, f64)> {
        let steps = samples.windows(2);
        steps
            .map(|pair| {
                (pair[1].second, (figure(&pair[1]) - figure(&pair[0])) as f64 / (pair[1].second - pair[0].second))
            })
            .collect()
    };
    let back = |after: u64| {
        let mut ends = SCRIPT.iter().filter(|(_, step)| matches!(step, Step::Up | Step::UpEmpty | Step::Continue));
        ends.find(|(at, _)| *at > after).map_or(END, |(at, _)| *at)
    };
    let away: Vec<(f64, f64)> = SCRIPT
        .iter()
        .filter(|(_, step)| matches!(step, Step::Down | Step::Pause))
        .map(|(at, _)| (*at as f64, back(*at) as f64))
        .collect();
    let marks = |wanted: fn(&Step) -> Option<String>| -> Vec<(f64, String)> {
        SCRIPT.iter().filter_map(|(at, step)| Some((*at as f64, wanted(step)?))).collect()
    };
    let of_servers = marks(|step| match step {
        Step::Kill(index) => Some(format!("{} killed", index + 1)),
        Step::Start(index) => Some(format!("{} started", index + 1)),
        Step::Replace(0) => Some("replaced one by one".to_owned()),
        Step::Replace(_) => Some(String::new()),
        _ => None,
    });
    let of_registry = marks(|step| match step {
        Step::Pause => Some("paused".to_owned()),
        Step::Down => Some("killed".to_owned()),
        Step::Up => Some("started".to_owned()),
        Step::UpEmpty => Some("empty".to_owned()),
        _ => None,
    });
    let line = |name, class, points| vec![Line { name, class, points }];
    let list = |figure: fn(&Sample) -> f64| samples.iter().map(|sample| (sample.second, figure(sample))).collect();
    let listed = vec![
        Line { name: "servers", class: "with", points: list(|sample| sample.listed as f64) },
        Line { name: "1 while it is stale", class: "third", points: list(|sample| f64::from(u8::from(sample.stale))) },
    ];
    let panels = [
        Panel {
            title: "calls a second",
            lines: line("answered", "with", rate(|sample| sample.calls)),
            shaded: away.clone(),
            marks: of_servers,
        },
        Panel {
            title: "calls a second that failed",
            lines: line("failed", "without", rate(|sample| sample.errors)),
            shaded: away.clone(),
            marks: Vec::new(),
        },
        Panel { title: "the client's list", lines: listed, shaded: away, marks: of_registry },
    ];
    let title = format!("Three servers in {} and eight callers; shaded while {} is away", R::NAME, R::NAME);
    chart(&title, "s", &panels)
}
