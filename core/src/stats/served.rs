//! The metrics that a client or server serves by its option `metrics_address`.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(feature = "metrics-listener")]
use super::listener::MetricsListener;
use crate::error::Result;
#[cfg(not(feature = "metrics-listener"))]
use crate::error::{Error, Reason};

/// The listener for as long as its owner goes on; none where the option is unset.
#[derive(Debug, Default)]
pub(crate) struct ServedMetrics(Mutex<Option<MetricsListener>>);

impl ServedMetrics {
    /// Listens, if there is an address, and serves on the runtime of the calling task.
    ///
    /// # Errors
    /// `config.bad_address`, `config.listen`, or `unsupported.build`.
    pub(crate) fn open(&self, at: Option<&str>, render: impl Fn() -> String + Send + Sync + 'static) -> Result<()> {
        if let Some(at) = at {
            *self.listener() = Some(MetricsListener::open(at, render)?);
        }
        Ok(())
    }

    /// Where it listens, with the real port.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listener().as_ref().map(MetricsListener::address)
    }

    /// Ends it.
    pub(crate) fn close(&self) {
        *self.listener() = None;
    }

    fn listener(&self) -> MutexGuard<'_, Option<MetricsListener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There is none in this build.
#[cfg(not(feature = "metrics-listener"))]
#[derive(Debug)]
enum MetricsListener {}

#[cfg(not(feature = "metrics-listener"))]
impl MetricsListener {
    fn open(_at: &str, _render: impl Fn() -> String) -> Result<MetricsListener> {
        let text = "metrics_address: this build serves no metrics (feature `metrics-listener`)";
        Err(Error::new(Reason::UnsupportedBuild, text))
    }

    fn address(&self) -> SocketAddr {
        match *self {}
    }
}
