//! The serving side: services, listeners, dispatch, shutdown.
//!
//! A request's way: frame → limits → decompression → method table → authenticator → interceptors → handler → answer. What a
//! server does not use costs it nothing: without authenticator and interceptors a request goes from the table straight to
//! its handler.

mod accept;
mod admission;
mod announce;
mod backpressure;
mod builder;
mod context;
mod core;
mod dispatch;
mod foreign;
mod handler;
mod held;
mod in_place;
mod in_progress;
mod incoming;
mod large;
mod line;
mod login;
mod lookup;
mod pace;
mod pipeline;
mod protocol;
mod push;
mod reply;
mod running;
mod session;
mod slow;
mod start;
mod table;
mod task;
mod turn;
mod worker;

pub use builder::ServerBuilder;
pub use context::Context;
pub use foreign::{Dispatch, Request, Response};
pub use handler::{Local, Shared};
pub use pipeline::Authenticator;
pub use protocol::{Protocol, Wants};
pub use push::ConnectionHandle;
pub use running::{Server, Shutdown};
pub use table::{Method, Service};
