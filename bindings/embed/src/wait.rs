//! A thread of the user's that waits for a result.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rpcx::{Error, Result};

use crate::job::{self, Running};
use crate::runtime::{Lease, may_block};

/// How often a thread that waits looks for signals.
const CHECK: Duration = Duration::from_millis(100);

struct State<T> {
    result: Option<Result<T>>,
    /// The thread drives its shard meanwhile.
    drives: Option<Waker>,
    /// The thread sleeps.
    sleeps: bool,
}

/// Where a thread waits for one result.
struct Slot<T> {
    state: Mutex<State<T>>,
    come: Condvar,
}

impl<T> Slot<T> {
    fn new() -> Arc<Slot<T>> {
        let state = State { result: None, drives: None, sleeps: false };
        Arc::new(Slot { state: Mutex::new(state), come: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, result: Result<T>) {
        let mut state = self.state();
        state.result = Some(result);
        let (drives, sleeps) = (state.drives.take(), state.sleeps);
        drop(state);
        if let Some(waker) = drives {
            waker.wake();
        }
        if sleeps {
            self.come.notify_one();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let mut state = self.state();
        if let Some(result) = state.result.take() {
            return Poll::Ready(result);
        }
        state.drives = Some(cx.waker().clone());
        Poll::Pending
    }

    fn sleep<E: From<Error>>(&self, running: &Running, mut check: impl FnMut() -> Result<(), E>) -> Result<T, E> {
        let mut state = self.state();
        state.sleeps = true;
        loop {
            if let Some(result) = state.result.take() {
                return result.map_err(E::from);
            }
            let (held, timeout) = self.come.wait_timeout(state, CHECK).unwrap_or_else(PoisonError::into_inner);
            state = held;
            if timeout.timed_out() && state.result.is_none() {
                drop(state);
                if let Err(error) = check() {
                    running.cancel();
                    return Err(error);
                }
                state = self.state();
            }
        }
    }
}

/// Starts something with a `done` and waits until that was called.
pub(crate) fn wait<T, E>(
    check: impl FnMut() -> Result<(), E>,
    start: impl FnOnce(Box<dyn FnOnce(Result<T>) + Send>) -> Result<Running>,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error>,
{
    may_block()?;
    let slot = Slot::new();
    let told = slot.clone();
    let running = start(Box::new(move |result| told.put(result)))?;
    slot.sleep(&running, check)
}

/// Makes a call and waits for it. Where nothing else needs the call's shard this thread drives it meanwhile, so that the
/// reply comes without a wake-up between threads.
pub(crate) fn wait_here<T, E>(
    lease: &Arc<Lease>,
    check: impl FnMut() -> Result<(), E>,
    call: Pin<Box<impl Future<Output = Result<T>> + Send + 'static>>,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Error>,
{
    may_block()?;
    let slot = Slot::new();
    let told = slot.clone();
    let done = move |result| told.put(result);
    let Some(shard) = lease.only() else { return slot.sleep(&job::start(lease, call, done), check) };
    let running = job::start_waited(lease, call, done);
    let result = match shard.visit_alone(poll_fn(|cx| slot.poll(cx))) {
        Some(result) => result.map_err(E::from),
        None => {
            let _other = shard.other();
            slot.sleep(&running, check)
        }
    };
    shard.waited();
    result
}
