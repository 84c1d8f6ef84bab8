//! The interceptor chain: user code around every call of a client or a server.
//!
//! On a client the chain runs once a call, outside selection and retries, and once a server for broadcast, fork and
//! inform; on a server innermost, around the handler, after authentication. An interceptor may look at and change the request, answer without going on, look at and change the
//! reply, or turn it into an error. It cannot see connections, heartbeats or pushes.
//!
//! The chain costs nothing where no interceptor was added.

mod access;
mod account;
pub(crate) mod parent;
mod rate_limit;
mod tee;
mod timing;
mod token_bucket;
mod trace;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rpcx_protocol::header::SerializeType;
use rpcx_protocol::metadata::Metadata;

use crate::error::Result;

pub use access::AccessList;
pub(crate) use account::Accounts;
pub use parent::Parent;
pub(crate) use rate_limit::RateLimit;
pub use tee::{Chunk, Copies, Tee};
pub(crate) use timing::SlowCalls;
pub use timing::{TimeRecorder, Timing, slow_calls};
pub use token_bucket::TokenBucket;
pub use trace::{BAGGAGE, TRACEPARENT, TRACESTATE, Trace, TraceContext};

pub use crate::future::BoxFuture;

/// A request on its way through the chain. Payloads are encoded bytes in the format of `serialize_type`.
#[derive(Clone, Debug)]
pub struct Call {
    /// The service path.
    pub service: String,
    /// The service method.
    pub method: String,
    /// The request's metadata; keys that begin with `__` belong to the protocol.
    pub metadata: Metadata,
    /// The encoded arguments.
    pub payload: Bytes,
    /// How arguments and reply are encoded.
    pub serialize_type: SerializeType,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// The other side: on a server the client's address, on a client the server's if it is known
    /// already, as with broadcast, fork and inform, else empty.
    pub peer: String,
    /// Nobody waits for an answer.
    pub oneway: bool,
}

/// A successful answer on its way back.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The response metadata.
    pub metadata: Metadata,
    /// The encoded reply.
    pub payload: Bytes,
}

/// Code around calls. Runs concurrently for many calls.
///
/// ```
/// use rpcx::interceptor::{BoxFuture, Call, Interceptor, Next, Reply};
///
/// /// Prints how every call ends.
/// struct Print;
///
/// impl Interceptor for Print {
///     fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, rpcx::Result<Reply>> {
///         Box::pin(async move {
///             let name = format!("{}.{}", call.service, call.method);
///             let result = next.run(call).await;
///             println!("{name}: {}", if result.is_ok() { "ok" } else { "failed" });
///             result
///         })
///     }
/// }
/// ```
pub trait Interceptor: Send + Sync {
    /// Handles one call; `next.run(call)` goes on with it.
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Reply>>;
}

impl<I: Interceptor + ?Sized> Interceptor for Arc<I> {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Reply>> {
        (**self).intercept(call, next)
    }
}

/// What stands at the inner end of the chain.
pub(crate) trait Endpoint: Send + Sync {
    fn call<'a>(&'a self, call: &'a mut Call) -> BoxFuture<'a, Result<Reply>>;
}

/// The rest of the chain.
pub struct Next<'a> {
    rest: &'a [Arc<dyn Interceptor>],
    end: &'a dyn Endpoint,
}

impl<'a> Next<'a> {
    pub(crate) fn new(rest: &'a [Arc<dyn Interceptor>], end: &'a dyn Endpoint) -> Next<'a> {
        Next { rest, end }
    }

    /// Goes on with the call: the next interceptor, or the call itself.
    pub fn run(self, call: &'a mut Call) -> BoxFuture<'a, Result<Reply>> {
        match self.rest.split_first() {
            Some((first, rest)) => first.intercept(call, Next { rest, end: self.end }),
            None => self.end.call(call),
        }
    }
}

impl std::fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next").field("interceptors", &self.rest.len()).finish_non_exhaustive()
    }
}
