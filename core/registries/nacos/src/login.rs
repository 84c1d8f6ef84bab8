//! Logging in: over HTTP, for a token that each request carries.

use crate::failed::cause;
use crate::options::{Host, NacosOptions};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rpcx::config::Secret;
use rpcx::config::TlsFiles;
use rpcx::discovery::refreshed;
use rpcx::transport::{Address, DialOptions, Transports};
use rpcx::{Error, Reason, Result};
use serde::Deserialize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Below the context path: that of Nacos 1 and 2, and that of Nacos 3.
const PATHS: [&str; 2] = ["/v1/auth/login", "/v3/auth/user/login"];

/// Longest answer that is read.
const MAX_ANSWER: usize = 64 << 10;

/// The token of a user, shared by the connections.
#[derive(Debug, Default)]
pub(crate) struct Login {
    token: Mutex<Option<Token>>,
}

#[derive(Clone, Debug)]
struct Token {
    secret: Secret,
    /// When it is time for another one.
    renew: Instant,
    /// When it is good no more.
    ends: Instant,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access_token: String,
    /// In seconds.
    #[serde(default)]
    token_ttl: u64,
}

impl Login {
    /// The token of the user, if there is one; logs in where there is no token that lasts.
    pub(crate) async fn token(&self, options: &NacosOptions, host: &Host, limit: Duration) -> Result<Option<Secret>> {
        let Some((user, password)) = &options.user else { return Ok(None) };
        let known = self.lock().clone();
        if let Some(token) = known.as_ref().filter(|token| Instant::now() < token.renew) {
            return Ok(Some(token.secret.clone()));
        }
        let login = log_in(options, host, user, password, limit);
        let answer = tokio::time::timeout(limit, login).await.unwrap_or_else(|_| {
            Err(Error::new(Reason::ConnectTimeout, format!("nacos: no answer to the login within {limit:?}")))
        });
        let answer = match (answer, known.filter(|token| Instant::now() < token.ends)) {
            (Ok(answer), _) => answer,
            // There is time to try again.
            (Err(error), Some(known)) if error.reason() != Reason::AuthRefused => return Ok(Some(known.secret)),
            (Err(error), _) => return Err(error),
        };
        let lasts = Duration::from_secs(answer.token_ttl.min(86_400));
        let secret = Secret::from(answer.access_token);
        let now = Instant::now();
        *self.lock() = Some(Token { secret: secret.clone(), renew: now + lasts.mul_f64(0.9), ends: now + lasts });
        Ok(Some(secret))
    }

    /// The next token is a new one.
    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    /// The server takes this token no more. Whether there may be a better one.
    pub(crate) fn forget(&self, refused: Option<&Secret>) -> bool {
        let Some(refused) = refused else { return false };
        let mut token = self.lock();
        if token.as_ref().is_some_and(|token| token.secret == *refused) {
            *token = None;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Option<Token>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn log_in(options: &NacosOptions, host: &Host, user: &str, password: &Secret, limit: Duration) -> Result<Answer> {
    let form = refreshed("", [("username", user), ("password", password.expose())]);
    let mut missing = None;
    for path in PATHS {
        let path = format!("{}{path}", options.context_path);
        let (status, body) = post(options.tls.as_ref(), host, &path, &form, limit).await?;
        match status {
            StatusCode::OK => {
                return serde_json::from_slice(&body)
                    .map_err(|_| Error::new(Reason::ClosedRemote, "nacos: the answer to the login has no token"));
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let said: String = String::from_utf8_lossy(&body).chars().take(100).collect();
                return Err(Error::new(
                    Reason::AuthRefused,
                    format!("nacos: the login of {user:?} is refused: {said}"),
                ));
            }
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => missing = Some(status),
            other => return Err(Error::new(Reason::ClosedRemote, format!("nacos: the login failed: {other}"))),
        }
    }
    let status = missing.unwrap_or(StatusCode::NOT_FOUND);
    Err(Error::new(
        Reason::ClosedRemote,
        format!("nacos: there is no login below {:?}: {status}", options.context_path),
    ))
}

/// One request on a connection of its own.
async fn post(
    tls: Option<&TlsFiles>,
    host: &Host,
    path: &str,
    form: &str,
    limit: Duration,
) -> Result<(StatusCode, Bytes)> {
    let transports = Transports::with_tls_files(tls).await?;
    let authority = format!("{}:{}", host.name, host.http);
    let dial = DialOptions { connect_timeout: limit, ..DialOptions::default() };
    let stream = transports.dial(&Address::new("tcp", &authority)?, &dial).await?.into_stream().0;
    let failed = |error: &dyn std::error::Error| {
        Error::new(Reason::ConnectRefused, format!("nacos: the login at {authority}: {}", cause(error)))
    };
    let request = Request::post(path)
        .header(header::HOST, &authority)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::copy_from_slice(form.as_bytes())))
        .map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|error| failed(&*error))?;
        Ok((status, body.to_bytes()))
    };
    let carried = async {
        // Its errors are those of the exchange too.
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        done = exchange => done,
        never = carried => never,
    }
}

#[cfg(test)]
mod tests;
