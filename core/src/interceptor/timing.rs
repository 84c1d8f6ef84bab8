//! How long calls take: each told to a function, or the slow ones to the host's log.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{BoxFuture, Call, Interceptor, Next, Reply, TokenBucket};
use crate::error::{Error, Result};

/// One call that has ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Timing<'a> {
    /// The service path.
    pub service: &'a str,
    /// The service method.
    pub method: &'a str,
    /// On a server the client's address; on a client the server's for broadcast, fork and inform, else empty.
    pub peer: &'a str,
    /// From the begin of the chain to its end: on a client the whole call with its retries, on a server the handler and
    /// the interceptors inside this one.
    pub elapsed: Duration,
    /// Why the call failed, if it did.
    pub error: Option<&'a Error>,
}

/// An interceptor that tells a function how long each call took, on a client or a server.
///
/// The function runs where the call does, at its end: it must be quick. A call that is dropped before its end, as by a
/// cancelled caller, is not told.
///
/// ```
/// use rpcx::Client;
/// use rpcx::interceptor::{TimeRecorder, Timing};
///
/// let recorder = TimeRecorder::new(|timing: &Timing<'_>| {
///     println!("{}.{} took {:?}", timing.service, timing.method, timing.elapsed);
/// });
/// let client = Client::builder().interceptor(recorder).discovery_url("tcp@127.0.0.1:8972").build()?;
/// # Ok::<(), rpcx::Error>(())
/// ```
pub struct TimeRecorder<F> {
    tell: F,
}

impl<F: Fn(&Timing<'_>) + Send + Sync> TimeRecorder<F> {
    /// Tells `tell`.
    pub fn new(tell: F) -> TimeRecorder<F> {
        TimeRecorder { tell }
    }
}

impl<F> fmt::Debug for TimeRecorder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeRecorder").finish_non_exhaustive()
    }
}

impl<F: Fn(&Timing<'_>) + Send + Sync> Interceptor for TimeRecorder<F> {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async move {
            let began = Instant::now();
            // Those inside may change the names, and these are what was called.
            let (service, method, peer) = (call.service.clone(), call.method.clone(), call.peer.clone());
            let result = next.run(call).await;
            (self.tell)(&Timing {
                service: &service,
                method: &method,
                peer: &peer,
                elapsed: began.elapsed(),
                error: result.as_ref().err(),
            });
            result
        })
    }
}

/// Slow calls that are logged a second, and at once after a quiet time.
const LOGGED: f64 = 10.0;

/// Logs calls that took `threshold` or longer, at most ten a second; the others are counted in the next line. As an
/// interceptor it can stand anywhere in the chain; the option `slow_call` of clients and servers logs the same of whole
/// calls, and without the chain where there is no other interceptor.
///
/// The lines are events of the `tracing` crate, level `WARN`, target `rpcx::slow`.
pub fn slow_calls(threshold: Duration) -> impl Interceptor {
    let slow = SlowCalls::new(threshold);
    TimeRecorder::new(move |timing: &Timing<'_>| {
        if slow.is_slow(timing.elapsed) {
            slow.log(timing);
        }
    })
}

/// The log of slow calls.
pub(crate) struct SlowCalls {
    threshold: Duration,
    bucket: TokenBucket,
    unlogged: AtomicU64,
}

impl SlowCalls {
    pub(crate) fn new(threshold: Duration) -> SlowCalls {
        let bucket = TokenBucket::with_burst_of(LOGGED, Duration::from_secs(1), Instant::now());
        SlowCalls { threshold, bucket, unlogged: AtomicU64::new(0) }
    }

    /// From how long on calls are logged.
    pub(crate) fn threshold(&self) -> Duration {
        self.threshold
    }

    /// A call that took so long is to be logged.
    #[inline]
    pub(crate) fn is_slow(&self, elapsed: Duration) -> bool {
        elapsed >= self.threshold
    }

    /// Writes the line, or counts it for the next one.
    #[cold]
    pub(crate) fn log(&self, timing: &Timing<'_>) {
        if self.bucket.try_take(Instant::now()).is_err() {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            return;
        }
        tracing::warn!(
            target: "rpcx::slow",
            service = timing.service,
            method = timing.method,
            peer = timing.peer,
            elapsed_us = timing.elapsed.as_micros() as u64,
            error = timing.error.map(tracing::field::display),
            unlogged = self.unlogged.swap(0, Ordering::Relaxed),
            "a call was slow"
        );
    }
}
