//! The seams of a transport: [`Dial`] opens connections, [`Listen`] makes listeners, and what they are told.

use super::{Address, BoxFuture, Io};
use crate::error::Result;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Opens connections to addresses of one scheme.
///
/// The connection is registered with the runtime of the task that awaits, and stays with it.
pub trait Dial: Send + Sync {
    /// Opens one connection, handshakes of the transport included.
    ///
    /// Dropping the future gives the attempt up. [`Transports::dial`](super::Transports::dial) does that after
    /// `connect_timeout`.
    ///
    /// # Errors
    /// Kind `connect` with the address in the text, or `config.bad_address`; nothing was sent.
    fn dial<'a>(&'a self, to: &'a Address, options: &'a DialOptions) -> BoxFuture<'a, Result<Io>>;
}

/// Makes listeners on addresses of one scheme.
pub trait Listen: Send + Sync {
    /// Listens from here on: a connection that comes after this waits for [`accept`](Listener::accept).
    ///
    /// # Errors
    /// `config.listen` with the address and the cause, or `config.bad_address`.
    fn bind<'a>(&'a self, at: &'a Address, options: &'a ListenOptions) -> BoxFuture<'a, Result<Box<dyn Listener>>>;
}

/// A socket that is listening. Dropping it stops that; connections already accepted live on.
pub trait Listener: Send {
    /// The address that clients dial, with the port that the system chose. A `reuseport` listener says `tcp`.
    fn address(&self) -> Address;

    /// The next connection, not yet registered with a runtime and without any handshake.
    ///
    /// Registers the listener with the runtime of the first caller. Dropping the future loses no connection.
    ///
    /// # Errors
    /// What stops all accepting for now, such as too many open descriptors: pause before the next call. A connection that
    /// its client gave up is skipped instead.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>>;

    /// A connection that waits to be accepted already, else `None` at once. A server that ends takes what has come before
    /// it drops the listener: a client whose connection the system has accepted may have sent its first request. Of a
    /// transport that leaves this out, such connections are lost.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    fn try_accept(&mut self) -> io::Result<Option<Box<dyn Incoming>>> {
        Ok(None)
    }

    /// A second descriptor of the same listening socket, to hand to another process.
    ///
    /// From here on the socket is no longer this listener's own: dropping it leaves a Unix socket's file in place.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) for a transport without a descriptor.
    fn try_clone_fd(&self) -> io::Result<OwnedFd> {
        Err(io::Error::new(io::ErrorKind::Unsupported, format!("{} has no descriptor to hand over", self.address())))
    }
}

/// A connection that was accepted and belongs to no runtime yet, so that it can move to the shard that will own it.
pub trait Incoming: Send {
    /// The client's address as in [`ConnectionInfo::remote`](super::ConnectionInfo::remote), for access lists.
    fn remote(&self) -> &str;

    /// Registers with the runtime of the calling task and does the handshake. The caller bounds the time.
    ///
    /// # Errors
    /// Kind `connect` with the remote address in the text.
    fn open(self: Box<Self>) -> BoxFuture<'static, Result<Io>>;
}

/// How connections are opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialOptions {
    /// Sends small packets at once instead of waiting for more (`TCP_NODELAY`). Default: true.
    pub tcp_nodelay: bool,
    /// Idle time before TCP probes the peer, and the time between probes, in whole seconds. Default: none.
    pub keepalive: Option<Duration>,
    /// Time to open one connection, name resolution, every address of the name and handshakes together. Default: 1 s.
    pub connect_timeout: Duration,
}

impl Default for DialOptions {
    fn default() -> Self {
        DialOptions { tcp_nodelay: true, keepalive: None, connect_timeout: Duration::from_secs(1) }
    }
}

/// How listeners are made, and their connections set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// As [`DialOptions::tcp_nodelay`], for accepted connections. Default: true.
    pub tcp_nodelay: bool,
    /// As [`DialOptions::keepalive`], for accepted connections. Default: none.
    pub keepalive: Option<Duration>,
    /// Connections that may wait to be accepted; the system may allow fewer. Default: 1,024.
    pub backlog: u32,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions { tcp_nodelay: true, keepalive: None, backlog: 1024 }
    }
}
