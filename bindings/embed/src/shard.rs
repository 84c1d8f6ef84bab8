//! One shard: a current-thread runtime, driven by a thread of ours, or by a guest that waits for its results anyway.
//!
//! A wake-up from one thread to another costs more than the rest of a call. A foreign thread that does nothing but wait for
//! a queue (Java's poller) therefore drives the shard itself while it waits, as the event loops of others do, and takes its
//! results without a hop. So does an event loop, which watches the runtime's descriptor and lets it have a turn when that is
//! readable. While the guest is away nobody drives; our own thread looks every few milliseconds and takes over when the guest
//! stays away, so that no code of a user can stop connections for longer.
//!
//! A thread that makes one blocking call after the other drives as well, as long as nothing else needs the shard: no server,
//! no subscription, no call but its own. Whatever else begins calls our own thread back at once.

use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rpcx::{Error, Reason, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::event_fd::{EventFd, readiness};
use crate::logs;
use crate::mailbox::Mailbox;
use crate::pace::Pace;
use crate::pipes::{self, NoBrokenPipes};

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
    /// A thread that waits for a call of its own.
    Caller,
    /// Nobody for the moment: the thread that made calls is away with the last one's reply.
    Away,
}

struct State {
    driver: Driver,
    /// A guest waits for our own thread to leave.
    wanted: bool,
    /// Our own thread sleeps until it is called: the guest has been driving for long.
    asleep: bool,
    /// The shard has ended, no guest gets in.
    ended: bool,
    /// A caller that drives is to leave, and how it is told.
    called_away: bool,
    caller: Option<Waker>,
    /// Our own thread is to take over from callers without waiting for the next one.
    urgent: bool,
    /// A guest that does not wait is told when our own thread has left.
    invited: Option<Arc<EventFd>>,
}

/// What the shard's thread and its guests share.
pub(crate) struct Control {
    state: Mutex<State>,
    changed: Condvar,
    leave: Notify,
    stop: CancellationToken,
    /// Times that a guest or a caller has come.
    visits: AtomicU64,
    /// What needs the shard beside callers that wait: calls with callbacks, servers, subscriptions, callers that do not drive.
    others: AtomicUsize,
    /// A caller drives, or is away.
    callers: AtomicBool,
    pace: Pace,
}

impl Control {
    /// Our own thread drives from now on; true.
    fn take_over(&self, state: &mut State) -> bool {
        state.driver = Driver::Own;
        state.urgent = false;
        self.callers.store(false, Ordering::SeqCst);
        true
    }

    fn let_guest_in(&self, state: &mut State) {
        state.driver = Driver::Guest;
        self.visits.fetch_add(1, Ordering::Relaxed);
        self.callers.store(false, Ordering::SeqCst);
    }

    /// Waits until our own thread does not drive.
    fn ask_out<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        while state.driver == Driver::Own && !state.ended {
            state.wanted = true;
            self.leave.notify_one();
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Has our own thread take over from callers.
    #[cold]
    fn call_back(&self) {
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that needs its shard and that no driving caller waits for. Dropped when that is over.
pub(crate) struct Other(Arc<Control>);

impl Drop for Other {
    fn drop(&mut self) {
        self.0.others.fetch_sub(1, Ordering::Release);
    }
}

/// One shard. Its thread ends when it is dropped.
pub(crate) struct Shard {
    handle: Handle,
    mailbox: Arc<Mailbox>,
    control: Arc<Control>,
    runtime: Arc<Runtime>,
    readiness: OnceLock<Option<Arc<OwnedFd>>>,
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
        let control = Arc::new(Control {
            state: Mutex::new(state),
            changed: Condvar::new(),
            leave: Notify::new(),
            stop: CancellationToken::new(),
            visits: AtomicU64::new(0),
            others: AtomicUsize::new(0),
            callers: AtomicBool::new(false),
            pace: Pace::default(),
        });
        let mailbox = Arc::new(Mailbox::new(number));
        let handle = runtime.handle().clone();
        handle.spawn(mailbox.clone().run());
        let own = Own { runtime: runtime.clone(), mailbox: mailbox.clone(), control: control.clone() };
        std::thread::Builder::new().name(name).spawn(move || own.run()).map_err(|error| refused("thread", error))?;
        let shard = Arc::new(Shard { handle, mailbox, control, runtime, readiness: OnceLock::new() });
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
        drive(&self.runtime, &self.mailbox, false, both)
    }

    /// Says that something needs the shard as long as the value lives. Our own thread drives it then, or a guest.
    pub(crate) fn other(&self) -> Other {
        // Ordered with what a caller does that comes in: one of the two sees the other.
        self.control.others.fetch_add(1, Ordering::SeqCst);
        if self.control.callers.load(Ordering::SeqCst) {
            self.control.call_back();
        }
        Other(self.control.clone())
    }

    /// Drives the shard on this thread, which has started a call with [`start_waited`](crate::job::start_waited) and waits for
    /// it, until `until` ends or something else needs the shard. `None`: it has not ended, and somebody else drives.
    pub(crate) fn visit_alone<T>(&self, until: impl Future<Output = T>) -> Option<T> {
        let control = &*self.control;
        if control.others.load(Ordering::SeqCst) > 0 {
            control.pace.disturb();
            return None;
        }
        let steady = control.pace.is_steady();
        if !(steady || control.callers.load(Ordering::Relaxed)) || Handle::try_current().is_ok() {
            return None;
        }
        {
            let mut state = control.state();
            if state.driver == Driver::Own && !steady {
                return None;
            }
            state = control.ask_out(state);
            if state.ended || matches!(state.driver, Driver::Guest | Driver::Caller) {
                return None;
            }
            state.driver = Driver::Caller;
            state.wanted = false;
            state.called_away = false;
            state.urgent = false;
            control.visits.fetch_add(1, Ordering::Relaxed);
            control.callers.store(true, Ordering::SeqCst);
        }
        /// Leaves also when a task panics past the runtime.
        struct Leave<'a>(&'a Control);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                let mut state = self.0.state();
                state.driver = Driver::Away;
                let waker = state.caller.take();
                if state.called_away || state.ended || self.0.others.load(Ordering::SeqCst) > 0 {
                    self.0.pace.disturb();
                    state.urgent = true;
                    self.0.changed.notify_all();
                }
                drop(state);
                drop(waker);
            }
        }
        let _leave = Leave(control);
        if control.others.load(Ordering::SeqCst) > 0 {
            return None;
        }
        let _quiet = NoBrokenPipes::new();
        let mut until = pin!(until);
        let both = poll_fn(|cx| {
            if let Poll::Ready(done) = until.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            let mut state = control.state();
            if state.called_away || state.ended || control.stop.is_cancelled() {
                return Poll::Ready(None);
            }
            match &mut state.caller {
                Some(caller) => caller.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            Poll::Pending
        });
        drive(&self.runtime, &self.mailbox, true, both)
    }

    /// A call that was waited for has ended.
    pub(crate) fn waited(&self) {
        self.control.pace.end();
    }

    /// A descriptor that is readable when the runtime has something to do that does not wait for a time; to be watched by
    /// a loop that drives it. `None` where the system does not tell which it is.
    pub(crate) fn readiness(&self) -> Option<Arc<OwnedFd>> {
        let _entered = self.handle.enter();
        self.readiness.get_or_init(|| readiness().map(Arc::new)).clone()
    }

    /// Asks our own thread to leave, and has a guest told that does not wait for it.
    pub(crate) fn invite(&self, guest: &Arc<EventFd>) {
        let mut state = self.control.state();
        match state.driver {
            Driver::Own => {
                state.invited = Some(guest.clone());
                self.control.leave.notify_one();
            }
            Driver::Nobody | Driver::Away => guest.signal(),
            Driver::Guest | Driver::Caller => {}
        }
    }

    /// Our own thread drives, so that a turn would be refused.
    pub(crate) fn is_driven_here(&self) -> bool {
        self.control.state().driver == Driver::Own
    }

    /// Does on this thread what there is to do, without waiting for more. False when somebody else drives.
    pub(crate) fn turn(&self) -> bool {
        if Handle::try_current().is_ok() {
            return false;
        }
        {
            let mut state = self.control.state();
            if state.ended || !matches!(state.driver, Driver::Nobody | Driver::Away) {
                return false;
            }
            self.control.let_guest_in(&mut state);
        }
        let _leave = Leave(&self.control);
        drive(&self.runtime, &self.mailbox, false, Pass { mailbox: &self.mailbox, rounds: 0 });
        true
    }

    fn come_in(&self) -> bool {
        let mut state = self.control.ask_out(self.control.state());
        if state.ended || matches!(state.driver, Driver::Guest | Driver::Caller) {
            return false;
        }
        state.wanted = false;
        self.control.let_guest_in(&mut state);
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
        if state.asleep || state.ended || self.0.stop.is_cancelled() {
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

fn drive<T>(runtime: &Runtime, mailbox: &Arc<Mailbox>, waits: bool, main: impl Future<Output = T>) -> T {
    let _here = mailbox.enter(waits);
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
