//! The table of the options of discoveries that ask a registry.

use super::allowed::{between, hours, ms, secs};
use super::table::conflict;
use crate::error::Result;
use std::time::Duration;

options! {
    /// How a discovery behaves whose source may be out of reach. Each kind of source has further options of its own.
    DiscoveryOptions in Discovery {
        /// How long an empty answer that may be wrong is not believed: the first one after a reconnect, and one that is
        /// older than what was seen before. The known servers stay in use for so long.
        empty_hold: Duration = secs(60), between(Duration::ZERO, hours(24)), Start;
        /// First step of the jittered exponential wait before a source that could not be reached is tried again.
        reconnect_interval: Duration = ms(100), between(ms(1), secs(600)), Start;
        /// Longest step of that wait.
        max_reconnect_interval: Duration = secs(30), between(ms(1), hours(24)), Start;
    }
}

impl DiscoveryOptions {
    fn check_combinations(&self) -> Result<()> {
        if self.reconnect_interval > self.max_reconnect_interval {
            return Err(conflict("option `reconnect_interval` must not be above `max_reconnect_interval`"));
        }
        Ok(())
    }
}
