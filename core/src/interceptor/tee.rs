//! A copy of the inbound traffic, for recording and replay: bounded, and never in the way of the traffic itself.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::Notify;

/// Memory that a chunk takes beside its bytes, as the limit counts it.
const OVERHEAD: usize = 64;

/// Copies what the clients of a server send, on every connection and in every protocol, to a queue of [`Copies`].
///
/// The bytes are those that came, TLS taken off and tokens included: whoever reads the copies reads all that. While the
/// queue is full chunks are dropped and counted; connections never wait for it. Cheap to clone; all clones are the same.
///
/// ```
/// use rpcx::Server;
/// use rpcx::interceptor::Tee;
///
/// # async fn example() -> rpcx::Result<()> {
/// let (tee, mut copies) = Tee::new(1 << 20);
/// let server = Server::builder().tee(tee).bind("tcp@127.0.0.1:0").start().await?;
/// while let Some(chunk) = copies.next().await {
///     println!("{} bytes from {}, {} lost before them", chunk.bytes.len(), chunk.peer, chunk.lost);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Tee {
    source: Arc<Source>,
}

/// Some bytes of one connection, as one read brought them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// The connection's number with this tee, from 1.
    pub connection: u64,
    /// The client's address, which may be empty.
    pub peer: Arc<str>,
    /// What came; empty when the connection has ended.
    pub bytes: Bytes,
    /// Bytes of this connection that were dropped just before these.
    pub lost: u64,
}

/// What a [`Tee`] has copied and nobody has taken yet. Dropping it ends the copying.
#[derive(Debug)]
pub struct Copies {
    shared: Arc<Shared>,
}

/// Held by tees and by the connections they copy: the copies end with the last of them.
#[derive(Debug)]
struct Source {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    max_bytes: usize,
    enabled: AtomicBool,
    connections: AtomicU64,
    lost_chunks: AtomicU64,
    lost_bytes: AtomicU64,
    /// The queue is no longer empty, or will stay so.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Chunk>,
    /// What the chunks take, overhead included.
    bytes: usize,
    /// Nothing more will come.
    ended: bool,
    /// Nobody takes them any more.
    unused: bool,
}

impl Tee {
    /// A tee and its copies, of which at most `max_bytes` wait to be taken.
    pub fn new(max_bytes: usize) -> (Tee, Copies) {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            max_bytes,
            enabled: AtomicBool::new(true),
            connections: AtomicU64::new(0),
            lost_chunks: AtomicU64::new(0),
            lost_bytes: AtomicU64::new(0),
            changed: Notify::new(),
        });
        (Tee { source: Arc::new(Source { shared: shared.clone() }) }, Copies { shared })
    }

    /// Begins or ends the copying; it is on at first. What comes while it is off is neither copied nor counted as lost.
    pub fn set_enabled(&self, enabled: bool) {
        self.source.shared.enabled.store(enabled, Ordering::Relaxed);
    }

    /// How many bytes were dropped because too many waited.
    pub fn lost_bytes(&self) -> u64 {
        self.source.shared.lost_bytes.load(Ordering::Relaxed)
    }

    /// In how many chunks those were.
    pub fn lost_chunks(&self) -> u64 {
        self.source.shared.lost_chunks.load(Ordering::Relaxed)
    }

    /// The read half of a connection, with a copy of what it reads.
    pub(crate) fn reader(&self, inner: BoxRead, peer: &str) -> BoxRead {
        let connection = 1 + self.source.shared.connections.fetch_add(1, Ordering::Relaxed);
        Box::new(TeeReader { inner, source: self.source.clone(), connection, peer: peer.into(), lost: 0 })
    }
}

impl Copies {
    /// The next chunk, in the order they were read; `None` once tees and connections are gone and all was taken. Dropping
    /// the future loses none.
    pub async fn next(&mut self) -> Option<Chunk> {
        loop {
            let changed = self.shared.changed.notified();
            {
                let mut queue = self.shared.queue();
                if let Some(chunk) = queue.chunks.pop_front() {
                    queue.bytes -= OVERHEAD + chunk.bytes.len();
                    return Some(chunk);
                }
                if queue.ended {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Writes the bytes of all connections in the order they were read, as Go's tee does. With one connection at a time that
    /// is a recording that can be sent again.
    ///
    /// # Errors
    /// What the writer says; the copying ends.
    pub async fn write_to(mut self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        while let Some(chunk) = self.next().await {
            writer.write_all(&chunk.bytes).await?;
        }
        writer.flush().await
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.unused = true;
        queue.chunks = VecDeque::new();
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.shared.queue().ended = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a chunk into the queue, unless it is full. Says how many bytes were dropped.
    fn push(&self, chunk: Chunk) -> usize {
        let len = chunk.bytes.len();
        let mut queue = self.queue();
        if queue.unused {
            // What nobody wants is not lost.
            return 0;
        }
        if queue.bytes + OVERHEAD + len > self.max_bytes {
            drop(queue);
            self.lost_chunks.fetch_add(1, Ordering::Relaxed);
            self.lost_bytes.fetch_add(len as u64, Ordering::Relaxed);
            return len;
        }
        queue.bytes += OVERHEAD + len;
        queue.chunks.push_back(chunk);
        drop(queue);
        self.changed.notify_one();
        0
    }
}

type BoxRead = Box<dyn AsyncRead + Send + Unpin>;

struct TeeReader {
    inner: BoxRead,
    source: Arc<Source>,
    connection: u64,
    peer: Arc<str>,
    lost: u64,
}

impl TeeReader {
    fn copy(&mut self, bytes: &[u8]) {
        let chunk = Chunk {
            connection: self.connection,
            peer: self.peer.clone(),
            bytes: Bytes::copy_from_slice(bytes),
            lost: self.lost,
        };
        match self.source.shared.push(chunk) {
            0 => self.lost = 0,
            lost => self.lost += lost as u64,
        }
    }
}

impl AsyncRead for TeeReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        let bytes = &buf.filled()[before..];
        if !bytes.is_empty() && this.source.shared.enabled.load(Ordering::Relaxed) {
            this.copy(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for TeeReader {
    fn drop(&mut self) {
        if self.source.shared.enabled.load(Ordering::Relaxed) {
            self.copy(&[]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn read(tee: &Tee, bytes: &'static [u8]) -> BoxRead {
        tee.reader(Box::new(bytes), "10.0.0.1:7")
    }

    async fn drain(reader: &mut BoxRead, piece: usize) {
        let mut buffer = vec![0; piece];
        while reader.read(&mut buffer).await.unwrap() > 0 {}
    }

    fn chunk(connection: u64, bytes: &'static [u8], lost: u64) -> Chunk {
        Chunk { connection, peer: "10.0.0.1:7".into(), bytes: Bytes::from_static(bytes), lost }
    }

    #[tokio::test]
    async fn what_is_read_is_copied_until_its_end() {
        let (tee, mut copies) = Tee::new(1 << 10);
        let mut first = read(&tee, b"abcdef");
        drain(&mut first, 4).await;
        drop(first);
        drop(tee);
        for expected in [chunk(1, b"abcd", 0), chunk(1, b"ef", 0), chunk(1, b"", 0)] {
            assert_eq!(copies.next().await, Some(expected));
        }
        assert_eq!(copies.next().await, None);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_dropped_counted_and_told() {
        let (tee, mut copies) = Tee::new(2 * (OVERHEAD + 1));
        let mut reader = read(&tee, b"abcde");
        for _ in 0..4 {
            reader.read_exact(&mut [0]).await.unwrap();
        }
        assert_eq!((tee.lost_chunks(), tee.lost_bytes()), (2, 2));
        assert_eq!(copies.next().await, Some(chunk(1, b"a", 0)));
        reader.read_exact(&mut [0]).await.unwrap();
        assert_eq!(copies.next().await, Some(chunk(1, b"b", 0)));
        assert_eq!(copies.next().await, Some(chunk(1, b"e", 2)), "the gap is where it belongs");
    }

    #[tokio::test]
    async fn nothing_is_kept_for_nobody() {
        let (tee, copies) = Tee::new(1 << 20);
        let mut reader = read(&tee, b"abc");
        drop(copies);
        drain(&mut reader, 8).await;
        let queue = tee.source.shared.queue();
        assert_eq!((queue.chunks.len(), tee.lost_bytes()), (0, 0));
    }

    #[tokio::test]
    async fn it_can_be_turned_off_and_on() {
        let (tee, mut copies) = Tee::new(1 << 20);
        let mut reader = read(&tee, b"abcd");
        for enabled in [true, false, true, false] {
            tee.set_enabled(enabled);
            reader.read_exact(&mut [0]).await.unwrap();
        }
        drop((reader, tee));
        let mut recorded = Vec::new();
        while let Some(chunk) = copies.next().await {
            recorded.extend_from_slice(&chunk.bytes);
        }
        assert_eq!(recorded, b"ac");
    }

    #[tokio::test]
    async fn a_writer_gets_everything_in_order() {
        let (tee, copies) = Tee::new(1 << 20);
        let (mut a, mut b) = (read(&tee, b"first "), read(&tee, b"second"));
        drain(&mut a, 64).await;
        drain(&mut b, 64).await;
        drop((a, b, tee));
        let mut recorded = Vec::new();
        copies.write_to(&mut recorded).await.unwrap();
        assert_eq!(recorded, b"first second");
    }
}
