//! How often each method ran and how it ended, counted inside the handlers: what `Test.Count` tells.

use crate::messages::CountReply;
use rpcx::Context;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct Counts {
    methods: BTreeMap<String, CountReply>,
    errors: i64,
    panics: i64,
}

/// The counters of a server.
#[derive(Default)]
pub(super) struct Tally(Mutex<Counts>);

/// A handler that runs. Dropped without [`end`](Running::end) it was stopped early, or panicked.
pub(super) struct Running {
    tally: Arc<Tally>,
    method: String,
    ended: bool,
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the handler of this call has started.
    pub(super) fn begin(self: &Arc<Self>, ctx: &Context) -> Running {
        let method = format!("{}.{}", ctx.service(), ctx.method());
        self.counts().methods.entry(method.clone()).or_default().started += 1;
        Running { tally: self.clone(), method, ended: false }
    }

    /// Runs a handler and notes its end.
    pub(super) async fn run<T>(
        self: &Arc<Self>,
        ctx: &Context,
        handler: impl Future<Output = rpcx::Result<T>>,
    ) -> rpcx::Result<T> {
        let running = self.begin(ctx);
        running.end(handler.await)
    }

    /// What became of the calls of one `Service.Method`.
    pub(super) fn of(&self, method: &str) -> CountReply {
        self.counts().methods.get(method).cloned().unwrap_or_default()
    }

    /// The server's last line.
    pub(super) fn stopped(&self) -> Value {
        let counts = self.counts();
        let sum = |of: fn(&CountReply) -> i64| counts.methods.values().map(of).sum::<i64>();
        json!({
            "stopped": true,
            "calls": sum(|method| method.started),
            "errors": counts.errors,
            "cancelled": sum(|method| method.cancelled),
            "panics": counts.panics,
        })
    }
}

impl Running {
    /// The handler has come to its end.
    pub(super) fn end<T>(mut self, result: rpcx::Result<T>) -> rpcx::Result<T> {
        self.finished(result.is_err());
        result
    }

    fn finished(&mut self, failed: bool) {
        self.ended = true;
        let mut counts = self.tally.counts();
        counts.methods.entry(self.method.clone()).or_default().finished += 1;
        counts.errors += i64::from(failed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if std::thread::panicking() {
            self.finished(true);
            self.tally.counts().panics += 1;
        } else {
            self.tally.counts().methods.entry(self.method.clone()).or_default().cancelled += 1;
        }
    }
}
