//! The requests that Consul is made, and what its answers mean.

use crate::http::{Answer, Connection};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::{Method, StatusCode};
use rpcx::{Error, Reason, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

/// What Go's library marks the keys with on which it takes locks: one without a session and with other flags it does not
/// take over.
pub(crate) const FLAGS: u64 = 0x2ddc_cbc0_58a5_0c18;

/// Longest list that is read, in bytes: some 100,000 nodes.
const MAX_LIST: usize = 64 << 20;

/// Longest other answer. Consul's values have at most 512 KiB.
const MAX_ANSWER: usize = 4 << 20;

/// Operations that one transaction may have.
pub(crate) const MAX_OPERATIONS: usize = 64;

/// A key as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: String,
    /// The index of its last change.
    pub(crate) index: u64,
    /// Who holds it.
    pub(crate) session: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawEntry<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    // Null where it is empty.
    value: Option<String>,
    modify_index: u64,
    session: Option<String>,
}

/// One step of a transaction.
#[derive(Debug, Serialize)]
pub(crate) struct Operation<'a> {
    #[serde(rename = "KV")]
    kv: Step<'a>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Step<'a> {
    verb: &'a str,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
}

impl<'a> Operation<'a> {
    fn of(verb: &'a str, key: &'a str) -> Self {
        Self { kv: Step { verb, key, ..Step::default() } }
    }

    fn writing(verb: &'a str, key: &'a str, text: &str) -> Self {
        let mut operation = Self::of(verb, key);
        operation.kv.value = Some(STANDARD.encode(text));
        operation.kv.flags = Some(FLAGS);
        operation
    }

    /// The key must be there.
    pub(crate) fn is_there(key: &'a str) -> Self {
        Self::of("get", key)
    }

    /// The key must not be there.
    pub(crate) fn is_absent(key: &'a str) -> Self {
        Self::of("check-not-exists", key)
    }

    /// The key must not have changed since.
    pub(crate) fn is_unchanged(key: &'a str, index: u64) -> Self {
        let mut operation = Self::of("check-index", key);
        operation.kv.index = Some(index);
        operation
    }

    /// The session must hold the key.
    pub(crate) fn is_held(key: &'a str, session: &'a str) -> Self {
        let mut operation = Self::of("check-session", key);
        operation.kv.session = Some(session);
        operation
    }

    /// Has the session hold the key, which nobody else does.
    pub(crate) fn lock(key: &'a str, text: &str, session: &'a str) -> Self {
        let mut operation = Self::writing("lock", key, text);
        operation.kv.session = Some(session);
        operation
    }

    /// Takes the key from the session.
    pub(crate) fn unlock(key: &'a str, text: &str, session: &'a str) -> Self {
        let mut operation = Self::writing("unlock", key, text);
        operation.kv.session = Some(session);
        operation
    }

    /// Writes the key, if it has not changed since; whoever holds it goes on.
    pub(crate) fn rewrite(key: &'a str, text: &str, index: u64) -> Self {
        let mut operation = Self::writing("cas", key, text);
        operation.kv.index = Some(index);
        operation
    }
}

/// What is wrong with one step of a transaction.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Problem {
    pub(crate) op_index: usize,
    pub(crate) what: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refused {
    errors: Option<Vec<Problem>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NewSession<'a> {
    name: &'a str,
    behavior: &'a str,
    lock_delay: &'a str,
    #[serde(rename = "TTL")]
    ttl: String,
    checks: [&'a str; 0],
}

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "ID")]
    id: String,
}

/// Consul, over one connection.
#[derive(Debug)]
pub(crate) struct Api {
    connection: Connection,
    datacenter: Option<String>,
}

impl Api {
    pub(crate) fn new(connection: Connection, datacenter: Option<String>) -> Self {
        Self { connection, datacenter }
    }

    /// Whether the other side has closed the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    async fn ask(&mut self, method: Method, path: &str, options: &str, body: Bytes, limit: usize) -> Result<Answer> {
        let mut target = format!("{path}?{options}");
        if let Some(datacenter) = &self.datacenter {
            target.push_str("&dc=");
            escape(datacenter, &mut target);
        }
        self.connection.request(method, &target, body, limit).await
    }

    async fn put(&mut self, path: &str, options: &str, body: impl Into<Bytes>) -> Result<Answer> {
        self.ask(Method::PUT, path, options, body.into(), MAX_ANSWER).await
    }

    /// Fails unless this agent knows a leader.
    pub(crate) async fn has_leader(&mut self) -> Result<()> {
        let answer = self.ask(Method::GET, "/v1/status/leader", "", Bytes::new(), MAX_ANSWER).await?;
        let answer = good(answer)?;
        match read::<Cow<'_, str>>(&answer.body)?.is_empty() {
            true => Err(Error::new(Reason::ConnectOther, "consul: no cluster leader")),
            false => Ok(()),
        }
    }

    /// One key, as the leader has it.
    pub(crate) async fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        let answer = self.ask(Method::GET, &path(key), "consistent", Bytes::new(), MAX_ANSWER).await?;
        Ok(entries(answer)?.1.pop())
    }

    /// Every key that begins so, and the index of this answer. After an index: as soon as there is a newer one, or after
    /// the time; whether this is newer the index tells.
    pub(crate) async fn list(&mut self, prefix: &str, after: Option<(u64, Duration)>) -> Result<(u64, Vec<Entry>)> {
        let options = match after {
            None => "recurse&consistent".to_owned(),
            Some((index, wait)) => format!("recurse&index={index}&wait={}ms", wait.as_millis()),
        };
        entries(self.ask(Method::GET, &path(prefix), &options, Bytes::new(), MAX_LIST).await?)
    }

    /// Writes a key that stays, unless it is there.
    pub(crate) async fn put_new(&mut self, key: &str, value: &str) -> Result<()> {
        let answer = self.put(&path(key), &format!("cas=0&flags={FLAGS}"), value.to_owned()).await?;
        good(answer).map(drop)
    }

    /// Does all of it or nothing; what is in the way.
    pub(crate) async fn transact(&mut self, operations: &[Operation<'_>]) -> Result<Vec<Problem>> {
        self.send(operations, "").await
    }

    /// What is not so of these, by a server that may be a moment behind.
    pub(crate) async fn check(&mut self, operations: &[Operation<'_>]) -> Result<Vec<Problem>> {
        self.send(operations, "stale").await
    }

    async fn send(&mut self, operations: &[Operation<'_>], options: &str) -> Result<Vec<Problem>> {
        let body = serde_json::to_vec(operations)
            .map_err(|error| Error::new(Reason::InternalBug, format!("consul: {error}")))?;
        let answer = self.put("/v1/txn", options, body).await?;
        if answer.status != StatusCode::CONFLICT {
            return good(answer).map(|_| Vec::new());
        }
        let problems = read::<Refused>(&answer.body)?.errors.unwrap_or_default();
        if let Some(problem) = problems.iter().find(|problem| is_denial(&problem.what)) {
            return Err(Error::new(Reason::AuthRefused, format!("consul: {}", shown(problem.what.as_bytes()))));
        }
        match problems.iter().all(|problem| problem.op_index < operations.len()) && !problems.is_empty() {
            true => Ok(problems),
            false => Err(Error::new(Reason::ClosedRemote, "consul: a transaction was refused without a reason")),
        }
    }

    /// A new session, whose end deletes what it holds; half of its life is its time to live. Its number.
    pub(crate) async fn create_session(&mut self, name: &str, life: Duration) -> Result<String> {
        let new = NewSession {
            name,
            behavior: "delete",
            // Go's; none means Consul's 15 s, for which nobody could take the key.
            lock_delay: "1ms",
            // Consul waits for twice that.
            ttl: format!("{}ms", life.as_millis() / 2),
            // It is to end when the server does not renew it, whatever becomes of the agent.
            checks: [],
        };
        let body =
            serde_json::to_vec(&new).map_err(|error| Error::new(Reason::InternalBug, format!("consul: {error}")))?;
        let answer = good(self.put("/v1/session/create", "", body).await?)?;
        let Created { id } = read(&answer.body)?;
        match !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            true => Ok(id),
            false => Err(Error::new(Reason::ClosedRemote, "consul: the number of a session is none")),
        }
    }

    /// False if there is no such session any more.
    pub(crate) async fn renew_session(&mut self, id: &str) -> Result<bool> {
        let answer = self.put(&format!("/v1/session/renew/{id}"), "", Bytes::new()).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        good(answer).map(|_| true)
    }

    /// Ends a session, and deletes what it holds.
    pub(crate) async fn destroy_session(&mut self, id: &str) -> Result<()> {
        good(self.put(&format!("/v1/session/destroy/{id}"), "", Bytes::new()).await?).map(drop)
    }
}

/// A list of keys. None at all is an answer of its own, which only Consul gives with an index.
fn entries(answer: Answer) -> Result<(u64, Vec<Entry>)> {
    if answer.status != StatusCode::NOT_FOUND || answer.index.is_none() {
        let answer = good(answer)?;
        let Some(index) = answer.index else {
            return Err(Error::new(Reason::ClosedRemote, "consul: an answer without X-Consul-Index"));
        };
        let read: Vec<RawEntry<'_>> = read(&answer.body)?;
        let entries = read.into_iter().map(Entry::read).collect::<Result<_>>()?;
        return Ok((index, entries));
    }
    Ok((answer.index.unwrap_or_default(), Vec::new()))
}

impl Entry {
    fn read(raw: RawEntry<'_>) -> Result<Self> {
        let value = STANDARD.decode(raw.value.unwrap_or_default());
        let value = value.map_err(|_| Error::new(Reason::ClosedRemote, "consul: a value is not base64"))?;
        let value = String::from_utf8(value).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned());
        // Some versions write no session as an empty one.
        let session = raw.session.filter(|session| !session.is_empty());
        Ok(Self { key: raw.key.into_owned(), value, index: raw.modify_index, session })
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T> {
    serde_json::from_slice(body)
        .map_err(|error| Error::new(Reason::ClosedRemote, format!("consul: an answer cannot be read: {error}")))
}

/// An answer that is one.
fn good(answer: Answer) -> Result<Answer> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let text = shown(&answer.body);
    let reason = match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Reason::AuthRefused,
        _ if is_denial(&text) => Reason::AuthRefused,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Reason::ConfigBadValue,
        _ if text.contains("Invalid Session TTL") => Reason::ConfigBadValue,
        _ => Reason::ClosedRemote,
    };
    Err(Error::new(reason, format!("consul: {text} (status {})", answer.status.as_u16())))
}

fn is_denial(text: &str) -> bool {
    text.contains("Permission denied") || text.contains("ACL not found")
}

/// The beginning of what Consul says, fit for a log.
fn shown(body: &[u8]) -> String {
    let body = &body[..body.len().min(200)];
    String::from_utf8_lossy(body).trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn path(key: &str) -> String {
    let mut path = String::from("/v1/kv/");
    escape(key, &mut path);
    path
}

/// Everything but what stands for itself in a path.
fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' | b'@' | b':' => {
                out.push(char::from(byte));
            }
            // A String takes everything.
            other => drop(write!(out, "%{other:02X}")),
        }
    }
}

#[cfg(test)]
mod tests;
