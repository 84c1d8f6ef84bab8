//! Clients

use std::ffi::{c_char, c_void};
use std::mem::offset_of;

use rpcx_embed::{Client, ClientConfig, Discovery, Result};

use crate::bytes::rpcx_string;
use crate::completion::{Callback, rpcx_completion};
use crate::config::{Scope, rpcx_config};
use crate::error::rpcx_error;
use crate::method::rpcx_method;
use crate::push::rpcx_push;
use crate::queue::{Event, What, rpcx_queue};
use crate::user_data::UserData;
use crate::{arg, guard};

/// A client: connections to the servers of any number of services, found by one discovery.
pub struct rpcx_client {
    client: Client,
}

/// Makes a client. Nothing is connected before the first call.
///
/// `discovery` says where servers are: an address ("tcp@127.0.0.1:8972"), or the URL of a discovery. NULL: nowhere, before
/// `rpcx_client_set_nodes()` names them. `config` (copied; NULL: all defaults) is of scope RPCX_SCOPE_CLIENT.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_client_open(
    discovery: *const c_char,
    config: *const rpcx_config,
    out: *mut *mut rpcx_client,
) -> *mut rpcx_error {
    guard::guard(|| {
        arg::check_out(out, "out")?;
        // SAFETY: text and a handle of the caller's.
        let (url, config) = unsafe { (arg::text_or_null(discovery, "discovery")?, config.as_ref()) };
        let discovery = match url {
            Some(url) => Discovery::Url(url.to_owned()),
            None => Discovery::Nodes(Vec::new()),
        };
        let mut wanted = ClientConfig { discovery, ..ClientConfig::default() };
        let mut interceptors = Vec::new();
        if let Some(config) = config {
            let Scope::Client(options) = &config.scope else {
                return Err(arg::bad("config", "is not of scope RPCX_SCOPE_CLIENT"));
            };
            wanted.options.clone_from(options);
            wanted.threads = config.threads;
            interceptors.extend(config.interceptors.iter().cloned().map(|one| one as _));
        }
        let client = Client::open_with(wanted, interceptors)?;
        // SAFETY: `out` is the caller's.
        unsafe { arg::write(out, "out", rpcx_client { client }) }
    })
}

/// A method to call, by the service path and the method that the servers registered. It keeps what belongs to the two
/// together: make it once, use it for every call.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_client_method(
    client: *const rpcx_client,
    service: *const c_char,
    method: *const c_char,
    out: *mut *mut rpcx_method,
) -> *mut rpcx_error {
    guard::guard(|| {
        arg::check_out(out, "out")?;
        // SAFETY: a handle, text and `out` of the caller's.
        unsafe {
            let client = &arg::borrow(client, "client")?.client;
            let method = client.method(arg::text(service, "service")?, arg::text(method, "method")?)?;
            arg::write(out, "out", rpcx_method::new(method))
        }
    })
}

/// Replaces the servers of a client that was opened without a discovery: `count` texts "tcp@host:port?weight=7&group=a".
/// Calls that are under way go on.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_client_set_nodes(
    client: *const rpcx_client,
    nodes: *const *const c_char,
    count: usize,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle and an array of the caller's.
        let (client, nodes) = unsafe {
            let nodes =
                if count == 0 { &[][..] } else { std::slice::from_raw_parts(arg::borrow(nodes, "nodes")?, count) };
            (&arg::borrow(client, "client")?.client, nodes)
        };
        // SAFETY: text of the caller's.
        let text = |node: &*const c_char| unsafe { arg::text(*node, "nodes") }.map(str::to_owned);
        client.set_nodes(&nodes.iter().map(text).collect::<Result<Vec<String>>>()?)
    })
}

/// What the client has counted, as JSON.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_client_stats_json(
    client: *const rpcx_client,
    out: *mut *mut rpcx_string,
) -> *mut rpcx_error {
    guard::guard(|| {
        arg::check_out(out, "out")?;
        // SAFETY: a handle and `out` of the caller's.
        unsafe { arg::write(out, "out", rpcx_string::new(arg::borrow(client, "client")?.client.stats_json()?)) }
    })
}

/// The same in Prometheus' text format; `name` tells several clients of a process apart.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_client_metrics_text(
    client: *const rpcx_client,
    name: *const c_char,
    out: *mut *mut rpcx_string,
) -> *mut rpcx_error {
    guard::guard(|| {
        arg::check_out(out, "out")?;
        // SAFETY: a handle, text and `out` of the caller's.
        unsafe {
            let text = arg::borrow(client, "client")?.client.metrics_text(arg::text(name, "name")?)?;
            arg::write(out, "out", rpcx_string::new(text))
        }
    })
}

/// Gets what servers push to a client.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rpcx_subscriber {
    /// sizeof(rpcx_subscriber).
    pub struct_size: usize,
    /// Gets each message, one after the other, on a thread of the library; it is the receiver's to free. NULL once, at the
    /// end, when the client was closed.
    pub push: Option<unsafe extern "C" fn(user_data: *mut c_void, push: *mut rpcx_push)>,
    /// Frees `user_data`, once, after the last message; NULL: nothing to free.
    pub drop_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Handed to both.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, begins with its size, and all its fields may be zero.
unsafe impl arg::Versioned for rpcx_subscriber {
    const FIRST: usize = offset_of!(rpcx_subscriber, user_data) + size_of::<*mut c_void>();
}

/// Hands what servers push to `subscriber`, until the client is closed. Each message goes to one subscriber; what comes
/// before the first one waits, as far as the options `push_queue` and `push_overflow` let it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_client_subscribe(
    client: *const rpcx_client,
    subscriber: *const rpcx_subscriber,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct of the caller's, as the header describes it.
        let subscriber = unsafe { arg::versioned(subscriber, "subscriber") }?;
        let user = UserData::new(subscriber.user_data, subscriber.drop_user_data);
        let tell = subscriber.push.ok_or_else(|| arg::bad("subscriber", "has no function `push`"))?;
        // SAFETY: a handle of the caller's.
        unsafe { arg::borrow(client, "client") }?.client.take_pushes(move |push| {
            let push = push.map_or(std::ptr::null_mut(), |push| Box::into_raw(Box::new(rpcx_push::from(push))));
            // SAFETY: the user's function, with what it was promised.
            unsafe { tell(user.get(), push) };
            true
        })
    })
}

/// Pushes of one subscription in a queue.
const MAX_HELD_PUSHES: usize = 1024;

/// As `rpcx_client_subscribe()`, into a queue: RPCX_EVENT_PUSH with `tag`. At most 1,024 messages wait there; what comes
/// beyond that waits in the client. Closing the queue ends it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_client_subscribe_queue(
    client: *const rpcx_client,
    queue: *const rpcx_queue,
    tag: u64,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: handles of the caller's.
        let (client, events) = unsafe { (&arg::borrow(client, "client")?.client, rpcx_queue::events(queue)?) };
        client.take_held(MAX_HELD_PUSHES, move |push| {
            events.push(Event { tag, what: What::Push(push) });
            !events.is_closed()
        })
    })
}

/// Ends the client at once: calls under way fail with RPCX_ERROR_CLOSED, and so do later ones. May be called again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_client_close(client: *const rpcx_client) {
    guard::or((), || {
        // SAFETY: a handle of the caller's.
        unsafe { client.as_ref() }?.client.close();
        Some(())
    });
}

/// Takes no new calls, waits for those under way, at most `deadline_ms`, then closes. `completion` gets RPCX_ERROR_TIMEOUT
/// when calls were cut off.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_client_shutdown(
    client: *const rpcx_client,
    deadline_ms: u32,
    completion: *const rpcx_completion,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct and a handle of the caller's.
        let (callback, client) = unsafe { (Callback::new(completion)?, arg::borrow(client, "client")?) };
        client.client.shutdown(arg::millis(deadline_ms), |result| callback.done(result)).map(drop)
    })
}

/// As `rpcx_client_shutdown()`, waiting on this thread.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_client_shutdown_wait(client: *const rpcx_client, deadline_ms: u32) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle of the caller's.
        let client = unsafe { arg::borrow(client, "client") }?;
        client.client.shutdown_blocking(arg::millis(deadline_ms), || Ok(()))
    })
}

/// Frees the handle; NULL is allowed. With the last handle the client is closed; methods and subscriptions are no handles of
/// it: their calls fail then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_client_free(client: *mut rpcx_client) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(client) }
}
