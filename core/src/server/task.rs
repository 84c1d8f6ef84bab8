//! Handlers that wait: each on a task of its own, ended by its answer, or some time after it was cancelled.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};

use rpcx_protocol::error_text;
use tokio_util::sync::CancellationToken;

use super::context::Inner;
use super::handler::BoxRunning;
use super::reply::{Answer, ReplyTo, ReplyWriter};
use super::session::Session;
use super::table::Entry;
use crate::connection::buffers;
use crate::error::{Error, Reason};

/// How long after the deadline a late answer is held back, so that the caller's own clock speaks first.
const LATE_ANSWER: Duration = Duration::from_millis(100);

/// How a handler on a task ended.
enum End {
    Answered(Answer),
    Dropped,
}

/// The place of a handler that waits among those of its connection, until it has ended: also when its task is dropped
/// with its runtime.
pub(super) struct Place {
    session: Arc<Session>,
    id: u32,
    /// Tells the handler to stop.
    token: CancellationToken,
    /// What its caller, its deadline or the end of its connection cancels.
    pub(super) stop: CancellationToken,
    /// The answer, if it is to be sent on the connection.
    frame: Vec<u8>,
}

impl Place {
    /// Counts a handler in. `timed`: the driver of its connection cancels it when its deadline has passed.
    pub(super) fn new(session: Arc<Session>, entry: &Entry, call: &Inner, timed: bool) -> Place {
        let token = call.token.get_or_init(CancellationToken::new).clone();
        let (stop, due) = if entry.to_completion {
            // Whoever cancels it cancels nothing.
            (CancellationToken::new(), None)
        } else {
            let deadline = call.deadline.filter(|_| timed);
            (token.clone(), deadline.map(|at| session.link.millis_ceil(at)))
        };
        let id = session.began(call.frame.header().seq, stop.clone(), due);
        Place { session, id, token, stop, frame: Vec::new() }
    }

    /// The handler has ended; its answer is sent.
    fn end(mut self, frame: Vec<u8>) {
        self.frame = frame;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.session.ended(self.id, &mut self.frame);
        buffers::put_scratch(std::mem::take(&mut self.frame));
    }
}

/// Goes on with a call on a task of the connection's shard, or begins it there.
pub(super) fn spawn(session: Arc<Session>, entry: Arc<Entry>, running: BoxRunning, call: Arc<Inner>, begun: bool) {
    let place = Place::new(session, &entry, &call, true);
    tokio::spawn(async move {
        let mut frame = buffers::take_scratch();
        run(&place, &entry, running, &call, begun, ReplyTo::Frame(&mut frame)).await;
        place.end(frame);
    });
}

/// Polls a handler to its end, or for some time after it was told to stop. Its answer is where `to` says.
pub(super) async fn run(
    place: &Place,
    entry: &Entry,
    mut running: BoxRunning,
    call: &Arc<Inner>,
    begun: bool,
    mut to: ReplyTo<'_>,
) {
    let began = Instant::now();
    let session = &place.session;
    let mut first = true;
    let grace = session.options.cancel_grace;
    let end = {
        let polling = poll_fn(|cx| {
            let from = first.then(Instant::now);
            let mut writer = ReplyWriter::new(to.again());
            let polled = catch_unwind(AssertUnwindSafe(|| {
                call.poll_within(|| running.as_mut().poll_reply(cx, call, &mut writer))
            }));
            if let Some(from) = from {
                // A method that was slow in place once may have become quick.
                first = false;
                if from.elapsed() < session.options.inline_limit / 2 {
                    entry.slow.store(false, Ordering::Relaxed);
                }
            }
            match polled {
                Ok(Poll::Pending) => Poll::Pending,
                Ok(Poll::Ready(())) => match (writer.plain, writer.to, writer.answer) {
                    (Some(plain), ReplyTo::Frame(frame), _) => {
                        running = plain.into_running(frame, session);
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    }
                    (_, _, answer) => Poll::Ready(answer),
                },
                Err(panic) => {
                    answer_panic(call, entry, &*panic, &mut writer, 0);
                    Poll::Ready(Answer::Error)
                }
            }
        });
        let answer = async {
            if !begun {
                session.room().await;
            }
            polling.await
        };
        let given_up = async {
            place.token.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            biased;
            answer = answer => End::Answered(answer),
            () = given_up => End::Dropped,
        }
    };
    drop(running);
    let cancelled = place.token.is_cancelled();
    match end {
        End::Answered(answer) => {
            if let Some(deadline) = call.deadline {
                let hold = (deadline + LATE_ANSWER).saturating_duration_since(Instant::now());
                // The handler may have noticed the deadline before our own clock cancelled it.
                if hold <= LATE_ANSWER && hold > Duration::ZERO {
                    tokio::time::sleep(hold).await;
                }
            }
            if cancelled && answer == Answer::Error {
                entry.recorder.cancelled();
            } else {
                entry.recorder.finished(answer == Answer::Error, began.elapsed());
            }
        }
        End::Dropped => {
            let text = format!("the handler was dropped {grace:?} after its call was cancelled");
            ReplyWriter::new(to).failure(call, &Error::new(Reason::TimeoutServer, text));
            entry.recorder.cancelled();
        }
    }
}

/// A panic is answered with its own text, counted and logged; the connection goes on.
/// What it had begun to write, from `start` on, is no answer.
pub(super) fn answer_panic(
    call: &Inner,
    entry: &Entry,
    panic: &(dyn Any + Send),
    writer: &mut ReplyWriter<'_>,
    start: usize,
) {
    if let ReplyTo::Frame(out) = &mut writer.to {
        out.truncate(start);
    }
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the panic has no text");
    let (service, method) = (call.service(), call.method());
    tracing::error!(target: "rpcx::server", %service, %method, panic = text, "a handler panicked");
    entry.recorder.panicked();
    let shown = if call.session.options.panic_text { text } else { "" };
    writer.failure(call, &Error::new(Reason::ServicePanic, error_text::handler_panicked(&service, &method, shown)));
}
