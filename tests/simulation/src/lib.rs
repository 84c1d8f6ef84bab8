//! The library's own values for health and selection, driven by thousands of simulated servers under virtual time.
//!
//! Nothing here opens a socket, sleeps or draws a random number that is not of a fixed seed: a run takes seconds and always
//! comes out the same. What is simulated is the world around (servers, their queues, the time between calls); what decides
//! is the library's [`RetryBudget`](rpcx::resilience::RetryBudget), [`Ejector`](rpcx::resilience::Ejector),
//! [`Breaker`](rpcx::resilience::Breaker) and its selectors.
//!
//! The tests hold what must come out; the program draws it: `cargo run --release -p rpcx-simulation -- docs/simulation`.

pub mod ejection;
pub mod hashing;
pub mod partition;
pub mod storm;
mod world;
