//! What the programs beside it share: messages, the command line, the services of the interop server, the commands of the
//! driver. The programs themselves are in `src/bin`.

pub mod args;
pub mod hello;
pub mod signal;
