//! A retry storm: servers that were slow for a few seconds stay overloaded by the retries alone, unless there is a budget.
//!
//! 500 clients make 10 idempotent calls a second each to 100 servers that can serve 8,300 calls a second. From 10 s to 15 s
//! the servers take two and a half times as long. An attempt whose answer takes more than a second is broken off, and the
//! server works on it for nothing.

use crate::world::{Clock, Seeded, servers};
use rpcx::balance::{CallInfo, Random, Selector};
use rpcx::resilience::{Backoff, BudgetRules, RetryBudget};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

const CLIENTS: usize = 500;
const SERVERS: usize = 100;
const PERIOD: Duration = Duration::from_millis(100);
const RETRIES: u32 = 3;
/// How long clients wait for an answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// A server with so much work ahead breaks off new connections.
const QUEUE: Duration = Duration::from_secs(2);

/// When the servers are slow, in seconds.
pub const TROUBLE: (u64, u64) = (10, 15);
/// How long it goes on.
pub const SECONDS: u64 = 45;

/// What happened in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Calls that began.
    pub calls: u64,
    /// Attempts, first ones and retries.
    pub attempts: u64,
    /// Good answers.
    pub answered: u64,
}

enum Event {
    Begin { client: usize },
    Attempt { client: usize, attempt: u32 },
    Answered,
    Failed { client: usize, attempt: u32 },
}

/// Runs it with the budget of these rules for each client.
pub fn run(rules: BudgetRules) -> Vec<Second> {
    let (mut clock, mut random) = (Clock::new(), Seeded::new(1));
    let snapshot = servers(SERVERS);
    let budgets: Vec<_> = (0..CLIENTS).map(|_| RetryBudget::new(rules, clock.instant())).collect();
    let backoff = Backoff::new(10 * MS);
    let mut idle_at = [Duration::ZERO; SERVERS];
    let mut seconds = vec![Second::default(); SECONDS as usize];
    for client in 0..CLIENTS {
        clock.after(PERIOD.mul_f64(random.fraction()), Event::Begin { client });
    }
    while let Some(event) = clock.next(Duration::from_secs(SECONDS)) {
        let now = clock.now();
        let second = &mut seconds[now.as_secs() as usize];
        match event {
            Event::Begin { client } => {
                second.calls += 1;
                budgets[client].on_call(clock.instant());
                clock.after(Duration::ZERO, Event::Attempt { client, attempt: 1 });
                clock.after(PERIOD.mul_f64(0.5 + random.fraction()), Event::Begin { client });
            }
            Event::Attempt { client, attempt } => {
                second.attempts += 1;
                let call = CallInfo { random: random.bits(), ..CallInfo::new("Work", "Do") };
                let server = Random.select(&snapshot, &call).expect("a server");
                let slow = (TROUBLE.0..TROUBLE.1).contains(&now.as_secs());
                let done = idle_at[server].max(now) + if slow { 30 * MS } else { 12 * MS };
                if done - now > QUEUE {
                    clock.after(MS, Event::Failed { client, attempt });
                    continue;
                }
                idle_at[server] = done;
                if done - now > PATIENCE {
                    clock.after(PATIENCE, Event::Failed { client, attempt });
                } else {
                    clock.after(done - now, Event::Answered);
                }
            }
            Event::Answered => second.answered += 1,
            Event::Failed { client, attempt } => {
                if attempt <= RETRIES && budgets[client].try_retry(clock.instant()) {
                    let wait = backoff.wait(attempt, random.bits());
                    clock.after(wait, Event::Attempt { client, attempt: attempt + 1 });
                }
            }
        }
    }
    seconds
}

/// A budget that is never used up.
pub fn unlimited() -> BudgetRules {
    BudgetRules { min: u32::MAX, ..BudgetRules::default() }
}
