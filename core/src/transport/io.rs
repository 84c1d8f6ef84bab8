//! An open connection as its driver sees it: a read half, a write half, and who is at the other end.

use super::Address;
use super::stream::{Prefixed, Stream};
use bytes::Bytes;
use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};

/// An open connection, registered with the runtime that opened it.
///
/// What a [`Dial`](super::Dial) or an [`Incoming`](super::Incoming) gives. The frames of rpcx travel on it as a byte stream,
/// whatever lies below. It ends when both halves are dropped.
pub struct Io {
    /// The read half. Polled by one task.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// The write half.
    pub writer: Writer,
    /// Who is at the other end, and how.
    pub info: ConnectionInfo,
}

/// The write half of a connection: who may write, and how.
pub enum Writer {
    /// A non-blocking write from any thread (tcp, unix).
    Direct(Arc<dyn DirectWrite>),
    /// Written only by the connection's own task, the one that also polls the read half (TLS, memory, WebSocket, QUIC, KCP).
    Driven(Box<dyn AsyncWrite + Send + Unpin>),
}

/// A write half that takes bytes from any thread without a runtime.
///
/// Writes must not be mixed: whoever writes holds the connection's queue meanwhile, or the frames of two writers interleave.
pub trait DirectWrite: Send + Sync {
    /// Writes what the system takes at once and says how many bytes those were.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when it takes none, and also before a connection that was just accepted is
    /// known to be writable: wait with [`poll_write_ready`](Self::poll_write_ready) and try again.
    fn try_write(&self, buf: &[u8]) -> io::Result<usize>;

    /// As [`try_write`](Self::try_write), for several pieces in one system call.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Waits until a write may succeed. Only the waker of the last call is kept, so one task waits at a time.
    ///
    /// # Errors
    /// When the runtime that the connection is registered with has ended.
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends both directions at once, from any thread: the reader wakes and sees the end. What the system already took is
    /// still sent. Does nothing the second time.
    fn shutdown(&self);
}

/// Who is at the other end of a connection, and how it was reached.
#[derive(Clone, Debug, Default)]
pub struct ConnectionInfo {
    /// This end: of an accepted connection the address that was listened on, of a dialled one the socket's own.
    pub local: Option<Address>,
    /// The other end: `host:port`, a socket's path or name, or empty where there is none.
    pub remote: String,
    /// What TLS established about the peer; `None` without TLS.
    pub tls: Option<TlsIdentity>,
}

/// What a TLS handshake established.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsIdentity {
    /// The subject of the peer's certificate as RFC 4514 writes it (`CN=alice,O=Example`), verified against the trusted
    /// authorities. `None` when the peer showed no certificate, as clients need not, or its subject cannot be read.
    pub subject: Option<String>,
    /// The server name that the client asked for: the one it verified the server's certificate against. `None` on a server
    /// whose client sent none, as with an IP address.
    pub server_name: Option<String>,
    /// The peer's certificate chain in DER, its own certificate first; empty when it showed none.
    pub certificates: Vec<Bytes>,
}

impl TlsIdentity {
    /// An identity with nothing known yet, for a transport that brings its own TLS.
    pub fn new() -> TlsIdentity {
        TlsIdentity::default()
    }
}

impl Io {
    /// A connection over any byte stream, written by its own task.
    ///
    /// ```
    /// use rpcx::transport::{ConnectionInfo, Io};
    ///
    /// let (ours, theirs) = tokio::io::duplex(4096);
    /// let io = Io::from_stream(ours, ConnectionInfo { remote: "the other half".into(), ..Default::default() });
    /// # drop((io, theirs));
    /// ```
    pub fn from_stream<S>(stream: S, info: ConnectionInfo) -> Io
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (reader, writer) = tokio::io::split(stream);
        Io { reader: Box::new(reader), writer: Writer::Driven(Box::new(writer)), info }
    }

    /// The same connection as one stream, for a layer on top: TLS, WebSocket, an HTTP handshake.
    pub fn into_stream(self) -> (Stream, ConnectionInfo) {
        (Stream::new(self.reader, self.writer), self.info)
    }

    /// The same connection with bytes put back in front: those that were looked at to choose the protocol, or that came
    /// behind a handshake.
    #[must_use]
    pub fn with_prefix(mut self, bytes: Bytes) -> Io {
        if !bytes.is_empty() {
            self.reader = Box::new(Prefixed::new(bytes, self.reader));
        }
        self
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").field("writer", &self.writer).field("info", &self.info).finish_non_exhaustive()
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Writer::Direct(_) => "Direct",
            Writer::Driven(_) => "Driven",
        })
    }
}
