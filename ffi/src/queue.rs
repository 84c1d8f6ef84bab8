//! Completion queues: what has ended or come, fetched in batches

use std::mem::offset_of;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rpcx_embed::{AuthRequest, Driver, Error, EventFd, HeldPush, Owned, Queue, Reason, Request, Result, runtime};

use crate::auth::rpcx_auth;
use crate::error::rpcx_error;
use crate::push::rpcx_push;
use crate::reply::rpcx_reply;
use crate::request::rpcx_request;
use crate::{arg, guard};

/// The queue has a descriptor that an event loop can wait for: `rpcx_queue_fd()`.
pub const RPCX_QUEUE_FD: u32 = 1;

/// The thread that waits in `rpcx_queue_wait()` reads and writes connections itself meanwhile, which saves a wake-up between
/// threads for each batch: for a program with one thread that does little but wait and hand over. Such a queue keeps one of
/// the library's threads.
pub const RPCX_QUEUE_DRIVE: u32 = 2;

/// A call has ended: `reply` or `error` is set.
pub const RPCX_EVENT_REPLY: u32 = 1;
/// A server got a request: `request` is set.
pub const RPCX_EVENT_REQUEST: u32 = 2;
/// A message that a server pushed: `push` is set. NULL: the client was closed, and this is its last one.
pub const RPCX_EVENT_PUSH: u32 = 3;
/// A server asks whether a token is good: `auth` is set.
pub const RPCX_EVENT_AUTH: u32 = 4;

/// Something that has ended or come. What its pointers point to is the receiver's, to answer or to free.
#[repr(C)]
pub struct rpcx_event {
    /// How much of this struct the library has written.
    pub struct_size: usize,
    /// As it was given when the call was made, or the method added.
    pub tag: u64,
    /// What it is: RPCX_EVENT_REPLY and the others. Kinds that you do not know come only to tags you gave for them.
    pub kind: u32,
    /// Always 0.
    pub reserved: u32,
    /// What a call brought back.
    pub reply: *mut rpcx_reply,
    /// Why a call failed.
    pub error: *mut rpcx_error,
    /// A request to be answered.
    pub request: *mut rpcx_request,
    /// A message of a server.
    pub push: *mut rpcx_push,
    /// A token to be judged.
    pub auth: *mut rpcx_auth,
}

/// What its first version has.
pub(crate) const EVENT_FIRST: usize = offset_of!(rpcx_event, auth) + size_of::<*mut rpcx_auth>();

/// Where calls, requests and pushes wait to be fetched, by any number of threads. A wake-up serves all that have come, which
/// is what makes it fast under load.
pub struct rpcx_queue {
    events: Owned<Arc<Events>>,
    fd: Option<Arc<EventFd>>,
    driver: Option<Driver>,
    /// The memory of one batch, used again.
    batch: Mutex<Vec<Event>>,
}

pub(crate) type Events = Queue<Event>;

/// What is in a queue.
pub(crate) struct Event {
    pub(crate) tag: u64,
    pub(crate) what: What,
}

/// What has ended or come.
pub(crate) enum What {
    Reply(Result<rpcx_reply>),
    Request(Request),
    Push(Option<HeldPush>),
    Auth(AuthRequest),
}

impl rpcx_queue {
    /// The events of a queue that a user gave.
    ///
    /// # Safety
    /// It is NULL or a handle of the caller's.
    pub(crate) unsafe fn events(queue: *const rpcx_queue) -> Result<Arc<Events>> {
        // SAFETY: passed on to the caller.
        unsafe { arg::borrow(queue, "queue") }?.events.get().cloned()
    }

    /// Moves what there is into the user's array. The last word of each place is not written if it does not know it.
    ///
    /// # Safety
    /// `out` is an array of at least `max` places of `size` bytes.
    unsafe fn drain(&self, events: &Events, out: *mut rpcx_event, size: usize, max: usize) -> usize {
        if let Some(fd) = &self.fd {
            // First, so that what comes meanwhile signals again.
            fd.clear();
        }
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        let more = events.drain(&mut batch, max);
        if more && let Some(fd) = &self.fd {
            fd.signal();
        }
        let count = batch.len();
        for (index, event) in batch.drain(..).enumerate() {
            let event = event.into_c(size);
            // SAFETY: within the array; what a place is too short for is not written.
            unsafe {
                let place = out.cast::<u8>().add(index * size);
                ptr::copy_nonoverlapping((&raw const event).cast(), place, size.min(size_of::<rpcx_event>()));
            }
        }
        count
    }
}

impl Event {
    fn into_c(self, size: usize) -> rpcx_event {
        let mut event = rpcx_event {
            struct_size: size.min(size_of::<rpcx_event>()),
            tag: self.tag,
            kind: RPCX_EVENT_REPLY,
            reserved: 0,
            reply: ptr::null_mut(),
            error: ptr::null_mut(),
            request: ptr::null_mut(),
            push: ptr::null_mut(),
            auth: ptr::null_mut(),
        };
        match self.what {
            What::Reply(Ok(reply)) => event.reply = Box::into_raw(Box::new(reply)),
            What::Reply(Err(error)) => event.error = rpcx_error::into_raw(error),
            What::Request(request) => {
                event.kind = RPCX_EVENT_REQUEST;
                event.request = Box::into_raw(Box::new(request.into()));
            }
            What::Push(held) => {
                event.kind = RPCX_EVENT_PUSH;
                event.push = held.map_or(ptr::null_mut(), |held| Box::into_raw(Box::new(held.push.into())));
            }
            What::Auth(auth) => {
                event.kind = RPCX_EVENT_AUTH;
                event.auth = Box::into_raw(Box::new(auth.into()));
            }
        }
        event
    }
}

/// Makes a queue. `flags`: 0, RPCX_QUEUE_FD for one that is waited for by its descriptor instead of by `rpcx_queue_wait()`,
/// or RPCX_QUEUE_DRIVE.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_queue_new(flags: u32, out: *mut *mut rpcx_queue) -> *mut rpcx_error {
    guard::guard(|| {
        let (events, fd, driver) = match flags {
            0 => (Queue::blocking(), None, None),
            RPCX_QUEUE_DRIVE => (Queue::blocking(), None, Some(Driver::new()?)),
            RPCX_QUEUE_FD => {
                let system = |error| Error::new(Reason::InternalSystem, format!("no descriptor for a queue: {error}"));
                let fd = Arc::new(EventFd::new().map_err(system)?);
                let signalled = fd.clone();
                (Queue::new(move || signalled.signal()), Some(fd), None)
            }
            other => return Err(arg::bad("flags", format_args!("has unknown bits: {other}"))),
        };
        // SAFETY: `out` is the caller's.
        unsafe {
            arg::write(out, "out", rpcx_queue { events: Owned::new(events), fd, driver, batch: Mutex::default() })
        }
    })
}

/// The descriptor of a queue with RPCX_QUEUE_FD, else -1. It is readable while there are events; wait for that with poll,
/// epoll or an event loop, and do nothing else with it. It is closed when the queue is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_queue_fd(queue: *const rpcx_queue) -> i32 {
    // SAFETY: a handle of the caller's.
    guard::or(-1, || Some(unsafe { queue.as_ref() }?.fd.as_ref()?.fd()))
}

/// Fetches up to `max` events without waiting. `events` is an array of `max` places, `event_size` is sizeof(rpcx_event);
/// `count` is set to how many came, 0 for none. RPCX_ERROR_CLOSED: none came, and the queue is closed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_queue_poll(
    queue: *const rpcx_queue,
    events: *mut rpcx_event,
    event_size: usize,
    max: usize,
    count: *mut usize,
) -> *mut rpcx_error {
    // SAFETY: passed on to the caller.
    guard::guard(|| unsafe { fetch(queue, events, event_size, max, count, |_, _| Ok(())) })
}

/// As `rpcx_queue_poll()`, but waits until there is an event, at most `timeout_ms` (UINT32_MAX: for ever); `count` is 0 when
/// that has passed. For queues without RPCX_QUEUE_FD. Any number of threads may wait; each event comes to one of them.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_queue_wait(
    queue: *const rpcx_queue,
    events: *mut rpcx_event,
    event_size: usize,
    max: usize,
    timeout_ms: u32,
    count: *mut usize,
) -> *mut rpcx_error {
    let wait = |queue: &rpcx_queue, events: &Arc<Events>| {
        if queue.fd.is_some() {
            return Err(arg::bad("queue", "has a descriptor: wait for that, then call rpcx_queue_poll()"));
        }
        runtime::may_block()?;
        let limit = (timeout_ms != u32::MAX).then(|| Duration::from_millis(timeout_ms.into()));
        match &queue.driver {
            None => events.wait(limit),
            Some(driver) => driver.wait(events, limit),
        };
        Ok(())
    };
    // SAFETY: passed on to the caller.
    guard::guard(|| unsafe { fetch(queue, events, event_size, max, count, wait) })
}

/// # Safety
/// As the header says of `rpcx_queue_poll()`.
unsafe fn fetch(
    queue: *const rpcx_queue,
    events: *mut rpcx_event,
    event_size: usize,
    max: usize,
    count: *mut usize,
    wait: impl FnOnce(&rpcx_queue, &Arc<Events>) -> Result<()>,
) -> Result<()> {
    // SAFETY: a handle of the caller's.
    let queue = unsafe { arg::borrow(queue, "queue") }?;
    arg::check_out(count, "count")?;
    arg::check_out(events, "events")?;
    if event_size < EVENT_FIRST || !event_size.is_multiple_of(align_of::<rpcx_event>()) {
        return Err(arg::bad("event_size", format_args!("is {event_size}: use sizeof(rpcx_event)")));
    }
    if max == 0 {
        return Err(arg::bad("max", "must not be 0"));
    }
    let source = queue.events.get()?;
    wait(queue, source)?;
    // Before the queue is drained: what comes before it is closed is still handed out.
    let closed = source.is_closed();
    // SAFETY: an array of the caller's with that many places.
    let fetched = unsafe { queue.drain(source, events, event_size, max) };
    if fetched == 0 && closed {
        return Err(Error::new(Reason::ClosedLocal, "the queue is closed"));
    }
    // SAFETY: a place of the caller's.
    unsafe { *count = fetched };
    Ok(())
}

/// Ends all waits on it. What is in it can still be fetched; what comes later is freed, requests are answered as if their
/// handler had panicked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_queue_close(queue: *const rpcx_queue) {
    guard::or((), || {
        // SAFETY: a handle of the caller's.
        unsafe { queue.as_ref() }?.events.get().ok()?.close();
        Some(())
    });
}

/// Closes and frees it, with what is in it; NULL is allowed. No thread may be waiting on it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_queue_free(queue: *mut rpcx_queue) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(queue) }
}

impl Drop for rpcx_queue {
    fn drop(&mut self) {
        if let Ok(events) = self.events.get() {
            // Calls under way may hold it; what is left nobody would fetch.
            events.close();
            events.drain(&mut Vec::new(), usize::MAX);
        }
    }
}
