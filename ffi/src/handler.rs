//! Handlers: what a server runs for its methods

use std::ffi::c_void;
use std::mem::offset_of;

use rpcx_embed::{Handler, Request, Result};

use crate::arg;
use crate::queue::{Event, What, rpcx_queue};
use crate::request::rpcx_request;
use crate::user_data::UserData;

/// The handler goes on though its caller cancels, its deadline passes or its connection ends.
pub const RPCX_METHOD_TO_COMPLETION: u32 = 1;

/// Takes the requests of a method.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rpcx_handler {
    /// sizeof(rpcx_handler).
    pub struct_size: usize,
    /// Gets each request, on a thread of the library on which connections wait meanwhile: answer it here if that is quick,
    /// else hand it to a thread of your own, which answers it whenever it likes. The request is the receiver's: exactly one
    /// of `rpcx_request_answer()`, `_answer_buffer()`, `_fail()`, `_fail_with()` and `_free()` takes it back.
    pub handle: Option<unsafe extern "C" fn(user_data: *mut c_void, request: *mut rpcx_request)>,
    /// Frees `user_data`, once, after the last request; NULL: nothing to free.
    pub drop_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Handed to both.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, begins with its size, and all its fields may be zero.
unsafe impl arg::Versioned for rpcx_handler {
    const FIRST: usize = offset_of!(rpcx_handler, user_data) + size_of::<*mut c_void>();
}

/// A handler of the user's.
pub(crate) struct Callback {
    handle: unsafe extern "C" fn(user_data: *mut c_void, request: *mut rpcx_request),
    user: UserData,
}

impl Callback {
    /// # Safety
    /// `handler` is NULL or points to one, as the header describes it.
    pub(crate) unsafe fn new(handler: *const rpcx_handler) -> Result<Callback> {
        // SAFETY: passed on to the caller.
        let handler = unsafe { arg::versioned(handler, "handler") }?;
        let user = UserData::new(handler.user_data, handler.drop_user_data);
        let handle = handler.handle.ok_or_else(|| arg::bad("handler", "has no function `handle`"))?;
        Ok(Callback { handle, user })
    }
}

impl Handler for Callback {
    fn call(&self, request: Request) {
        let request = Box::into_raw(Box::new(rpcx_request::from(request)));
        // SAFETY: the user's function, with what it was promised.
        unsafe { (self.handle)(self.user.get(), request) }
    }
}

/// A handler that puts requests into a queue.
///
/// # Safety
/// `queue` is NULL or a handle of the caller's.
pub(crate) unsafe fn queued(queue: *const rpcx_queue, tag: u64) -> Result<impl Handler> {
    // SAFETY: passed on to the caller.
    let events = unsafe { rpcx_queue::events(queue) }?;
    Ok(move |request: Request| events.push(Event { tag, what: What::Request(request) }))
}
