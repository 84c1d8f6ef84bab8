//! The engine as its users and its peers see it: real clients and servers in one process, over TCP, TLS and in-memory pipes,
//! and hand-written peers that send what ours never would.

mod accept;
mod alias;
mod auth;
mod backpressure;
mod calls;
mod cancellation;
mod concurrency;
mod deadlines;
mod ends;
mod foreign;
mod foreign_ends;
mod forms;
mod health;
mod hello;
mod interceptors;
mod large;
mod lines;
mod log;
mod malformed;
mod metrics;
mod overload;
mod peer;
mod placement;
mod pushes;
mod rate_limit;
mod retries;
mod servers;
mod shutdown;
mod silence;
mod slow;
mod support;
mod tee;
mod trace;
mod turned_away;
#[path = "../waiting/mod.rs"]
mod waiting;
