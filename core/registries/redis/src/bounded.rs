//! A limit to what is read before anything comes of it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest answer: some 1,000 nodes of 64 KiB, which is what is asked for at a time.
pub(crate) const LONGEST: usize = 64 << 20;

/// How much was read since the last answer or event was complete.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unread(Arc<AtomicUsize>);

impl Unread {
    /// Something is complete.
    pub(crate) fn clear(&self) {
        self.0.store(0, Ordering::Release);
    }
}

/// A connection that fails when more than [`LONGEST`] bytes are read without anything complete: the client library keeps
/// whatever a server sends until it has all of it.
pub(crate) struct Bounded<S> {
    stream: S,
    unread: Unread,
}

impl<S> Bounded<S> {
    pub(crate) fn new(stream: S, unread: Unread) -> Self {
        Self { stream, unread }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        if self.unread.0.fetch_add(read, Ordering::AcqRel) + read > LONGEST {
            let text = format!("the server sends an answer of more than {LONGEST} bytes");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, repeat};

    #[test]
    fn endless_answers_end_and_many_answers_do_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let unread = Unread::default();
            let mut stream = Bounded::new(repeat(b'x'), unread.clone());
            let mut buffer = vec![0; 1 << 20];
            for _ in 0..3 {
                for _ in 0..LONGEST >> 20 {
                    stream.read_exact(&mut buffer).await.expect("within the limit");
                }
                unread.clear();
            }
            for _ in 0..LONGEST >> 20 {
                stream.read_exact(&mut buffer).await.expect("within the limit");
            }
            assert!(stream.read_exact(&mut buffer).await.is_err());
        });
    }
}
