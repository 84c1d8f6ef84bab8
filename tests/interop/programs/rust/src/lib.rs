//! What the programs in `src/bin` are made of: the interop server with its services, the driver with its commands, and what
//! both share.

pub mod args;
pub mod arith;
pub mod driver;
pub mod governance;
pub mod hello;
pub mod messages;
pub mod server;
pub mod signal;
