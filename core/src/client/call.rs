//! One call from its arguments to its answer: encode, select, exchange, and again where that is safe.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::core::ClientCore;
use super::options::Plan;
use super::request::restate_time_left;
use super::routes::{MethodInfo, Routes};
use super::selection::Selected;
use crate::balance::CallInfo;
use crate::codec::CodecError;
use crate::config::FailMode;
use crate::connection::buffers;
use crate::connection::caller::Caller;
use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::random::random_bits;
use crate::resilience::Backoff;

/// Writes a call's arguments; runs again for a retry.
pub(super) type PayloadFn<'a> = &'a (dyn Fn(&mut Vec<u8>) -> Result<(), CodecError> + Send + Sync);

/// What a call is about.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) client: &'a Arc<ClientCore>,
    pub(super) routes: &'a Routes,
    pub(super) method: &'a MethodInfo,
}

impl<'a> Target<'a> {
    fn info<'b>(&'b self, plan: &'b Plan<'_>, payload: &'b [u8], tried: &'b [Arc<str>]) -> CallInfo<'b> {
        CallInfo {
            payload,
            hash_key: plan.hash_key(),
            avoid: tried,
            ..CallInfo::new(self.routes.service(), &self.method.name)
        }
    }

    /// Chooses a server; waits for a discovery that has not answered yet.
    pub(super) async fn select(
        &self,
        plan: &Plan<'_>,
        payload: &[u8],
        tried: &[Arc<str>],
        now: Instant,
    ) -> Result<Selected<'a>> {
        let table = self.routes.known(self.client, plan.deadline, now).await?;
        table.select(self.routes, &self.info(plan, payload, tried), plan.target(), now)
    }

    /// The server of the attempt before, though discovery may have dropped it meanwhile.
    fn select_again(&self, address: &str, now: Instant) -> Result<Selected<'a>> {
        let table = self.routes.current(self.client, now);
        match table.all.nodes.position(address) {
            Some(index) => table.given(self.routes, index, now),
            None => Selected::outside(self.client.endpoint(&address.into()), now),
        }
    }

    /// The whole call with its retries. Every attempt keeps the one deadline.
    ///
    /// The first attempt on a connection that is there is this future itself; everything else is boxed, so that the
    /// common call stays small.
    pub(super) async fn run(&self, plan: &Plan<'_>, payload: PayloadFn<'_>) -> Result<Answer<'a>> {
        self.method.recorder.began();
        self.client.budget.on_call(plan.now);
        let mut took = None;
        let result = match self.begin(plan, payload) {
            Ok(Begun::Ready { mut selected, caller, frame }) => {
                let answer = match caller.exchange(frame, plan.deadline, plan.now).await {
                    Ok((frame, at)) => self.open(frame, at),
                    Err(error) => Err(error),
                };
                let came = answer.as_ref().map(|opened| (opened.at, *took.insert(opened.time_since(plan.now))));
                selected.ended(came, plan.now);
                match answer {
                    Ok(opened) => Ok(Answer { opened, selected, attempts: 1 }),
                    Err(error) => {
                        let error = error.with_server(selected.address().clone()).with_attempts(1);
                        if self.may_retry(plan, &error, 1) {
                            Box::pin(self.retry(plan, payload, error)).await
                        } else {
                            Err(error)
                        }
                    }
                }
            }
            Ok(Begun::Unconnected { selected, frame }) => {
                Box::pin(self.after_waiting(plan, payload, Some((selected, frame)))).await
            }
            Ok(Begun::Later) => Box::pin(self.after_waiting(plan, payload, None)).await,
            Err(error) => Err(error.with_attempts(1)),
        };
        match &result {
            Ok(answer) => self.ended("", None, took.unwrap_or_else(|| answer.opened.time_since(plan.now))),
            Err(error) => self.ended("", Some(error), plan.now.elapsed()),
        }
        result
    }

    /// Looks whether the request can leave at once, and encodes it.
    fn begin(&self, plan: &Plan<'_>, payload: PayloadFn<'_>) -> Result<Begun<'a>> {
        if plan.sends_backup() {
            return Ok(Begun::Later);
        }
        let table = self.routes.current(self.client, plan.now);
        if table.servers().is_empty() {
            return Ok(Begun::Later);
        }
        let mut frame = buffers::take_scratch();
        let selected = self.encode(&mut frame, plan, payload, plan.now).and_then(|start| {
            let info = self.info(plan, &frame[start..], &[]);
            let selected = table.select(self.routes, &info, plan.target(), plan.now)?;
            self.compress(&mut frame, start, plan)?;
            Ok(selected)
        });
        match selected {
            Ok(selected) => Ok(match selected.endpoint().ready() {
                Some(caller) => Begun::Ready { selected, caller, frame },
                None => Begun::Unconnected { selected, frame },
            }),
            Err(error) => {
                buffers::put_scratch(frame);
                Err(error)
            }
        }
    }

    /// The first attempt has to wait for something: for a connection to `chosen`, with the request for it, which is not
    /// selected again since that would take two turns for one call; or for the selection.
    async fn after_waiting(
        &self,
        plan: &Plan<'_>,
        payload: PayloadFn<'_>,
        chosen: Option<(Selected<'a>, Vec<u8>)>,
    ) -> Result<Answer<'a>> {
        let _begun = self.client.begun.enter();
        let first = match chosen {
            Some((selected, frame)) => self.exchange(plan, selected, frame, 1, plan.now).await,
            None if plan.sends_backup() => return self.with_backup(plan, payload).await,
            None => self.attempt(plan, payload, &[], None, 1, plan.now).await,
        };
        match first {
            Ok(answer) => Ok(answer),
            Err(error) if self.may_retry(plan, &error, 1) => self.retry(plan, payload, error).await,
            Err(error) => Err(error.with_attempts(1)),
        }
    }

    /// Another attempt is allowed and safe.
    pub(super) fn may_retry(&self, plan: &Plan<'_>, error: &Error, attempts: u32) -> bool {
        plan.fail_mode() != FailMode::Failfast
            && attempts <= plan.retries()
            && error.kind() != ErrorKind::Config
            && error.is_retryable(plan.retries_maybe_run())
    }

    /// The attempts after the first, which failed with `error`.
    async fn retry(&self, plan: &Plan<'_>, payload: PayloadFn<'_>, mut error: Error) -> Result<Answer<'a>> {
        let _begun = self.client.begun.enter();
        let mut tried: Vec<Arc<str>> = Vec::new();
        let backoff = Backoff::new(plan.retry_interval());
        let mut waits = 0;
        let mut attempts = 1;
        loop {
            if let Some(server) = error.server()
                && !tried.iter().any(|address| **address == *server)
            {
                tried.push(server.into());
            }
            let mut now = Instant::now();
            let moves_on = plan.fail_mode() == FailMode::Failover
                && error.delivery() != Delivery::MaybeRun
                && self.routes.current(self.client, now).servers().len() > tried.len();
            if !moves_on {
                if !self.client.may_spend_retry(now) {
                    return Err(error.with_attempts(attempts));
                }
                waits += 1;
                now = match wait_until(now, backoff.wait(waits, random_bits()), plan.deadline).await {
                    Some(now) => now,
                    None => return Err(error.with_attempts(attempts)),
                };
            }
            if plan.deadline.is_some_and(|deadline| deadline <= now) {
                return Err(error.with_attempts(attempts));
            }
            self.method.recorder.retried();
            attempts += 1;
            let again = (plan.fail_mode() == FailMode::Failtry).then(|| tried.first().cloned()).flatten();
            error = match self.attempt(plan, payload, &tried, again.as_deref(), attempts, now).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error.with_attempts(attempts),
            };
            if !self.may_retry(plan, &error, attempts) {
                return Err(error);
            }
        }
    }

    /// One try at one server: `again` is its address, else one is selected.
    pub(super) async fn attempt(
        &self,
        plan: &Plan<'_>,
        payload: PayloadFn<'_>,
        tried: &[Arc<str>],
        again: Option<&str>,
        attempt: u32,
        now: Instant,
    ) -> Result<Answer<'a>> {
        let (selected, frame) = self.prepare(plan, payload, tried, again, now).await?;
        // Read by a backup request, which avoids this server.
        let _ = plan.first.set(selected.address().clone());
        self.exchange(plan, selected, frame, attempt, now).await
    }

    /// The request of an attempt and its server.
    pub(super) async fn prepare(
        &self,
        plan: &Plan<'_>,
        payload: PayloadFn<'_>,
        tried: &[Arc<str>],
        again: Option<&str>,
        now: Instant,
    ) -> Result<(Selected<'a>, Vec<u8>)> {
        let mut frame = buffers::take_scratch();
        let chosen = match (self.encode(&mut frame, plan, payload, now), again) {
            (Ok(start), Some(address)) => self.select_again(address, now).map(|selected| (start, selected)),
            (Ok(start), None) => self.select(plan, &frame[start..], tried, now).await.map(|selected| (start, selected)),
            (Err(error), _) => Err(error),
        };
        let chosen = chosen.and_then(|(start, selected)| {
            self.compress(&mut frame, start, plan)?;
            Ok(selected)
        });
        match chosen {
            Ok(selected) => Ok((selected, frame)),
            Err(error) => {
                buffers::put_scratch(frame);
                Err(error)
            }
        }
    }

    /// Sends a request, encoded at `made`, to a server and waits for its answer.
    pub(super) async fn exchange(
        &self,
        plan: &Plan<'_>,
        mut selected: Selected<'a>,
        mut frame: Vec<u8>,
        attempt: u32,
        made: Instant,
    ) -> Result<Answer<'a>> {
        if attempt > 1 {
            selected.endpoint().retried();
        }
        let answer = match selected.endpoint().connect(plan.deadline).await {
            Ok(caller) => {
                let now = restate_time_left(&mut frame, plan, made);
                caller.exchange(frame, plan.deadline, now).await.and_then(|(frame, at)| self.open(frame, at))
            }
            Err(error) => {
                buffers::put_scratch(frame);
                Err(error)
            }
        };
        selected.ended(answer.as_ref().map(|opened| (opened.at, opened.time_since(made))), made);
        match answer {
            Ok(opened) => Ok(Answer { opened, selected, attempts: attempt }),
            Err(error) => Err(error.with_server(selected.address().clone()).with_attempts(attempt)),
        }
    }
}

/// Whether a call can leave at once.
enum Begun<'a> {
    Ready {
        selected: Selected<'a>,
        caller: Arc<Caller>,
        frame: Vec<u8>,
    },
    /// There is no connection to the server yet.
    Unconnected {
        selected: Selected<'a>,
        frame: Vec<u8>,
    },
    /// There is more to see to than one attempt, or no server yet.
    Later,
}

/// Waits before a retry; `None` when the deadline would pass first.
async fn wait_until(now: Instant, wait: Duration, deadline: Option<Instant>) -> Option<Instant> {
    let at = now + wait;
    if deadline.is_some_and(|deadline| deadline <= at) {
        return None;
    }
    if wait > Duration::ZERO {
        tokio::time::sleep_until(at.into()).await;
        return Some(Instant::now());
    }
    Some(now)
}
