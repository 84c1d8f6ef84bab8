//! Calls under way by their tickets, to be cancelled.

use rpcx_embed::Running;

/// What is known of the last call with a slot's number.
#[derive(Default)]
enum Slot {
    #[default]
    Free,
    /// It runs.
    Running(u64, Running),
    /// It ended before it was entered: starting a call and handing out its end are two threads.
    Ended(u64),
    /// It was cancelled before it was entered.
    Cancelled(u64),
}

/// A slot for each number that Java's table of tickets uses: the lower half of a ticket.
#[derive(Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
}

impl Table {
    fn slot(&mut self, ticket: u64) -> &mut Slot {
        let index = ticket as u32 as usize;
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, Slot::default);
        }
        &mut self.slots[index]
    }

    /// A call has been started.
    pub(crate) fn enter(&mut self, ticket: u64, running: Running) {
        let slot = self.slot(ticket);
        match slot {
            Slot::Ended(other) if *other == ticket => *slot = Slot::Free,
            Slot::Cancelled(other) if *other == ticket => {
                *slot = Slot::Free;
                running.cancel();
            }
            _ => *slot = Slot::Running(ticket, running),
        }
    }

    /// A call's end is handed out.
    pub(crate) fn end(&mut self, ticket: u64) {
        let slot = self.slot(ticket);
        *slot = match slot {
            Slot::Running(other, _) if *other == ticket => Slot::Free,
            _ => Slot::Ended(ticket),
        };
    }

    /// A call is to be cancelled; nothing happens when it has ended.
    pub(crate) fn cancel(&mut self, ticket: u64) {
        let slot = self.slot(ticket);
        match slot {
            Slot::Running(other, running) if *other == ticket => running.cancel(),
            Slot::Ended(other) if *other == ticket => {}
            _ => *slot = Slot::Cancelled(ticket),
        }
    }
}
