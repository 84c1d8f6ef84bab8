//! stub
use crate::error::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
/// c
#[derive(Debug, Default)]
pub struct ConnectionRecorder;
impl ConnectionRecorder {
    /// r
    pub fn read(&self, _n: usize) {}
    /// w
    pub fn wrote(&self, _n: usize) {}
}
/// m
#[derive(Debug, Default)]
pub struct MethodRecorder;
impl MethodRecorder {
    /// r
    pub fn began(&self) {}
    /// r
    pub fn ended(&self, _k: Option<ErrorKind>, _e: Duration) {}
    /// r
    pub fn retried(&self) {}
    /// f
    pub fn finished(&self, _failed: bool, _e: Duration) {}
    /// c
    pub fn cancelled(&self, _e: Duration) {}
    /// p
    pub fn panicked(&self) {}
}
/// s
#[derive(Debug, Default)]
pub struct ServerRecorder;
/// s
#[derive(Debug, Default)]
pub struct ServerStats;
/// s
#[derive(Debug, Default)]
pub struct ClientStats;
impl ServerRecorder {
    /// m
    pub fn method(&self, _s: &str, _m: &str) -> Arc<MethodRecorder> {
        Arc::default()
    }
    /// c
    pub fn connection(&self) -> Arc<ConnectionRecorder> {
        Arc::default()
    }
    /// o
    pub fn opened(&self) {}
    /// c
    pub fn closed(&self) {}
    /// f
    pub fn failed(&self) {}
    /// r
    pub fn refused(&self, _k: ErrorKind) {}
    /// s
    pub fn snapshot(&self, _i: usize) -> ServerStats {
        ServerStats
    }
}
/// c
#[derive(Debug, Default)]
pub struct ClientRecorder;
impl ClientRecorder {
    /// m
    pub fn method(&self, _s: &str, _m: &str) -> Arc<MethodRecorder> {
        Arc::default()
    }
    /// c
    pub fn connection(&self) -> Arc<ConnectionRecorder> {
        Arc::default()
    }
    /// o
    pub fn opened(&self) {}
    /// c
    pub fn closed(&self) {}
    /// f
    pub fn failed(&self) {}
    /// p
    pub fn push_received(&self) {}
    /// p
    pub fn push_dropped(&self) {}
    /// s
    pub fn snapshot(&self, _i: usize) -> ClientStats {
        ClientStats
    }
}
