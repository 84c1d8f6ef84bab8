//! What a client knows of its servers' health beside their connections: the rules that its options set, and a number that
//! rises when a server leaves selection or comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::config::ClientOptions;
use crate::random::random_bits;
use crate::resilience::{Breaker, BreakerRules, EjectionRules, Ejector};

/// Shared by all servers and services of a client.
pub(super) struct Health {
    breaker: Option<BreakerRules>,
    ejection: Option<EjectionRules>,
    /// Errors of the service itself open breakers; make a server stand out.
    pub(super) service_errors: [bool; 2],
    generation: AtomicU64,
}

impl Health {
    pub(super) fn new(options: &ClientOptions) -> Health {
        let (breaker, ejection) = (&options.breaker, &options.ejection);
        Health {
            breaker: breaker.enabled.then_some(BreakerRules {
                failures: breaker.failures,
                ratio: breaker.ratio,
                min_calls: breaker.min_calls,
                window: breaker.window,
                open_time: breaker.open_time,
                probes: breaker.probes,
            }),
            ejection: ejection.enabled.then_some(EjectionRules {
                interval: ejection.interval,
                min_calls: ejection.min_calls,
                error_margin: ejection.error_margin,
                latency_factor: ejection.latency_factor,
                latency_margin: ejection.latency_margin,
                base_time: ejection.base_time,
                max_time: ejection.max_time,
                max_share: ejection.max_share,
            }),
            service_errors: [breaker.service_errors, ejection.service_errors],
            generation: AtomicU64::new(0),
        }
    }

    /// A breaker for one server, if servers have any.
    pub(super) fn breaker(&self, now: Instant) -> Option<Breaker> {
        self.breaker.map(|rules| Breaker::new(rules, now).with_jitter(random_bits()))
    }

    /// An ejector for the servers of one service, if there shall be one.
    pub(super) fn ejector(&self, now: Instant) -> Option<Ejector> {
        self.ejection.map(|rules| Ejector::new(rules, now))
    }

    /// Whether the ends of calls are to be told to somebody.
    pub(super) fn watches_calls(&self) -> bool {
        self.breaker.is_some() || self.ejection.is_some()
    }

    /// The number of the last change. What led to it is seen by whoever sees the number.
    #[inline]
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// A server left selection or came back.
    pub(super) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}
