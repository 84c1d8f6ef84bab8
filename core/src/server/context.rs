//! What a handler knows about its call, and what it can do besides answering.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rpcx_protocol::frame::Frame;
use rpcx_protocol::header::SerializeType;
use rpcx_protocol::keys;
use rpcx_protocol::metadata::Metadata;
use tokio_util::sync::CancellationToken;

use super::push::ConnectionHandle;
use super::session::Session;
use super::table::RealName;
use crate::error::{Error, Reason, Result};
use crate::interceptor::Parent;
use crate::interceptor::parent::{self, Current};
use crate::transport::TlsIdentity;

/// One call as its handler sees it: who asks for what, until when, and with which metadata.
///
/// Cloning is cheap; all clones are the same call. A context may outlive its call, it then only answers questions.
///
/// ```
/// # use rpcx::server::Context;
/// async fn greet(ctx: Context, name: String) -> rpcx::Result<String> {
///     if let Some(user) = ctx.metadata().get("user") {
///         ctx.set_metadata("greeted", user);
///     }
///     Ok(format!("hello {name}, from {}", ctx.peer()))
/// }
/// ```
#[derive(Clone)]
pub struct Context {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) frame: Frame,
    /// The payload, decompressed.
    pub(super) payload: Bytes,
    /// What an interceptor made of the request's metadata.
    pub(super) metadata: Option<Metadata>,
    /// What was asked for, if that was by an alias.
    pub(super) renamed: Option<Arc<RealName>>,
    pub(super) session: Arc<Session>,
    pub(super) deadline: Option<Instant>,
    pub(super) response: Mutex<Metadata>,
    pub(super) token: OnceLock<CancellationToken>,
}

impl Inner {
    /// A request under the name that it asked for.
    pub(super) fn new(session: Arc<Session>, frame: Frame, payload: Bytes, deadline: Option<Instant>) -> Inner {
        Inner {
            frame,
            payload,
            metadata: None,
            renamed: None,
            session,
            deadline,
            response: Mutex::default(),
            token: OnceLock::new(),
        }
    }

    pub(super) fn service(&self) -> Cow<'_, str> {
        match &self.renamed {
            None => self.frame.service_str(),
            Some(real) => String::from_utf8_lossy(&real.service),
        }
    }

    pub(super) fn method(&self) -> Cow<'_, str> {
        match &self.renamed {
            None => self.frame.method_str(),
            Some(real) => String::from_utf8_lossy(&real.method),
        }
    }
}

impl Context {
    /// The service path the caller asked for; what it stands for, if that was an alias.
    pub fn service(&self) -> Cow<'_, str> {
        self.inner.service()
    }

    /// The service method the caller asked for; what it stands for, if that was an alias.
    pub fn method(&self) -> Cow<'_, str> {
        self.inner.method()
    }

    /// The request's metadata, the protocol's own keys (`__…`) included.
    pub fn metadata(&self) -> Metadata {
        parent::Call::metadata(&*self.inner)
    }

    /// How the request's payload is encoded; the answer is encoded the same way.
    pub fn serialize_type(&self) -> SerializeType {
        self.inner.frame.header().serialize()
    }

    /// The request's payload as it came, decompressed but not decoded.
    pub fn payload(&self) -> &Bytes {
        &self.inner.payload
    }

    /// The caller does not wait for an answer.
    pub fn is_oneway(&self) -> bool {
        self.inner.frame.header().is_oneway()
    }

    /// The caller's address: `host:port`, or the path of a Unix socket, which may be empty.
    pub fn peer(&self) -> &str {
        &self.inner.session.link.info.remote
    }

    /// Who the caller is by its TLS client certificate, if it showed one.
    pub fn tls(&self) -> Option<&TlsIdentity> {
        self.inner.session.link.info.tls.as_ref()
    }

    /// The token the caller sent for the authenticator, if any.
    pub fn auth(&self) -> Option<&str> {
        self.inner.frame.metadata_get(keys::AUTH)
    }

    /// When the caller stops waiting; `None` if it waits for ever.
    pub fn deadline(&self) -> Option<Instant> {
        self.inner.deadline
    }

    /// What is left until the deadline; zero when it has passed.
    pub fn remaining(&self) -> Option<Duration> {
        self.inner.deadline.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Adds a pair to the answer's metadata, replacing an earlier one of that key.
    pub fn set_metadata(&self, key: impl AsRef<str>, value: impl AsRef<str>) {
        self.inner.response.lock().unwrap_or_else(PoisonError::into_inner).insert(key, value);
    }

    /// Whether the call was cancelled: by its caller, its deadline, or the end of its connection.
    pub fn is_cancelled(&self) -> bool {
        self.inner.token.get().is_some_and(CancellationToken::is_cancelled)
            || self.inner.deadline.is_some_and(|at| at <= Instant::now())
    }

    /// Waits until the call is cancelled. A handler that goes on is dropped `cancel_grace` later.
    pub async fn cancelled(&self) {
        self.token().cancelled().await;
    }

    /// A token that is cancelled with the call, to hand to other tasks.
    pub fn token(&self) -> &CancellationToken {
        self.inner.token.get_or_init(CancellationToken::new)
    }

    /// The connection the call came on, for pushing messages to its client later.
    pub fn connection(&self) -> ConnectionHandle {
        ConnectionHandle::new(&self.inner.session)
    }

    /// Sends a message to the caller's client, which reads it with `Client::pushes`.
    ///
    /// # Errors
    /// `overload` when too many wait, `closed`, `unsupported` when the client takes none.
    pub fn push(&self, service: &str, method: &str, metadata: &Metadata, payload: &[u8]) -> Result<()> {
        self.inner.session.push(service, method, metadata, payload)
    }

    /// As [`push`](Self::push), but waits for room instead of failing when too many wait, at most until the call's deadline
    /// or its cancellation. Dropping the future sends nothing.
    ///
    /// # Errors
    /// `timeout.queued` when there was no room before the deadline, `cancelled`, `closed`, `unsupported` when the client takes
    /// none, `limit` for a message above one.
    ///
    /// ```
    /// # use rpcx::{Context, protocol::Metadata};
    /// async fn count(ctx: Context, to: u32) -> rpcx::Result<()> {
    ///     for i in 0..to {
    ///         ctx.push_when_ready("Counter", "Tick", Metadata::empty(), &i.to_be_bytes()).await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub async fn push_when_ready(
        &self,
        service: &str,
        method: &str,
        metadata: &Metadata,
        payload: &[u8],
    ) -> Result<()> {
        let over = async {
            match self.deadline() {
                None => self.cancelled().await,
                Some(at) => drop(tokio::time::timeout_at(at.into(), self.cancelled()).await),
            }
        };
        tokio::select! {
            biased;
            pushed = self.inner.session.push_when_ready(service, method, metadata, payload) => pushed,
            () = over => Err(if self.remaining() == Some(Duration::ZERO) {
                Error::new(Reason::TimeoutQueued, format!("the call's deadline passed before {} took the push", self.peer()))
            } else {
                Error::new(Reason::CancelledCaller, "the call was cancelled while its push waited")
            }),
        }
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("service", &self.service())
            .field("method", &self.method())
            .field("peer", &self.peer())
            .field("deadline", &self.inner.deadline)
            .finish_non_exhaustive()
    }
}

impl parent::Call for Inner {
    fn metadata(&self) -> Metadata {
        self.metadata.clone().unwrap_or_else(|| self.frame.metadata())
    }
}

impl Inner {
    /// Polls the call's handler, so that calls made there find it.
    #[inline]
    pub(super) fn poll_within<T>(self: &Arc<Self>, poll: impl FnOnce() -> T) -> T {
        parent::within(|| self.current(), poll)
    }

    fn current(self: &Arc<Self>) -> Option<Current> {
        let has_metadata = self.metadata.is_some() || self.frame.has_user_metadata();
        let call = has_metadata.then(|| self.clone() as Arc<dyn parent::Call>);
        (call.is_some() || self.deadline.is_some()).then_some(Current { deadline: self.deadline, call })
    }
}

/// A call made by a handler on behalf of its caller inherits deadline and trace keys.
impl From<&Context> for Parent {
    fn from(context: &Context) -> Parent {
        Parent::new(context.deadline(), context.metadata())
    }
}
