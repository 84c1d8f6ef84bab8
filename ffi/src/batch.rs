//! Batches: many calls handed over at once

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};

use rpcx_embed::{Error, Method, Reason, Result, Running, runtime};

use crate::bytes::rpcx_slice;
use crate::completion::{Callback, Target, rpcx_completion};
use crate::error::rpcx_error;
use crate::method::{Prepared, rpcx_call, rpcx_call_options, rpcx_method};
use crate::queue::rpcx_queue;
use crate::reply::rpcx_reply;
use crate::{arg, guard};

/// Calls, of any methods and kinds, that are started together and end together, as one reply with a part for each.
pub struct rpcx_batch {
    calls: Vec<(Method, Prepared)>,
}

/// What the calls of a batch leave, and who is told when the last one has.
struct Results {
    results: Mutex<(Vec<Option<Result<rpcx_reply>>>, usize)>,
    tell: Mutex<Option<Tell>>,
}

type Tell = Box<dyn FnOnce(rpcx_reply) + Send>;

impl Results {
    fn put(&self, index: usize, result: Result<rpcx_reply>) {
        let results = {
            let mut state = self.results.lock().unwrap_or_else(PoisonError::into_inner);
            let (results, missing) = &mut *state;
            results[index] = Some(result);
            *missing -= 1;
            if *missing > 0 {
                return;
            }
            std::mem::take(results)
        };
        self.tell(results);
    }

    fn tell(&self, results: Vec<Option<Result<rpcx_reply>>>) {
        let parts = results.into_iter().flatten().map(|result| {
            let server = match &result {
                Ok(reply) => reply.server(),
                Err(error) => error.server().map(Arc::from).unwrap_or_default(),
            };
            (server, result)
        });
        let reply = rpcx_reply::of_parts(parts);
        if let Some(tell) = self.tell.lock().unwrap_or_else(PoisonError::into_inner).take() {
            tell(reply);
        }
    }
}

impl rpcx_batch {
    /// Starts all calls; those that cannot be are failed parts.
    fn start(&mut self, tell: impl FnOnce(rpcx_reply) + Send + 'static) -> Result<Vec<Running>> {
        let calls = std::mem::take(&mut self.calls);
        if calls.is_empty() {
            return Err(arg::bad("batch", "has no calls"));
        }
        let places = calls.iter().map(|_| None).collect();
        let results =
            Arc::new(Results { results: Mutex::new((places, calls.len())), tell: Mutex::new(Some(Box::new(tell))) });
        let mut running = Vec::with_capacity(calls.len());
        for (index, (method, call)) in calls.into_iter().enumerate() {
            let here = results.clone();
            let target = Target::Part(Box::new(move |result| here.put(index, result)));
            match call.start(&method, target) {
                Ok(one) => running.push(one),
                Err(error) => results.put(index, Err(error)),
            }
        }
        Ok(running)
    }
}

/// Makes an empty batch.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_batch_new(out: *mut *mut rpcx_batch) -> *mut rpcx_error {
    // SAFETY: `out` is the caller's.
    guard::guard(|| unsafe { arg::write(out, "out", rpcx_batch { calls: Vec::new() }) })
}

/// Adds a call; arguments as of `rpcx_method_call()`. Nothing is sent yet.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_batch_add(
    batch: *mut rpcx_batch,
    method: *const rpcx_method,
    payload: rpcx_slice,
    options: *const rpcx_call_options,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: as the header says of the arguments; a handle that the caller is alone with.
        unsafe {
            let call = Prepared::new(payload, options)?;
            let batch = arg::borrow_mut(batch, "batch")?;
            batch.calls.push((arg::borrow(method, "method")?.get().clone(), call));
        }
        Ok(())
    })
}

/// Starts the calls and empties the batch, which may be filled again. `completion` runs when all have ended: its reply has a
/// part for each, in the order they were added. `out` (NULL: not wanted) gets what cancels them all.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_batch_call(
    batch: *mut rpcx_batch,
    completion: *const rpcx_completion,
    out: *mut *mut rpcx_call,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: as the header says of the arguments; a handle that the caller is alone with.
        unsafe {
            let target = Target::Callback(Callback::new(completion)?);
            let running = arg::borrow_mut(batch, "batch")?.start(|reply| target.reply(Ok(reply)))?;
            rpcx_call::write(out, running)
        }
    })
}

/// As `rpcx_batch_call()`, into a queue: one RPCX_EVENT_REPLY with `tag`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_batch_call_queue(
    batch: *mut rpcx_batch,
    queue: *const rpcx_queue,
    tag: u64,
    out: *mut *mut rpcx_call,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: as the header says of the arguments; a handle that the caller is alone with.
        unsafe {
            let target = Target::Queue(rpcx_queue::events(queue)?, tag);
            let running = arg::borrow_mut(batch, "batch")?.start(|reply| target.reply(Ok(reply)))?;
            rpcx_call::write(out, running)
        }
    })
}

/// As `rpcx_batch_call()`, waiting on this thread.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_batch_call_wait(batch: *mut rpcx_batch, out: *mut *mut rpcx_reply) -> *mut rpcx_error {
    guard::guard(|| {
        arg::check_out(out, "out")?;
        runtime::may_block()?;
        let (sender, receiver) = sync_channel(1);
        // SAFETY: a handle that the caller is alone with.
        let batch = unsafe { arg::borrow_mut(batch, "batch") }?;
        batch.start(move |reply| {
            // The receiver waits below.
            let _ = sender.send(reply);
        })?;
        let reply = receiver.recv().map_err(|_| Error::new(Reason::InternalBug, "a call of a batch was lost"))?;
        // SAFETY: `out` is the caller's.
        unsafe { arg::write(out, "out", reply) }
    })
}

/// Frees it with what it has not started; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_batch_free(batch: *mut rpcx_batch) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(batch) }
}
