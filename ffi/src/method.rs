//! Methods and calls

use std::mem::offset_of;

use rpcx_embed::{Bytes, CallOptions, Error, Kind, Method, Owned, Result, Running, SerializeType};

use crate::bytes::{self, rpcx_buffer, rpcx_slice};
use crate::completion::{Callback, Target, rpcx_completion};
use crate::config::{Scope, rpcx_config};
use crate::context::rpcx_context;
use crate::error::rpcx_error;
use crate::metadata::rpcx_metadata;
use crate::queue::rpcx_queue;
use crate::reply::rpcx_reply;
use crate::{arg, guard};

/// Calls one server, retried as the option `fail_mode` says.
pub const RPCX_KIND_CALL: u32 = 0;
/// Calls every server: all must succeed, the first reply is returned.
pub const RPCX_KIND_BROADCAST: u32 = 1;
/// Calls every server: the first success wins and cancels the others.
pub const RPCX_KIND_FORK: u32 = 2;
/// Calls every server: the reply has a part for each, `rpcx_reply_part()`.
pub const RPCX_KIND_INFORM: u32 = 3;
/// Sends a request that no server answers: it ends, with an empty reply, when a connection has taken it.
pub const RPCX_KIND_ONEWAY: u32 = 4;

/// The payload is bytes as they are.
pub const RPCX_SERIALIZE_RAW: u32 = 0;
/// JSON.
pub const RPCX_SERIALIZE_JSON: u32 = 1;
/// A bare Protocol Buffers message.
pub const RPCX_SERIALIZE_PROTOBUF: u32 = 2;
/// MessagePack, the default.
pub const RPCX_SERIALIZE_MSGPACK: u32 = 3;
/// A struct in Thrift's binary protocol.
pub const RPCX_SERIALIZE_THRIFT: u32 = 4;

// The numbers are the wire's.
const _: () = assert!(
    RPCX_SERIALIZE_RAW == SerializeType::RAW.get() as u32
        && RPCX_SERIALIZE_JSON == SerializeType::JSON.get() as u32
        && RPCX_SERIALIZE_PROTOBUF == SerializeType::PROTOBUF.get() as u32
        && RPCX_SERIALIZE_MSGPACK == SerializeType::MSGPACK.get() as u32
        && RPCX_SERIALIZE_THRIFT == SerializeType::THRIFT.get() as u32
);

/// Running the handler twice does no harm: the call is sent again though it may have run.
pub const RPCX_CALL_IDEMPOTENT: u32 = 1;

/// `timeout_ms` of a call without a deadline.
pub const RPCX_NO_TIMEOUT: u32 = 0xffff_ffff;

/// What is often said of a call; all zero is the client's own. Only read while the function runs.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rpcx_call_options {
    /// sizeof(rpcx_call_options).
    pub struct_size: usize,
    /// Who is called: RPCX_KIND_CALL and the others.
    pub kind: u32,
    /// Time for the whole call, retries included. 0: the client's, RPCX_NO_TIMEOUT: none.
    pub timeout_ms: u32,
    /// 0 or RPCX_CALL_IDEMPOTENT.
    pub flags: u32,
    /// Must be 0.
    pub reserved: u32,
    /// Sent beside the payload; NULL: none.
    pub metadata: *const rpcx_metadata,
    /// The call that this one is made for, such as a handler's request; NULL: none.
    pub parent: *const rpcx_context,
    /// What consistent hashing goes by; empty: service, method and payload.
    pub hash_key: rpcx_slice,
    /// The only server to use, spelled as the discovery does; empty: one is selected.
    pub target: rpcx_slice,
    /// The payload, kept instead of copied: the argument `payload` must be empty then. NULL: none.
    pub buffer: *const rpcx_buffer,
    /// Further options by name, of scope RPCX_SCOPE_CALL; what stands above wins. NULL: none.
    pub config: *const rpcx_config,
}

// SAFETY: `repr(C)`, begins with its size, and all its fields may be zero.
unsafe impl arg::Versioned for rpcx_call_options {
    const FIRST: usize = offset_of!(rpcx_call_options, config) + size_of::<*const rpcx_config>();
}

/// One call, ready to be started.
pub(crate) struct Prepared {
    pub(crate) kind: u32,
    pub(crate) payload: Bytes,
    pub(crate) options: CallOptions,
}

impl Prepared {
    /// Reads payload and options. A buffer is released on failure too.
    ///
    /// # Safety
    /// As the header says of `rpcx_method_call()`.
    pub(crate) unsafe fn new(payload: rpcx_slice, options: *const rpcx_call_options) -> Result<Prepared> {
        if options.is_null() {
            // SAFETY: bytes of the caller's.
            let payload = unsafe { bytes::copy(payload, "payload") }?;
            return Ok(Prepared { kind: RPCX_KIND_CALL, payload, options: CallOptions::new().without_parent() });
        }
        // SAFETY: a struct of the caller's, as the header describes it.
        let given = unsafe { arg::versioned(options, "options") }?;
        let payload = if given.buffer.is_null() {
            // SAFETY: bytes of the caller's.
            unsafe { bytes::copy(payload, "payload") }?
        } else {
            // SAFETY: a struct of the caller's, as the header describes it.
            let kept = unsafe { bytes::keep(given.buffer, "options.buffer") }?;
            if payload.len > 0 {
                return Err(arg::bad("payload", "must be empty beside `options.buffer`"));
            }
            kept
        };
        // SAFETY: handles and bytes of the caller's.
        let options = unsafe { given.read() }?;
        Ok(Prepared { kind: given.kind, payload, options })
    }

    pub(crate) fn start(self, method: &Method, target: Target) -> Result<Running> {
        let Prepared { kind, payload, options } = self;
        match kind {
            RPCX_KIND_INFORM => method.start_inform(payload, options, |result| {
                target.reply(result.map(rpcx_reply::of_inform));
            }),
            RPCX_KIND_ONEWAY => method.start_oneway(payload, options, |result| {
                target.reply(result.map(|()| rpcx_reply::empty()));
            }),
            kind => method.start(read_kind(kind)?, payload, options, |result| {
                target.reply(result.map(rpcx_reply::from));
            }),
        }
    }

    fn wait(self, method: &Method) -> Result<rpcx_reply> {
        let Prepared { kind, payload, options } = self;
        let check = || Ok::<(), Error>(());
        match kind {
            RPCX_KIND_INFORM => method.inform_blocking(payload, options, check).map(rpcx_reply::of_inform),
            RPCX_KIND_ONEWAY => method.oneway_blocking(payload, options, check).map(|()| rpcx_reply::empty()),
            kind => method.call_blocking(read_kind(kind)?, payload, options, check).map(rpcx_reply::from),
        }
    }
}

fn read_kind(kind: u32) -> Result<Kind> {
    Ok(match kind {
        RPCX_KIND_CALL => Kind::Call,
        RPCX_KIND_BROADCAST => Kind::Broadcast,
        RPCX_KIND_FORK => Kind::Fork,
        other => return Err(arg::bad("options.kind", format_args!("is {other}: use RPCX_KIND_…"))),
    })
}

impl rpcx_call_options {
    /// # Safety
    /// Its handles and bytes may be read.
    unsafe fn read(&self) -> Result<CallOptions> {
        if self.flags & !RPCX_CALL_IDEMPOTENT != 0 || self.reserved != 0 {
            return Err(arg::bad("options.flags", format_args!("has unknown bits: {:#x}", self.flags)));
        }
        // SAFETY: passed on to the caller.
        let (config, metadata, parent) =
            unsafe { (self.config.as_ref(), self.metadata.as_ref(), self.parent.as_ref()) };
        let mut options = match config.map(|config| &config.scope) {
            None => CallOptions::default(),
            Some(Scope::Call(options)) => options.clone(),
            Some(_) => return Err(arg::bad("options.config", "is not of scope RPCX_SCOPE_CALL")),
        };
        match self.timeout_ms {
            0 => {}
            RPCX_NO_TIMEOUT => options = options.timeout(std::time::Duration::ZERO),
            timeout => options = options.timeout(arg::millis(timeout)),
        }
        if self.flags & RPCX_CALL_IDEMPOTENT != 0 {
            options = options.idempotent(true);
        }
        if let Some(metadata) = metadata {
            options = options.all_metadata(metadata.pairs.clone());
        }
        options = match parent {
            Some(context) => options.parent(context.parent.clone()),
            // Said or not: a callback of C's may run inside of another call without knowing.
            None => options.without_parent(),
        };
        // SAFETY: passed on to the caller.
        let (hash_key, target) = unsafe {
            (arg::slice(self.hash_key, "options.hash_key")?, arg::slice_text(self.target, "options.target")?)
        };
        if !hash_key.is_empty() {
            options = options.hash_key(Bytes::copy_from_slice(hash_key));
        }
        if !target.is_empty() {
            options = options.target(target);
        }
        Ok(options)
    }
}

/// A method to call. It outlives its client: then calls fail with RPCX_ERROR_CLOSED.
pub struct rpcx_method {
    method: Method,
}

impl rpcx_method {
    pub(crate) fn new(method: Method) -> rpcx_method {
        rpcx_method { method }
    }

    pub(crate) fn get(&self) -> &Method {
        &self.method
    }
}

/// A call under way: what cancels it. The call goes on when it is freed.
pub struct rpcx_call {
    running: Owned<Vec<Running>>,
}

impl rpcx_call {
    /// Hands it to a user who wants it.
    ///
    /// # Safety
    /// `out` is NULL or may be written.
    pub(crate) unsafe fn write(out: *mut *mut rpcx_call, running: impl IntoIterator<Item = Running>) -> Result<()> {
        if out.is_null() {
            return Ok(());
        }
        // SAFETY: passed on to the caller.
        unsafe { arg::write(out, "out", rpcx_call { running: Owned::new(running.into_iter().collect()) }) }
    }
}

/// Starts a call and returns; `completion` is told how it ended. `payload` is copied, encoded as the option
/// `serialize_type` says. `options` may be NULL. `out` gets what cancels the call, unless it is NULL; it may be written after
/// `done` has run.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_method_call(
    method: *const rpcx_method,
    payload: rpcx_slice,
    options: *const rpcx_call_options,
    completion: *const rpcx_completion,
    out: *mut *mut rpcx_call,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: as the header says of the arguments. Both are read before either can fail, so that both are given back.
        let (target, call) =
            unsafe { (Callback::new(completion).map(Target::Callback), Prepared::new(payload, options)) };
        // SAFETY: a handle and `out` of the caller's.
        unsafe {
            let running = call?.start(&arg::borrow(method, "method")?.method, target?)?;
            rpcx_call::write(out, [running])
        }
    })
}

/// As `rpcx_method_call()`, but its end goes into a queue: RPCX_EVENT_REPLY with `tag`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_method_call_queue(
    method: *const rpcx_method,
    payload: rpcx_slice,
    options: *const rpcx_call_options,
    queue: *const rpcx_queue,
    tag: u64,
    out: *mut *mut rpcx_call,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: as the header says of the arguments.
        unsafe {
            let call = Prepared::new(payload, options)?;
            let target = Target::Queue(rpcx_queue::events(queue)?, tag);
            rpcx_call::write(out, [call.start(&arg::borrow(method, "method")?.method, target)?])
        }
    })
}

/// Makes a call and waits for its reply on this thread, which may do the library's own work meanwhile, but runs no callbacks of
/// others.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_method_call_wait(
    method: *const rpcx_method,
    payload: rpcx_slice,
    options: *const rpcx_call_options,
    out: *mut *mut rpcx_reply,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: as the header says of the arguments.
        unsafe {
            let call = Prepared::new(payload, options)?;
            arg::check_out(out, "out")?;
            arg::write(out, "out", call.wait(&arg::borrow(method, "method")?.method)?)
        }
    })
}

/// Sends a request that is never answered and does not even wait for a connection: what fails later is only logged.
/// `options->kind` must be RPCX_KIND_CALL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_method_oneshot(
    method: *const rpcx_method,
    payload: rpcx_slice,
    options: *const rpcx_call_options,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: as the header says of the arguments.
        let (call, method) = unsafe { (Prepared::new(payload, options)?, arg::borrow(method, "method")?) };
        if call.kind != RPCX_KIND_CALL {
            return Err(arg::bad("options.kind", "must be RPCX_KIND_CALL: a oneshot has no other"));
        }
        method.method.oneshot(call.payload, &call.options)
    })
}

/// Ends a call with RPCX_ERROR_CANCELLED, unless it has ended; its server is told. Its completion still runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_call_cancel(call: *const rpcx_call) {
    guard::or((), || {
        // SAFETY: a handle of the caller's.
        unsafe { call.as_ref() }?.running.get().ok()?.iter().for_each(Running::cancel);
        Some(())
    });
}

/// Frees the handle; NULL is allowed. The call goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_call_free(call: *mut rpcx_call) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(call) }
}

/// Frees the handle; NULL is allowed. Its calls go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_method_free(method: *mut rpcx_method) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(method) }
}
