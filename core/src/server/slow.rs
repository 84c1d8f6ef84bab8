//! The log of slow calls of a server on which nothing else stands between a request and its handler: it costs a look at the
//! clock, where an interceptor would cost the chain.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use super::context::Inner;
use super::core::ServerCore;
use super::handler::{BoxRunning, Running};
use super::reply::ReplyWriter;
use crate::error::Error;
use crate::interceptor::Timing;

/// A call that goes on, or begins, on a task of its own.
struct Timed {
    running: BoxRunning,
    /// What it took before it moved there.
    before: Duration,
    /// When it was first polled there.
    began: Option<Instant>,
}

/// The same call, logged at its end if it was slow and the server does that. `before`: what it took so far.
pub(super) fn timed(running: BoxRunning, before: Duration, server: &ServerCore) -> BoxRunning {
    if server.slow_calls.is_some() { Box::pin(Timed { running, before, began: None }) } else { running }
}

/// A handler has answered, with `error` if it failed.
#[inline]
pub(super) fn ended(call: &Inner, error: Option<&Error>, elapsed: Duration) {
    if let Some(slow) = &call.session.server.slow_calls
        && slow.is_slow(elapsed)
    {
        let (service, method, peer) = (call.service(), call.method(), &call.session.link.info.remote);
        slow.log(&Timing { service: &service, method: &method, peer, elapsed, error });
    }
}

impl Running for Timed {
    fn poll_reply(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        call: &Inner,
        reply: &mut ReplyWriter<'_>,
    ) -> Poll<()> {
        let began = *self.began.get_or_insert_with(Instant::now);
        ready!(self.running.as_mut().poll_reply(cx, call, reply));
        ended(call, reply.error.as_ref(), self.before + began.elapsed());
        Poll::Ready(())
    }
}
