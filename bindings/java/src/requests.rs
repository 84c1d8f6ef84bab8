//! Requests that Java has and has not answered, by number.

use rpcx_embed::{AuthRequest, Request};

/// What waits for an answer.
pub(crate) enum Held {
    /// Of a handler.
    Request(Request),
    /// Of the authenticator.
    Auth(AuthRequest),
}

struct Slot {
    /// How often it was used.
    uses: u32,
    held: Option<Held>,
}

/// A slab: a number is the slot's and how often it was used, so that a late answer finds nobody else's request.
#[derive(Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Table {
    pub(crate) fn insert(&mut self, held: Held) -> u64 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { uses: 0, held: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.uses = slot.uses.wrapping_add(1) & 0x00ff_ffff;
        slot.held = Some(held);
        u64::from(slot.uses) << 32 | u64::from(index)
    }

    pub(crate) fn take(&mut self, number: u64) -> Option<Held> {
        let slot = self.slots.get_mut(number as u32 as usize)?;
        if u64::from(slot.uses) != number >> 32 {
            return None;
        }
        let held = slot.held.take()?;
        self.free.push(number as u32);
        Some(held)
    }

    /// A request that is not answered yet.
    pub(crate) fn request(&self, number: u64) -> Option<&Request> {
        let slot = self.slots.get(number as u32 as usize)?;
        match &slot.held {
            Some(Held::Request(request)) if u64::from(slot.uses) == number >> 32 => Some(request),
            _ => None,
        }
    }

    /// Drops all of them: they are answered as if their handlers had failed.
    pub(crate) fn clear(&mut self) -> Vec<Held> {
        self.free.clear();
        std::mem::take(&mut self.slots).into_iter().filter_map(|slot| slot.held).collect()
    }
}
