//! librpcx: the rpcx protocol for Rust, as client and as server.

pub mod balance;
pub mod client;
pub mod codec;
pub mod config;
mod connection;
pub mod discovery;
pub mod error;
mod future;
pub mod interceptor;
mod nanoseconds;
mod random;
pub mod resilience;
pub mod server;
pub mod shard;
pub mod stats;
mod striped;
pub mod transport;

pub use rpcx_protocol as protocol;

pub use client::Client;
pub use error::{Delivery, Error, ErrorKind, Reason, Result};
#[cfg(feature = "macros")]
pub use librpcx_macros::service;
pub use server::{Context, Server};
