//! The request rate limit: buckets for all clients together, for each client, and for single services.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rpcx_protocol::error_text;

use super::TokenBucket;
use super::access::ip_of;
use super::account::Accounts;
use crate::config::{LimitPolicy, Network, RateLimitOptions};
use crate::error::{Error, Reason, Result};

/// Clients that have a bucket of their own; those beyond share one.
const MAX_PEERS: usize = 65_536;

/// Time between two looks for buckets that can go.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Bits of an IPv6 address that tell one client from another: within a network of 64 bits addresses are free.
const IPV6_PREFIX: u8 = 64;

/// What a server limits the rate of requests by.
pub(crate) struct RateLimit {
    all: Option<TokenBucket>,
    peers: Option<Peers>,
    services: HashMap<Box<[u8]>, Arc<TokenBucket>>,
    policy: LimitPolicy,
}

/// The buckets of clients, also of those that have left and whose buckets are not full again: connecting anew gains
/// nothing.
struct Peers {
    per_second: f64,
    burst: Duration,
    buckets: Mutex<Buckets>,
    others: Arc<TokenBucket>,
    max: usize,
}

#[derive(Default)]
struct Buckets {
    /// By what stands for a client's addresses; `None` for all clients without one.
    of: HashMap<Option<IpAddr>, Arc<TokenBucket>>,
    /// When it was last looked for those that can go.
    swept: Option<Instant>,
}

impl RateLimit {
    /// The limits that the options ask for; `None` when there are none.
    pub(crate) fn new(options: &RateLimitOptions, now: Instant) -> Option<RateLimit> {
        let bucket = |rate| TokenBucket::with_burst_of(rate, options.burst, now);
        let on = |rate: f64| (rate > 0.0).then_some(rate);
        let limit = RateLimit {
            all: on(options.requests).map(bucket),
            peers: on(options.requests_per_peer).map(|rate| Peers::new(rate, options.burst, MAX_PEERS, now)),
            services: options
                .services
                .iter()
                .map(|rate| (rate.service.as_bytes().into(), Arc::new(bucket(rate.per_second))))
                .collect(),
            policy: options.request_policy,
        };
        (limit.all.is_some() || limit.peers.is_some() || !limit.services.is_empty()).then_some(limit)
    }

    /// Requests wait for their turn.
    pub(crate) fn waits(&self) -> bool {
        self.policy == LimitPolicy::Block
    }

    /// The bucket of a new connection's client, to be handed to [`admit`](Self::admit).
    pub(crate) fn peer(&self, address: &str, now: Instant) -> Option<Arc<TokenBucket>> {
        Some(self.peers.as_ref()?.bucket(ip_of(address), now))
    }

    /// Takes a request's tokens and says how long it has to wait for them. `deadline`: longer is too long. `accounts`: those
    /// of its batch, which the caller [settles](Self::settle).
    ///
    /// # Errors
    /// `overload.rate` when it may not wait, or not so long.
    pub(crate) fn admit(
        &self,
        accounts: &mut Accounts,
        peer: Option<&TokenBucket>,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Duration> {
        let longest = self.longest(now, deadline);
        let mut hold = Duration::ZERO;
        // The client's own first: whoever exceeds it takes nothing from the others.
        if let Some(bucket) = peer {
            hold = accounts.peer.take(bucket, now, longest).map_err(refusal)?;
        }
        if let Some(bucket) = &self.all {
            hold = hold.max(accounts.all.take(bucket, now, longest).map_err(refusal)?);
        }
        Ok(hold)
    }

    /// The bucket of a service, to be handed to [`admit_to`](Self::admit_to).
    pub(crate) fn service(&self, service: &[u8]) -> Option<Arc<TokenBucket>> {
        self.services.get(service).cloned()
    }

    /// The same as [`admit`](Self::admit) for the service that a request is for.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn admit_to(
        &self,
        accounts: &mut Accounts,
        service: Option<&Arc<TokenBucket>>,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Duration> {
        let Some(bucket) = service else { return Ok(Duration::ZERO) };
        accounts.service(bucket, now).take(bucket, now, self.longest(now, deadline)).map_err(refusal)
    }

    /// Closes the accounts of a batch, whose client's bucket is `peer`.
    pub(crate) fn settle(&self, accounts: &mut Accounts, peer: Option<&TokenBucket>, now: Instant) {
        if let Some(bucket) = peer {
            accounts.peer.settle(bucket, now);
        }
        if let Some(bucket) = &self.all {
            accounts.all.settle(bucket, now);
        }
        accounts.settle_service(now);
    }

    /// How long a request may wait for its tokens.
    fn longest(&self, now: Instant, deadline: Option<Instant>) -> Duration {
        match self.policy {
            LimitPolicy::Reject => Duration::ZERO,
            LimitPolicy::Block => deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(now)),
        }
    }
}

#[cold]
fn refusal(_: Duration) -> Error {
    Error::new(Reason::OverloadRate, error_text::RATE_LIMIT)
}

impl Peers {
    fn new(per_second: f64, burst: Duration, max: usize, now: Instant) -> Peers {
        let others = Arc::new(TokenBucket::with_burst_of(per_second, burst, now));
        Peers { per_second, burst, buckets: Mutex::default(), others, max }
    }

    fn bucket(&self, address: Option<IpAddr>, now: Instant) -> Arc<TokenBucket> {
        let address = address.map(client);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.of.get(&address) {
            return bucket.clone();
        }
        // Only now and then: clients that come from ever new addresses must not cost a look at all others each.
        let len = buckets.of.len();
        let full = len > 0 && (len == buckets.of.capacity() || len >= self.max);
        if full && buckets.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_INTERVAL) {
            buckets.swept = Some(now);
            buckets.of.retain(|_, bucket| Arc::strong_count(bucket) > 1 || !bucket.is_full(now));
        }
        if buckets.of.len() >= self.max {
            return self.others.clone();
        }
        let fresh = Arc::new(TokenBucket::with_burst_of(self.per_second, self.burst, now));
        buckets.of.insert(address, fresh.clone());
        fresh
    }
}

/// What stands for all addresses of one client.
fn client(address: IpAddr) -> IpAddr {
    match Network::new(address, if address.is_ipv6() { IPV6_PREFIX } else { u8::MAX }) {
        Network::Range { address, .. } => address,
        Network::Local => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(set: &[(&str, &str)]) -> RateLimitOptions {
        let mut options = crate::config::ServerOptions::default();
        for (name, value) in set {
            options.set(&format!("rate_limit.{name}"), value).unwrap();
        }
        options.rate_limit
    }

    fn limit(set: &[(&str, &str)], now: Instant) -> RateLimit {
        RateLimit::new(&options(set), now).expect("a limit")
    }

    /// Admits a request that is a batch of its own.
    fn admit(
        limit: &RateLimit,
        peer: Option<&TokenBucket>,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Duration> {
        let mut accounts = Accounts::default();
        let hold = limit.admit(&mut accounts, peer, now, deadline);
        limit.settle(&mut accounts, peer, now);
        hold
    }

    #[test]
    fn nothing_asked_for_is_no_limit() {
        let now = Instant::now();
        assert!(RateLimit::new(&RateLimitOptions::default(), now).is_none());
        assert!(RateLimit::new(&options(&[("connections", "5")]), now).is_none());
    }

    #[test]
    fn a_client_above_its_rate_takes_nothing_from_the_others() {
        let now = Instant::now();
        let limit = limit(&[("requests", "10"), ("requests_per_peer", "4")], now);
        let greedy = limit.peer("10.0.0.1:1", now);
        let granted = (0..100).filter(|_| admit(&limit, greedy.as_deref(), now, None).is_ok()).count();
        assert_eq!(granted, 4);
        let error = admit(&limit, greedy.as_deref(), now, None).unwrap_err();
        assert_eq!((error.reason(), error.message()), (Reason::OverloadRate, "request reached rate limit"));
        let others = ["10.0.0.2:1", "10.0.0.3:1"].map(|peer| limit.peer(peer, now));
        let granted = (0..100).filter(|i| admit(&limit, others[i % 2].as_deref(), now, None).is_ok()).count();
        assert_eq!(granted, 6, "what the server's own rate leaves");
    }

    #[test]
    fn services_have_rates_of_their_own() {
        let now = Instant::now();
        let limit = limit(&[("services", "Slow=2")], now);
        let granted = |service: &[u8]| {
            let (mut accounts, bucket) = (Accounts::default(), limit.service(service));
            (0..10).filter(|_| limit.admit_to(&mut accounts, bucket.as_ref(), now, None).is_ok()).count()
        };
        assert_eq!((granted(b"Slow"), granted(b"Fast")), (2, 10));
        assert_eq!(admit(&limit, None, now, None).unwrap(), Duration::ZERO);
    }

    #[test]
    fn those_that_wait_do_so_no_longer_than_their_deadline() {
        let now = Instant::now();
        let limit = limit(&[("requests", "10"), ("burst", "0"), ("request_policy", "block")], now);
        let within = |millis| admit(&limit, None, now, Some(now + Duration::from_millis(millis)));
        assert_eq!(within(1).unwrap(), Duration::ZERO);
        assert!(within(50).is_err());
        assert_eq!(within(150).unwrap(), Duration::from_millis(100));
        assert_eq!(admit(&limit, None, now, None).unwrap(), Duration::from_millis(200));
    }

    #[test]
    fn a_client_keeps_its_bucket_over_connections_and_ports() {
        let now = Instant::now();
        let limit = limit(&[("requests_per_peer", "1")], now);
        let same = |a: &str, b: &str| Arc::ptr_eq(&limit.peer(a, now).unwrap(), &limit.peer(b, now).unwrap());
        assert!(same("10.0.0.1:1", "10.0.0.1:2") && !same("10.0.0.1:1", "10.0.0.2:1"));
        assert!(same("[2001:db8::1]:1", "[2001:db8::2]:1") && !same("[2001:db8::1]:1", "[2001:db8:0:1::1]:1"));
        assert!(same("[::ffff:10.0.0.1]:1", "10.0.0.1:1"));
        assert!(same("", "/run/x.sock"), "clients without an address are one");
    }

    #[test]
    fn buckets_go_when_they_are_full_and_nobody_has_them() {
        let now = Instant::now();
        let peers = Peers::new(1.0, Duration::from_secs(1), 3, now);
        let bucket = |n: u8, now| peers.bucket(Some(IpAddr::from([10, 0, 0, n])), now);
        let held = bucket(1, now);
        bucket(2, now).try_take(now).unwrap();
        drop(bucket(3, now));
        let fourth = bucket(4, now);
        assert!(!Arc::ptr_eq(&fourth, &peers.others), "the third's place was free");
        assert!(Arc::ptr_eq(&bucket(5, now), &peers.others), "no place is free");
        assert!(bucket(2, now).try_take(now).is_err(), "who has used his bucket up does not get a new one");
        assert!(Arc::ptr_eq(&bucket(1, now), &held));
        let later = now + Duration::from_secs(2);
        assert!(!Arc::ptr_eq(&bucket(5, later), &peers.others), "by now the second's place is free");
        assert_eq!(peers.buckets.lock().unwrap().of.len(), 3);
    }
}
