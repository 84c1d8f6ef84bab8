//! One shard: a current-thread runtime, driven by a thread of ours, or by a guest that waits for its results anyway.
//!
//! A wake-up from one thread to another costs more than the rest of a call. A foreign thread that does nothing but wait for
//! a queue (Java's poller) therefore drives the shard itself while it waits, as the event loops of others do, and takes its
//! results without a hop. So does a thread that waits for a call while no other one does, and an event loop, which watches
//! the runtime's descriptor and lets it have a turn when that is readable. While the guest is away nobody drives; our own
//! thread looks every few milliseconds and takes over when the guest stays away, so that no code of a user can stop
//! connections for longer.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rpcx::{Error, Reason, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::callers::Callers;
use crate::event_fd::{EventFd, readiness};
use crate::logs;
use crate::mailbox::Mailbox;

/// How long a guest may be away before our own thread takes over, and how often that looks.
const TICK: Duration = Duration::from_millis(5);

/// Who runs the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    /// Our own thread.
    Own,
    /// A guest.
    Guest,
    /// Nobody for the moment: the guest is away with results.
    Nobody,
}

struct State {
    driver: Driver,
    /// A guest waits for our own thread to leave.
    wanted: bool,
    /// Our own thread sleeps until it is called: the guest has been driving for long.
    asleep: bool,
    /// The shard has ended, no guest gets in.
    ended: bool,
    /// A guest that does not wait is told when our own thread has left.
    invited: Option<Arc<EventFd>>,
    /// Our own thread is to drive at once.
    recalled: bool,
}

/// What the shard's thread and its guests share.
pub(crate) struct Control {
    state: Mutex<State>,
    changed: Condvar,
    leave: Notify,
    stop: CancellationToken,
    /// Times that a guest has come.
    visits: AtomicU64,
}

impl Control {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One shard. Its thread ends when it is dropped.
pub(crate) struct Shard {
    handle: Handle,
    mailbox: Arc<Mailbox>,
    control: Arc<Control>,
    runtime: Arc<Runtime>,
    readiness: OnceLock<Option<Arc<OwnedFd>>>,
    callers: Callers,
}

impl Shard {
    /// Starts the thread `<name>-<number>`.
    ///
    /// # Errors
    /// `internal.system` when the system refuses a runtime or a thread.
    pub(crate) fn start(name: &str, number: usize) -> Result<Arc<Shard>> {
        let name = format!("{name}-{number}");
        let refused = |what: &str, error: std::io::Error| {
            Error::new(Reason::InternalSystem, format!("cannot make a {what} for a shard: {error}")).with_source(error)
        };
        let runtime = Builder::new_current_thread().enable_all().thread_name(&name).build();
        let runtime = Arc::new(runtime.map_err(|error| refused("runtime", error))?);
        let state =
            State { driver: Driver::Own, wanted: false, asleep: false, ended: false, invited: None, recalled: false };
        let control = Arc::new(Control {
            state: Mutex::new(state),
            changed: Condvar::new(),
            leave: Notify::new(),
            stop: CancellationToken::new(),
            visits: AtomicU64::new(0),
        });
        let mailbox: Arc<Mailbox> = Arc::default();
        let handle = runtime.handle().clone();
        handle.spawn(mailbox.clone().run());
        let own = Own { runtime: runtime.clone(), mailbox: mailbox.clone(), control: control.clone() };
        std::thread::Builder::new().name(name).spawn(move || own.run()).map_err(|error| refused("thread", error))?;
        let shard = Arc::new(Shard {
            handle,
            mailbox,
            control,
            runtime,
            readiness: OnceLock::new(),
            callers: Callers::default(),
        });
        shard.mailbox.belong_to(&shard);
        Ok(shard)
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Runs a task here.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }

    /// Drives the shard on this thread until `until` ends. `None` when it cannot: the shard has ended, another guest drives
    /// it, or this is a shard's thread.
    pub(crate) fn visit<T>(&self, until: impl Future<Output = T>) -> Option<T> {
        if Handle::try_current().is_ok() || !self.come_in() {
            return None;
        }
        let _leave = Leave(&self.control);
        let both = async {
            tokio::select! {
                biased;
                done = until => Some(done),
                () = self.control.stop.cancelled() => None,
            }
        };
        drive(&self.runtime, &self.mailbox, both)
    }

    /// A descriptor that is readable when the runtime has something to do that does not wait for a time; to be watched by
    /// a loop that drives it. `None` where the system does not tell which it is.
    pub(crate) fn readiness(&self) -> Option<Arc<OwnedFd>> {
        let _entered = self.handle.enter();
        self.readiness.get_or_init(|| readiness().map(Arc::new)).clone()
    }

    /// The threads that wait for calls here.
    pub(crate) fn callers(&self) -> &Callers {
        &self.callers
    }

    /// Asks our own thread to leave, and has a guest told that does not wait for it.
    pub(crate) fn invite(&self, guest: &Arc<EventFd>) {
        let mut state = self.control.state();
        match state.driver {
            Driver::Own => {
                state.invited = Some(guest.clone());
                self.control.leave.notify_one();
            }
            Driver::Nobody => guest.signal(),
            Driver::Guest => {}
        }
    }

    /// Our own thread drives, so that a turn would be refused.
    pub(crate) fn is_driven_here(&self) -> bool {
        self.control.state().driver == Driver::Own
    }

    /// Has our own thread drive again at once.
    pub(crate) fn recall(&self) {
        self.control.state().recalled = true;
        self.control.changed.notify_all();
    }

    /// Does on this thread what there is to do, without waiting for more. False when somebody else drives.
    pub(crate) fn turn(&self) -> bool {
        if Handle::try_current().is_ok() {
            return false;
        }
        {
            let mut state = self.control.state();
            if state.ended || state.recalled || state.driver != Driver::Nobody {
                return false;
            }
            state.driver = Driver::Guest;
            self.control.visits.fetch_add(1, Ordering::Relaxed);
        }
        let _leave = Leave(&self.control);
        drive(&self.runtime, &self.mailbox, Pass { mailbox: &self.mailbox, rounds: 0 });
        true
    }

    fn come_in(&self) -> bool {
        let mut state = self.control.state();
        while state.driver == Driver::Own && !state.ended {
            state.wanted = true;
            self.control.leave.notify_one();
            state = self.control.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.ended || state.driver == Driver::Guest {
            return false;
        }
        state.driver = Driver::Guest;
        state.wanted = false;
        self.control.visits.fetch_add(1, Ordering::Relaxed);
        true
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        // The mailbox and the calls in it refer to one another.
        self.mailbox.close();
        self.control.stop.cancel();
        let _state = self.control.state();
        self.control.changed.notify_all();
    }
}

/// Ends a guest's visit, also when a task panics past the runtime.
struct Leave<'a>(&'a Control);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.driver = Driver::Nobody;
        if state.asleep || state.ended || state.recalled || self.0.stop.is_cancelled() {
            self.0.changed.notify_all();
        }
    }
}

/// Most rounds of one turn: what is left then keeps the guest's own thread from its other work.
const ROUNDS: u32 = 16;

/// A turn: the runtime looks for events between two polls of this, so that what came is dealt with at the third.
struct Pass<'a> {
    mailbox: &'a Mailbox,
    rounds: u32,
}

impl Future for Pass<'_> {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.rounds += 1;
        if self.rounds > ROUNDS || (self.rounds > 2 && self.mailbox.is_quiet()) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn drive<T>(runtime: &Runtime, mailbox: &Arc<Mailbox>, main: impl Future<Output = T>) -> T {
    let _here = mailbox.enter();
    logs::all(|| rpcx::shard::drive(runtime, main))
}

/// Our own thread.
struct Own {
    runtime: Arc<Runtime>,
    mailbox: Arc<Mailbox>,
    control: Arc<Control>,
}

impl Own {
    fn run(self) {
        ignore_broken_pipes();
        let control = &self.control;
        loop {
            drive(&self.runtime, &self.mailbox, async {
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
                state.recalled = false;
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
                Driver::Nobody if control.stop.is_cancelled() => return false,
                Driver::Nobody if state.recalled && !state.wanted => {
                    state.recalled = false;
                    state.driver = Driver::Own;
                    return true;
                }
                Driver::Nobody if !state.wanted => match since {
                    Some((at, seen)) if seen == visits && at.elapsed() >= TICK => {
                        state.driver = Driver::Own;
                        return true;
                    }
                    Some((_, seen)) if seen == visits => {}
                    _ => since = Some((Instant::now(), visits)),
                },
                Driver::Guest if since.is_some_and(|(at, seen)| seen == visits && at.elapsed() >= 8 * TICK) => {
                    // It waits for long: this thread is called when it leaves.
                    state.asleep = true;
                    state = control.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.asleep = false;
                    since = None;
                    continue;
                }
                Driver::Guest if since.is_none_or(|(_, seen)| seen != visits) => since = Some((Instant::now(), visits)),
                _ => {}
            }
            state = control.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Blocks SIGPIPE on this thread, for what TLS writes: a program in another language has not asked to ignore the signal, as
/// Rust's programs do, and would end when a peer has gone.
fn ignore_broken_pipes() {
    // SAFETY: the set is made by `sigemptyset` before it is read, and the old mask is not asked for.
    unsafe {
        let mut set = std::mem::MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
    }
}
