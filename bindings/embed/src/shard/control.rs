//! Who drives a shard, and what the threads that may do so tell one another.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::event_fd::EventFd;
use crate::pace::Pace;

/// Who runs the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    /// Our own thread.
    Own,
    /// A guest.
    Guest,
    /// Nobody for the moment: the guest is away with results.
    Nobody,
    /// A thread that waits for a call of its own.
    Caller,
    /// Nobody for the moment: the thread that made calls is away with the last one's reply.
    Away,
}

pub(super) struct State {
    pub(super) driver: Driver,
    /// A guest waits for our own thread to leave.
    pub(super) wanted: bool,
    /// Our own thread sleeps until it is called: the guest has been driving for long.
    pub(super) asleep: bool,
    /// The shard has ended, no guest gets in.
    pub(super) ended: bool,
    /// A caller that drives is to leave, and how it is told.
    pub(super) called_away: bool,
    pub(super) caller: Option<Waker>,
    /// Our own thread is to take over from callers without waiting for the next one.
    pub(super) urgent: bool,
    /// A guest that does not wait is told when our own thread has left.
    pub(super) invited: Option<Arc<EventFd>>,
}

/// What the shard's thread and its guests share.
pub(super) struct Control {
    state: Mutex<State>,
    pub(super) changed: Condvar,
    pub(super) leave: Notify,
    pub(super) stop: CancellationToken,
    /// Times that a guest or a caller has come.
    pub(super) visits: AtomicU64,
    /// What needs the shard beside callers that wait: calls with callbacks, servers, subscriptions, callers that do not drive.
    pub(super) others: AtomicUsize,
    /// A caller drives, or is away.
    pub(super) callers: AtomicBool,
    pub(super) pace: Pace,
}

impl Control {
    /// Our own thread is about to drive.
    pub(super) fn new() -> Control {
        let state = State {
            driver: Driver::Own,
            wanted: false,
            asleep: false,
            ended: false,
            called_away: false,
            caller: None,
            urgent: false,
            invited: None,
        };
        Control {
            state: Mutex::new(state),
            changed: Condvar::new(),
            leave: Notify::new(),
            stop: CancellationToken::new(),
            visits: AtomicU64::new(0),
            others: AtomicUsize::new(0),
            callers: AtomicBool::new(false),
            pace: Pace::default(),
        }
    }

    /// Our own thread drives from now on; true.
    pub(super) fn take_over(&self, state: &mut State) -> bool {
        state.driver = Driver::Own;
        state.urgent = false;
        self.callers.store(false, Ordering::SeqCst);
        true
    }

    pub(super) fn let_guest_in(&self, state: &mut State) {
        state.driver = Driver::Guest;
        self.visits.fetch_add(1, Ordering::Relaxed);
        self.callers.store(false, Ordering::SeqCst);
    }

    /// Waits until our own thread does not drive.
    pub(super) fn ask_out<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while state.driver == Driver::Own && !state.ended {
            state.wanted = true;
            self.leave.notify_one();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Has our own thread take over from callers.
    #[cold]
    pub(super) fn call_back(&self) {
        let mut state = self.state();
        let told = match state.driver {
            Driver::Caller => {
                state.called_away = true;
                state.caller.take()
            }
            Driver::Away => {
                state.urgent = true;
                self.changed.notify_all();
                None
            }
            _ => None,
        };
        drop(state);
        if let Some(caller) = told {
            caller.wake();
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that needs its shard and that no driving caller waits for. Dropped when that is over.
pub(crate) struct Other(pub(super) Arc<Control>);

impl Drop for Other {
    fn drop(&mut self) {
        self.0.others.fetch_sub(1, Ordering::Release);
    }
}

/// Ends a guest's visit, also when a task panics past the runtime.
pub(super) struct Leave<'a>(pub(super) &'a Control);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.driver = Driver::Nobody;
        if state.asleep || state.ended || self.0.stop.is_cancelled() {
            self.0.changed.notify_all();
        }
    }
}
