//! The engine as its users and its peers see it: real clients and servers in one process, over TCP, TLS and in-memory pipes,
//! and hand-written peers that send what ours never would.

mod auth;
mod backpressure;
mod calls;
mod cancellation;
mod concurrency;
mod deadlines;
mod ends;
mod forms;
mod health;
mod hello;
mod interceptors;
mod malformed;
mod overload;
mod peer;
mod placement;
mod pushes;
mod retries;
mod servers;
mod shutdown;
mod silence;
mod slow;
mod support;
