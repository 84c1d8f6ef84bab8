//! The one error type of this crate, its stable numbers and names.
//!
//! An [`Error`] says four things apart: *what kind* of failure it is ([`ErrorKind`], a number that never changes),
//! *why exactly* ([`Reason`], a stable name within the kind), *what a retry may assume* ([`Delivery`]), and a text for
//! people. The tables are in `kind.rs` and `reason.rs`; `docs/ERRORS.md` and `tests/vectors/errors.json` are generated
//! from them.

mod kind;
mod reason;

pub use kind::{Delivery, ErrorKind, Retry};
pub use reason::Reason;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure: kind, reason, delivery state, attempts, server, text and source.
///
/// One pointer wide, and cloned by counting a reference, so that one lost connection can fail ten thousand calls with
/// the same cause. The text is for people and may change; decide by [`kind`](Error::kind), [`reason`](Error::reason)
/// and [`delivery`](Error::delivery).
///
/// ```
/// use rpcx::error::{Delivery, Error, ErrorKind, Reason};
///
/// let error = Error::new(Reason::TimeoutCall, "no answer from Arith.Mul within 30s")
///     .with_delivery(Delivery::MaybeRun);
/// assert_eq!(error.kind(), ErrorKind::Timeout);
/// assert_eq!(error.code(), 4);
/// assert_eq!(error.reason().as_str(), "timeout.call");
/// assert!(error.to_string().starts_with("no answer from Arith.Mul within 30s (timeout.call: "));
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    reason: Reason,
    delivery: Delivery,
    /// The server said that no handler was started.
    not_run: bool,
    attempts: u32,
    message: Cow<'static, str>,
    server: Option<Arc<str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this reason with its text. It starts as [`Delivery::NotSent`] with no attempts, server or source.
    ///
    /// The text names what was wrong (the address, the option and its value, the limit and the size), in one line.
    #[cold]
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            reason,
            delivery: Delivery::NotSent,
            not_run: false,
            attempts: 0,
            message: message.into(),
            server: None,
            source: None,
        }))
    }

    /// The error of an answer that carried the number of a kind beside its text.
    ///
    /// Only `timeout`, `overload`, `codec`, `limit`, `auth` and `shutting_down` may come from a peer. Every other
    /// number says nothing that could be relied on, so the text is then the service's own word: `service.error`.
    #[cold]
    pub fn from_peer_code(code: u32, message: impl Into<Cow<'static, str>>) -> Self {
        let reason = Reason::from_peer_code(code).unwrap_or(Reason::ServiceError);
        Self::new(reason, message).with_delivery(Delivery::Answered)
    }

    /// Sets what a retry may assume.
    #[must_use]
    pub fn with_delivery(mut self, delivery: Delivery) -> Self {
        self.inner_mut().delivery = delivery;
        self
    }

    /// Notes that the server answered that no handler was started, so that any call may be sent again.
    #[must_use]
    pub fn with_not_run(mut self) -> Self {
        self.inner_mut().not_run = true;
        self
    }

    /// Names the server that the last attempt went to, as the discovery spells it.
    #[must_use]
    pub fn with_server(mut self, server: impl Into<Arc<str>>) -> Self {
        self.inner_mut().server = Some(server.into());
        self
    }

    /// Sets how many attempts were made, failed dials included.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.inner_mut().attempts = attempts;
        self
    }

    /// Sets the cause below this error. Its text is not part of this error's own, so say there what matters of it.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.inner_mut().source = Some(Arc::new(source));
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.reason.kind()
    }

    /// The number of the kind, the same in every language and version.
    pub fn code(&self) -> u32 {
        self.kind().code()
    }

    /// Why exactly, within the kind.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// Whether the request left and a handler may have run.
    pub fn delivery(&self) -> Delivery {
        self.0.delivery
    }

    /// How many attempts were made, failed dials included; 0 when the call never got so far.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The server of the last attempt, if one was selected.
    pub fn server(&self) -> Option<&str> {
        self.0.server.as_deref()
    }

    /// The bare text. For kind `service` these are exactly the server's words.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Whether the caller gave the call up.
    pub fn is_cancelled(&self) -> bool {
        self.kind() == ErrorKind::Cancelled
    }

    /// Whether the service itself answered with an error.
    pub fn is_service(&self) -> bool {
        self.kind() == ErrorKind::Service
    }

    /// Whether sending the call again, here or elsewhere, is safe and may help.
    ///
    /// `idempotent` says that running the handler twice does no harm: then `maybe_run` is no obstacle. Fail modes
    /// follow this rule; use it for retries of your own. What it says of each reason is in `docs/ERRORS.md`.
    pub fn is_retryable(&self, idempotent: bool) -> bool {
        match self.0.reason.retry() {
            Retry::Never => false,
            Retry::ByDelivery => match self.0.delivery {
                Delivery::NotSent => true,
                Delivery::MaybeRun => idempotent,
                Delivery::Answered => self.0.not_run,
            },
        }
    }

    fn inner_mut(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }
}

/// The text, then in brackets the reason and, unless the words are the service's own, what to do about it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.0.reason;
        write!(f, "{} ({reason}", self.0.message)?;
        if self.kind() != ErrorKind::Service {
            write!(f, ": {}", reason.advice())?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let mut out = f.debug_struct("Error");
        out.field("reason", &format_args!("{}", inner.reason))
            .field("message", &inner.message)
            .field("delivery", &format_args!("{}", inner.delivery));
        if inner.not_run {
            out.field("not_run", &true);
        }
        if inner.attempts > 0 {
            out.field("attempts", &inner.attempts);
        }
        if let Some(server) = &inner.server {
            out.field("server", server);
        }
        if let Some(source) = &inner.source {
            out.field("source", source);
        }
        out.finish()
    }
}

/// What a handler says when it fails: its own words, which the caller reads as `service.error`.
///
/// ```
/// use rpcx::{Context, Reason};
///
/// async fn div(_ctx: Context, (a, b): (i64, i64)) -> rpcx::Result<i64> {
///     a.checked_div(b).ok_or_else(|| "divide by zero".into())
/// }
/// assert_eq!(rpcx::Error::from("divide by zero").reason(), Reason::ServiceError);
/// ```
impl From<&'static str> for Error {
    fn from(words: &'static str) -> Self {
        Self::new(Reason::ServiceError, words)
    }
}

/// As for `&'static str`.
impl From<String> for Error {
    fn from(words: String) -> Self {
        Self::new(Reason::ServiceError, words)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests;
