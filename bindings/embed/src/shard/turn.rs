//! One turn of a guest that does not wait.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::mailbox::Mailbox;

/// Most rounds of one turn: what is left then keeps the guest's own thread from its other work.
const ROUNDS: u32 = 16;

/// A turn: the runtime looks for events between two polls of this, so that what came is dealt with at the third.
pub(super) struct Pass<'a> {
    mailbox: &'a Mailbox,
    rounds: u32,
}

impl<'a> Pass<'a> {
    pub(super) fn new(mailbox: &'a Mailbox) -> Pass<'a> {
        Pass { mailbox, rounds: 0 }
    }
}

impl Future for Pass<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.rounds += 1;
        if self.rounds > ROUNDS || (self.rounds > 2 && self.mailbox.is_quiet()) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
