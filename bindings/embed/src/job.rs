//! One call as a job: polled first by the thread that starts it, so that the request leaves at once, then by its shard.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use rpcx::{Delivery, Error, Reason, Result};

use crate::logs;
use crate::mailbox::{Entry, Mailbox, Turn};
use crate::runtime::Lease;
use crate::shard::{Other, Shard};

/// Where a job is.
enum Phase<F, D, T> {
    /// It waits for something.
    Waits(Pin<Box<F>>, D),
    /// It ended while it was started; its end is told on the shard.
    Ended(Result<T>, D),
    Over,
}

struct Job<F, D, T> {
    phase: Mutex<Phase<F, D, T>>,
    mailbox: Arc<Mailbox>,
    /// Calls end before their shards do.
    _lease: Arc<Lease>,
    /// Unless a thread waits for its end: that one may drive the shard.
    other: Option<Other>,
    /// It is in the mailbox and has not been taken out.
    queued: AtomicBool,
    cancelled: AtomicBool,
}

/// Starts `future` on the calling thread and goes on with it on a shard of `lease`. `done` gets its result there, exactly
/// once.
///
/// Futures come in their boxes, made where they begin: none is copied on its way.
pub(crate) fn start<F, D, T>(lease: &Arc<Lease>, future: Pin<Box<F>>, done: D) -> Running
where
    F: Future<Output = Result<T>> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
    T: Send + 'static,
{
    let shard = lease.shard();
    start_on(shard, lease, Some(shard.other()), future, done)
}

/// [`start`] for a `done` that does nothing but tell the thread that started this and waits: it may run on that thread.
pub(crate) fn start_waited<F, D, T>(lease: &Arc<Lease>, future: Pin<Box<F>>, done: D) -> Running
where
    F: Future<Output = Result<T>> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
    T: Send + 'static,
{
    start_on(lease.shard(), lease, None, future, done)
}

fn start_on<F, D, T>(shard: &Shard, lease: &Arc<Lease>, other: Option<Other>, future: Pin<Box<F>>, done: D) -> Running
where
    F: Future<Output = Result<T>> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
    T: Send + 'static,
{
    let (job, running) = make(lease, shard, other, future, done);
    let polled = {
        let _entered = shard.handle().enter();
        logs::with(|| job.poll())
    };
    if polled.is_some() {
        job.queue();
    }
    running
}

/// [`start`], but the shard begins: behind what was left to it before, so that nothing of that is overtaken.
pub(crate) fn start_behind<F, D, T>(lease: &Arc<Lease>, future: Pin<Box<F>>, done: D) -> Running
where
    F: Future<Output = Result<T>> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
    T: Send + 'static,
{
    let shard = lease.shard();
    let (job, running) = make(lease, shard, Some(shard.other()), future, done);
    job.queue();
    running
}

fn make<F, D, T>(
    lease: &Arc<Lease>,
    shard: &Shard,
    other: Option<Other>,
    future: Pin<Box<F>>,
    done: D,
) -> (Arc<Job<F, D, T>>, Running)
where
    F: Future<Output = Result<T>> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
    T: Send + 'static,
{
    let job = Arc::new(Job {
        phase: Mutex::new(Phase::Waits(future, done)),
        mailbox: shard.mailbox().clone(),
        _lease: lease.clone(),
        other,
        queued: AtomicBool::new(false),
        cancelled: AtomicBool::new(false),
    });
    let running = Running { job: Arc::downgrade(&job) as Weak<dyn Cancel> };
    (job, running)
}

/// Calls that their shard begins, all of them at its next turn.
///
/// A call that is started alone leaves from the thread that starts it, which saves a wake-up. For many at once that thread
/// pays a system call for each connection, while the shard, once woken, writes what goes to a connection together. They begin
/// with [`begin`](Self::begin), or when this is dropped.
///
/// ```
/// # fn main() -> rpcx_embed::Result<()> {
/// use rpcx_embed::{Bytes, CallOptions, Client, ClientConfig, Kind, Queue, Together};
///
/// let client = Client::open(ClientConfig::default())?;
/// let (queue, method) = (Queue::blocking(), client.method("Arith", "Mul")?);
/// let mut calls = Together::default();
/// for n in 0..3 {
///     let results = queue.clone();
///     method.join(&mut calls, Kind::Call, Bytes::new(), CallOptions::new(), move |result| results.push((n, result)))?;
/// }
/// calls.begin();
/// let mut ended = Vec::new();
/// while ended.len() < 3 && queue.wait(None) {
///     queue.drain(&mut ended, usize::MAX);
/// }
/// assert!(ended.iter().all(|(_, result)| result.is_err()), "the client has no servers");
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Together {
    /// Most processes that call have one shard, so this is short.
    shards: Vec<(Arc<Mailbox>, Vec<Entry>)>,
}

impl Together {
    pub(crate) fn add<F, D, T>(&mut self, lease: &Arc<Lease>, future: Pin<Box<F>>, done: D) -> Running
    where
        F: Future<Output = Result<T>> + Send + 'static,
        D: FnOnce(Result<T>) + Send + 'static,
        T: Send + 'static,
    {
        let shard = lease.shard();
        let (job, running) = make(lease, shard, Some(shard.other()), future, done);
        job.queued.store(true, Ordering::Relaxed);
        let entry = Entry::Turn(job.clone());
        match self.shards.iter_mut().find(|(mailbox, _)| Arc::ptr_eq(mailbox, &job.mailbox)) {
            Some((_, entries)) => entries.push(entry),
            None => self.shards.push((job.mailbox.clone(), vec![entry])),
        }
        running
    }

    /// Begins them; without effect when there are none.
    pub fn begin(&mut self) {
        for (mailbox, entries) in &mut self.shards {
            if !entries.is_empty() {
                mailbox.push_all(entries);
            }
        }
        // A shard that was used once need not be used again.
        if self.shards.len() > 1 {
            self.shards.clear();
        }
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        self.begin();
    }
}

impl std::fmt::Debug for Together {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let calls: usize = self.shards.iter().map(|(_, entries)| entries.len()).sum();
        f.debug_struct("Together").field("calls", &calls).finish()
    }
}

impl<F, D, T> Job<F, D, T>
where
    F: Future<Output = Result<T>> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
    T: Send + 'static,
{
    /// Polls the call. When it has ended its result stays here for the shard: `done` must not run inside of `start`.
    fn poll(self: &Arc<Self>) -> Option<()> {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let Phase::Waits(future, _) = &mut *phase else { return Some(()) };
        let result = if self.cancelled.load(Ordering::Acquire) {
            Err(cancelled())
        } else {
            let waker = Waker::from(self.clone());
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Pending => return None,
                Poll::Ready(result) => result,
            }
        };
        // The future is dropped here, which takes a cancelled request back.
        if let Phase::Waits(_, done) = std::mem::replace(&mut *phase, Phase::Over) {
            *phase = Phase::Ended(result, done);
        }
        Some(())
    }

    fn queue(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.mailbox.push(Entry::Turn(self.clone()));
        }
    }
}

fn cancelled() -> Error {
    Error::new(Reason::CancelledCaller, "the call was cancelled").with_delivery(Delivery::MaybeRun).with_attempts(1)
}

impl<F, D, T> Turn for Job<F, D, T>
where
    F: Future<Output = Result<T>> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
    T: Send + 'static,
{
    fn turn(self: Arc<Self>) {
        self.queued.store(false, Ordering::Release);
        if self.poll().is_none() {
            return;
        }
        if self.other.is_some() && Mailbox::waits_here() {
            // Not on a thread that waits for something else, whose locks are none of ours. It has been called away.
            return self.queue();
        }
        let ended = std::mem::replace(&mut *self.phase.lock().unwrap_or_else(PoisonError::into_inner), Phase::Over);
        if let Phase::Ended(result, done) = ended {
            done(result);
        }
    }
}

impl<F, D, T> Wake for Job<F, D, T>
where
    F: Future<Output = Result<T>> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
    T: Send + 'static,
{
    fn wake(self: Arc<Self>) {
        self.queue();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.queue();
    }
}

trait Cancel: Send + Sync {
    fn cancel(self: Arc<Self>);
}

impl<F, D, T> Cancel for Job<F, D, T>
where
    F: Future<Output = Result<T>> + Send + 'static,
    D: FnOnce(Result<T>) + Send + 'static,
    T: Send + 'static,
{
    fn cancel(self: Arc<Self>) {
        self.cancelled.store(true, Ordering::Release);
        self.queue();
    }
}

/// A call under way. Only a handle: dropping it lets the call go on.
#[derive(Clone)]
pub struct Running {
    job: Weak<dyn Cancel>,
}

impl Running {
    /// Ends the call with `cancelled` unless it has ended; its server is told. Any thread, any time, any number of times.
    pub fn cancel(&self) {
        if let Some(job) = self.job.upgrade() {
            job.cancel();
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("ended", &(self.job.strong_count() == 0)).finish()
    }
}
