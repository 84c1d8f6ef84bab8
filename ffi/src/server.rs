//! Servers

use std::ffi::c_char;
use std::sync::Arc;

use rpcx_embed::{Handler, MethodFlags, Result};

use crate::auth::{self, rpcx_authenticator};
use crate::bytes::rpcx_string;
use crate::completion::{Callback, rpcx_completion};
use crate::config::{Scope, rpcx_config};
use crate::connection::rpcx_connection;
use crate::error::rpcx_error;
use crate::handler::{self, RPCX_METHOD_TO_COMPLETION, rpcx_handler};
use crate::queue::rpcx_queue;
use crate::serving::{Plan, State, wait};
use crate::{arg, guard};

/// A server: first its parts are added, then it is started, once.
pub struct rpcx_server {
    state: Arc<State>,
}

impl rpcx_server {
    /// # Safety
    /// It is NULL or a handle of the caller's.
    unsafe fn state<'a>(server: *const rpcx_server) -> Result<&'a Arc<State>> {
        // SAFETY: passed on to the caller.
        Ok(&unsafe { arg::borrow(server, "server") }?.state)
    }

    /// Changes what a server is going to be made of.
    ///
    /// # Safety
    /// As [`state`](Self::state).
    unsafe fn plan(server: *const rpcx_server, change: impl FnOnce(&mut Plan) -> Result<()>) -> Result<()> {
        // SAFETY: passed on to the caller.
        let state = unsafe { rpcx_server::state(server) }?;
        let mut plan = state.plan();
        let plan = plan.as_mut().ok_or_else(|| arg::bad("server", "was started already: add its parts before"))?;
        change(plan)
    }
}

/// Makes a server that listens nowhere and has no methods. `config` (copied; NULL: all defaults) is of scope
/// RPCX_SCOPE_SERVER.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_new(config: *const rpcx_config, out: *mut *mut rpcx_server) -> *mut rpcx_error {
    guard::guard(|| {
        let mut plan = Plan::default();
        // SAFETY: a handle of the caller's.
        if let Some(config) = unsafe { config.as_ref() } {
            let Scope::Server(options) = &config.scope else {
                return Err(arg::bad("config", "is not of scope RPCX_SCOPE_SERVER"));
            };
            plan.config.options.clone_from(options);
            plan.config.threads = config.threads;
            plan.interceptors.extend(config.interceptors.iter().cloned().map(|one| one as _));
        }
        let state = State::new(plan);
        // SAFETY: `out` is the caller's.
        unsafe { arg::write(out, "out", rpcx_server { state }) }
    })
}

/// Adds an address to listen on, before the start: "tcp@127.0.0.1:8972", port 0 for one that the system chooses,
/// "unix@/run/arith.sock".
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_listen(server: *const rpcx_server, address: *const c_char) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: text and a handle of the caller's.
        unsafe {
            let address = arg::text(address, "address")?.to_owned();
            rpcx_server::plan(server, |plan| {
                plan.config.listen.push(address);
                Ok(())
            })
        }
    })
}

/// Adds a registry by its URL, before the start: the server announces its services there.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_add_registry(server: *const rpcx_server, url: *const c_char) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: text and a handle of the caller's.
        unsafe {
            let url = arg::text(url, "url")?.to_owned();
            rpcx_server::plan(server, |plan| {
                plan.config.registries.push(url);
                Ok(())
            })
        }
    })
}

/// Sets what is announced for a service (NULL: for all) beside the address: "group=a&weight=7". Before the start or while it
/// runs.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_set_metadata(
    server: *const rpcx_server,
    service: *const c_char,
    metadata: *const c_char,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: text and a handle of the caller's.
        let (state, service, metadata) = unsafe {
            let service = arg::text_or_null(service, "service")?.unwrap_or_default();
            (rpcx_server::state(server)?, service, arg::text(metadata, "metadata")?)
        };
        if let Some(plan) = &mut *state.plan() {
            plan.config.metadata.push((service.to_owned(), metadata.to_owned()));
            return Ok(());
        }
        state.running()?.server.set_metadata(service, metadata)
    })
}

/// Adds a method, before the start; one of the same name is replaced. `flags`: 0 or RPCX_METHOD_TO_COMPLETION.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_add_method(
    server: *const rpcx_server,
    service: *const c_char,
    method: *const c_char,
    handler: *const rpcx_handler,
    flags: u32,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct, text and a handle of the caller's.
        unsafe {
            let handler = handler::Callback::new(handler)?;
            add(server, service, method, Arc::new(handler), flags)
        }
    })
}

/// As `rpcx_server_add_method()`, but requests go into a queue: RPCX_EVENT_REQUEST with `tag`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_add_method_queue(
    server: *const rpcx_server,
    service: *const c_char,
    method: *const c_char,
    queue: *const rpcx_queue,
    tag: u64,
    flags: u32,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: text and handles of the caller's.
        unsafe { add(server, service, method, Arc::new(handler::queued(queue, tag)?), flags) }
    })
}

/// # Safety
/// Text and a handle of the caller's.
unsafe fn add(
    server: *const rpcx_server,
    service: *const c_char,
    method: *const c_char,
    handler: Arc<dyn Handler>,
    flags: u32,
) -> Result<()> {
    if flags & !RPCX_METHOD_TO_COMPLETION != 0 {
        return Err(arg::bad("flags", format_args!("has unknown bits: {flags:#x}")));
    }
    let flags = MethodFlags { to_completion: flags & RPCX_METHOD_TO_COMPLETION != 0 };
    // SAFETY: passed on to the caller.
    unsafe {
        let (service, method) = (arg::text(service, "service")?.to_owned(), arg::text(method, "method")?.to_owned());
        rpcx_server::plan(server, |plan| {
            plan.methods.push((service, method, handler, flags));
            Ok(())
        })
    }
}

/// Sets what takes the requests that no method takes, before the start.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_set_fallback(
    server: *const rpcx_server,
    handler: *const rpcx_handler,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct and a handle of the caller's.
        unsafe {
            let handler = handler::Callback::new(handler)?;
            rpcx_server::plan(server, |plan| {
                plan.fallback = Some(Arc::new(handler));
                Ok(())
            })
        }
    })
}

/// As `rpcx_server_set_fallback()`, but requests go into a queue: RPCX_EVENT_REQUEST with `tag`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_set_fallback_queue(
    server: *const rpcx_server,
    queue: *const rpcx_queue,
    tag: u64,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: handles of the caller's.
        unsafe {
            let handler = handler::queued(queue, tag)?;
            rpcx_server::plan(server, |plan| {
                plan.fallback = Some(Arc::new(handler));
                Ok(())
            })
        }
    })
}

/// Adds another name for a method, before the start.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_add_alias(
    server: *const rpcx_server,
    service: *const c_char,
    method: *const c_char,
    real_service: *const c_char,
    real_method: *const c_char,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: text and a handle of the caller's.
        unsafe {
            let alias = [
                arg::text(service, "service")?,
                arg::text(method, "method")?,
                arg::text(real_service, "real_service")?,
                arg::text(real_method, "real_method")?,
            ];
            rpcx_server::plan(server, |plan| {
                plan.aliases.push(alias.map(str::to_owned));
                Ok(())
            })
        }
    })
}

/// Sets what judges the token of every request, before the start.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_set_authenticator(
    server: *const rpcx_server,
    authenticator: *const rpcx_authenticator,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct and a handle of the caller's.
        unsafe {
            let check = auth::called(authenticator)?;
            rpcx_server::plan(server, |plan| {
                plan.authenticator = Some(Arc::new(check));
                Ok(())
            })
        }
    })
}

/// As `rpcx_server_set_authenticator()`, through a queue: RPCX_EVENT_AUTH with `tag`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_set_authenticator_queue(
    server: *const rpcx_server,
    queue: *const rpcx_queue,
    tag: u64,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: handles of the caller's.
        unsafe {
            let check = auth::queued(queue, tag)?;
            rpcx_server::plan(server, |plan| {
                plan.authenticator = Some(Arc::new(check));
                Ok(())
            })
        }
    })
}

/// Binds and serves. `completion` runs when every listener is open and the registries have been told, or with what went
/// wrong: RPCX_ERROR_CONFIG names the address or option. A server is started once.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_start(
    server: *const rpcx_server,
    completion: *const rpcx_completion,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct and a handle of the caller's.
        let (callback, state) = unsafe { (Callback::new(completion)?, rpcx_server::state(server)?) };
        state.start(|result| callback.done(result))
    })
}

/// As `rpcx_server_start()`, waiting on this thread.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_start_wait(server: *const rpcx_server) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle of the caller's.
        let state = unsafe { rpcx_server::state(server) }?;
        wait(|tell| state.start(tell))
    })
}

/// The address it listens on, with the real port; the others follow in the order they were added. NULL beyond the last, and
/// before it runs. Valid until the handle is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_server_address(server: *const rpcx_server, index: usize) -> *const c_char {
    guard::or(std::ptr::null(), || {
        // SAFETY: a handle of the caller's.
        Some(unsafe { server.as_ref() }?.state.running().ok()?.addresses.get(index)?.as_ptr())
    })
}

/// What the server has counted, as JSON.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_stats_json(
    server: *const rpcx_server,
    out: *mut *mut rpcx_string,
) -> *mut rpcx_error {
    guard::guard(|| {
        arg::check_out(out, "out")?;
        // SAFETY: a handle and `out` of the caller's.
        unsafe {
            let text = rpcx_server::state(server)?.running()?.server.stats_json()?;
            arg::write(out, "out", rpcx_string::new(text))
        }
    })
}

/// The same in Prometheus' text format; `name` tells several servers of a process apart.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_metrics_text(
    server: *const rpcx_server,
    name: *const c_char,
    out: *mut *mut rpcx_string,
) -> *mut rpcx_error {
    guard::guard(|| {
        arg::check_out(out, "out")?;
        // SAFETY: a handle, text and `out` of the caller's.
        unsafe {
            let text = rpcx_server::state(server)?.running()?.server.metrics_text(arg::text(name, "name")?)?;
            arg::write(out, "out", rpcx_string::new(text))
        }
    })
}

/// The connections of its clients: writes at most `max` handles into `out`, each to be freed, and how many there are into
/// `count`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_connections(
    server: *const rpcx_server,
    out: *mut *mut rpcx_connection,
    max: usize,
    count: *mut usize,
) -> *mut rpcx_error {
    guard::guard(|| {
        arg::check_out(count, "count")?;
        if max > 0 {
            arg::check_out(out, "out")?;
        }
        // SAFETY: a handle of the caller's.
        let connections = unsafe { rpcx_server::state(server) }?.running()?.server.connections()?;
        // SAFETY: a place of the caller's.
        unsafe { *count = connections.len() };
        for (index, connection) in connections.into_iter().take(max).enumerate() {
            // SAFETY: an array of the caller's with `max` places.
            unsafe { out.add(index).write(Box::into_raw(Box::new(connection.into()))) };
        }
        Ok(())
    })
}

/// Ends it at once: connections are closed, requests under way cancelled; one that has not been started cannot be any more.
/// May be called again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_server_close(server: *const rpcx_server) {
    guard::or((), || {
        // SAFETY: a handle of the caller's.
        unsafe { server.as_ref() }?.state.close();
        Some(())
    });
}

/// Ends it without losing an accepted request: leaves the registries unless `keep_registered`, closes the listeners, waits
/// for the requests under way, at most `deadline_ms`. `completion` gets RPCX_ERROR_TIMEOUT when calls were cut off.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_shutdown(
    server: *const rpcx_server,
    deadline_ms: u32,
    keep_registered: bool,
    completion: *const rpcx_completion,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct and a handle of the caller's.
        let (callback, state) = unsafe { (Callback::new(completion)?, rpcx_server::state(server)?) };
        let tell = |result| callback.done(result);
        state.running()?.server.shutdown(arg::millis(deadline_ms), keep_registered, tell).map(drop)
    })
}

/// As `rpcx_server_shutdown()`, waiting on this thread.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_shutdown_wait(
    server: *const rpcx_server,
    deadline_ms: u32,
    keep_registered: bool,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle of the caller's.
        let state = unsafe { rpcx_server::state(server) }?;
        wait(|tell| state.running()?.server.shutdown(arg::millis(deadline_ms), keep_registered, tell).map(drop))
    })
}

/// `completion` runs when the server has ended, however that came.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_on_close(
    server: *const rpcx_server,
    completion: *const rpcx_completion,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct and a handle of the caller's.
        let (callback, state) = unsafe { (Callback::new(completion)?, rpcx_server::state(server)?) };
        state.running()?.server.wait_closed(|result| callback.done(result)).map(drop)
    })
}

/// Waits on this thread until the server has ended, however that came: what a program whose work is to serve does last.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_server_closed_wait(server: *const rpcx_server) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle of the caller's.
        let state = unsafe { rpcx_server::state(server) }?;
        wait(|tell| state.running()?.server.wait_closed(tell).map(drop))
    })
}

/// Frees the handle, and closes the server; NULL is allowed. Requests that are held can still be answered, to nobody.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_server_free(server: *mut rpcx_server) {
    guard::quietly(|| {
        // SAFETY: a handle that the caller gives up.
        if let Ok(server) = unsafe { arg::take(server, "server") } {
            server.state.close();
        }
    });
}
