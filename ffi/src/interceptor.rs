//! Interceptors: code around every call

use std::collections::VecDeque;
use std::ffi::c_void;
use std::future::poll_fn;
use std::mem::offset_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use rpcx_embed::interceptor::{self, BoxFuture, Call, Next};
use rpcx_embed::{Error, Owned, Reason, Result};

use crate::bytes::{self, rpcx_slice};
use crate::completion::{Callback, rpcx_completion};
use crate::error::rpcx_error;
use crate::metadata::rpcx_metadata;
use crate::reply::rpcx_reply;
use crate::request::remaining_ms;
use crate::user_data::UserData;
use crate::{arg, guard};

/// Code around every call of a client, or around every handler of a server: `rpcx_config_add_interceptor()`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rpcx_interceptor {
    /// sizeof(rpcx_interceptor).
    pub struct_size: usize,
    /// Gets each call before it goes on; many at once. Must not block. The interception is the receiver's: it ends it, now
    /// or later and from any thread, with `rpcx_interception_pass()`, `_reply()` or `_fail()`. A client's runs on the thread
    /// that makes the call, inside that function, or on one of the library's.
    pub intercept: Option<unsafe extern "C" fn(user_data: *mut c_void, call: *mut rpcx_interception)>,
    /// Frees `user_data`, once, after the last call; NULL: nothing to free.
    pub drop_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Handed to both.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, begins with its size, and all its fields may be zero.
unsafe impl arg::Versioned for rpcx_interceptor {
    const FIRST: usize = offset_of!(rpcx_interceptor, user_data) + size_of::<*mut c_void>();
}

/// An interceptor of the user's.
pub(crate) struct Interceptor {
    intercept: unsafe extern "C" fn(user_data: *mut c_void, call: *mut rpcx_interception),
    user: UserData,
}

impl Interceptor {
    /// # Safety
    /// `interceptor` is NULL or points to one, as the header describes it.
    pub(crate) unsafe fn new(interceptor: *const rpcx_interceptor) -> Result<Interceptor> {
        // SAFETY: passed on to the caller.
        let interceptor = unsafe { arg::versioned(interceptor, "interceptor") }?;
        let user = UserData::new(interceptor.user_data, interceptor.drop_user_data);
        let intercept = interceptor.intercept.ok_or_else(|| arg::bad("interceptor", "has no function `intercept`"))?;
        Ok(Interceptor { intercept, user })
    }
}

impl interceptor::Interceptor for Interceptor {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<interceptor::Reply>> {
        Box::pin(async move {
            let steps = Arc::<Steps>::default();
            let interception = rpcx_interception::new(call, &steps);
            // SAFETY: the user's function, with what it was promised.
            unsafe { (self.intercept)(self.user.get(), Box::into_raw(Box::new(interception))) };
            let then = match steps.next().await {
                Step::End(result) => return result,
                Step::GoOn(changed, then) => {
                    *call = *changed;
                    then
                }
            };
            let result = next.run(call).await;
            let Some(then) = then else { return result };
            then.reply(result.map(|reply| rpcx_reply::new(reply.payload, reply.metadata)));
            match steps.next().await {
                Step::End(result) => result,
                Step::GoOn(..) => Err(lost()),
            }
        })
    }
}

/// What the owner of an interception says, for the call that waits for it: at most two steps.
#[derive(Default)]
struct Steps {
    state: Mutex<(VecDeque<Step>, Option<Waker>)>,
}

enum Step {
    /// The call goes on; its result is told to the callback, or passed on as it is.
    GoOn(Box<Call>, Option<Callback>),
    End(Result<interceptor::Reply>),
}

impl Steps {
    fn state(&self) -> MutexGuard<'_, (VecDeque<Step>, Option<Waker>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, step: Step) {
        let waker = {
            let mut state = self.state();
            state.0.push_back(step);
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn next(&self) -> Step {
        poll_fn(|cx| {
            let mut state = self.state();
            match state.0.pop_front() {
                Some(step) => Poll::Ready(step),
                None => {
                    state.1 = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

fn lost() -> Error {
    Error::new(Reason::InternalPanic, "an interceptor dropped the call without a word")
}

/// A call at an interceptor. It may be looked at and changed, then goes on, or not, and is ended with the result that its
/// caller gets. Freed without that, the call fails with RPCX_ERROR_INTERNAL.
pub struct rpcx_interception {
    /// Without its metadata.
    call: Call,
    metadata: rpcx_metadata,
    /// Taken when it ends.
    steps: Option<Owned<Arc<Steps>>>,
    gone_on: bool,
}

impl Drop for rpcx_interception {
    fn drop(&mut self) {
        if let Some(Ok(steps)) = self.steps.take().map(Owned::into_inner) {
            steps.put(Step::End(Err(lost())));
        }
    }
}

impl rpcx_interception {
    fn new(call: &Call, steps: &Arc<Steps>) -> rpcx_interception {
        let mut call = call.clone();
        let metadata = std::mem::take(&mut call.metadata).into();
        rpcx_interception { call, metadata, steps: Some(Owned::new(steps.clone())), gone_on: false }
    }

    /// The call as it was changed.
    fn changed(&self) -> Box<Call> {
        Box::new(Call { metadata: self.metadata.pairs.clone(), ..self.call.clone() })
    }

    fn end(mut self, step: Step) -> Result<()> {
        if let Some(steps) = self.steps.take() {
            steps.into_inner()?.put(step);
        }
        Ok(())
    }
}

/// The service path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_interception_service(call: *const rpcx_interception) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { call.as_ref() }?.call.service.as_str().into()))
}

/// The method.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_interception_method(call: *const rpcx_interception) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { call.as_ref() }?.call.method.as_str().into()))
}

/// The encoded arguments.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_interception_payload(call: *const rpcx_interception) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some((&unsafe { call.as_ref() }?.call.payload[..]).into()))
}

/// How arguments and reply are encoded: RPCX_SERIALIZE_JSON and the others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_interception_serialize_type(call: *const rpcx_interception) -> u32 {
    // SAFETY: a handle of the caller's.
    guard::or(0, || Some(unsafe { call.as_ref() }?.call.serialize_type.get().into()))
}

/// The other side: on a server the client's address, on a client the server's where it is known already, else empty.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_interception_peer(call: *const rpcx_interception) -> rpcx_slice {
    // SAFETY: a handle of the caller's.
    guard::or(rpcx_slice::EMPTY, || Some(unsafe { call.as_ref() }?.call.peer.as_str().into()))
}

/// Whether nobody waits for an answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_interception_is_oneway(call: *const rpcx_interception) -> bool {
    // SAFETY: a handle of the caller's.
    guard::or(false, || Some(unsafe { call.as_ref() }?.call.oneway))
}

/// Milliseconds until the caller stops waiting, 0 when it has; RPCX_NO_TIMEOUT: it gave no deadline.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_interception_remaining_ms(call: *const rpcx_interception) -> u32 {
    guard::or(0, || {
        // SAFETY: a handle of the caller's.
        let deadline = unsafe { call.as_ref() }?.call.deadline;
        Some(remaining_ms(deadline.map(|at| at.saturating_duration_since(Instant::now()))))
    })
}

/// The request's metadata, to be looked at and, before the call goes on, changed. Never NULL but for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_interception_metadata(call: *mut rpcx_interception) -> *mut rpcx_metadata {
    guard::or(std::ptr::null_mut(), || {
        // SAFETY: a handle that the caller is alone with.
        Some(&raw mut unsafe { call.as_mut() }?.metadata)
    })
}

/// Replaces the encoded arguments before the call goes on; they are copied.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_interception_set_payload(
    call: *mut rpcx_interception,
    payload: rpcx_slice,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle that the caller is alone with, and his bytes.
        unsafe { arg::borrow_mut(call, "call")?.call.payload = bytes::copy(payload, "payload")? };
        Ok(())
    })
}

/// Goes on with the call, once; `completion` gets its result, and with it `rpcx_interception_reply()` or
/// `rpcx_interception_fail()` ends the interception.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_interception_next(
    call: *mut rpcx_interception,
    completion: *const rpcx_completion,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct of the caller's, and a handle that he is alone with.
        let (then, call) = unsafe { (Callback::new(completion)?, arg::borrow_mut(call, "call")?) };
        if std::mem::replace(&mut call.gone_on, true) {
            return Err(arg::bad("call", "has gone on already"));
        }
        if let Some(steps) = &call.steps {
            steps.get()?.put(Step::GoOn(call.changed(), Some(then)));
        }
        Ok(())
    })
}

/// Goes on with the call and lets its result pass as it is; takes the interception over, on failure too.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_interception_pass(call: *mut rpcx_interception) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle that the caller gives up.
        let call = unsafe { arg::take(call, "call") }?;
        if call.gone_on {
            return Err(arg::bad("call", "has gone on already: end it with its reply or error"));
        }
        let changed = call.changed();
        call.end(Step::GoOn(changed, None))
    })
}

/// Ends it with a reply, such as that of `rpcx_interception_next()` or `rpcx_reply_new()`; takes both over, on failure too.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_interception_reply(
    call: *mut rpcx_interception,
    reply: *mut rpcx_reply,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: handles that the caller gives up.
        let (call, reply) = unsafe { (arg::take(call, "call"), arg::take(reply, "reply")) };
        let (payload, metadata) = reply?.into_parts();
        call?.end(Step::End(Ok(interceptor::Reply { metadata, payload })))
    })
}

/// Ends it with an error, such as that of `rpcx_interception_next()` or `rpcx_error_new()`; takes both over, on failure too.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_interception_fail(
    call: *mut rpcx_interception,
    error: *mut rpcx_error,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: handles that the caller gives up.
        let (call, error) = unsafe { (arg::take(call, "call"), arg::take(error, "error")) };
        call?.end(Step::End(Err(error?.error().clone())))
    })
}

/// Frees it, which fails the call; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_interception_free(call: *mut rpcx_interception) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(call) }
}
