//! The thread of a shard.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::control::{Control, Driver};
use super::drive;
use crate::mailbox::Mailbox;
use crate::pipes;

/// How long a guest may be away before our own thread takes over, and how often that looks.
const TICK: Duration = Duration::from_millis(5);

/// Our own thread.
pub(super) struct Own {
    pub(super) runtime: Arc<Runtime>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) control: Arc<Control>,
}

impl Own {
    pub(super) fn run(self) {
        pipes::ignore();
        let control = &self.control;
        loop {
            drive(&self.runtime, &self.mailbox, false, async {
                tokio::select! {
                    biased;
                    () = control.stop.cancelled() => {}
                    () = control.leave.notified() => {}
                }
            });
            let mut state = control.state();
            if control.stop.is_cancelled() {
                break;
            }
            let invited = state.invited.take();
            // A call to leave may be one that was heard before.
            if state.wanted || invited.is_some() {
                state.driver = Driver::Nobody;
                control.changed.notify_all();
                drop(state);
                if let Some(guest) = invited {
                    guest.signal();
                }
                if !self.watch() {
                    break;
                }
            }
        }
        control.state().ended = true;
        control.changed.notify_all();
        let Own { mut runtime, control, .. } = self;
        // Guests and the handle let go of it soon: none of them may be the one that ends it, on a thread of another.
        loop {
            match Arc::try_unwrap(runtime) {
                Ok(whole) => return whole.shutdown_background(),
                Err(shared) => runtime = shared,
            }
            let state = control.state();
            drop(control.changed.wait_timeout(state, TICK));
        }
    }

    /// Sleeps while guests drive; true when this thread is to drive again, false at the end.
    fn watch(&self) -> bool {
        let control = &self.control;
        let mut state = control.state();
        let mut since: Option<(Instant, u64)> = None;
        loop {
            let visits = control.visits.load(Ordering::Relaxed);
            match state.driver {
                Driver::Nobody | Driver::Away if control.stop.is_cancelled() => return false,
                Driver::Away if state.urgent => return control.take_over(&mut state),
                Driver::Nobody | Driver::Away if !state.wanted => match since {
                    Some((at, seen)) if seen == visits && at.elapsed() >= TICK => return control.take_over(&mut state),
                    Some((_, seen)) if seen == visits => {}
                    _ => since = Some((Instant::now(), visits)),
                },
                Driver::Caller if since.is_some_and(|(at, seen)| seen == visits && at.elapsed() >= 8 * TICK) => {
                    // It waits for long, and cannot be asked for signals meanwhile.
                    state.called_away = true;
                    if let Some(caller) = state.caller.take() {
                        drop(state);
                        caller.wake();
                        state = control.state();
                        continue;
                    }
                }
                Driver::Guest if since.is_some_and(|(at, seen)| seen == visits && at.elapsed() >= 8 * TICK) => {
                    // It waits for long: this thread is called when it leaves.
                    state.asleep = true;
                    state = control.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.asleep = false;
                    since = None;
                    continue;
                }
                Driver::Guest | Driver::Caller if since.is_none_or(|(_, seen)| seen != visits) => {
                    since = Some((Instant::now(), visits))
                }
                _ => {}
            }
            state = control.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
