//! What a process holds, as Linux tells it.

use std::fs;
use std::io::Result;

/// Descriptors and memory of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Open file descriptors.
    pub descriptors: usize,
    /// Resident memory in KiB.
    pub memory_kib: usize,
}

/// Looks at a process by its id.
///
/// # Errors
/// When it is gone, or is not this user's.
pub fn held(process: u32) -> Result<Held> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd"))?.count();
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let memory_kib = resident.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0);
    Ok(Held { descriptors, memory_kib })
}
