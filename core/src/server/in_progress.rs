//! Handlers that wait: how to cancel them, and when.

use std::collections::HashMap;

use rpcx_protocol::wheel::{Handle, Wheel};
use tokio_util::sync::CancellationToken;

struct Call {
    seq: u64,
    token: CancellationToken,
    timer: Option<Handle>,
}

/// The calls of one connection whose handlers were moved to tasks. Time is an argument, in milliseconds of the link's clock.
#[derive(Default)]
pub(super) struct InProgress {
    calls: HashMap<u32, Call, foldhash::fast::RandomState>,
    /// The newest call of each sequence number; foreign peers may use one twice.
    by_seq: HashMap<u64, u32>,
    wheel: Wheel,
    next: u32,
}

impl InProgress {
    /// Adds a call; returns its number here.
    pub(super) fn insert(&mut self, seq: u64, token: CancellationToken, due: Option<u64>) -> u32 {
        while self.calls.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let timer = due.map(|due| self.wheel.schedule(id, due));
        self.calls.insert(id, Call { seq, token, timer });
        self.by_seq.insert(seq, id);
        id
    }

    /// The call is over. Returns how many remain.
    pub(super) fn remove(&mut self, id: u32) -> usize {
        if let Some(call) = self.calls.remove(&id) {
            if let Some(timer) = call.timer {
                self.wheel.cancel(timer);
            }
            if self.by_seq.get(&call.seq) == Some(&id) {
                self.by_seq.remove(&call.seq);
            }
        }
        self.calls.len()
    }

    /// The caller of `seq` has given up.
    pub(super) fn cancel(&mut self, seq: u64) {
        if let Some(call) = self.by_seq.get(&seq).and_then(|id| self.calls.get(id)) {
            call.token.cancel();
        }
    }

    /// Cancels what is overdue.
    pub(super) fn expire(&mut self, now: u64) {
        let mut due = Vec::new();
        self.wheel.expire(now, &mut due);
        for id in due {
            if let Some(call) = self.calls.get_mut(&id) {
                call.timer = None;
                call.token.cancel();
            }
        }
    }

    pub(super) fn next_due(&self, now: u64) -> Option<u64> {
        self.wheel.next_due(now)
    }

    /// The connection has ended.
    pub(super) fn cancel_all(&mut self) {
        for call in self.calls.values() {
            call.token.cancel();
        }
    }
}
