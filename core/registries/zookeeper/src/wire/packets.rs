//! Packets out of a stream of bytes.

use bytes::{Buf, Bytes, BytesMut};
use rpcx::{Error, Reason, Result};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest packet that is read: the addresses of some 300,000 servers. Go's and Java's clients stop at 4 MiB.
const MAX_PACKET: usize = 16 << 20;

/// Reads packets. What came before a read was dropped is not lost.
pub(crate) struct Packets<R> {
    reader: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Packets<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: BytesMut::new() }
    }

    /// The next one, without its length.
    pub(crate) async fn next(&mut self) -> Result<Bytes> {
        loop {
            if let Some(packet) = self.whole()? {
                return Ok(packet);
            }
            // Grows with what comes, not with what is said to come.
            self.buffer.reserve(4096);
            match self.reader.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(Error::new(Reason::ClosedRemote, "zookeeper: it ended the connection")),
                Ok(_) => {}
                Err(error) => return Err(broken(&error)),
            }
        }
    }

    fn whole(&mut self) -> Result<Option<Bytes>> {
        let Some(length) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_be_bytes(*length);
        let length = usize::try_from(length).ok().filter(|length| *length <= MAX_PACKET).ok_or_else(|| {
            Error::new(
                Reason::ClosedProtocol,
                format!("zookeeper: a packet of {length} bytes, where {MAX_PACKET} are allowed: is it a ZooKeeper?"),
            )
        })?;
        if self.buffer.len() < 4 + length {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

/// A connection that broke.
pub(crate) fn broken(error: &io::Error) -> Error {
    Error::new(Reason::ClosedReset, format!("zookeeper: the connection broke: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn packets_come_whole_however_they_are_cut() {
        let (mut writer, reader) = tokio::io::duplex(3);
        let writing = tokio::spawn(async move {
            writer.write_all(&[0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1, 9]).await.expect("written");
        });
        let mut packets = Packets::new(reader);
        for expected in [&[7, 8][..], &[], &[9]] {
            assert_eq!(packets.next().await.expect("a packet"), expected);
        }
        writing.await.expect("written");
        assert_eq!(packets.next().await.expect_err("the end").reason(), Reason::ClosedRemote);
    }

    #[tokio::test]
    async fn lengths_out_of_bounds_end_the_connection() {
        for length in [[0xff; 4], [1, 0, 0, 1], *b"HTTP"] {
            let mut packets = Packets::new(&length[..]);
            assert_eq!(packets.next().await.expect_err("refused").reason(), Reason::ClosedProtocol);
            assert!(packets.buffer.capacity() < 1 << 16);
        }
    }
}
