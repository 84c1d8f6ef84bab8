//! The rpcx wire protocol, without I/O.
