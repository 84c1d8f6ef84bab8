//! Which connections are let in: every rule for that, before the TLS handshake and the first byte, so that it holds for
//! whatever protocol the port speaks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::core::ServerCore;
use crate::config::{LimitPolicy, ServerOptions};
use crate::interceptor::{AccessList, TokenBucket};
use crate::stats::Refusal;

/// Refusals that are logged a second; the others are only counted.
const LOGGED: f64 = 1.0;

/// The rules of one server, for all its listeners. A refused connection is closed without a byte, as by Go, and counted.
pub(super) struct Gate {
    access: ArcSwap<AccessList>,
    rate: Option<TokenBucket>,
    /// Connections above the rate wait.
    wait: bool,
    log: TokenBucket,
}

impl Gate {
    pub(super) fn new(options: &ServerOptions) -> Gate {
        let (now, limit) = (Instant::now(), &options.rate_limit);
        Gate {
            access: ArcSwap::from_pointee(AccessList::from(&options.access)),
            rate: (limit.connections > 0.0).then(|| TokenBucket::with_burst_of(limit.connections, limit.burst, now)),
            wait: limit.connection_policy == LimitPolicy::Block,
            log: TokenBucket::new(LOGGED, 1, now),
        }
    }

    /// Changes who may connect from now on.
    pub(super) fn set_access(&self, list: AccessList) {
        self.access.store(Arc::new(list));
    }

    /// Counts a connection in, or says no. With a rate that makes connections wait, it waits: what comes behind stays in
    /// the system's backlog, which is bounded.
    pub(super) async fn admit(&self, core: &ServerCore, peer: &str) -> bool {
        if !self.access.load().admits(peer) {
            return self.refuse(core, Refusal::AccessList, peer);
        }
        if let Some(rate) = &self.rate {
            let longest = if self.wait { Duration::MAX } else { Duration::ZERO };
            match rate.reserve(Instant::now(), longest) {
                Ok(Duration::ZERO) => {}
                Ok(wait) => tokio::time::sleep(wait).await,
                Err(_) => return self.refuse(core, Refusal::RateLimit, peer),
            }
        }
        core.enter() || self.refuse(core, Refusal::MaxConnections, peer)
    }

    fn refuse(&self, core: &ServerCore, refusal: Refusal, peer: &str) -> bool {
        core.recorder.refused_connection(refusal);
        if self.log.try_take(Instant::now()).is_ok() {
            let option = match refusal {
                Refusal::AccessList => "access",
                Refusal::RateLimit => "rate_limit.connections",
                Refusal::MaxConnections => "max_connections",
            };
            tracing::warn!(target: "rpcx::server", option, peer, "a connection was refused; others are only counted");
        }
        false
    }
}
