//! Outlier ejection: of 1,000 servers 60 are bad for 40 s, half of them failing and half of them slow.
//!
//! One client makes 10,000 calls a second. From 10 s to 50 s every thirty-third server fails 60 % of its calls and as many
//! others take ten times as long.

use crate::world::{Seeded, retain, servers};
use rpcx::balance::{CallInfo, Random, Selector};
use rpcx::resilience::{CallEnd, EjectionRules, Ejector, Standing};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const CALLS_A_SECOND: u32 = 10_000;

/// So many servers.
pub const SERVERS: usize = 1_000;
/// When some of them are bad, in seconds.
pub const TROUBLE: (u64, u64) = (10, 50);
/// How long it goes on.
pub const SECONDS: u64 = 100;

/// What happened in one second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Second {
    /// The share of calls that failed.
    pub failed: f64,
    /// The latency that 99 % of the good calls did not exceed, in milliseconds.
    pub p99_ms: f64,
    /// Bad servers that were out at the end of it.
    pub bad_out: usize,
    /// Good servers that were out at the end of it.
    pub good_out: usize,
}

/// A server's kind.
fn fails(server: usize) -> bool {
    server % 33 == 1
}

fn is_slow(server: usize) -> bool {
    server % 33 == 2
}

/// Servers that are bad while there is trouble.
pub fn bad() -> usize {
    (0..SERVERS).filter(|server| fails(*server) || is_slow(*server)).count()
}

/// Runs it; `None`: without ejection.
pub fn run(rules: Option<EjectionRules>) -> Vec<Second> {
    let (start, mut random) = (Instant::now(), Seeded::new(2));
    let all = servers(SERVERS);
    let ejector = rules.map(|rules| Ejector::new(rules, start));
    let mut standings: Vec<Standing> = (0..SERVERS).map(|_| Standing::default()).collect();
    let (mut eligible, mut places) = retain(&all, |_| true);
    let mut seconds = Vec::new();
    for second in 0..SECONDS {
        let trouble = (TROUBLE.0..TROUBLE.1).contains(&second);
        let (mut failed, mut latencies) = (0, Vec::new());
        for call in 0..CALLS_A_SECOND {
            let info = CallInfo { random: random.bits(), ..CallInfo::new("Work", "Do") };
            let server = places[Random.select(&eligible, &info).expect("a server")];
            let usual = MS.mul_f64(4.0 - 3.0 * (1.0 - random.fraction()).ln());
            let latency = if trouble && is_slow(server) { 10 * usual } else { usual };
            if trouble && fails(server) && random.fraction() < 0.6 {
                failed += 1;
                standings[server].tally().record(CallEnd::Bad, latency);
            } else {
                latencies.push(latency);
                standings[server].tally().record(CallEnd::Good, latency);
            }
            let now = start + Duration::from_secs(second) + Duration::from_secs(1) * (call + 1) / CALLS_A_SECOND;
            if let Some(ejector) = ejector.as_ref().filter(|ejector| ejector.claim(now))
                && ejector.sweep(&mut standings, now)
            {
                (eligible, places) = retain(&all, |server| standings[server].ejected_until().is_none());
            }
        }
        latencies.sort_unstable();
        let out = |is_bad: bool| {
            let servers = (0..SERVERS).filter(|server| (fails(*server) || is_slow(*server)) == is_bad);
            servers.filter(|server| standings[*server].ejected_until().is_some()).count()
        };
        seconds.push(Second {
            failed: f64::from(failed) / f64::from(CALLS_A_SECOND),
            p99_ms: latencies[latencies.len() * 99 / 100].as_secs_f64() * 1e3,
            bad_out: out(true),
            good_out: out(false),
        });
    }
    seconds
}
