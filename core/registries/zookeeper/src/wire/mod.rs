//! ZooKeeper's protocol, as much of it as a registry needs: sessions, nodes, watches, transactions.
//!
//! Written by hand, because the one library that is kept up runs threads of its own for timers and sockets, which never end;
//! here everything is done by one task of a session, on the runtime of whoever opened it.

mod ensemble;
mod jute;
mod messages;
mod packets;
mod session;
mod talk;
#[cfg(test)]
mod tests;

pub use ensemble::{Ensemble, Server};
pub use messages::{Acl, Change, Code, Event, EventKind, Stat};
pub use session::{Answer, Session, Ticket};
