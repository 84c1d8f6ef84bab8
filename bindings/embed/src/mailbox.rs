//! What a shard is told by other threads and by itself: calls to go on with, queues to announce. One wake-up for many.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{Poll, Waker};

use crate::shard::Shard;

/// Something that goes on with a turn on its shard.
pub(crate) trait Turn: Send + Sync {
    fn turn(self: Arc<Self>);
    /// The shard has ended, and no turn will come.
    fn left_out(self: Arc<Self>) {}
}

/// One thing for a shard to do.
pub(crate) enum Entry {
    /// A call was woken, or a queue is to announce what came.
    Turn(Arc<dyn Turn>),
    /// A task of the shard's runtime, woken from here since a wake-up from another thread costs a system call each.
    Wake(Waker),
}

impl Entry {
    fn left_out(self) {
        if let Entry::Turn(turn) = self {
            turn.left_out();
        }
    }
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    runner: Option<Waker>,
    closed: bool,
}

/// The entries that wait for a shard's runner.
pub(crate) struct Mailbox {
    state: Mutex<State>,
    /// The shard's number in this process.
    number: usize,
    shard: OnceLock<Weak<Shard>>,
}

thread_local! {
    static HERE: RefCell<Option<Arc<Mailbox>>> = const { RefCell::new(None) };
    /// This thread drives the shard for the sake of a call of its own that it waits for.
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

impl Mailbox {
    pub(crate) fn new(number: usize) -> Mailbox {
        Mailbox { state: Mutex::default(), number, shard: OnceLock::new() }
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The number of the shard whose thread this is.
    pub(crate) fn number_here() -> Option<usize> {
        HERE.try_with(|here| here.borrow().as_deref().map(Mailbox::number)).ok().flatten()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mailbox of the shard whose thread this is.
    pub(crate) fn here() -> Option<Arc<Mailbox>> {
        HERE.try_with(|here| here.borrow().clone()).ok().flatten()
    }

    /// Says whose it is.
    pub(crate) fn belong_to(&self, shard: &Arc<Shard>) {
        // It is said once, by the shard as it starts.
        let _ = self.shard.set(Arc::downgrade(shard));
    }

    /// The shard that it belongs to.
    pub(crate) fn shard(&self) -> Option<Weak<Shard>> {
        self.shard.get().cloned()
    }

    /// Nothing waits, and what comes wakes the shard.
    pub(crate) fn is_quiet(&self) -> bool {
        let state = self.state();
        state.closed || (state.entries.is_empty() && state.runner.is_some())
    }

    /// Whether this thread is the mailbox's shard.
    pub(crate) fn is_here(&self) -> bool {
        HERE.try_with(|here| here.borrow().as_deref().is_some_and(|here| std::ptr::eq(here, self))).unwrap_or(false)
    }

    /// Whether this thread drives a shard while it waits for a call, and is to run nobody else's code.
    pub(crate) fn waits_here() -> bool {
        WAITS.try_with(Cell::get).unwrap_or(false)
    }

    /// Adds an entry; the shard takes all that have come at its next turn. After the shard's end entries are dropped.
    pub(crate) fn push(&self, entry: Entry) {
        let runner = {
            let mut state = self.state();
            if state.closed {
                drop(state);
                return entry.left_out();
            }
            state.entries.push(entry);
            state.runner.take()
        };
        if let Some(runner) = runner {
            runner.wake();
        }
    }

    /// [`push`](Self::push) for several, which come together. Empties `entries` and keeps its memory.
    pub(crate) fn push_all(&self, entries: &mut Vec<Entry>) {
        let runner = {
            let mut state = self.state();
            if state.closed {
                drop(state);
                return entries.drain(..).for_each(Entry::left_out);
            }
            state.entries.append(entries);
            state.runner.take()
        };
        if let Some(runner) = runner {
            runner.wake();
        }
    }

    /// Takes no more entries and leaves out those that wait.
    pub(crate) fn close(&self) {
        let dropped = {
            let mut state = self.state();
            state.closed = true;
            std::mem::take(&mut state.entries)
        };
        dropped.into_iter().for_each(Entry::left_out);
    }

    /// Makes this thread the shard until the guard is dropped; `waits` is what [`waits_here`](Self::waits_here) says then.
    pub(crate) fn enter(self: &Arc<Self>, waits: bool) -> Entered {
        WAITS.set(waits);
        Entered(HERE.with(|here| here.borrow_mut().replace(self.clone())))
    }

    /// The shard's own task. It ends with the runtime.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut batch = Vec::new();
        loop {
            poll_fn(|cx| {
                let mut state = self.state();
                if state.entries.is_empty() {
                    match &mut state.runner {
                        Some(runner) => runner.clone_from(cx.waker()),
                        none => *none = Some(cx.waker().clone()),
                    }
                    return Poll::Pending;
                }
                std::mem::swap(&mut state.entries, &mut batch);
                Poll::Ready(())
            })
            .await;
            Mailbox::deliver(&mut batch);
            // What the batch itself left here, such as queues to announce, goes along with it.
            std::mem::swap(&mut self.state().entries, &mut batch);
            Mailbox::deliver(&mut batch);
            // Connections and timers have their turn too, however busy the calls are. Where nothing waits there is no need
            // for that, and for the system call that the runtime makes for it.
            if !self.state().entries.is_empty() {
                tokio::task::yield_now().await;
            }
        }
    }

    fn deliver(batch: &mut Vec<Entry>) {
        for entry in batch.drain(..) {
            match entry {
                Entry::Turn(turn) => turn.turn(),
                Entry::Wake(waker) => waker.wake(),
            }
        }
    }
}

/// Puts the thread's former shard back.
pub(crate) struct Entered(Option<Arc<Mailbox>>);

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = WAITS.try_with(|waits| waits.set(false));
        let _ = HERE.try_with(|here| *here.borrow_mut() = self.0.take());
    }
}
