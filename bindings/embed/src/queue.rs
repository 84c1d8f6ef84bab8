//! Completion queues: results go in one by one on shards, come out in batches on the thread of a foreign runtime.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::mailbox::{Entry, Mailbox, Turn};

struct State<T> {
    items: Vec<T>,
    /// Whoever drains has been told, or will be at the end of the shard's batch.
    told: bool,
    closed: bool,
    /// A thread that drives its shard while it waits.
    driver: Option<Waker>,
}

/// A queue that announces what came once, however much it is, until it has been drained.
///
/// Bounded by what puts into it: calls and requests under way have limits of their own.
///
/// ```
/// use rpcx_embed::Queue;
///
/// let queue = Queue::blocking();
/// queue.push((7, "answer"));
/// assert!(queue.wait(None));
/// let mut batch = Vec::new();
/// assert!(!queue.drain(&mut batch, usize::MAX));
/// assert_eq!(batch, [(7, "answer")]);
/// ```
pub struct Queue<T> {
    state: Mutex<State<T>>,
    wake: Option<Box<dyn Fn() + Send + Sync>>,
    arrived: Condvar,
}

impl<T: Send + 'static> Queue<T> {
    /// A queue that calls `wake` when it goes from drained to not empty: at once on a foreign thread, on a shard's thread at
    /// the end of what the shard is at. `wake` must be quick: signal a descriptor, call a thread-safe function.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Queue<T>> {
        Queue::made(Some(Box::new(wake)))
    }

    /// A queue to [`wait`](Self::wait) on.
    pub fn blocking() -> Arc<Queue<T>> {
        Queue::made(None)
    }

    fn made(wake: Option<Box<dyn Fn() + Send + Sync>>) -> Arc<Queue<T>> {
        let state = State { items: Vec::new(), told: false, closed: false, driver: None };
        Arc::new(Queue { state: Mutex::new(state), wake, arrived: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item; dropped when the queue is closed.
    pub fn push(self: &Arc<Self>, item: T) {
        let first = {
            let mut state = self.state();
            if state.closed {
                drop(state);
                drop(item);
                return;
            }
            state.items.push(item);
            !std::mem::replace(&mut state.told, true)
        };
        if !first {
            return;
        }
        match Mailbox::here() {
            // The shard is at a batch: what else it brings is announced with this.
            Some(mailbox) => mailbox.push(Entry::Turn(self.clone())),
            None => self.announce(),
        }
    }

    fn announce(&self) {
        match &self.wake {
            Some(wake) => wake(),
            None => {
                let driver = self.state().driver.take();
                if let Some(driver) = driver {
                    driver.wake();
                }
                self.arrived.notify_all();
            }
        }
    }

    /// For a queue without `wake`: ends when there is something to drain, or with the queue.
    pub(crate) fn poll_filled(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.closed || !state.items.is_empty() {
            return Poll::Ready(());
        }
        state.driver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Moves up to `max` items to the end of `out`, oldest first. True: more are left, and nothing will announce them.
    pub fn drain(&self, out: &mut Vec<T>, max: usize) -> bool {
        let mut state = self.state();
        if state.items.len() <= max {
            state.told = false;
            if out.is_empty() {
                std::mem::swap(&mut state.items, out);
            } else {
                out.append(&mut state.items);
            }
            return false;
        }
        out.extend(state.items.drain(..max));
        true
    }

    /// Waits until there is something to drain, at most `limit`. False when nothing came, or the queue was closed.
    pub fn wait(&self, limit: Option<Duration>) -> bool {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.state();
        while state.items.is_empty() && !state.closed {
            state = match until {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        !state.items.is_empty()
    }

    /// There is something to drain.
    pub(crate) fn has_items(&self) -> bool {
        !self.state().items.is_empty()
    }

    /// Ends every wait; later items are dropped. What is in the queue can still be drained.
    pub fn close(&self) {
        self.state().closed = true;
        self.announce();
    }

    /// It was closed.
    pub fn is_closed(&self) -> bool {
        self.state().closed
    }
}

impl<T: Send + 'static> Turn for Queue<T> {
    fn turn(self: Arc<Self>) {
        self.announce();
    }

    /// What came with a shard's last batch is announced all the same.
    fn left_out(self: Arc<Self>) {
        self.announce();
    }
}

impl<T> std::fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Queue")
            .field("items", &state.items.len())
            .field("closed", &state.closed)
            .finish_non_exhaustive()
    }
}
