//! Requests of a dynamic server: answered from any thread, at any later time.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rpcx::interceptor::Parent;
use rpcx::protocol::{Metadata, SerializeType};
use rpcx::server::{ConnectionHandle, Context};
use rpcx::{Error, Reason, Result};

use crate::mailbox::{Entry, Mailbox};

/// Takes the requests of a method. Implemented by closures too.
pub trait Handler: Send + Sync + 'static {
    /// A request has come. Runs on a shard's thread: it must neither block nor panic. The request may be answered here, or
    /// kept and answered later from any thread.
    fn call(&self, request: Request);
}

impl<F: Fn(Request) + Send + Sync + 'static> Handler for F {
    fn call(&self, request: Request) {
        self(request);
    }
}

/// How a method is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct MethodFlags {
    /// Neither its caller's cancellation, its deadline nor the end of its connection stops it.
    pub to_completion: bool,
}

/// Called when nobody waits for the answer any more.
type OnCancel = Box<dyn FnOnce() + Send>;

struct State<T> {
    answer: Option<Result<T>>,
    waker: Option<Waker>,
    /// Nobody waits any more.
    gone: bool,
    on_cancel: Option<OnCancel>,
}

/// Where an answer is left for the task that waits for it.
struct Slot<T> {
    state: Mutex<State<T>>,
    /// The shard that the task is on.
    mailbox: Option<Arc<Mailbox>>,
}

impl<T> Slot<T> {
    fn new() -> Arc<Slot<T>> {
        let state = State { answer: None, waker: None, gone: false, on_cancel: None };
        Arc::new(Slot { state: Mutex::new(state), mailbox: Mailbox::here() })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, answer: Result<T>) {
        let (waker, unused) = {
            let mut state = self.state();
            state.answer = Some(answer);
            (state.waker.take(), state.on_cancel.take())
        };
        drop(unused);
        match (waker, &self.mailbox) {
            // From another thread a wake-up is a system call: answers that come together share one.
            (Some(waker), Some(mailbox)) if !mailbox.is_here() => mailbox.push(Entry::Wake(waker)),
            (Some(waker), _) => waker.wake(),
            (None, _) => {}
        }
    }

    fn on_cancel(&self, tell: OnCancel) {
        let mut state = self.state();
        if state.gone {
            drop(state);
            return tell();
        }
        if state.answer.is_none() {
            state.on_cancel = Some(tell);
        }
    }
}

/// What the server's task awaits.
pub(crate) struct Answer<T>(Arc<Slot<T>>);

impl<T> Future for Answer<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state();
        if let Some(answer) = state.answer.take() {
            return Poll::Ready(answer);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        let tell = {
            let mut state = self.0.state();
            state.gone = true;
            state.on_cancel.take()
        };
        if let Some(tell) = tell {
            tell();
        }
    }
}

/// A request under way. Answer it once; dropped without an answer it is answered as a panic is.
pub struct Request {
    context: Context,
    slot: Arc<Slot<Bytes>>,
    answered: bool,
}

impl Request {
    /// A request and what its server awaits.
    pub(crate) fn new(context: Context) -> (Request, Answer<Bytes>) {
        let slot = Slot::new();
        (Request { context, slot: slot.clone(), answered: false }, Answer(slot))
    }

    /// The service path asked for; what it stands for, if that was an alias.
    pub fn service(&self) -> Cow<'_, str> {
        self.context.service()
    }

    /// The method asked for; what it stands for, if that was an alias.
    pub fn method(&self) -> Cow<'_, str> {
        self.context.method()
    }

    /// The request's metadata, the protocol's own keys (`__…`) included.
    pub fn metadata(&self) -> Metadata {
        self.context.metadata()
    }

    /// How the payload is encoded; the answer is to be encoded the same way.
    pub fn serialize_type(&self) -> SerializeType {
        self.context.serialize_type()
    }

    /// The encoded arguments, decompressed.
    pub fn payload(&self) -> &Bytes {
        self.context.payload()
    }

    /// The caller waits for no answer.
    pub fn is_oneway(&self) -> bool {
        self.context.is_oneway()
    }

    /// The caller's address: `host:port`, or a Unix socket's path, which may be empty.
    pub fn peer(&self) -> &str {
        self.context.peer()
    }

    /// The subject of the caller's TLS certificate, as RFC 4514 writes it, if it showed one.
    pub fn tls_subject(&self) -> Option<&str> {
        self.context.tls().and_then(|identity| identity.subject.as_deref())
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Option<Instant> {
        self.context.deadline()
    }

    /// What is left until then; zero when it has passed.
    pub fn remaining(&self) -> Option<Duration> {
        self.context.remaining()
    }

    /// What a call that is made for this one inherits: see [`CallOptions::parent`](crate::CallOptions::parent).
    pub fn parent(&self) -> Parent {
        Parent::from(&self.context)
    }

    /// The caller has cancelled, its deadline has passed, or its connection has ended.
    pub fn is_cancelled(&self) -> bool {
        self.slot.state().gone || self.context.is_cancelled()
    }

    /// Calls `tell` when the request is cancelled before it is answered: from any thread, at once if it has been already.
    /// The last one given counts.
    pub fn on_cancel(&self, tell: impl FnOnce() + Send + 'static) {
        self.slot.on_cancel(Box::new(tell));
    }

    /// Adds a pair to the answer's metadata, replacing an earlier one of that key.
    pub fn set_metadata(&self, key: &str, value: &str) {
        self.context.set_metadata(key, value);
    }

    /// Sends a message to the caller's client, before the answer.
    ///
    /// # Errors
    /// `limit.max_pushes` when too many wait, `closed`, `unsupported` when the client takes none.
    pub fn push(&self, service: &str, method: &str, metadata: &Metadata, payload: &[u8]) -> Result<()> {
        self.context.push(service, method, metadata, payload)
    }

    /// The connection it came on, to push to or to close; may be kept longer than the request.
    pub fn connection(&self) -> Connection {
        Connection(self.context.connection())
    }

    /// Answers: with the encoded reply, or with an error, whose text goes to the caller. From any thread.
    ///
    /// [`Reason::ServiceError`](rpcx::Reason::ServiceError) is the service's own error; Go's clients see only the text of any.
    pub fn answer(mut self, result: Result<Bytes>) {
        self.answered = true;
        self.slot.put(result);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.answered {
            let text = "the handler dropped the request without an answer";
            self.slot.put(Err(Error::new(Reason::InternalPanic, text)));
        }
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("service", &self.service())
            .field("method", &self.method())
            .finish_non_exhaustive()
    }
}

/// A client's connection to a server.
#[derive(Clone, Debug)]
pub struct Connection(pub(crate) ConnectionHandle);

impl Connection {
    /// A number that no other connection of this process has.
    pub fn id(&self) -> u64 {
        self.0.id()
    }

    /// The client's address.
    pub fn peer(&self) -> &str {
        self.0.peer()
    }

    /// It has not ended.
    pub fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// Sends a message to the client.
    ///
    /// # Errors
    /// As [`Request::push`].
    pub fn push(&self, service: &str, method: &str, metadata: &Metadata, payload: &[u8]) -> Result<()> {
        self.0.push(service, method, metadata, payload)
    }

    /// Ends it without a word.
    pub fn close(&self) {
        self.0.close();
    }
}

/// A request's token, to be judged. Answer it once; dropped it refuses.
pub struct AuthRequest {
    context: Context,
    token: String,
    slot: Arc<Slot<()>>,
    answered: bool,
}

impl AuthRequest {
    pub(crate) fn new(context: Context, token: &str) -> (AuthRequest, Answer<()>) {
        let slot = Slot::new();
        (AuthRequest { context, token: token.to_owned(), slot: slot.clone(), answered: false }, Answer(slot))
    }

    /// The token, empty when the request has none.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The service path asked for.
    pub fn service(&self) -> Cow<'_, str> {
        self.context.service()
    }

    /// The method asked for.
    pub fn method(&self) -> Cow<'_, str> {
        self.context.method()
    }

    /// The request's metadata.
    pub fn metadata(&self) -> Metadata {
        self.context.metadata()
    }

    /// The caller's address.
    pub fn peer(&self) -> &str {
        self.context.peer()
    }

    /// The subject of the caller's TLS certificate, if it showed one.
    pub fn tls_subject(&self) -> Option<&str> {
        self.context.tls().and_then(|identity| identity.subject.as_deref())
    }

    /// Calls `tell` when nobody waits for the judgement any more: as [`Request::on_cancel`].
    pub fn on_cancel(&self, tell: impl FnOnce() + Send + 'static) {
        self.slot.on_cancel(Box::new(tell));
    }

    /// Lets the request pass, or refuses it with an error whose text goes to the caller. From any thread.
    pub fn answer(mut self, result: Result<()>) {
        self.answered = true;
        self.slot.put(result);
    }
}

impl Drop for AuthRequest {
    fn drop(&mut self) {
        if !self.answered {
            self.slot.put(Err(Error::new(Reason::AuthRefused, "the authenticator gave no answer")));
        }
    }
}

impl std::fmt::Debug for AuthRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token is a secret.
        f.debug_struct("AuthRequest").field("peer", &self.peer()).finish_non_exhaustive()
    }
}
