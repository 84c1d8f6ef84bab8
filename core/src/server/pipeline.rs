//! What stands between a request and its handler when the server has more than handlers: the authenticator, then the
//! interceptors. A request to a server without them goes straight to its handler.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use pin_project_lite::pin_project;

use super::context::{Context, Inner};
use super::core::ServerCore;
use super::handler::{BoxRunning, Running};
use super::large;
use super::lookup::Callee;
use super::reply::{ReplyTo, ReplyWriter};
use super::table::Entry;
use crate::error::{Error, Reason, Result};
use crate::interceptor::{BoxFuture, Call, Endpoint, Next, Reply};

/// Decides whether a request may go on.
///
/// It gets the request's token (`__AUTH`), empty when there is none, and the call's context. Its error's text goes to the
/// client and the connection is closed, as Go's server does; one of another [`Protocol`](super::Protocol) stays open unless
/// that closes it. It may wait, for a token service say; `auth_timeout` ends it. With `auth_cache` it is not asked again for
/// a while about what it has accepted.
///
/// ```
/// use rpcx::server::{Authenticator, Context};
/// use rpcx::interceptor::BoxFuture;
///
/// struct Fixed(String);
///
/// impl Authenticator for Fixed {
///     fn authenticate<'a>(&'a self, _ctx: &'a Context, token: &'a str) -> BoxFuture<'a, rpcx::Result<()>> {
///         Box::pin(async move { if token == self.0 { Ok(()) } else { Err("invalid token".into()) } })
///     }
/// }
/// ```
pub trait Authenticator: Send + Sync + 'static {
    /// `Ok` lets the request pass.
    fn authenticate<'a>(&'a self, context: &'a Context, token: &'a str) -> BoxFuture<'a, Result<()>>;
}

/// Takes a call to its handler, past what the server has put before it. A panic of a handler that does not wait is the error.
#[inline]
pub(super) fn begin(
    server: &Arc<ServerCore>,
    callee: &Callee,
    context: Context,
    is_large: bool,
    hold: Option<Instant>,
) -> thread::Result<BoxRunning> {
    let Callee { entry, handler, .. } = callee;
    catch_unwind(AssertUnwindSafe(|| {
        if is_large {
            large::call(handler.clone(), entry.clone(), context, hold)
        } else if server.has_pipeline() {
            call(server.clone(), entry.clone(), context, hold)
        } else {
            handler.call(context)
        }
    }))
}

/// Begins a call that passes authenticator and interceptors first; before them it waits until `hold` for the rate limit.
pub(super) fn call(server: Arc<ServerCore>, entry: Arc<Entry>, context: Context, hold: Option<Instant>) -> BoxRunning {
    let future = async move {
        if let Some(until) = hold {
            // A caller that gives up meanwhile ends the wait: its handler is not to begin.
            tokio::select! {
                () = context.cancelled() => return Outcome::Answered(Err(gone())),
                () = tokio::time::sleep_until(until.into()) => {}
            }
        }
        if let Some(login) = &server.login
            && let Some(text) = login.refused(&context).await
        {
            server.recorder.refused(Reason::AuthRefused);
            return Outcome::Refused(Error::new(Reason::AuthRefused, text));
        }
        if server.interceptors.is_empty() {
            return Outcome::Passed(entry.handler.call(context));
        }
        let mut call = Call {
            service: context.service().into_owned(),
            method: context.method().into_owned(),
            metadata: context.metadata(),
            payload: context.payload().clone(),
            serialize_type: context.serialize_type(),
            deadline: context.deadline(),
            peer: context.peer().to_owned(),
            oneway: context.is_oneway(),
        };
        let end = Handle { entry: &entry, context: &context };
        let result = Next::new(&server.interceptors, &end).run(&mut call).await;
        Outcome::Answered(result)
    };
    Box::pin(Piped { future, passed: None })
}

/// The answer to a call that was cancelled before its handler began.
#[cold]
fn gone() -> Error {
    Error::new(Reason::CancelledServer, "the call was cancelled while it waited for the rate limit")
}

enum Outcome {
    /// Nothing more is in the way.
    Passed(BoxRunning),
    /// The chain has answered.
    Answered(Result<Reply>),
    Refused(Error),
}

pin_project! {
    struct Piped<F> {
        #[pin]
        future: F,
        passed: Option<BoxRunning>,
    }
}

impl<F: Future<Output = Outcome> + Send> Running for Piped<F> {
    fn poll_reply(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        call: &Inner,
        reply: &mut ReplyWriter<'_>,
    ) -> Poll<()> {
        let this = self.project();
        if this.passed.is_none() {
            match ready!(this.future.poll(cx)) {
                Outcome::Passed(running) => *this.passed = Some(running),
                Outcome::Answered(Ok(answer)) => {
                    *call.response.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = answer.metadata;
                    reply.raw(call, Ok(answer.payload));
                    return Poll::Ready(());
                }
                Outcome::Answered(Err(error)) => {
                    reply.failure(call, &error);
                    return Poll::Ready(());
                }
                Outcome::Refused(error) => {
                    reply.failure(call, &error);
                    // Answered, then closed: whoever guesses tokens connects anew for each. Another protocol may carry the
                    // requests of several clients on one connection, and decides by itself.
                    if let ReplyTo::Frame(_) = reply.to {
                        call.session.refuse(error);
                    }
                    return Poll::Ready(());
                }
            }
        }
        match this.passed {
            Some(running) => running.as_mut().poll_reply(cx, call, reply),
            None => Poll::Pending,
        }
    }
}

/// The inner end of the chain: the handler.
struct Handle<'a> {
    entry: &'a Arc<Entry>,
    context: &'a Context,
}

impl Endpoint for Handle<'_> {
    fn call<'a>(&'a self, call: &'a mut Call) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async move {
            let outer = &self.context.inner;
            let inner = Arc::new(Inner {
                frame: outer.frame.clone(),
                payload: call.payload.clone(),
                metadata: Some(call.metadata.clone()),
                renamed: outer.renamed.clone(),
                session: outer.session.clone(),
                deadline: call.deadline,
                response: Default::default(),
                token: outer.token.clone(),
            });
            // A handler that listens must hear of the outer call's end.
            let _ = inner.token.set(self.context.token().clone());
            let mut running = self.entry.handler.call(Context { inner: inner.clone() });
            let mut slot = None;
            poll_fn(|cx| {
                let mut writer = ReplyWriter::new(ReplyTo::Slot(&mut slot));
                inner.poll_within(|| running.as_mut().poll_reply(cx, &inner, &mut writer))
            })
            .await;
            let payload = slot.unwrap_or_else(|| Err(Error::new(Reason::InternalBug, "the handler left no answer")))?;
            let metadata = inner.response.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            Ok(Reply { metadata, payload: Bytes::from(payload) })
        })
    }
}
