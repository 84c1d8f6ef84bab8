//! The table of the options of registries that keep servers announced.

use super::allowed::{any, between, hours, ms, off_or, secs};
use super::table::conflict;
use crate::error::Result;
use std::time::Duration;

options! {
    /// How a server's services are kept in a registry. Each kind of registry has further options of its own.
    RegistryOptions in Registry {
        /// How often each node is read back, and written again with what an operator changed and what `metrics` adds.
        update_interval: Duration = secs(60), off_or(ms(100), hours(24)), Start;
        /// Whether `calls` and `connections`, the server's means per second since it was announced, are written with each
        /// update, as Go's servers do.
        metrics: bool = true, any(), Start;
        /// How long one request to the registry may take before the connection counts as lost.
        request_timeout: Duration = secs(5), between(ms(10), secs(600)), Start;
        /// First step of the jittered exponential wait before a registry that could not be reached is tried again.
        reconnect_interval: Duration = ms(100), between(ms(1), secs(600)), Start;
        /// Longest step of that wait. A server that is missing is worse than one that is asked for a second time.
        max_register_interval: Duration = secs(5), between(ms(1), hours(24)), Start;
    }
}

impl RegistryOptions {
    fn check_combinations(&self) -> Result<()> {
        if self.reconnect_interval > self.max_register_interval {
            return Err(conflict("option `reconnect_interval` must not be above `max_register_interval`"));
        }
        Ok(())
    }
}
