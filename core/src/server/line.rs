//! Connections that wait in line while as many handlers of the whole server run as may.
//!
//! A handler's end wakes as many of them as there is room for, those first that have waited longest. Who is woken and finds
//! nothing to do hands on: room is never left while somebody waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::session::Session;

#[derive(Default)]
pub(super) struct Line {
    sessions: Mutex<VecDeque<Weak<Session>>>,
    /// There are some.
    any: AtomicBool,
}

impl Line {
    fn sessions(&self) -> MutexGuard<'_, VecDeque<Weak<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gets a session in line that is not there, in front if it was woken in vain. False, and it stays out, when `is_full`
    /// says that there is room.
    pub(super) fn join(&self, session: &Arc<Session>, in_front: bool, is_full: impl FnOnce() -> bool) -> bool {
        let mut sessions = self.sessions();
        session.in_line.store(true, Ordering::Relaxed);
        let weak = Arc::downgrade(session);
        if in_front {
            sessions.push_front(weak)
        } else {
            sessions.push_back(weak)
        }
        // Before the last look at the load: a handler that ends now sees that there is somebody to wake, or we see its end.
        self.any.store(true, Ordering::SeqCst);
        let waits = is_full();
        if !waits {
            self.remove(&mut sessions, session);
        }
        waits
    }

    /// Takes a session out of the line, if it still is in it.
    pub(super) fn leave(&self, session: &Session) {
        self.remove(&mut self.sessions(), session);
    }

    fn remove(&self, sessions: &mut VecDeque<Weak<Session>>, session: &Session) {
        if session.in_line.swap(false, Ordering::Relaxed) {
            sessions.retain(|other| !std::ptr::eq(other.as_ptr(), session));
        }
        self.any.store(!sessions.is_empty(), Ordering::SeqCst);
    }

    /// Wakes as many sessions as there is room for. Costs one load when there are none.
    pub(super) fn wake(&self, room: impl FnOnce() -> usize) {
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        let woken: Vec<_> = {
            let mut sessions = self.sessions();
            let mut woken = Vec::new();
            let room = room();
            while woken.len() < room
                && let Some(session) = sessions.pop_front()
            {
                if let Some(session) = session.upgrade() {
                    session.in_line.store(false, Ordering::Relaxed);
                    woken.push(session);
                }
            }
            self.any.store(!sessions.is_empty(), Ordering::SeqCst);
            woken
        };
        for session in woken {
            session.link.kick();
        }
    }
}
