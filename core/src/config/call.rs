//! The table of call options: what one call may say for itself.

use super::allowed::{any, between, hours, ms, not_empty, off_or, secs, unset_or};
use super::choice::FailMode;
use crate::error::Result;
use bytes::Bytes;
use rpcx_protocol::{CompressType, SerializeType};
use std::time::Duration;

options! {
    /// What one call wants otherwise than its client. A field that is `None` takes the client's value.
    ///
    /// ```
    /// use rpcx::config::CallOptions;
    /// use std::time::Duration;
    ///
    /// let timeout = Some(Duration::from_millis(200));
    /// let options = CallOptions { timeout, idempotent: Some(true), ..CallOptions::default() };
    /// options.validate()?;
    /// # Ok::<(), rpcx::error::Error>(())
    /// ```
    CallOptions in Call {
        /// Time for the whole call, all attempts included; 0: no deadline, an inherited one aside.
        timeout: Option<Duration> = None, unset_or(off_or(ms(1), hours(8760))), Live;
        /// How arguments and reply are encoded.
        serialize_type: Option<SerializeType> = None, any(), Live;
        /// How the payload is compressed when it is large enough.
        compress_type: Option<CompressType> = None, any(), Live;
        /// What to do when an attempt fails.
        fail_mode: Option<FailMode> = None, any(), Live;
        /// Attempts after the first.
        retries: Option<u32> = None, unset_or(between(0, 100)), Live;
        /// First step of the jittered exponential wait before another attempt.
        retry_interval: Option<Duration> = None, unset_or(between(Duration::ZERO, secs(600))), Live;
        /// Whether the call is tried again when it may have run, though it is not `idempotent`.
        retry_maybe_run: Option<bool> = None, any(), Live;
        /// How long fail mode `failbackup` waits for the first server before it asks a second.
        backup_latency: Option<Duration> = None, unset_or(between(Duration::ZERO, secs(600))), Live;
        /// Whether running the handler twice does no harm.
        idempotent: Option<bool> = None, any(), Live;
        /// Key for select mode `consistent_hash`; unset: service, method and payload.
        hash_key: Option<Bytes> = None, any(), Live;
        /// The only server to use, spelled as the discovery does; unset: by select mode.
        target: Option<String> = None, unset_or(not_empty()), Live;
    }
}

impl CallOptions {
    /// Each value stands alone.
    fn check_combinations(&self) -> Result<()> {
        Ok(())
    }
}
