//! The N-API addon of the npm package `librpcx`: what crosses between JavaScript and the library.
//!
//! Every environment (the main thread, each worker) has one `Bridge`. What JavaScript starts in one turn of its
//! loop, calls and answers alike, arrives as the records of one buffer (`submit`); what has happened meanwhile goes back as
//! the records of one buffer (`drain`), after one wake by a weak thread-safe function. Tickets, promises, codecs and
//! handlers are JavaScript's; nothing here waits, and no thread of the library touches V8.

mod bridge;
mod client;
mod error;
mod event;
mod logs;
mod read;
mod served;
mod server;
mod slab;
mod submit;
mod write;

use napi_derive::napi;

/// Version of the native part, which is that of the package.
#[napi]
pub fn version() -> &'static str {
    rpcx_embed::version()
}

/// All options, as JSON: what the TypeScript types are compared with.
#[napi]
pub fn options_json() -> String {
    rpcx_embed::options_json()
}

/// All kinds and reasons of errors, as JSON.
#[napi]
pub fn errors_json() -> String {
    rpcx_embed::errors_json()
}
