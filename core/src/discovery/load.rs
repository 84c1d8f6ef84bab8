//! What a server has done, for registries that show it beside its address.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// What a server has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadCounts {
    /// Calls of its methods.
    pub calls: u64,
    /// Connections that it accepted.
    pub connections: u64,
}

/// Where a registry asks what an announced server has done: it becomes the metadata `calls` and `connections`, both a mean
/// per second. Cloning counts a reference.
#[derive(Clone)]
pub struct Load(Arc<Asked>);

struct Asked {
    since: Instant,
    count: Box<dyn Fn() -> LoadCounts + Send + Sync>,
}

impl Load {
    /// Asks `count`, whose means are taken from now on. It must not block.
    pub fn new(count: impl Fn() -> LoadCounts + Send + Sync + 'static) -> Self {
        Self(Arc::new(Asked { since: Instant::now(), count: Box::new(count) }))
    }

    /// `calls` and `connections` as Go's servers write them: two decimals.
    pub fn means(&self) -> [(&'static str, String); 2] {
        // A count just after the beginning is no measure of a rate.
        let seconds = self.0.since.elapsed().as_secs_f64().max(1.0);
        let counts = (self.0.count)();
        let mean = |count: u64| format!("{:.2}", count as f64 / seconds);
        [("calls", mean(counts.calls)), ("connections", mean(counts.connections))]
    }
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Load").field(&(self.0.count)()).finish()
    }
}

/// The same server's.
impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Load {}
