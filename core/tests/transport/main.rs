//! The transports over real sockets: round trips, errors, handover, TLS, and a transport registered from outside.

mod custom;
mod direct;
mod errors;
mod inherited;
mod placement;
mod round_trip;
mod support;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod tls_errors;
mod unix;
