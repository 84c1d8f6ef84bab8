//! Transports: how bytes get from one process to another, from an address to an open connection.
//!
//! ```text
//!   Address ──► Transports ──┬─ Dial ───────────────────────────────► Io ──► connection
//!   tcp@h:p     by scheme    └─ Listen ──► Listener ──► Incoming ──► Io
//!                                          one task     moves to its shard, then open()
//! ```
//!
//! An [`Io`] is a byte stream in two halves. The write half is [`Direct`](Writer::Direct) where any thread may write without
//! a runtime, and [`Driven`](Writer::Driven) where only the connection's own task may. What lies below is the transport's own
//! business; nothing above knows more than this.
//!
//! # Writing a transport
//!
//! Implement [`Dial`], [`Listen`], or both, and register them with [`Transports::with`] under a scheme. Whatever looks like a
//! byte stream becomes an [`Io`] by [`Io::from_stream`]; a transport over another one takes the lower `Io` apart with
//! [`Io::into_stream`]. So the kinds that are not in this crate's core fit like this:
//!
//! * **QUIC**: `dial` opens a connection and its one bidirectional stream; both streams together are the `Driven` halves, and
//!   [`ConnectionInfo::tls`] comes from QUIC's own handshake. A [`Listener`] accepts connections, and
//!   [`Incoming::open`] waits for the stream, so that a silent client holds up nobody.
//! * **WebSocket**: a `Dial` around another one (tcp, or [`ClientTls::over`] tcp for `wss`) that sends the upgrade on the
//!   stream, and wraps what follows into an `AsyncRead + AsyncWrite` that frames and unframes.
//! * **HTTP CONNECT**: likewise, but after the handshake the lower `Io` is given on as it is, with the bytes that came behind
//!   the answer put back by [`Io::with_prefix`]. On a server it is one of the protocols of the port, chosen by the first bytes.
//! * **KCP**: a task owns the UDP socket and the sessions; each session is one end of a `tokio::io::duplex` or a stream of its
//!   own, `Driven`. Its `Listener` gives out sessions as their first packet comes.
//!
//! TLS itself is such a layer: [`ClientTls::over`] and [`ServerTls::over`] work over any transport, and
//! [`Transports::with_client_tls`] puts it over `tcp` and `unix`.
//!
//! # Threads
//!
//! A connection is registered with the runtime of the task that awaits [`Dial::dial`] or [`Incoming::open`], and its halves
//! are polled there. `Direct` write halves may be written, and shut down, from any thread. Everything else may be shared
//! between threads but belongs to nobody in particular.

mod address;
mod inherited;
mod io;
mod memory;
pub(crate) mod ping;
mod quiet;
mod seams;
mod stream;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod transports;
mod unix;

pub use address::Address;
pub use io::{ConnectionInfo, DirectWrite, Io, TlsIdentity, Writer};
pub use seams::{Dial, DialOptions, Incoming, Listen, ListenOptions, Listener};
pub use stream::Stream;
#[cfg(feature = "tls")]
pub(crate) use tls::refused_certificate;
#[cfg(feature = "tls")]
pub use tls::{ClientTls, ClientTlsBuilder, ServerTls, ServerTlsBuilder};
pub use transports::Transports;

use crate::error::{Error, Reason};

pub use crate::future::BoxFuture;

/// What the system said to a dial, as an error that names the address.
#[cold]
fn connect_error(to: &Address, error: std::io::Error) -> Error {
    use std::io::ErrorKind;
    let reason = match error.kind() {
        // A Unix socket that does not exist is a server that does not run.
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => Reason::ConnectRefused,
        ErrorKind::TimedOut => Reason::ConnectTimeout,
        _ => Reason::ConnectOther,
    };
    Error::new(reason, format!("cannot connect to {to}: {error}")).with_source(error)
}

/// What the system said to a bind, as an error that names the address.
#[cold]
fn listen_error(at: &Address, error: std::io::Error) -> Error {
    Error::new(Reason::ConfigListen, format!("cannot listen on {at}: {error}")).with_source(error)
}

/// Why an accepted connection could not be opened.
#[cold]
fn incoming_error(remote: &str, error: std::io::Error) -> Error {
    Error::new(Reason::ConnectOther, format!("cannot open the connection of {remote:?}: {error}")).with_source(error)
}

/// What `accept` gives without waiting; nothing when no connection has come.
fn accept_now<T>(mut accept: impl FnMut() -> std::io::Result<T>) -> std::io::Result<Option<T>> {
    loop {
        match accept() {
            Ok(accepted) => return Ok(Some(accepted)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Errors that the system reports by `accept` although they concern only one connection, which is gone.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | HostUnreachable | Interrupted | NetworkDown | NetworkUnreachable
    )
}
