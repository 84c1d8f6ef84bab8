//! One connection that speaks HTTP/1.1, one request after the other, with a limit for every answer.

use base64::Engine;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rpcx::config::Secret;
use rpcx::transport::Stream;
use rpcx::{Error, Reason, Result};
use tokio::task::JoinHandle;

/// Longest head of an answer, in bytes.
const MAX_HEAD: usize = 32 << 10;

/// What Consul's clients show who they are with.
static TOKEN: HeaderName = HeaderName::from_static("x-consul-token");

/// What every request carries.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    host: HeaderValue,
    token: Option<HeaderValue>,
    authorization: Option<HeaderValue>,
}

impl Head {
    pub(crate) fn new(host: &str, token: Option<&Secret>, user: Option<&(String, Secret)>) -> Result<Self> {
        let value = |text: &str| {
            let wrong = |_| Error::new(Reason::ConfigBadAddress, "consul: host or token are no text of a header");
            HeaderValue::from_str(text).map_err(wrong)
        };
        let secret = |text: &str| {
            let mut value = value(text)?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        };
        let authorization = user.map(|(user, password)| {
            let both = format!("{user}:{}", password.expose());
            secret(&format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(both)))
        });
        Ok(Self {
            host: value(host)?,
            token: token.map(|token| secret(token.expose())).transpose()?,
            authorization: authorization.transpose()?,
        })
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Consul's number for the state that it tells.
    pub(crate) index: Option<u64>,
    pub(crate) body: Bytes,
}

/// A connection. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    head: Head,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// On the runtime of the caller.
    pub(crate) async fn open(stream: Stream, head: Head) -> Result<Self> {
        let mut builder = Builder::new();
        builder.max_buf_size(MAX_HEAD).max_headers(100);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told.
            let _ = connection.await;
        });
        Ok(Self { sender, head, driver })
    }

    /// Whether the other side has closed it.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// One request, and its answer, whose body is at most `limit` bytes long. If this fails or is dropped, so is the connection.
    pub(crate) async fn request(&mut self, method: Method, target: &str, body: Bytes, limit: usize) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(target).header(HOST, &self.head.host);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(token) = &self.head.token {
            request = request.header(&TOKEN, token);
        }
        if let Some(authorization) = &self.head.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body));
        let request = request.map_err(|error| Error::new(Reason::ConfigBadAddress, format!("consul: {error}")))?;
        self.sender.ready().await.map_err(|error| lost(&error))?;
        let answer = self.sender.send_request(request).await.map_err(|error| lost(&error))?;
        let status = answer.status();
        let index = answer.headers().get("x-consul-index").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Limited::new(answer.into_body(), limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return Error::new(Reason::ClosedRemote, format!("consul: the answer is longer than {limit} bytes"));
            }
            Error::new(Reason::ClosedRemote, format!("consul: the answer broke off: {error}"))
        })?;
        Ok(Answer { status, index, body: body.to_bytes() })
    }
}

fn lost(error: &hyper::Error) -> Error {
    let mut text = format!("consul: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    Error::new(Reason::ClosedRemote, text)
}
