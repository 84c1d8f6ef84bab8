//! Completions: how something ends

use std::ffi::c_void;
use std::mem::offset_of;
use std::ptr;
use std::sync::Arc;

use rpcx_embed::Result;

use crate::arg;
use crate::error::rpcx_error;
use crate::queue::{Event, Events, What};
use crate::reply::rpcx_reply;
use crate::user_data::UserData;

/// What is told when something has ended: a call, a start, a shutdown.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rpcx_completion {
    /// sizeof(rpcx_completion).
    pub struct_size: usize,
    /// Runs exactly once, on a thread of the library. Of a call, exactly one of `reply` and `error` is not NULL; of
    /// anything else `reply` is NULL, and so is `error` if it went well. They are the receiver's to free.
    pub done: Option<unsafe extern "C" fn(user_data: *mut c_void, reply: *mut rpcx_reply, error: *mut rpcx_error)>,
    /// Frees `user_data`, once, after `done`; also if the function that was given this failed, when `done` never runs.
    /// NULL: nothing to free.
    pub drop_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Handed to both.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, begins with its size, and all its fields may be zero.
unsafe impl arg::Versioned for rpcx_completion {
    const FIRST: usize = offset_of!(rpcx_completion, user_data) + size_of::<*mut c_void>();
}

/// A user's `done` with its value.
pub(crate) struct Callback {
    done: Done,
    user: UserData,
}

type Done = unsafe extern "C" fn(user_data: *mut c_void, reply: *mut rpcx_reply, error: *mut rpcx_error);

impl Callback {
    /// # Safety
    /// `completion` is NULL or points to one, as the header describes it.
    pub(crate) unsafe fn new(completion: *const rpcx_completion) -> Result<Callback> {
        // SAFETY: passed on to the caller.
        let completion = unsafe { arg::versioned(completion, "completion") }?;
        let user = UserData::new(completion.user_data, completion.drop_user_data);
        let done = completion.done.ok_or_else(|| arg::bad("completion", "has no function `done`"))?;
        Ok(Callback { done, user })
    }

    /// Tells how a call ended.
    pub(crate) fn reply(self, result: Result<rpcx_reply>) {
        match result {
            Ok(reply) => self.call(Box::into_raw(Box::new(reply)), ptr::null_mut()),
            Err(error) => self.call(ptr::null_mut(), rpcx_error::into_raw(error)),
        }
    }

    /// Tells how anything else ended.
    pub(crate) fn done(self, result: Result<()>) {
        self.call(ptr::null_mut(), result.err().map_or(ptr::null_mut(), rpcx_error::into_raw));
    }

    fn call(self, reply: *mut rpcx_reply, error: *mut rpcx_error) {
        // SAFETY: the user's function, with what it was promised.
        unsafe { (self.done)(self.user.get(), reply, error) }
    }
}

/// Who is told how a call ended.
pub(crate) enum Target {
    Callback(Callback),
    Queue(Arc<Events>, u64),
    /// The batch that the call is a part of.
    Part(Box<dyn FnOnce(Result<rpcx_reply>) + Send>),
}

impl Target {
    pub(crate) fn reply(self, result: Result<rpcx_reply>) {
        match self {
            Target::Callback(callback) => callback.reply(result),
            Target::Queue(events, tag) => events.push(Event { tag, what: What::Reply(result) }),
            Target::Part(put) => put(result),
        }
    }
}
