//! A connection as one byte stream, for layers on top; and a read half with bytes put back in front.

use super::{DirectWrite, Writer};
use bytes::{Buf, Bytes};
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Both halves of an [`Io`](super::Io) together: `AsyncRead` and `AsyncWrite`, whichever kind of write half it has.
pub struct Stream {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    writer: Writer,
}

impl Stream {
    pub(super) fn new(reader: Box<dyn AsyncRead + Send + Unpin>, writer: Writer) -> Stream {
        Stream { reader, writer }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("writer", &self.writer).finish_non_exhaustive()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.writer {
            Writer::Direct(direct) => poll_direct(&**direct, cx, |direct| direct.try_write(buf)),
            Writer::Driven(driven) => Pin::new(driven).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.writer {
            Writer::Direct(direct) => poll_direct(&**direct, cx, |direct| direct.try_write_vectored(bufs)),
            Writer::Driven(driven) => Pin::new(driven).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.writer {
            Writer::Direct(_) => true,
            Writer::Driven(driven) => driven.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.writer {
            Writer::Direct(_) => Poll::Ready(Ok(())),
            Writer::Driven(driven) => Pin::new(driven).poll_flush(cx),
        }
    }

    /// Ends the writing side; over a `Direct` half the reading side ends with it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.writer {
            Writer::Direct(direct) => {
                direct.shutdown();
                Poll::Ready(Ok(()))
            }
            Writer::Driven(driven) => Pin::new(driven).poll_shutdown(cx),
        }
    }
}

fn poll_direct(
    direct: &dyn DirectWrite,
    cx: &mut Context<'_>,
    write: impl Fn(&dyn DirectWrite) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(direct.poll_write_ready(cx))?;
        match write(direct) {
            // The readiness was stale and is cleared now; asking again leaves the waker.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}

/// A read half that first gives bytes that were read before.
pub(super) struct Prefixed {
    prefix: Bytes,
    reader: Box<dyn AsyncRead + Send + Unpin>,
}

impl Prefixed {
    pub(super) fn new(prefix: Bytes, reader: Box<dyn AsyncRead + Send + Unpin>) -> Prefixed {
        Prefixed { prefix, reader }
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.reader).poll_read(cx, buf);
        }
        let take = self.prefix.len().min(buf.remaining());
        buf.put_slice(&self.prefix[..take]);
        self.prefix.advance(take);
        if self.prefix.is_empty() {
            // Gives the memory back for the rest of the connection's life.
            self.prefix = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}
