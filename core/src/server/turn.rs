//! Requests of one client that take turns to begin: where there are no frames that could be held back, the requests
//! themselves wait while as many handlers run as may.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Wake;

use tokio::sync::futures::Notified;
use tokio::sync::{Mutex, MutexGuard, Notify};

use super::lookup::Lookup;
use super::session::Session;

/// Stands where a connection of frames has its driver: hears of handlers' ends, and of the connection's.
#[derive(Default)]
pub(super) struct Room(Notify);

impl Room {
    /// Becomes ready at the next of these; those after this call count.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.0.notified()
    }
}

impl Wake for Room {
    fn wake(self: Arc<Self>) {
        self.0.notify_waiters();
    }
}

/// The turn of one request to begin; those of the same client that came later wait.
pub(super) struct Turn<'a> {
    pub(super) lookup: MutexGuard<'a, Lookup>,
    session: &'a Arc<Session>,
    /// Waits, or has waited until now, for its turn among the sessions of the server.
    in_line: bool,
}

impl<'a> Turn<'a> {
    /// Waits until a handler may begin. With a server that rejects what is too much it is only one after the other.
    pub(super) async fn take(turns: &'a Mutex<Lookup>, room: &Room, session: &'a Arc<Session>) -> Turn<'a> {
        let mut turn = Turn { lookup: turns.lock().await, session, in_line: false };
        if session.options.reject_overload {
            return turn;
        }
        loop {
            let mut woken = pin!(room.changed());
            woken.as_mut().enable();
            // Before the look at the load: a handler that ends now sees that somebody waits, or we see its end.
            session.stopped.store(true, Ordering::SeqCst);
            if !session.is_full() && !turn.waits_in_line() {
                return turn;
            }
            woken.await;
        }
    }

    fn waits_in_line(&mut self) -> bool {
        if self.in_line && self.session.in_line.load(Ordering::Relaxed) {
            return true;
        }
        if !self.session.server.is_full() {
            return false;
        }
        let in_front = std::mem::replace(&mut self.in_line, true);
        self.session.server.wait_in_line(self.session, in_front)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.session.stopped.store(false, Ordering::SeqCst);
        if self.in_line {
            self.session.server.hand_on(self.session);
        }
    }
}
