//! A handler is polled once in place, on the connection's own task, when its method has been quick so far. One that waits
//! moves to a task of its own; so does a method that holds up its connection, from then on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rpcx_protocol::frame::Frame;
use rpcx_protocol::metadata::Metadata;

use super::context::{Context, Inner};
use super::dispatch::ServerRole;
use super::handler::BoxRunning;
use super::lookup::Callee;
use super::pace::Look;
use super::reply::{Answer, ReplyTo, ReplyWriter};
use super::table::Entry;
use super::{pipeline, slow, task};
use crate::error::Result;

impl ServerRole {
    /// The context of a new call, in the memory of the last one where that is free.
    pub(super) fn context(&mut self, frame: Frame, payload: Bytes, deadline: Option<Instant>) -> Context {
        if let Some(mut spare) = self.spare.take()
            && let Some(inner) = Arc::get_mut(&mut spare)
        {
            inner.frame = frame;
            inner.payload = payload;
            inner.deadline = deadline;
            return Context { inner: spare };
        }
        Context { inner: Arc::new(Inner::new(self.session.clone(), frame, payload, deadline)) }
    }

    /// Keeps the memory of an answered call for the next one; what it refers to is let go at once.
    fn keep(&mut self, mut call: Arc<Inner>) {
        let Some(inner) = Arc::get_mut(&mut call) else { return };
        inner.frame = Frame::default();
        inner.payload = Bytes::new();
        inner.metadata = None;
        inner.renamed = None;
        inner.token = OnceLock::new();
        if let Ok(response) = inner.response.get_mut()
            && !response.is_empty()
        {
            *response = Metadata::new();
        }
        self.spare = Some(call);
    }

    /// Begins a call, `is_large` with its payload still compressed.
    pub(super) fn run(
        &mut self,
        callee: &Callee,
        context: Context,
        is_large: bool,
        hold: Option<Instant>,
        ready: &mut Vec<u8>,
    ) -> Result<()> {
        let Callee { entry, handler, .. } = callee;
        let call = context.inner.clone();
        let start = ready.len();
        let began = pipeline::begin(&self.session.server, callee, context, is_large, hold);
        let mut running = match began {
            Ok(running) => running,
            Err(panic) => {
                let mut writer = ReplyWriter::new(ReplyTo::Frame(ready));
                task::answer_panic(&call, entry, &*panic, &mut writer, start);
                self.answered.add(&entry.recorder, true, &self.pace);
                return Ok(());
            }
        };
        let in_place = !self.session.options.inline_limit.is_zero() && !entry.slow.load(Ordering::Relaxed);
        if handler.is_blocking() || !in_place {
            let running = slow::timed(running, Duration::ZERO, &self.session.server);
            return self.spawn(entry, running, call, ready, false);
        }
        let mut writer = ReplyWriter::new(ReplyTo::Frame(ready));
        let mut noop = TaskContext::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| {
            call.poll_within(|| running.as_mut().poll_reply(&mut noop, &call, &mut writer))
        }));
        let done = match polled {
            Ok(Poll::Ready(())) => true,
            Ok(Poll::Pending) => false,
            Err(panic) => {
                task::answer_panic(&call, entry, &*panic, &mut writer, start);
                true
            }
        };
        let (failed, plain, error) = (writer.answer == Answer::Error, writer.plain, writer.error);
        let packing = plain.map(|plain| plain.into_running(ready, &self.session));
        let took = self.pace_of(entry, ready)?;
        if !done {
            let running = slow::timed(running, took, &self.session.server);
            return self.spawn(entry, running, call, ready, true);
        }
        slow::ended(&call, error.as_ref(), took);
        if let Some(packing) = packing {
            return self.spawn(entry, packing, call, ready, true);
        }
        drop(running);
        if self.session.server.has_pipeline() && self.session.is_refused() {
            if !ready.is_empty() {
                self.hand_over(ready)?;
            }
            self.session.end_if_refused();
        }
        self.answered.add(&entry.recorder, failed, &self.pace);
        self.keep(call);
        Ok(())
    }

    /// A method that holds up its connection runs on tasks from now on, and answers that are ready do not wait for a long
    /// batch. Returns how long the call took, if every call is timed.
    fn pace_of(&mut self, entry: &Entry, ready: &mut Vec<u8>) -> Result<Duration> {
        match self.pace.called(self.session.options.inline_limit) {
            None => Ok(Duration::ZERO),
            Some(Look { slow, took, batch_is_long }) => {
                if slow {
                    entry.slow.store(true, Ordering::Relaxed);
                }
                if batch_is_long {
                    self.hand_over(ready)?;
                }
                Ok(took)
            }
        }
    }

    #[inline(never)]
    fn spawn(
        &self,
        entry: &Arc<Entry>,
        running: BoxRunning,
        call: Arc<Inner>,
        ready: &mut Vec<u8>,
        begun: bool,
    ) -> Result<()> {
        if !ready.is_empty() {
            self.session.link.send_batch(ready)?;
        }
        task::spawn(self.session.clone(), entry.clone(), running, call, begun);
        Ok(())
    }
}
