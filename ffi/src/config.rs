//! Options by name

use std::ffi::c_char;
use std::sync::Arc;

use rpcx_embed::{CallOptions, Result};

use crate::error::rpcx_error;
use crate::interceptor::{Interceptor, rpcx_interceptor};
use crate::{arg, guard};

/// Options of a client.
pub const RPCX_SCOPE_CLIENT: u32 = 1;
/// Options of a server.
pub const RPCX_SCOPE_SERVER: u32 = 2;
/// Options of calls: made once, used by any number of them.
pub const RPCX_SCOPE_CALL: u32 = 3;

/// Options of a client, a server or a call by their names in docs/CONFIGURATION.md. It is copied by whatever takes it.
pub struct rpcx_config {
    pub(crate) scope: Scope,
    pub(crate) threads: usize,
    pub(crate) interceptors: Vec<Arc<Interceptor>>,
}

/// What it is for, and what was set.
pub(crate) enum Scope {
    Client(Vec<(String, String)>),
    Server(Vec<(String, String)>),
    Call(CallOptions),
}

/// Makes one for `scope`: RPCX_SCOPE_CLIENT and the others.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_config_new(scope: u32, out: *mut *mut rpcx_config) -> *mut rpcx_error {
    guard::guard(|| {
        let scope = match scope {
            RPCX_SCOPE_CLIENT => Scope::Client(Vec::new()),
            RPCX_SCOPE_SERVER => Scope::Server(Vec::new()),
            RPCX_SCOPE_CALL => Scope::Call(CallOptions::new()),
            other => return Err(arg::bad("scope", format_args!("is {other}: use RPCX_SCOPE_…"))),
        };
        // SAFETY: `out` is the caller's.
        unsafe { arg::write(out, "out", rpcx_config { scope, threads: 0, interceptors: Vec::new() }) }
    })
}

/// Sets an option: `rpcx_config_set(config, "timeout", "500ms")`. Times are written `500ms`, `30s` (a bare number:
/// milliseconds), sizes `64MiB` (bytes), switches `true` and `false`, lists with commas. An unknown name or a value out of
/// its range fails and leaves everything as it was.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_config_set(
    config: *mut rpcx_config,
    name: *const c_char,
    value: *const c_char,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle that the caller is alone with, and his text.
        let (config, name, value) =
            unsafe { (arg::borrow_mut(config, "config")?, arg::text(name, "name")?, arg::text(value, "value")?) };
        config.set(name, value)
    })
}

impl rpcx_config {
    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match &mut self.scope {
            Scope::Client(options) => {
                rpcx_embed::check_client_option(name, value)?;
                options.push((name.to_owned(), value.to_owned()));
            }
            Scope::Server(options) => {
                rpcx_embed::check_server_option(name, value)?;
                options.push((name.to_owned(), value.to_owned()));
            }
            Scope::Call(options) => *options = options.clone().set(name, value)?,
        }
        Ok(())
    }
}

/// How many of the library's threads a client or server uses. 0: one for a client, one per core for a server. Threads are
/// shared: the process has as many as the one that asked for most.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_config_set_threads(config: *mut rpcx_config, threads: usize) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a handle that the caller is alone with.
        let config = unsafe { arg::borrow_mut(config, "config") }?;
        if let Scope::Call(_) = config.scope {
            return Err(arg::bad("config", "is of calls, which have no threads"));
        }
        config.threads = threads;
        Ok(())
    })
}

/// Adds an interceptor, inside of those added before. On a client it runs once a call, before server selection and
/// retries; on a server around the handler, after authentication.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_config_add_interceptor(
    config: *mut rpcx_config,
    interceptor: *const rpcx_interceptor,
) -> *mut rpcx_error {
    guard::guard(|| {
        // SAFETY: a struct of the caller's, as the header describes it.
        let interceptor = unsafe { Interceptor::new(interceptor) }?;
        // SAFETY: a handle that the caller is alone with.
        let config = unsafe { arg::borrow_mut(config, "config") }?;
        if let Scope::Call(_) = config.scope {
            return Err(arg::bad("config", "is of calls: interceptors belong to a client or server"));
        }
        config.interceptors.push(Arc::new(interceptor));
        Ok(())
    })
}

/// Frees it; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rpcx_config_free(config: *mut rpcx_config) {
    // SAFETY: a handle that the caller gives up.
    unsafe { arg::free(config) }
}
