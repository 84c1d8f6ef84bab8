//! Callers that do not pause while something happens to their servers, and what they saw of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rpcx::client::CallOptions;
use rpcx::{Client, Result};
use tokio::task::JoinSet;

use crate::processes::Process;
use crate::report::{Outcome, expect, table};
use crate::service::{Args, ArithClient};

/// Callers that call at once.
pub(crate) const CALLERS: usize = 8;

/// How long the demo waits for what a server's trouble or recovery shall lead to.
const PATIENCE: Duration = Duration::from_secs(8);

/// What the callers have seen so far.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    answers: BTreeMap<Arc<str>, u64>,
    /// Calls that needed more than one attempt, and when the last of them was answered.
    pub(crate) again: u64,
    pub(crate) last_again: Option<Instant>,
    failed: u64,
    /// Why the first of those failed.
    failure: Option<String>,
    pub(crate) longest: Duration,
}

impl Seen {
    /// Answers of one server.
    pub(crate) fn answers_of(&self, server: &str) -> u64 {
        self.answers.get(server).copied().unwrap_or_default()
    }

    /// Answers of all servers.
    pub(crate) fn answers(&self) -> u64 {
        self.answers.values().sum()
    }

    /// Fails unless every call succeeded.
    pub(crate) fn none_failed(&self) -> Outcome<()> {
        let first = self.failure.as_deref().unwrap_or_default();
        expect(self.failed == 0, || format!("{} calls failed: {first}", self.failed))
    }
}

/// Calls from eight tasks, one after the other each. What was going on is noted in a table with what happened to the calls
/// meanwhile.
pub(crate) struct Load {
    begin: Instant,
    callers: JoinSet<()>,
    end: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    /// When something happened, what, and what the callers had seen before.
    events: Vec<(Instant, String, Seen)>,
}

impl Load {
    /// Begins to call; the calls may run twice, and have 3 s each.
    pub(crate) fn start(client: &Client, what: &str) -> Result<Load> {
        let arith = ArithClient::new(client)?;
        let (end, seen) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Seen>>::default());
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            callers.spawn(call_until(arith.clone(), end.clone(), seen.clone()));
        }
        let mut load = Load { begin: Instant::now(), callers, end, seen, events: Vec::new() };
        load.note(what);
        Ok(load)
    }

    /// Something happens now.
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        let seen = self.seen().clone();
        self.events.push((Instant::now(), what.into(), seen));
    }

    /// What the callers have seen so far.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Lets the callers call on until something is so.
    pub(crate) async fn until(&self, what: &str, mut is_so: impl FnMut(&Seen) -> bool) -> Outcome<()> {
        let limit = Instant::now() + PATIENCE;
        while !is_so(&self.seen()) {
            expect(Instant::now() < limit, || format!("{what}: not within {} s", PATIENCE.as_secs()))?;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Ends the calls, prints the table, and returns all that was seen.
    pub(crate) async fn finish(mut self, title: &str, servers: &[&Process]) -> Outcome<Seen> {
        self.end.store(true, Ordering::Relaxed);
        while let Some(caller) = self.callers.join_next().await {
            caller?;
        }
        let seen = self.seen().clone();
        let afterwards = self.events.iter().skip(1).map(|(_, _, seen)| seen).chain([&seen]);
        let rows: Vec<Vec<String>> =
            self.events
                .iter()
                .zip(afterwards)
                .map(|(event, then)| {
                    let (at, what, before) = event;
                    let mut row = vec![at.duration_since(self.begin).as_millis().to_string(), what.clone()];
                    row.extend(servers.iter().map(|server| {
                        (then.answers_of(&server.address) - before.answers_of(&server.address)).to_string()
                    }));
                    row.extend([then.again - before.again, then.failed - before.failed].map(|count| count.to_string()));
                    row
                })
                .collect();
        let mut headings = vec!["ms", "what happened"];
        headings.extend(servers.iter().map(|server| server.name));
        headings.extend(["sent again", "failed"]);
        table(title, &headings, &rows);
        Ok(seen)
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn call_until(arith: ArithClient, end: Arc<AtomicBool>, seen: Arc<Mutex<Seen>>) {
    let options = CallOptions::new().idempotent(true).timeout(Duration::from_secs(3));
    for number in 0.. {
        if end.load(Ordering::Relaxed) {
            break;
        }
        let begin = Instant::now();
        let result = arith.mul_with(&Args { a: number, b: 3 }, &options).await;
        let now = Instant::now();
        let mut seen = lock(&seen);
        match result {
            Ok(response) => {
                *seen.answers.entry(response.server).or_default() += 1;
                if response.attempts > 1 {
                    seen.again += 1;
                    seen.last_again = Some(now);
                }
            }
            Err(error) => {
                seen.failed += 1;
                seen.failure.get_or_insert_with(|| error.to_string());
            }
        }
        seen.longest = seen.longest.max(now - begin);
    }
}
