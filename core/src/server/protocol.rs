//! Which protocol a new connection speaks, told by its first bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use super::foreign::Dispatch;
use crate::error::{Error, Reason, Result};
use crate::future::within;
use crate::interceptor::BoxFuture;
use crate::transport::Io;

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// These bytes begin this protocol.
    Yes,
    /// They do not.
    No,
    /// More bytes are needed to tell.
    More,
}

/// Another protocol on the server's ports, beside rpcx frames (which begin with `0x08`). Off unless added.
///
/// TLS comes first: a protocol sees what is inside. The bytes that were looked at are replayed to
/// [`serve`](Protocol::serve).
///
/// The server's rules for connections (access lists, rate, number) and its tee hold for every protocol; those for requests
/// hold for whatever is run through the [`Dispatch`]. A protocol that answers by itself asks by itself.
///
/// ```
/// use rpcx::interceptor::BoxFuture;
/// use rpcx::protocol::SerializeType;
/// use rpcx::server::{Dispatch, Protocol, Request, Wants};
/// use rpcx::transport::Io;
/// use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
///
/// /// Answers each line `Service.Method text` with a line.
/// struct Lines;
///
/// impl Protocol for Lines {
///     fn wants(&self, first_bytes: &[u8]) -> Wants {
///         if first_bytes[0].is_ascii_uppercase() { Wants::Yes } else { Wants::No }
///     }
///
///     fn serve(&self, io: Io, dispatch: Dispatch) -> BoxFuture<'static, ()> {
///         Box::pin(async move {
///             let (stream, _) = io.into_stream();
///             let mut stream = BufStream::new(stream);
///             let mut line = String::new();
///             while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
///                 let (name, text) = line.trim_end().split_once(' ').unwrap_or_default();
///                 let (service, method) = name.split_once('.').unwrap_or_default();
///                 let request = Request::new(service, method, SerializeType::RAW, text.to_owned());
///                 let mut answer = match dispatch.call(request).await {
///                     Ok(response) => response.payload.to_vec(),
///                     Err(error) => error.message().into(),
///                 };
///                 answer.push(b'\n');
///                 if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
///                     return;
///                 }
///                 line.clear();
///             }
///         })
///     }
/// }
/// ```
pub trait Protocol: Send + Sync + 'static {
    /// Looks at the first bytes, at least one.
    fn wants(&self, first_bytes: &[u8]) -> Wants;
    /// Serves the connection to its end, its requests through `dispatch`. Dropped when the server closes, or when a handler
    /// closes the connection; a panic ends the connection only. What is still running when it ends is cancelled.
    fn serve(&self, io: Io, dispatch: Dispatch) -> BoxFuture<'static, ()>;
}

/// Bytes looked at before nobody wants a connection.
const LOOK: usize = 64;

/// Reads until one protocol wants the connection; `None` means rpcx.
pub(super) async fn choose(
    mut io: Io,
    protocols: &[Arc<dyn Protocol>],
    limit: Option<Duration>,
) -> Result<(Io, Option<Arc<dyn Protocol>>)> {
    if protocols.is_empty() {
        return Ok((io, None));
    }
    let mut seen = BytesMut::with_capacity(LOOK);
    let look = async {
        loop {
            if io.reader.read_buf(&mut seen).await.map_err(crate::connection::link::io_error)? == 0 {
                return Err(Error::new(Reason::ClosedRemote, "the client closed before it said anything"));
            }
            if seen[0] == rpcx_protocol::header::MAGIC {
                return Ok(None);
            }
            let answers: Vec<Wants> = protocols.iter().map(|protocol| protocol.wants(&seen)).collect();
            if let Some(at) = answers.iter().position(|answer| *answer == Wants::Yes) {
                return Ok(Some(protocols[at].clone()));
            }
            if answers.iter().all(|answer| *answer == Wants::No) || seen.len() >= LOOK {
                return Err(Error::new(Reason::ProtocolMagic, "no protocol of this port begins like that"));
            }
        }
    };
    let chosen = within(limit, look).await.map_err(|limit| {
        Error::new(Reason::ClosedIdle, format!("the client said nothing within handshake_timeout ({limit:?})"))
    })??;
    Ok((io.with_prefix(Bytes::from(seen)), chosen))
}
