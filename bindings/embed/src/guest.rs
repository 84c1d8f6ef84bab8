//! An event loop of another runtime that drives a shard between its own events.
//!
//! Results that come often are worth more than a signal each: the loop then watches the shard's own descriptor, lets it have
//! a turn on the loop's thread when that is readable, and finds its results in the queue without a wake-up from another
//! thread. When they come rarely, or the loop is busy with other things, our own thread drives as ever.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::event_fd::EventFd;
use crate::fork::Owned;
use crate::mailbox::Mailbox;
use crate::shard::Shard;

/// So many announcements within `WINDOW` make a loop drive.
const OFTEN: u32 = 8;
const WINDOW: Duration = Duration::from_millis(5);

/// What a loop is to do with a descriptor.
#[derive(Debug)]
pub enum Watch {
    /// Watch it for reading, and call [`LoopGuest::turn`] when it is readable. It stays open until `End`.
    Begin(RawFd),
    /// Watch it no longer. It may be closed with this.
    End(Arc<OwnedFd>),
}

/// Where the loop stands.
enum Seat {
    /// Our own thread drives and signals.
    Outside { since: Instant, announced: u32 },
    /// Our own thread was asked to leave.
    Invited { since: Instant, shard: Owned<Weak<Shard>> },
    /// The loop drives.
    Driving { shard: Owned<Weak<Shard>>, fd: Arc<OwnedFd> },
}

impl Seat {
    fn outside() -> Seat {
        Seat::Outside { since: Instant::now(), announced: 0 }
    }
}

/// One event loop as the guest of a shard: that one of whose results it hears most often.
///
/// Its [`announce`](Self::announce) is the `wake` of the loop's queue, its descriptor is that of `event`. All but `announce`
/// is called on the loop's thread only.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::sync::Arc;
///
/// use rpcx_embed::{EventFd, LoopGuest, Queue};
///
/// let event = Arc::new(EventFd::new()?);
/// let guest = Arc::new(LoopGuest::new(event.clone()));
/// let announcing = guest.clone();
/// let queue = Queue::new(move || announcing.announce());
/// queue.push("result");
/// // The loop finds `event` readable:
/// event.clear();
/// assert!(guest.heard().is_none());
/// let mut results = Vec::new();
/// queue.drain(&mut results, usize::MAX);
/// assert_eq!(results, ["result"]);
/// # Ok(())
/// # }
/// ```
pub struct LoopGuest {
    event: Arc<EventFd>,
    /// The loop is in a turn and drains after it.
    inside: AtomicBool,
    /// The shard that announced last.
    from: Mutex<Option<Owned<Weak<Shard>>>>,
    seat: Mutex<Seat>,
}

impl LoopGuest {
    /// A loop that watches `event`.
    pub fn new(event: Arc<EventFd>) -> LoopGuest {
        LoopGuest { event, inside: AtomicBool::new(false), from: Mutex::default(), seat: Mutex::new(Seat::outside()) }
    }

    fn seat(&self) -> MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is something to drain: tells the loop, unless it is in a turn. On any thread.
    pub fn announce(&self) {
        if self.inside.load(Ordering::Acquire) {
            return;
        }
        let here = Mailbox::here().and_then(|mailbox| mailbox.shard());
        *self.from.lock().unwrap_or_else(PoisonError::into_inner) = here.map(Owned::new);
        self.event.signal();
    }

    /// The loop was told, and is about to drain. Says what to watch from now on.
    pub fn heard(&self) -> Option<Watch> {
        let mut seat = self.seat();
        match &mut *seat {
            Seat::Outside { since, announced } => {
                if since.elapsed() > WINDOW {
                    *seat = Seat::outside();
                    return None;
                }
                *announced += 1;
                if *announced >= OFTEN {
                    let from = self.from.lock().unwrap_or_else(PoisonError::into_inner).take();
                    *seat = match from.as_ref().and_then(reach) {
                        Some(shard) if shard.readiness().is_some() => {
                            shard.invite(&self.event);
                            Seat::Invited { since: Instant::now(), shard: Owned::new(Arc::downgrade(&shard)) }
                        }
                        _ => Seat::outside(),
                    };
                }
                None
            }
            Seat::Invited { since, shard } => {
                let there = reach(shard).filter(|shard| !shard.is_driven_here());
                if let Some((shard, fd)) = there.and_then(|shard| shard.readiness().map(|fd| (shard, fd))) {
                    let number = fd.as_raw_fd();
                    *seat = Seat::Driving { shard: Owned::new(Arc::downgrade(&shard)), fd };
                    return Some(Watch::Begin(number));
                }
                if since.elapsed() > WINDOW {
                    *seat = Seat::outside();
                }
                None
            }
            // It is our own thread that has told.
            Seat::Driving { shard, .. } if reach(shard).is_none_or(|shard| shard.is_driven_here()) => {
                LoopGuest::end(&mut seat)
            }
            Seat::Driving { .. } => None,
        }
    }

    /// The descriptor that is watched is readable: drives, so that the loop's queue has what came. Says when to watch it no
    /// longer. Must not be called where a call of the library would be: in a callback of it.
    pub fn turn(&self) -> Option<Watch> {
        let shard = match &*self.seat() {
            Seat::Driving { shard, .. } => reach(shard),
            _ => return None,
        };
        self.inside.store(true, Ordering::Release);
        let drove = shard.is_some_and(|shard| shard.turn());
        self.inside.store(false, Ordering::Release);
        if drove { None } else { LoopGuest::end(&mut self.seat()) }
    }

    fn end(seat: &mut Seat) -> Option<Watch> {
        match std::mem::replace(seat, Seat::outside()) {
            Seat::Driving { fd, .. } => Some(Watch::End(fd)),
            _ => None,
        }
    }
}

fn reach(shard: &Owned<Weak<Shard>>) -> Option<Arc<Shard>> {
    shard.get().ok().and_then(Weak::upgrade)
}

impl std::fmt::Debug for LoopGuest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoopGuest").field("event", &self.event).finish_non_exhaustive()
    }
}
