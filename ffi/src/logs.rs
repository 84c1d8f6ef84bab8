//! Logging

use std::ffi::c_void;
use std::mem::offset_of;

use rpcx_embed::Result;
use rpcx_embed::logs::{self, Level};

use crate::bytes::rpcx_slice;
use crate::error::rpcx_error;
use crate::user_data::UserData;
use crate::{arg, guard};

/// Something failed that should not.
pub const RPCX_LOG_ERROR: u32 = 1;
/// Something to look at: a refused connection, a slow call.
pub const RPCX_LOG_WARN: u32 = 2;
/// What happens seldom: a server started, a breaker opened.
pub const RPCX_LOG_INFO: u32 = 3;
/// What helps to find a mistake.
pub const RPCX_LOG_DEBUG: u32 = 4;
/// Everything.
pub const RPCX_LOG_TRACE: u32 = 5;

/// One event of the log; it and its text are valid until `log` returns.
#[repr(C)]
pub struct rpcx_log_record {
    /// The size of this struct in the loaded library.
    pub struct_size: usize,
    /// RPCX_LOG_WARN and the others.
    pub level: u32,
    /// Always 0.
    pub reserved: u32,
    /// The part of the library: `rpcx::client`.
    pub target: rpcx_slice,
    /// What happened, in one line.
    pub message: rpcx_slice,
}

/// Where the library's log goes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rpcx_logger {
    /// sizeof(rpcx_logger).
    pub struct_size: usize,
    /// Gets each event, on whatever thread it happens. Must be quick.
    pub log: Option<unsafe extern "C" fn(user_data: *mut c_void, record: *const rpcx_log_record)>,
    /// Frees `user_data`, once, after the last event; NULL: nothing to free.
    pub drop_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Handed to both.
    pub user_data: *mut c_void,
}

// SAFETY: `repr(C)`, begins with its size, and all its fields may be zero.
unsafe impl arg::Versioned for rpcx_logger {
    const FIRST: usize = offset_of!(rpcx_logger, user_data) + size_of::<*mut c_void>();
}

/// Sends the library's log to `logger`, events of `level` and above; NULL ends it. It is the process's: the last one set
/// wins. Without one nothing is written anywhere. At most a hundred events a second are told; the next one says how many
/// were not.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn rpcx_log_set(level: u32, logger: *const rpcx_logger) -> *mut rpcx_error {
    guard::guard(|| {
        if logger.is_null() {
            logs::clear();
            return Ok(());
        }
        // SAFETY: a struct of the caller's, as the header describes it.
        let logger = unsafe { arg::versioned(logger, "logger") }?;
        let user = UserData::new(logger.user_data, logger.drop_user_data);
        let log = logger.log.ok_or_else(|| arg::bad("logger", "has no function `log`"))?;
        logs::set(read(level)?, move |record| {
            let record = rpcx_log_record {
                struct_size: size_of::<rpcx_log_record>(),
                level: record.level as u32,
                reserved: 0,
                target: record.target.into(),
                message: record.message.into(),
            };
            // SAFETY: the user's function, with what it was promised.
            unsafe { log(user.get(), &record) }
        });
        Ok(())
    })
}

fn read(level: u32) -> Result<Level> {
    Ok(match level {
        RPCX_LOG_ERROR => Level::Error,
        RPCX_LOG_WARN => Level::Warn,
        RPCX_LOG_INFO => Level::Info,
        RPCX_LOG_DEBUG => Level::Debug,
        RPCX_LOG_TRACE => Level::Trace,
        other => return Err(arg::bad("level", format_args!("is {other}: use RPCX_LOG_…"))),
    })
}
