//! The C ABI of librpcx over `rpcx_embed`: it converts values, checks pointers and stops panics, and nothing else.
//!
//! `include/rpcx.h` is made from these modules, one after the other: the first line of a module is the heading of its part,
//! the comments of its items are the header's. `tests/header.rs` makes it and compares. What all of them have in common,
//! threads, ownership and lifetimes, is at the top of the header, in `preamble.h`.
//!
//! Everything that C may pass is read by `arg.rs`, so that NULL and bad text become errors that name the argument; every
//! function runs within [`guard::guard`] or [`guard::or`].

// C's names for C's types.
#![allow(non_camel_case_types)]

mod arg;
mod guard;
mod serving;
mod user_data;

mod auth;
mod batch;
mod bytes;
mod client;
mod completion;
mod config;
mod connection;
mod context;
mod error;
mod handler;
mod interceptor;
mod logs;
mod metadata;
mod method;
mod push;
mod queue;
mod reply;
mod request;
mod runtime;
mod server;
mod version;

#[cfg(test)]
mod layout;
#[cfg(test)]
mod tests;
