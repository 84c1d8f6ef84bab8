//! One thread of the process that wakes connections when something of theirs is due.
//!
//! A pending timer of the runtime makes it arm and disarm a kernel timer around every sleep, which costs a quiet call about a
//! microsecond. Connections only have coarse and mostly far deadlines, so they leave those here; the runtime then sleeps
//! without a limit. The thread starts with the first entry and ends when there are none.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

/// How long the thread stays when nothing is due any more, so that short calls do not start it again and again.
const LINGER: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
struct State {
    due: BTreeMap<(Instant, u64), Waker>,
    next_key: u64,
    running: bool,
}

/// What is due, and the thread's place to sleep.
#[derive(Debug, Default)]
struct Timekeeper {
    state: Mutex<State>,
    changed: Condvar,
}

static KEEPER: LazyLock<ArcSwap<Timekeeper>> = LazyLock::new(ArcSwap::default);

/// Begins anew in a forked child: the thread was not copied, and its lock may have been taken when the process was.
pub(super) fn after_fork() {
    // What the parent had set never rings here. Freeing it would touch the parent's tasks.
    std::mem::forget(KEEPER.swap(Arc::default()));
}

/// A wake-up that was asked for; dropping it takes it back.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    set: Option<((Instant, u64), Arc<Timekeeper>)>,
}

impl Alarm {
    /// Wakes `waker` at `at` instead of at any earlier setting.
    pub(crate) fn set(&mut self, at: Instant, waker: &Waker) {
        let keeper = match self.set.take() {
            Some((old, keeper)) => {
                keeper.state().due.remove(&old);
                keeper
            }
            None => KEEPER.load_full(),
        };
        let mut state = keeper.state();
        let key = (at, state.next_key);
        state.next_key += 1;
        state.due.insert(key, waker.clone());
        let first = state.due.first_key_value().is_some_and(|(first, _)| *first == key);
        if !state.running {
            state.running = true;
            let thread = std::thread::Builder::new().name("rpcx-time".into());
            let keeper = keeper.clone();
            if let Err(error) = thread.spawn(move || keeper.run()) {
                // Without it deadlines would pass unnoticed; the next setting tries again.
                state.running = false;
                tracing::error!(target: "rpcx::shard", %error, "the thread that keeps the time did not start");
            }
        } else if first {
            keeper.changed.notify_one();
        }
        drop(state);
        self.set = Some((key, keeper));
    }

    /// It has rung, or is not needed any more.
    pub(crate) fn clear(&mut self) {
        if let Some((old, keeper)) = self.set.take() {
            keeper.state().due.remove(&old);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Timekeeper {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut rang = Vec::new();
        let mut state = self.state();
        let mut lingered = false;
        loop {
            let now = Instant::now();
            while let Some(entry) = state.due.first_entry() {
                if entry.key().0 > now {
                    break;
                }
                rang.push(entry.remove());
            }
            if !rang.is_empty() {
                drop(state);
                rang.drain(..).for_each(Waker::wake);
                state = self.state();
                lingered = false;
                continue;
            }
            let wait = match state.due.first_key_value() {
                Some(((at, _), _)) => {
                    lingered = false;
                    at.saturating_duration_since(now)
                }
                None if lingered => {
                    state.running = false;
                    return;
                }
                None => {
                    lingered = true;
                    LINGER
                }
            };
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::task::Wake;

    use super::*;

    struct Tell(mpsc::Sender<&'static str>, &'static str);

    impl Wake for Tell {
        fn wake(self: Arc<Self>) {
            // The test may be over.
            let _ = self.0.send(self.1);
        }
    }

    #[test]
    fn alarms_ring_in_order_and_cleared_ones_do_not() {
        let (sender, rang) = mpsc::channel();
        let waker = |name| Waker::from(Arc::new(Tell(sender.clone(), name)));
        let now = Instant::now();
        let (mut late, mut early, mut never) = (Alarm::default(), Alarm::default(), Alarm::default());
        late.set(now + Duration::from_millis(60), &waker("late"));
        never.set(now + Duration::from_millis(30), &waker("never"));
        early.set(now + Duration::from_secs(60), &waker("too late"));
        early.set(now + Duration::from_millis(5), &waker("early"));
        never.clear();
        let limit = Duration::from_secs(10);
        assert_eq!(rang.recv_timeout(limit), Ok("early"));
        assert!(now.elapsed() >= Duration::from_millis(5));
        assert_eq!(rang.recv_timeout(limit), Ok("late"));
        assert!(now.elapsed() >= Duration::from_millis(60));
    }

    #[test]
    fn the_thread_starts_again_after_it_has_ended() {
        let (sender, rang) = mpsc::channel();
        for _ in 0..3 {
            let mut alarm = Alarm::default();
            alarm.set(Instant::now(), &Waker::from(Arc::new(Tell(sender.clone(), "now"))));
            assert_eq!(rang.recv_timeout(Duration::from_secs(10)), Ok("now"));
        }
    }
}
