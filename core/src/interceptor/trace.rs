//! Trace context: which trace a call belongs to, carried in its metadata and told to the host's `tracing` subscriber.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

use super::{BoxFuture, Call, Interceptor, Next, Reply};
use crate::error::Result;

/// Metadata key of the trace and the span that a call was made in.
pub const TRACEPARENT: &str = "traceparent";
/// Metadata key of what tracing systems add to it. Handed on as it is.
pub const TRACESTATE: &str = "tracestate";
/// Metadata key of what the application adds. Handed on as it is.
pub const BAGGAGE: &str = "baggage";

/// The place of a call in a trace, as W3C Trace Context writes it: `00-<trace id>-<span id>-<flags>`.
///
/// ```
/// use rpcx::interceptor::TraceContext;
///
/// let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let parent: TraceContext = text.parse()?;
/// assert_eq!(parent.to_string(), text);
/// let child = parent.child();
/// assert_eq!(child.trace_id(), parent.trace_id());
/// assert!(child.is_sampled() && child.span_id() != parent.span_id());
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: NonZeroU128,
    span: NonZeroU64,
    flags: u8,
}

/// The flag that says that somebody records the trace.
const SAMPLED: u8 = 1;

/// Characters of version 00.
const LENGTH: usize = 55;

impl TraceContext {
    /// The first span of a new trace, which is sampled.
    pub fn root() -> TraceContext {
        let trace = u128::from(random().get()) << 64 | u128::from(random().get());
        TraceContext { trace: NonZeroU128::new(trace).unwrap_or(NonZeroU128::MAX), span: random(), flags: SAMPLED }
    }

    /// A new span of the same trace.
    #[must_use]
    pub fn child(&self) -> TraceContext {
        TraceContext { span: random(), ..*self }
    }

    /// The trace's identity: 32 hexadecimal digits when written.
    pub fn trace_id(&self) -> u128 {
        self.trace.get()
    }

    /// The span's identity: 16 hexadecimal digits when written.
    pub fn span_id(&self) -> u64 {
        self.span.get()
    }

    /// Whether somebody records the trace.
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

/// 64 random bits, not all zero: seeded differently in every thread, not for secrets.
fn random() -> NonZeroU64 {
    thread_local! {
        static STATE: (RandomState, Cell<u64>) = (RandomState::new(), Cell::new(0));
    }
    STATE.with(|(keys, count)| {
        loop {
            count.set(count.get().wrapping_add(1));
            let mut hasher = keys.build_hasher();
            hasher.write_u64(count.get());
            if let Some(bits) = NonZeroU64::new(hasher.finish()) {
                return bits;
            }
        }
    })
}

impl FromStr for TraceContext {
    type Err = &'static str;

    /// Reads a `traceparent`. Versions after 00 may have more behind the flags, as the standard asks for.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        fn hex(text: Option<&str>, digits: usize) -> Option<u128> {
            let text = text.filter(|text| text.len() == digits)?;
            let lower = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
            if lower { u128::from_str_radix(text, 16).ok() } else { None }
        }
        fn read(text: &str) -> Option<TraceContext> {
            let mut parts = text.split('-');
            let version = hex(parts.next(), 2)?;
            let trace = NonZeroU128::new(hex(parts.next(), 32)?)?;
            let span = NonZeroU64::new(hex(parts.next(), 16)?.try_into().ok()?)?;
            let flags = hex(parts.next(), 2)?.try_into().ok()?;
            if version == 0xff || (version == 0 && text.len() != LENGTH) {
                return None;
            }
            Some(TraceContext { trace, span, flags })
        }
        read(text).ok_or("not a traceparent")
    }
}

/// As version 00, with the one flag that it knows.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags & SAMPLED)
    }
}

/// An interceptor that makes a span of each call and hands its trace on, on a client or a server. Add it first; the option
/// `trace` of clients and servers adds it outermost.
///
/// A call continues the trace that its metadata names (`traceparent`), else it begins one. The new span's own place goes
/// into the metadata instead: to the server, or to the handler, whose nested calls hand it on by `propagate_metadata` when
/// they name their parent ([`CallOptions::parent`](crate::client::CallOptions::parent)). `tracestate` and `baggage` stay as they are.
/// The keys are those of Go's OpenTelemetry plugins, so that traces go through clients and servers of both.
///
/// The spans are those of the `tracing` crate, level `INFO`, target `rpcx::trace`, named `rpcx.client` and `rpcx.service`, with
/// the fields `otel.name` (`rpcx.client.Arith.Mul`), `otel.kind`, `otel.status_code`, `rpc.system`, `rpc.service`, `rpc.method`,
/// `trace_id`, `span_id`, `parent_id` and, of a failed call, `error`. A handler's own events lie within them. The identities are
/// this interceptor's; a subscriber that gives spans identities of its own finds these among the fields.
///
/// ```
/// use rpcx::Client;
/// use rpcx::interceptor::Trace;
///
/// let client = Client::builder().interceptor(Trace::client()).discovery_url("tcp@127.0.0.1:8972").build()?;
/// # Ok::<(), rpcx::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// A span's name must be constant.
macro_rules! span {
    ($name:literal, $kind:literal, $call:ident) => {
        info_span!(
            target: "rpcx::trace",
            $name,
            otel.name = %format_args!(concat!($name, ".{}.{}"), $call.service, $call.method),
            otel.kind = $kind,
            otel.status_code = Empty,
            rpc.system = "rpcx",
            rpc.service = $call.service.as_str(),
            rpc.method = $call.method.as_str(),
            trace_id = Empty,
            span_id = Empty,
            parent_id = Empty,
            error = Empty,
        )
    };
}
impl Trace {
    /// For the calls of a client.
    pub fn client() -> Trace {
        Trace { side: Side::Client }
    }

    /// For the handlers of a server.
    pub fn server() -> Trace {
        Trace { side: Side::Server }
    }

    /// Puts a new span's place into the call's metadata, and makes the span.
    fn begin(&self, call: &mut Call) -> Span {
        let parent = call.metadata.get(TRACEPARENT).and_then(|text| text.parse::<TraceContext>().ok());
        let context = match parent {
            Some(parent) => parent.child(),
            None => {
                // What belongs to a trace that cannot be read says nothing about a new one.
                call.metadata.remove(TRACESTATE);
                TraceContext::root()
            }
        };
        call.metadata.insert(TRACEPARENT, context.to_string());
        let span = match self.side {
            Side::Client => span!("rpcx.client", "client", call),
            Side::Server => span!("rpcx.service", "server", call),
        };
        span.record("trace_id", display(format_args!("{:032x}", context.trace_id())));
        span.record("span_id", display(format_args!("{:016x}", context.span_id())));
        if let Some(parent) = parent {
            span.record("parent_id", display(format_args!("{:016x}", parent.span_id())));
        }
        span
    }
}

impl Interceptor for Trace {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Reply>> {
        let span = self.begin(call);
        let inside = span.clone();
        let traced = async move {
            let result = next.run(call).await;
            match &result {
                Ok(_) => span.record("otel.status_code", "OK"),
                Err(error) => span.record("otel.status_code", "ERROR").record("error", error.message()),
            };
            result
        };
        Box::pin(traced.instrument(inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn what_the_standard_allows_is_read_and_nothing_else() {
        for text in [
            format!("00-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-00"),
            format!("00-{TRACE}-{SPAN}-ff"),
            format!("01-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01-what-comes-later"),
        ] {
            let context: TraceContext = text.parse().unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(context.is_sampled(), !text.contains("-00"), "{text}");
            assert!(context.to_string().starts_with(&format!("00-{TRACE}-{SPAN}-0")));
        }
        for text in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("cc-{TRACE}-{SPAN}-01.more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-{SPAN}-+1"),
            format!("00-{TRACE}-{SPAN}-01 "),
        ] {
            assert!(text.parse::<TraceContext>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9a-f-]{0,60}|.{0,60}") {
            if let Ok(context) = text.parse::<TraceContext>() {
                prop_assert_eq!(context.to_string().parse::<TraceContext>().map(|read| read.trace_id()), Ok(context.trace_id()));
            }
        }
    }

    #[test]
    fn no_two_are_the_same() {
        let spans: std::collections::HashSet<_> = (0..1000).map(|_| TraceContext::root().span_id()).collect();
        assert_eq!(spans.len(), 1000);
        assert_ne!(TraceContext::root().trace_id(), TraceContext::root().trace_id());
    }
}
