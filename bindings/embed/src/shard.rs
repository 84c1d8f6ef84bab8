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

mod control;
mod own;
mod turn;

use std::future::poll_fn;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use rpcx::{Error, Reason, Result};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::event_fd::{EventFd, readiness};
use crate::logs;
use crate::mailbox::Mailbox;
use crate::pipes::NoBrokenPipes;
use control::{Control, Driver, Leave};
use own::Own;
use turn::Pass;

pub(crate) use control::Other;

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
        let control = Arc::new(Control::new());
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
        drive(&self.runtime, &self.mailbox, false, Pass::new(&self.mailbox));
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

fn drive<T>(runtime: &Runtime, mailbox: &Arc<Mailbox>, waits: bool, main: impl Future<Output = T>) -> T {
    let _here = mailbox.enter(waits);
    logs::all(|| rpcx::shard::drive(runtime, main))
}
