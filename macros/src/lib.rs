//! The `#[rpcx::service]` attribute.
