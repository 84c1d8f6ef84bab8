//! A small HTTP listener that answers scrapes: one request a connection, bounded in size, time and number.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::prometheus::CONTENT_TYPE;
use crate::config::socket_address;
use crate::error::{Error, Reason, Result};

/// Where the metrics are.
const PATH: &str = "/metrics";

/// Largest request: method, path and headers.
const MAX_REQUEST: usize = 8 << 10;

/// Time for a request, and for taking its answer.
const TIME: Duration = Duration::from_secs(10);

/// Connections at once; further ones wait in the system's backlog.
const MAX_CONNECTIONS: usize = 8;

/// Pause after the system had no descriptor for one more connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves metrics on `/metrics` over HTTP/1.1 for as long as it is kept. Nothing is encrypted and nobody is asked who he is:
/// listen on loopback, or where only the monitoring can come.
///
/// ```
/// # async fn example(client: rpcx::Client) -> rpcx::Result<()> {
/// let metrics = rpcx::stats::MetricsListener::bind("9464", move || client.stats().render()).await?;
/// println!("http://{}/metrics", metrics.address());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MetricsListener {
    address: SocketAddr,
    _serving: DropGuard,
}

impl MetricsListener {
    /// Listens on `host:port`, on loopback for a bare port, and serves on the runtime of the calling task. `render` makes the
    /// text of each answer: see [`Exposition`](super::Exposition).
    ///
    /// # Errors
    /// `config.bad_address` or `config.listen`, naming the address.
    pub async fn bind(at: &str, render: impl Fn() -> String + Send + Sync + 'static) -> Result<MetricsListener> {
        Self::open(at, render)
    }

    /// As [`bind`](Self::bind), which waits for nothing, in the runtime of the calling task.
    pub(super) fn open(at: &str, render: impl Fn() -> String + Send + Sync + 'static) -> Result<MetricsListener> {
        let address = address(at)?;
        let bound = std::net::TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, TcpListener::from_std(listener)?))
        });
        let (address, listener) = bound.map_err(|error| {
            Error::new(Reason::ConfigListen, format!("cannot listen on {address} for metrics: {error}"))
                .with_source(error)
        })?;
        let closed = CancellationToken::new();
        tokio::spawn(serve(listener, Arc::new(render), closed.clone()));
        Ok(MetricsListener { address, _serving: closed.drop_guard() })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn address(text: &str) -> Result<SocketAddr> {
    socket_address(text).ok_or_else(|| {
        let text = format!("bad address `{text}`: expected a port, or an IP address with a port");
        Error::new(Reason::ConfigBadAddress, text)
    })
}

type Render = dyn Fn() -> String + Send + Sync;

async fn serve(listener: TcpListener, render: Arc<Render>, closed: CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let accepting = async {
        loop {
            // Never closed, so there is always a place some time.
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (render, closed) = (render.clone(), closed.clone());
                    tokio::spawn(async move {
                        let answering = tokio::time::timeout(TIME, answer(stream, &*render));
                        // Whoever asks badly or leaves early misses his answer; there is nobody else to tell.
                        let _ = closed.run_until_cancelled(answering).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    };
    closed.run_until_cancelled(accepting).await;
}

async fn answer(mut stream: TcpStream, render: &Render) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(1 << 10);
    let response = loop {
        if let Some(response) = respond(&request, render) {
            break response;
        }
        if (&mut stream).take((MAX_REQUEST - request.len()) as u64).read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    };
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    // Closing with unread bytes would reset the connection and could cost the peer its answer.
    let mut rest = [0; 1 << 10];
    let mut left = MAX_REQUEST;
    while left > 0 {
        match stream.read(&mut rest).await? {
            0 => break,
            read => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

/// The answer to the request that these bytes begin with; `None` while it is not complete.
fn respond(bytes: &[u8], render: &Render) -> Option<String> {
    let complete = bytes.windows(4).any(|end| end == b"\r\n\r\n") || bytes.windows(2).any(|end| end == b"\n\n");
    if !complete {
        return (bytes.len() >= MAX_REQUEST).then(|| response("431 Request Header Fields Too Large", "", true));
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut words = std::str::from_utf8(line).unwrap_or_default().split_ascii_whitespace();
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some("HTTP/1.0" | "HTTP/1.1"), None) = (method, target, version, words.next())
    else {
        return Some(response("400 Bad Request", "", true));
    };
    let body = match method {
        "GET" => true,
        "HEAD" => false,
        _ => return Some(response("405 Method Not Allowed", "", true)),
    };
    let path = target.split('?').next().unwrap_or_default();
    Some(match path {
        PATH => response("200 OK", &render(), body),
        _ => response("404 Not Found", "the metrics are at /metrics\n", body),
    })
}

fn response(status: &str, text: &str, body: bool) -> String {
    let length = text.len();
    let allow = if status.starts_with("405") { "Allow: GET, HEAD\r\n" } else { "" };
    let text = if body { text } else { "" };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {length}\r\n{allow}Connection: close\r\n\r\n{text}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status(request: &[u8]) -> Option<String> {
        let response = respond(request, &|| "a 1\n".to_owned())?;
        Some(response.split(' ').nth(1).unwrap_or_default().to_owned())
    }

    #[test]
    fn requests_are_answered_by_method_and_path() {
        for (request, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", Some("200")),
            ("GET /metrics?x=1 HTTP/1.0\n\n", Some("200")),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", Some("200")),
            ("GET / HTTP/1.1\r\n\r\n", Some("404")),
            ("POST /metrics HTTP/1.1\r\n\r\n", Some("405")),
            ("GET /metrics\r\n\r\n", Some("400")),
            ("GET /metrics HTTP/2\r\n\r\n", Some("400")),
            ("\r\n\r\n", Some("400")),
            ("GET /metrics HTTP/1.1\r\n", None),
            ("", None),
        ] {
            assert_eq!(status(request.as_bytes()).as_deref(), expected, "{request:?}");
        }
        assert_eq!(status(&[b'a'; MAX_REQUEST]).as_deref(), Some("431"));
        let head = respond(b"HEAD /metrics HTTP/1.1\r\n\r\n", &|| "a 1\n".to_owned()).unwrap();
        assert!(head.contains("Content-Length: 4\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[test]
    fn a_bare_port_is_on_loopback() {
        assert_eq!(address("9464").unwrap(), "127.0.0.1:9464".parse().unwrap());
        assert_eq!(address("[::]:0").unwrap(), "[::]:0".parse().unwrap());
        for text in ["", "localhost:1", "99999", "tcp@127.0.0.1:1"] {
            assert_eq!(address(text).unwrap_err().reason(), Reason::ConfigBadAddress, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), ended: bool) {
            let mut bytes = bytes;
            if ended {
                bytes.extend_from_slice(b"\r\n\r\n");
            }
            prop_assert!(!ended || status(&bytes).is_some());
        }
    }
}
