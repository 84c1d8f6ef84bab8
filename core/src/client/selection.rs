//! The choice of a server for one attempt, and what is told afterwards of how the attempt went.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::endpoint::Endpoint;
use super::routes::Routes;
use super::table::{Server, Table};
use crate::balance::{CallInfo, Outcome, Verdict};
use crate::error::{Delivery, Error, ErrorKind, Reason, Result};
use crate::resilience::{CallEnd, Permit};

/// Selections in a row that may fall on servers which take no calls at the moment. Those are out of the table that is
/// selected from, except for the moments before it is brought up to date and while a breaker lets single probes through.
const MAX_RESELECT: usize = 16;

/// A server for one attempt. Dropped before [`ended`](Self::ended), it says that the caller gave up.
pub(super) struct Selected<'r> {
    server: Arc<Server>,
    /// What the selector, a breaker, an ejector or the statistics are waiting for.
    report: Option<Report<'r>>,
}

/// Whom to tell of an attempt's end.
struct Report<'r> {
    routes: &'r Routes,
    /// If the selector wants to know: the servers that it chose from, and which one.
    chosen: Option<(Arc<Table>, usize)>,
    /// Of the server's breaker.
    permit: Option<Permit>,
}

impl Table {
    /// Chooses a server; those in `tried` only when there is no other. A server that is out of selection is chosen only when
    /// all are, and one whose breaker is open never.
    ///
    /// # Errors
    /// `no_server`, naming why.
    pub(super) fn select<'r>(
        self: &Arc<Self>,
        routes: &'r Routes,
        info: &CallInfo<'_>,
        target: Option<&str>,
        now: Instant,
    ) -> Result<Selected<'r>> {
        if let Some(target) = target {
            let index = self.all.nodes.position(target).ok_or_else(|| {
                let all = self.all.servers.len();
                Error::new(
                    Reason::NoServerNoneEligible,
                    format!("target {target} is none of the {all} servers of {}", routes.service()),
                )
            })?;
            return self.given(routes, index, now);
        }
        if self.all.servers.is_empty() {
            return Err(match self.source.nodes().len() {
                0 => Error::new(Reason::NoServerEmpty, format!("no server offers the service {}", routes.service())),
                all => Error::new(
                    Reason::NoServerNoneEligible,
                    format!("none of the {all} servers of {} is active and in the client's group", routes.service()),
                ),
            });
        }
        if let Some(sticky) = routes.sticky(|kept| self.stay(routes, kept, info, now)) {
            return Ok(sticky);
        }
        routes.measure(self, now);
        let mut first = self.choose(routes, info)?;
        if (self.none_in || first.endpoint().is_preferred(now)) && first.admit(now) {
            return Ok(routes.stick_to(first));
        }
        self.choose_another(routes, info, first, now).map(|selected| routes.stick_to(selected))
    }

    /// The server at an index of all, which somebody else than the selector has chosen.
    ///
    /// # Errors
    /// `no_server.breaker_open`
    pub(super) fn given<'r>(&self, routes: &'r Routes, index: usize, now: Instant) -> Result<Selected<'r>> {
        let mut given = Selected::new(self.all.servers[index].clone(), routes, None);
        if given.admit(now) { Ok(given) } else { Err(given.endpoint().breaker_open()) }
    }

    /// The server that a sticky client has used so far, if it is in selection.
    fn stay<'r>(
        self: &Arc<Self>,
        routes: &'r Routes,
        kept: &Arc<str>,
        info: &CallInfo<'_>,
        now: Instant,
    ) -> Option<Selected<'r>> {
        if info.avoid.contains(kept) {
            return None;
        }
        self.eligible.nodes.position(kept)?;
        let selected = self.given(routes, self.all.nodes.position(kept)?, now).ok()?;
        (self.none_in || selected.endpoint().is_preferred(now)).then_some(selected)
    }

    /// What the select mode says.
    fn choose<'r>(self: &Arc<Self>, routes: &'r Routes, info: &CallInfo<'_>) -> Result<Selected<'r>> {
        let Some(index) = routes.selector.select(&self.eligible.nodes, info) else {
            let all = self.eligible.servers.len();
            return Err(Error::new(
                Reason::NoServerNoneEligible,
                format!("the select mode found none of the {all} servers of {}", routes.service()),
            ));
        };
        let chosen = routes.selector_learns.then(|| (self.clone(), index));
        Ok(Selected::new(self.eligible.servers[index].clone(), routes, chosen))
    }

    /// The server that was chosen takes no calls now, or could not be dialled a moment ago. Others are asked for by the same
    /// select mode; if none is better, one that could not be dialled will do.
    #[cold]
    fn choose_another<'r>(
        self: &Arc<Self>,
        routes: &'r Routes,
        info: &CallInfo<'_>,
        first: Selected<'r>,
        now: Instant,
    ) -> Result<Selected<'r>> {
        let mut avoid = info.avoid.to_vec();
        let mut passed_over = vec![first];
        for _ in 1..MAX_RESELECT.min(self.eligible.servers.len()) {
            avoid.extend(passed_over.last().map(|selected| selected.address().clone()));
            let mut next = self.choose(routes, &CallInfo { avoid: &avoid, ..*info })?;
            if next.endpoint().is_preferred(now) && next.admit(now) {
                return Ok(next);
            }
            if avoid.contains(next.address()) {
                break;
            }
            passed_over.push(next);
        }
        let refusing = passed_over[0].endpoint().clone();
        let admitted = passed_over.into_iter().find_map(|mut selected| selected.admit(now).then_some(selected));
        admitted.ok_or_else(|| refusing.breaker_open())
    }
}

impl<'r> Selected<'r> {
    #[inline]
    fn new(server: Arc<Server>, routes: &'r Routes, chosen: Option<(Arc<Table>, usize)>) -> Selected<'r> {
        let report = routes.watches_calls.then_some(Report { routes, chosen, permit: None });
        Selected { server, report }
    }

    /// A server that is not of the table.
    ///
    /// # Errors
    /// `no_server.breaker_open`
    pub(super) fn outside(endpoint: Arc<Endpoint>, now: Instant) -> Result<Selected<'r>> {
        // Nobody hears how the call ends, so a probe would be wasted on it.
        if endpoint.is_closed_to_calls(now) {
            return Err(endpoint.breaker_open());
        }
        Ok(Selected { server: Arc::new(Server { endpoint, tally: None }), report: None })
    }

    pub(super) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.server.endpoint
    }

    pub(super) fn address(&self) -> &Arc<str> {
        &self.server.endpoint.address
    }

    /// Asks the server's breaker for leave.
    fn admit(&mut self, now: Instant) -> bool {
        let Some(breaker) = &self.server.endpoint.breaker else { return true };
        let permit = breaker.try_begin(now);
        if let Some(report) = &mut self.report {
            report.permit = permit;
        }
        permit.is_some()
    }

    /// The attempt that began at `began` is over; `result` says when a good answer came and how long it took.
    #[inline]
    pub(super) fn ended(&mut self, result: Result<(Instant, Duration), &Error>, began: Instant) {
        if let Some(report) = self.report.take() {
            match result {
                Ok((now, latency)) => {
                    let outcome = Outcome { verdict: Verdict::Answered, latency, now };
                    report.tell(&self.server, &outcome, [CallEnd::Good; 2]);
                }
                Err(error) => report.tell_failure(&self.server, error, began),
            }
        }
    }
}

impl Drop for Selected<'_> {
    fn drop(&mut self) {
        if let Some(report) = self.report.take() {
            let now = Instant::now();
            let outcome = Outcome { verdict: Verdict::Abandoned, latency: Duration::ZERO, now };
            report.tell(&self.server, &outcome, [CallEnd::Untold; 2]);
        }
    }
}

impl Report<'_> {
    #[cold]
    fn tell_failure(&self, server: &Server, error: &Error, began: Instant) {
        let of_service = error.delivery() == Delivery::Answered && error.is_service();
        let verdict = if of_service {
            Verdict::Answered
        } else if says_nothing(error) {
            Verdict::Abandoned
        } else {
            Verdict::Failed
        };
        let now = Instant::now();
        let ends = self.routes.health.service_errors.map(|counts| match verdict {
            Verdict::Answered if counts => CallEnd::Bad,
            Verdict::Answered => CallEnd::Good,
            Verdict::Failed => CallEnd::Bad,
            Verdict::Abandoned => CallEnd::Untold,
        });
        self.tell(server, &Outcome { verdict, latency: now.saturating_duration_since(began), now }, ends);
    }

    /// What the end says about the server, to its breaker and to those who compare it with others.
    #[inline]
    fn tell(&self, server: &Server, outcome: &Outcome, [opens, stands_out]: [CallEnd; 2]) {
        if let Some(permit) = self.permit {
            server.endpoint.call_ended(permit, opens, outcome.now);
        }
        if let Some(tally) = &server.tally {
            tally.record(stands_out, outcome.latency);
        }
        if let Some((table, index)) = &self.chosen {
            self.routes.selector.feedback(&table.eligible.nodes, *index, outcome);
        }
        self.routes.compare_servers(outcome.now);
    }
}

/// The failure has its cause on this side: in the call, the options, the token, or the end of the client.
fn says_nothing(error: &Error) -> bool {
    use ErrorKind::{Auth, Cancelled, Codec, Config, Limit, Unsupported};
    matches!(error.kind(), Auth | Cancelled | Codec | Config | Limit | Unsupported)
        || error.reason() == Reason::ClosedLocal
}
