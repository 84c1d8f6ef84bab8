//! A load of calls, of which none may fail.

use super::support::{client, started};
use super::{Ours, Registry};
use crate::process::Talker;
use crate::wait::eventually;
use bytes::Bytes;
use rpcx::client::CallOptions;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Calls without end, here or in a program of ours.
pub(super) enum Load {
    Here(Caller),
    There(Talker),
}

impl Load {
    /// Begins; some calls have been answered when it returns.
    pub(super) async fn start<R: Registry>(ours: Ours, url: &str) -> Load {
        let mut load = match ours.client {
            None => Load::Here(Caller::start::<R>(url)),
            Some(program) => Load::There(started(program, &[url])),
        };
        load.further(0).await;
        load
    }

    /// Ends the calls: none has failed, and the last ones were made now.
    pub(super) async fn end(mut self) {
        let before = self.calls();
        self.further(before).await;
        let (calls, errors) = match self {
            Load::Here(caller) => caller.end().await,
            Load::There(mut talker) => {
                talker.finish();
                let mut errors = Vec::new();
                let last = talker.hear("its end", |line| {
                    errors.extend(line.strip_prefix("error ").map(str::to_owned));
                    line.starts_with("ended ")
                });
                (number(&last), errors)
            }
        };
        println!("{calls} calls");
        assert!(errors.is_empty(), "{} calls failed: {:?}", errors.len(), &errors[..errors.len().min(5)]);
    }

    fn calls(&mut self) -> u64 {
        match self {
            Load::Here(caller) => caller.calls.load(Ordering::Acquire),
            Load::There(talker) => {
                talker.tell("how many?");
                number(&talker.hear("how many", |line| line.starts_with("calls ")))
            }
        }
    }

    async fn further(&mut self, before: u64) {
        eventually("further calls", async || self.calls() > before + 10).await;
    }
}

/// The second word of what a program says.
fn number(line: &str) -> u64 {
    line.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{line}: no number"))
}

pub(super) struct Caller {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    task: JoinHandle<Vec<String>>,
}

impl Caller {
    fn start<R: Registry>(url: &str) -> Caller {
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = client::<R>(url);
        let (ended, count) = (stop.clone(), calls.clone());
        let task = tokio::spawn(async move {
            let mut errors = Vec::new();
            let service = client.service("Arith").expect("a service").raw();
            while !ended.load(Ordering::Acquire) {
                let options = CallOptions::new().idempotent(true);
                match service.call_with::<_, Bytes>("Echo", &Bytes::from_static(b"x"), &options).await {
                    Ok(_) => drop(count.fetch_add(1, Ordering::AcqRel)),
                    Err(error) => errors.push(error.to_string()),
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            errors
        });
        Caller { stop, calls, task }
    }

    async fn end(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Release);
        let errors = self.task.await.expect("the calls");
        (self.calls.load(Ordering::Acquire), errors)
    }
}
