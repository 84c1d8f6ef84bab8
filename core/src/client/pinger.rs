//! Measures, beside the calls, how far away each server is, for select mode `weighted_icmp`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::table::Server;
use crate::balance::WeightedPing;
use crate::resilience::Ticker;
use crate::shard::Shard;
use crate::transport::{Address, ping};

/// A server that takes longer is not selected, so that nobody waits for its answer any longer.
const LIMIT: Duration = Duration::from_secs(1);

/// Servers that are measured at a time.
const AT_A_TIME: usize = 64;

/// Measures the servers of one service when calls come and it is time.
pub(super) struct Pinger {
    selector: Arc<WeightedPing>,
    ticker: Ticker,
    measuring: Arc<AtomicBool>,
}

/// The measuring that is under way; it is over when this is dropped, in whatever way that comes.
struct Measuring(Arc<AtomicBool>);

impl Drop for Measuring {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Pinger {
    pub(super) fn new(selector: Arc<WeightedPing>, interval: Duration, now: Instant) -> Pinger {
        let pinger = Pinger { selector, ticker: Ticker::new(interval, now), measuring: Arc::default() };
        pinger.ticker.hurry();
        pinger
    }

    /// Other servers came: they are measured with the next call.
    pub(super) fn hurry(&self) {
        self.ticker.hurry();
    }

    /// Begins to measure if it is time. Called inside a runtime, whose task does it.
    pub(super) fn measure(&self, servers: &Arc<[Arc<Server>]>, now: Instant) {
        if !self.ticker.claim(now) {
            return;
        }
        let Ok(shard) = Shard::current() else { return };
        if self.measuring.swap(true, Ordering::AcqRel) {
            return;
        }
        let measuring = Measuring(self.measuring.clone());
        let (servers, selector) = (servers.clone(), self.selector.clone());
        shard.spawn(async move {
            let times = times(&servers).await;
            selector.measured(times);
            drop(measuring);
        });
    }
}

/// The round-trip times to all servers.
async fn times(servers: &[Arc<Server>]) -> Vec<(Arc<str>, Option<Duration>)> {
    let mut times = Vec::with_capacity(servers.len());
    let mut pings = JoinSet::new();
    for server in servers {
        if pings.len() >= AT_A_TIME {
            times.extend(pings.join_next().await.and_then(Result::ok));
        }
        let address = server.endpoint.address.clone();
        pings.spawn(async move {
            let time = match address.parse::<Address>() {
                Ok(parsed) => ping::round_trip(&parsed, LIMIT).await,
                Err(_) => None,
            };
            (address, time)
        });
    }
    times.extend(pings.join_all().await);
    times
}
