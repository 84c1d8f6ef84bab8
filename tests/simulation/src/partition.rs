//! A partition: 800 of 2,000 servers cannot be reached for 20 s, and their breakers keep the calls away.
//!
//! One client makes 10,000 calls a second, and tries a call that fails up to three more times elsewhere.

use crate::world::{Seeded, retain, servers};
use rpcx::balance::{CallInfo, Random, Selector};
use rpcx::discovery::Snapshot;
use rpcx::resilience::{Breaker, BreakerRules, BreakerState, CallEnd};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SERVERS: usize = 2_000;
const CUT: usize = 800;
const CALLS_A_SECOND: u32 = 10_000;
const RETRIES: usize = 3;
/// The list of servers in selection is brought up to date so often a second.
const UPDATES_A_SECOND: u32 = 50;

/// When the servers cannot be reached, in seconds.
pub const TROUBLE: (u64, u64) = (15, 35);
/// How long it goes on.
pub const SECONDS: u64 = 50;

/// What happened in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Second {
    /// Attempts.
    pub attempts: u64,
    /// Those that went to servers beyond the cut.
    pub beyond: u64,
    /// Calls that failed after all their attempts.
    pub failed: u64,
    /// Breakers that were not closed at the end of it.
    pub open: usize,
}

struct Client {
    all: Snapshot,
    breakers: Option<Vec<Breaker>>,
    eligible: Snapshot,
    places: Vec<usize>,
    random: Seeded,
}

impl Client {
    fn update(&mut self, now: Instant) {
        if let Some(breakers) = &self.breakers {
            (self.eligible, self.places) =
                retain(&self.all, |server| breakers[server].state(now) != BreakerState::Open);
        }
    }

    /// One call; `works` tells whether a server answers.
    fn call(&mut self, second: &mut Second, now: Instant, works: impl Fn(usize) -> bool) {
        let mut tried: Vec<Arc<str>> = Vec::new();
        let mut attempts = 0;
        while attempts <= RETRIES && tried.len() < self.eligible.len() {
            let call = CallInfo { random: self.random.bits(), avoid: &tried, ..CallInfo::new("Work", "Do") };
            let index = Random.select(&self.eligible, &call).expect("a server");
            let server = self.places[index];
            let breaker = self.breakers.as_ref().map(|breakers| &breakers[server]);
            tried.push(self.eligible.nodes()[index].shared_address());
            let permit = match breaker.map(|breaker| breaker.try_begin(now)) {
                // The list is a little old, or its probes are under way.
                Some(None) => continue,
                permit => permit.flatten(),
            };
            attempts += 1;
            second.attempts += 1;
            second.beyond += u64::from(server < CUT);
            let end = if works(server) { CallEnd::Good } else { CallEnd::Bad };
            if let Some((breaker, permit)) = breaker.zip(permit) {
                breaker.end(permit, end, now);
            }
            if end == CallEnd::Good {
                return;
            }
        }
        second.failed += 1;
    }
}

/// Runs it; `None`: without breakers.
pub fn run(rules: Option<BreakerRules>) -> Vec<Second> {
    let start = Instant::now();
    let all = servers(SERVERS);
    let (eligible, places) = retain(&all, |_| true);
    let breakers =
        rules.map(|rules| (0..SERVERS as u64).map(|server| Breaker::new(rules, start).with_jitter(server)).collect());
    let mut client = Client { all, breakers, eligible, places, random: Seeded::new(3) };
    let mut seconds = Vec::new();
    for at in 0..SECONDS {
        let cut = (TROUBLE.0..TROUBLE.1).contains(&at);
        let mut second = Second::default();
        for call in 0..CALLS_A_SECOND {
            let now = start + Duration::from_secs(at) + Duration::from_secs(1) * call / CALLS_A_SECOND;
            if call % (CALLS_A_SECOND / UPDATES_A_SECOND) == 0 {
                client.update(now);
            }
            client.call(&mut second, now, |server| !(cut && server < CUT));
        }
        let end = start + Duration::from_secs(at + 1);
        let breakers = client.breakers.iter().flatten();
        second.open = breakers.filter(|breaker| breaker.state(end) != BreakerState::Closed).count();
        seconds.push(second);
    }
    seconds
}
