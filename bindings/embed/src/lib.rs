//! What every language boundary of librpcx shares.
//!
//! A language's own crate converts values and nothing else; here are the threads that connections live on, clients and
//! servers that move bytes, and the queues through which a foreign runtime pulls what has ended:
//!
//! ```text
//!   language ──► Client::method ──► Method::start(payload, done) ──► first poll on the calling thread: the request leaves
//!      ▲                                                                    │
//!      │ drain: a batch                                                     ▼
//!   Queue ◄── push(tag, result) ◄── done ◄── the shard's runner, once for all answers of one read
//! ```
//!
//! # Threads
//!
//! Everything here may be called from any thread. No function blocks but those named `…_blocking` and [`Queue::wait`]. What
//! the user hands over to be called (`done`, sinks, handlers) runs on a shard's thread and must neither block nor panic.
//!
//! # Lifetimes
//!
//! Handles may be used after `close`: they answer with `closed`. A handle from before a fork answers so in the child, and
//! dropping it there does nothing. The threads are made with the first handle and end with the last.

mod client;
mod driver;
mod event_fd;
mod fork;
mod guest;
mod job;
pub mod logs;
mod mailbox;
mod method;
mod pace;
mod pipes;
mod queue;
mod request;
pub mod runtime;
mod server;
mod shard;
mod tables;
mod wait;

pub use bytes::Bytes;
pub use client::{Client, ClientConfig, Discovery, HeldPush, Place, Push};
pub use driver::Driver;
pub use event_fd::EventFd;
pub use fork::Owned;
pub use guest::{LoopGuest, Watch};
pub use job::{Running, Together};
pub use method::{InformReply, Kind, Method, Reply};
pub use queue::Queue;
pub use request::{AuthRequest, Connection, Handler, MethodFlags, Request};
pub use rpcx::client::CallOptions;
pub use rpcx::codec;
pub use rpcx::interceptor;
pub use rpcx::interceptor::Parent;
pub use rpcx::protocol::{CompressType, Metadata, SerializeType};
pub use rpcx::{Delivery, Error, ErrorKind, Reason, Result};
pub use server::{Server, ServerBuilder, ServerConfig};
pub use tables::{check_client_option, check_server_option, errors_json, options_json, version};
