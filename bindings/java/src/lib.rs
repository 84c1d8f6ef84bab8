//! The native half of the Java package.
//!
//! Java's side of each function is in `io.github.librpcx.internal.Natives`. Commands come in batches and events go out in
//! batches, as records of `wire`; a `channel` is a queue with what its commands act on. No thread of the library ever enters
//! the JVM: Java's own threads wait in `poll`.
//!
//! Objects cross as addresses. Each is one `Arc` that Java's cleaner gives back when no Java object can use it any more.

mod channel;
mod client;
mod command;
mod event;
mod guard;
mod handle;
mod library;
mod poll;
mod requests;
mod running;
mod server;
mod wire;
