//! One server as a client sees it: how its dials went, its breaker, and its connections, dialled when they are needed and
//! once at a time.
//!
//! No lock is held while a connection is made. Calls that need the same connection wait for the one dial, each until its own
//! deadline; the dial goes on when the call that began it is dropped.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::core::Dialer;
use super::lanes::{Dialled, Lanes, Place};
use crate::connection::caller::{Caller, LifeSink};
use crate::error::{Delivery, Error, Reason, Result};
use crate::resilience::{Breaker, CallEnd, DialBackoff, Permit};
use crate::shard::Shard;
use crate::stats::EndpointStats;
use crate::transport::Address;

/// How soon a server that fell silent is looked at again while it is asked for a sign of life.
const PROBE_PACE: Duration = Duration::from_secs(1);

/// A dial that ended so has brought no sign of life, and none that the server is gone.
fn is_silence(reason: Reason) -> bool {
    matches!(reason, Reason::ConnectTimeout | Reason::ClosedHeartbeat | Reason::ClosedStuck | Reason::ClosedIdle)
}

/// A dial that is under way, until it ends or its runtime does.
struct Dialling(Arc<Endpoint>);

impl Dialling {
    fn begin(endpoint: &Arc<Endpoint>) -> Dialling {
        endpoint.dialling.fetch_add(1, Ordering::Relaxed);
        Dialling(endpoint.clone())
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        self.0.dialling.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One server's address with everything that is kept about it.
pub(crate) struct Endpoint {
    pub(crate) address: Arc<str>,
    parsed: Result<Address>,
    dialer: Arc<Dialer>,
    pub(super) lanes: Lanes,
    backoff: Mutex<DialBackoff>,
    /// No connection has brought a frame since a dial failed, so that `backoff` has something to say, or the server fell
    /// silent. Changed under the lock of `backoff`.
    dial_failed: AtomicBool,
    /// Dials that are under way.
    dialling: AtomicUsize,
    /// A connection ended because nothing came any more: the next ones are used once they have brought an answer.
    silent: AtomicBool,
    retries: AtomicU64,
    /// With the option `breaker.enabled`.
    pub(super) breaker: Option<Breaker>,
}

impl Endpoint {
    pub(crate) fn new(address: Arc<str>, dialer: Arc<Dialer>) -> Endpoint {
        Endpoint {
            parsed: address.parse(),
            breaker: dialer.health.breaker(Instant::now()),
            dial_failed: AtomicBool::new(false),
            dialling: AtomicUsize::new(0),
            silent: AtomicBool::new(false),
            retries: AtomicU64::new(0),
            backoff: Mutex::new(DialBackoff::new(dialer.time_to_disallow)),
            address,
            lanes: Lanes::new(dialer.connections),
            dialer,
        }
    }

    /// A call need not wait for a dial that will probably fail. When a server may be dialled again one call tries it; the
    /// others would only wait for the same dial and fail with it.
    #[inline]
    pub(super) fn is_preferred(&self, now: Instant) -> bool {
        !self.dial_failed.load(Ordering::Relaxed)
            || !self.is_silent()
                && (self.lanes.has_own() || self.dialling.load(Ordering::Relaxed) == 0 && self.may_dial(now))
    }

    /// It does not wait out a failed dial.
    fn may_dial(&self, now: Instant) -> bool {
        self.allowed_at().is_none_or(|at| at <= now)
    }

    /// Connections that are missing are not dialled now: those that are there have to do.
    #[cold]
    fn rests(&self) -> bool {
        self.dial_failed.load(Ordering::Relaxed) && !self.may_dial(Instant::now())
    }

    /// It must show a sign of life before calls go to it.
    fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// While it waits out a failed dial, when that is over.
    fn allowed_at(&self) -> Option<Instant> {
        self.backoff().until()
    }

    /// Until when the server is out of selection: no connection can be opened and none is open, it is silent, or its breaker
    /// is open. `None`: it is in. Asks a silent server for a sign of life when it is time for that.
    pub(super) fn out_until(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        let undialled = if self.is_silent() {
            let waits = self.allowed_at().filter(|at| *at > now);
            // Whatever becomes of the probe is told as a change of health; until then nobody need look.
            Some(waits.unwrap_or_else(|| {
                self.probe();
                now + PROBE_PACE
            }))
        } else {
            let undialled = self.dial_failed.load(Ordering::Relaxed).then(|| self.allowed_at()).flatten();
            undialled.filter(|at| *at > now && !self.lanes.has_usable())
        };
        undialled.max(self.breaker.as_ref().and_then(|breaker| breaker.open_until(now)))
    }

    /// Opens a connection for which no call waits, unless one is being opened.
    fn probe(self: &Arc<Self>) {
        if let (Ok(address), Ok(shard)) = (&self.parsed, Shard::current()) {
            let lane = self.lanes.of(&shard, self.rests());
            self.join_dial(&lane.place, &shard, address);
        }
    }

    /// The breaker lets no calls through.
    pub(super) fn is_closed_to_calls(&self, now: Instant) -> bool {
        self.breaker.as_ref().is_some_and(|breaker| breaker.open_until(now).is_some())
    }

    /// The error of a call that the breaker keeps away.
    #[cold]
    pub(super) fn breaker_open(&self) -> Error {
        Error::new(Reason::NoServerBreakerOpen, format!("breaker open: {} has failed too many calls", self.address))
            .with_server(self.address.clone())
    }

    /// A call that the breaker let pass ended.
    pub(super) fn call_ended(&self, permit: Permit, how: CallEnd, now: Instant) {
        if let Some(breaker) = &self.breaker
            && breaker.end(permit, how, now).is_some()
        {
            self.dialer.health.changed();
        }
    }

    /// An attempt after the first goes to it.
    pub(super) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// What is known of it, apart from its calls for one service.
    pub(super) fn stats(&self, service: &str, now: Instant) -> EndpointStats {
        let connections = self.connections();
        let breaker = self.breaker.as_ref();
        let undialled = self.dial_failed.load(Ordering::Relaxed) && !self.lanes.has_usable();
        let waits = undialled && self.allowed_at().is_some_and(|at| at > now);
        EndpointStats {
            service: service.to_owned(),
            server: self.address.to_string(),
            breaker: breaker.map(|breaker| breaker.state(now).as_str()),
            breaker_opened: breaker.map_or(0, Breaker::opened),
            ejected: false,
            ejections: 0,
            disallowed: waits || self.is_silent(),
            connections: connections.len() as u64,
            in_flight: connections.iter().map(|caller| caller.in_flight() as u64).sum(),
            retries: self.retries.load(Ordering::Relaxed),
            calls: None,
        }
    }

    /// A dial ended, with a sign of life where the server was silent.
    fn dialled(&self, result: Result<(), &Error>) {
        let was_silent = self.is_silent();
        // A server that refuses is gone, and what accepts at its address later is another process.
        if result.map_or_else(|error| !is_silence(error.reason()), |()| true) {
            self.silent.store(false, Ordering::Relaxed);
        }
        match result {
            Err(_) => self.failed(),
            Ok(()) if was_silent => self.spoke(),
            // In selection while it is open. Whether it was worth the dial is seen when it brings a frame.
            Ok(()) if self.dial_failed.load(Ordering::Relaxed) => self.dialer.health.changed(),
            Ok(()) => {}
        }
    }

    /// A dial failed, or what was dialled was of no use.
    fn failed(&self) {
        {
            let mut backoff = self.backoff();
            backoff.failed(Instant::now());
            self.dial_failed.store(true, Ordering::Relaxed);
        }
        self.dialer.health.changed();
    }

    /// A frame came on a new connection. That says nothing yet of a server that is asked for a sign of life on another one.
    fn spoke(&self) {
        {
            let mut backoff = self.backoff();
            if !self.dial_failed.load(Ordering::Relaxed) || self.is_silent() {
                return;
            }
            backoff.succeeded();
            self.dial_failed.store(false, Ordering::Relaxed);
        }
        self.dialer.health.changed();
    }

    fn fell_silent(&self) {
        {
            let _backoff = self.backoff();
            self.silent.store(true, Ordering::Relaxed);
            self.dial_failed.store(true, Ordering::Relaxed);
        }
        self.dialer.health.changed();
    }

    fn backoff(&self) -> MutexGuard<'_, DialBackoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of this thread's shard that is ready.
    #[inline]
    pub(crate) fn ready(&self) -> Option<Arc<Caller>> {
        self.lanes.ready(|| self.rests())
    }

    /// Every connection that is open, with those that only finish their calls.
    pub(crate) fn connections(&self) -> Vec<Arc<Caller>> {
        self.lanes.connections()
    }

    /// A connection, made if there is none.
    ///
    /// # Errors
    /// `connect`, `config.bad_address`, or `timeout.call` when `deadline` passes first; nothing was sent.
    pub(crate) async fn connect(self: &Arc<Self>, deadline: Option<Instant>) -> Result<Arc<Caller>> {
        let address = self.parsed.as_ref().map_err(Clone::clone)?;
        let shard = Shard::current()?;
        let lane = self.lanes.of(&shard, self.rests());
        if let Some(caller) = lane.usable() {
            return Ok(caller.clone());
        }
        let mut dial = self.join_dial(&lane.place, &shard, address);
        let done = dial.wait_for(Option::is_some);
        let done = match deadline {
            None => done.await,
            Some(at) => tokio::time::timeout_at(at.into(), done).await.map_err(|_| {
                Error::new(Reason::TimeoutCall, format!("the deadline passed while connecting to {}", self.address))
            })?,
        };
        match done.as_deref() {
            Ok(Some(result)) => result.clone(),
            _ => Err(Error::new(Reason::ClosedLocal, format!("the dial to {} was abandoned", self.address))),
        }
    }

    /// Joins the dial that is under way, or begins one.
    fn join_dial(self: &Arc<Self>, place: &Arc<Place>, shard: &Shard, address: &Address) -> watch::Receiver<Dialled> {
        let mut current = place.dial.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(dial) = &*current {
            let over = dial.borrow().as_ref().is_some_and(|done| match done {
                Ok(caller) => !caller.is_usable(),
                Err(_) => true,
            });
            let done = dial.borrow().is_some();
            if !over && (done || dial.has_changed().is_ok()) {
                return dial.clone();
            }
        }
        let (sender, receiver) = watch::channel(None);
        *current = Some(receiver.clone());
        let (endpoint, place, address, shard_of) = (self.clone(), place.clone(), address.clone(), shard.clone());
        let under_way = Dialling::begin(self);
        shard.spawn(async move {
            let _under_way = under_way;
            let life = Box::new(Arc::downgrade(&endpoint));
            let mut result = endpoint.dialer.dial(&address, life, &shard_of).await;
            if let Ok(caller) = &result
                && endpoint.is_silent()
                && let Err(error) = endpoint.dialer.prove(caller).await
            {
                result = Err(error);
            }
            let result = result
                .inspect(|caller| endpoint.lanes.replace(&place, caller))
                .map_err(|error| error.with_server(endpoint.address.clone()).with_delivery(Delivery::NotSent));
            endpoint.dialled(result.as_ref().map(drop));
            if endpoint.dialer.is_closed()
                && let Ok(caller) = &result
            {
                caller.link.close(Error::new(Reason::ClosedLocal, "the client was closed"));
            }
            sender.send_replace(Some(result));
        });
        receiver
    }
}

impl LifeSink for Weak<Endpoint> {
    fn spoke(&self) {
        if let Some(endpoint) = self.upgrade() {
            endpoint.spoke();
        }
    }

    fn turned_away(&self) {
        if let Some(endpoint) = self.upgrade() {
            endpoint.failed();
        }
    }

    fn fell_silent(&self) {
        if let Some(endpoint) = self.upgrade() {
            endpoint.fell_silent();
        }
    }
}

impl Drop for Endpoint {
    /// A server that left discovery: its calls may finish, then its connections end.
    fn drop(&mut self) {
        for caller in self.connections() {
            caller.drain();
        }
    }
}
