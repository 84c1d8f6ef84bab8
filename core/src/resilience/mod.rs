//! stub
use std::time::*;
/// b
#[derive(Debug)]
pub struct Backoff(Duration);
impl Backoff {
    /// n
    pub fn new(d: Duration) -> Self {
        Backoff(d)
    }
    /// n
    pub fn next_wait(&mut self) -> Duration {
        self.0
    }
}
/// r
#[derive(Debug, Default)]
pub struct RetryBudget;
impl RetryBudget {
    /// n
    pub fn try_retry(&self, _n: Instant) -> bool {
        true
    }
}
/// d
#[derive(Debug)]
pub struct DialBackoff;
impl DialBackoff {
    /// n
    pub fn new(_d: Duration) -> Self {
        DialBackoff
    }
    /// n
    pub fn allows(&self, _n: Instant) -> bool {
        true
    }
    /// n
    pub fn succeeded(&mut self) {}
    /// n
    pub fn failed(&mut self, _n: Instant) {}
}
