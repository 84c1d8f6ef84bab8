//! The calling side: clients, services, calls, retries, fan-out, pushes.
//!
//! ```text
//!   Client ─► Service ─► Method.call(args)
//!                          │ encode once into a buffer
//!                          ▼
//!             routes: latest snapshot, selector ─► endpoint ─► connection of this shard
//!                          │                                       │ exchange: one frame out, one in
//!                          └──────── again, where that is safe ◄───┘
//! ```

mod answer;
mod backup;
mod batch;
mod begun;
mod builder;
mod call;
mod core;
mod endpoint;
mod fan_out;
mod health;
mod lanes;
mod method;
mod options;
mod pinger;
mod push;
mod request;
mod routes;
mod selection;
mod service;
mod table;

pub use batch::Batch;
pub use builder::{Client, ClientBuilder};
pub use method::{Method, Response};
pub use options::CallOptions;
pub use push::{Push, Pushes};
pub use service::{AnyBytes, Service};
