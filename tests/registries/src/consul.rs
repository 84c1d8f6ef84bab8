//! A Consul of one server.

use crate::daemon::Program;
use crate::process::{guarded, program};
use crate::suite::Registry;
use crate::{Daemon, Pem};
use rpcx::discovery::Scheme;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What Go's library marks its keys with.
pub const FLAGS: u64 = 3_304_740_253_564_472_344;

/// The token of the operator, where tokens are asked for.
pub const ROOT: &str = "11111111-2222-3333-4444-555555555555";

/// A server on loopback with its own data; killed when dropped.
#[derive(Debug)]
pub struct Consul {
    daemon: Daemon,
}

/// A key as Consul has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What it is marked with.
    pub flags: u64,
    /// The session that holds it.
    pub session: Option<String>,
    /// When it was last written.
    pub index: u64,
}

impl Consul {
    /// Starts one that speaks TLS alone, and asks for certificates of its authority.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn secured(pem: &Pem) -> Consul {
        let text = |path: &Path| path.display().to_string();
        let tls = json!({
            "ca_file": text(&pem.ca), "cert_file": text(&pem.cert), "key_file": text(&pem.key),
            "verify_incoming_https": true,
        });
        Consul { daemon: Daemon::start(Agent { https: true, further: tls }) }
    }

    /// Starts one that lets nobody in without a token. [`ROOT`] may do everything.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn with_tokens() -> Consul {
        let acl = json!({"acl": {"enabled": true, "default_policy": "deny", "tokens": {"master": ROOT}}});
        Consul { daemon: Daemon::start(Agent { https: false, further: acl }) }
    }

    /// Starts one that allows sessions as short as it does where nobody configures it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn strict() -> Consul {
        Consul { daemon: Daemon::start(Agent { https: false, further: json!({"session_ttl_min": "10s"}) }) }
    }

    /// One request with a body of JSON or text; the status and the answer.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn ask(&self, method: &str, target: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut stream = tokio::net::TcpStream::connect(self.host()).await?;
        stream.write_all(request(method, target, body).as_bytes()).await?;
        let mut answer = Vec::new();
        tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await??;
        Ok(read(&String::from_utf8_lossy(&answer)))
    }

    /// The same with an answer in JSON; null where there is none.
    ///
    /// # Panics
    /// When it is none.
    pub async fn json(&self, method: &str, target: &str, body: &str) -> Value {
        let (status, answer) = self.ask(method, target, body).await.expect("an answer");
        if status == 404 {
            return Value::Null;
        }
        assert_eq!(status, 200, "{method} {target}: {answer}");
        serde_json::from_str(&answer).expect("JSON")
    }

    /// Everything whose key begins so, by key.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub async fn entries(&self, prefix: &str) -> Vec<Entry> {
        self.try_entries(prefix).await.expect("the keys")
    }

    /// The same of one that may be down; none if it cannot be asked.
    ///
    /// # Panics
    /// When it answers what cannot be read.
    pub async fn try_entries(&self, prefix: &str) -> Option<Vec<Entry>> {
        let target = format!("/v1/kv/{}?recurse=true&consistent=true", escaped(prefix));
        let found: Value = match self.ask("GET", &target, "").await.ok()? {
            (200, answer) => serde_json::from_str(&answer).expect("JSON"),
            // Nothing, if it has a leader.
            (404, _) => return Some(Vec::new()),
            _ => return None,
        };
        Some(found.as_array().expect("a list").iter().map(Entry::read).collect())
    }

    /// The sessions that there are, by their numbers.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub async fn sessions(&self) -> Vec<Value> {
        self.json("GET", "/v1/session/list", "").await.as_array().expect("a list").clone()
    }

    /// Ends a session.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub async fn destroy(&self, session: &str) {
        self.json("PUT", &format!("/v1/session/destroy/{session}"), "").await;
    }

    /// Writes a key as Go's library does, rpcx-ui among others: who holds it goes on.
    ///
    /// # Panics
    /// When it cannot be written.
    pub async fn write(&self, key: &str, value: &str) {
        let written = self.json("PUT", &format!("/v1/kv/{}?flags={FLAGS}", escaped(key)), value).await;
        assert_eq!(written, true, "{key}");
    }

    /// Removes a key.
    ///
    /// # Panics
    /// When it cannot be removed.
    pub async fn remove(&self, key: &str) {
        assert_eq!(self.json("DELETE", &format!("/v1/kv/{}", escaped(key)), "").await, true, "{key}");
    }
}

impl Entry {
    fn read(value: &Value) -> Entry {
        let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        Entry {
            key: text("Key"),
            value: String::from_utf8(base64(&text("Value"))).expect("UTF-8"),
            flags: value["Flags"].as_u64().expect("a number"),
            session: value["Session"].as_str().map(str::to_owned),
            index: value["ModifyIndex"].as_u64().expect("a number"),
        }
    }
}

/// A key where Consul has it: Go's programs drop one leading slash.
fn key(base: &str, service: &str, address: &str) -> String {
    format!("{}/{service}/{address}", base.strip_prefix('/').unwrap_or(base))
}

impl Registry for Consul {
    const NAME: &'static str = "consul";
    const SHORT: &'static str = "ttl=2s";
    const GONE: Duration = Duration::from_secs(8);

    /// With sessions as short as the tests want them.
    fn start() -> Self {
        Consul { daemon: Daemon::start(Agent { https: false, further: json!({}) }) }
    }

    fn scheme() -> impl Scheme + 'static {
        librpcx_consul::scheme()
    }

    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    async fn nodes(&self, base: &str, service: &str) -> Option<Vec<(String, String)>> {
        let prefix = key(base, service, "");
        let node = |entry: Entry| Some((entry.key.strip_prefix(&prefix)?.to_owned(), entry.value));
        Some(self.try_entries(&prefix).await?.into_iter().filter_map(node).collect())
    }

    async fn put(&self, base: &str, service: &str, address: &str, metadata: &str) {
        self.write(&key(base, service, address), metadata).await;
    }

    async fn delete(&self, base: &str, service: &str, address: &str) {
        self.remove(&key(base, service, address)).await;
    }

    async fn fill(&self, base: &str, service: &str, nodes: &[(String, String)]) {
        for some in nodes.chunks(64) {
            let set = |(address, metadata): &(String, String)| {
                let (key, value) = (key(base, service, address), in_base64(metadata.as_bytes()));
                json!({"KV": {"Verb": "set", "Key": key, "Value": value, "Flags": FLAGS}})
            };
            let sets: Vec<Value> = some.iter().map(set).collect();
            self.json("PUT", "/v1/txn", &Value::Array(sets).to_string()).await;
        }
    }
}

/// How it is started.
struct Agent {
    https: bool,
    /// Configuration beside what every one has.
    further: Value,
}

impl Program for Agent {
    fn name(&self) -> &'static str {
        "consul"
    }

    /// For clients, for other servers, for the gossip.
    fn ports(&self) -> usize {
        3
    }

    fn command(&self, folder: &Path, ports: &[u16]) -> Command {
        let (open, secured) = if self.https { (-1, i32::from(ports[0])) } else { (i32::from(ports[0]), -1) };
        let mut configuration = json!({
            "session_ttl_min": "500ms",
            "performance": {"raft_multiplier": 1},
            // Of an address, which here many machines share.
            "limits": {"http_max_conns_per_client": 2000},
            "ports": {
                "http": open, "https": secured, "dns": -1, "grpc": -1,
                "server": ports[1], "serf_lan": ports[2], "serf_wan": -1,
            },
        });
        if let (Value::Object(all), Value::Object(further)) = (&mut configuration, &self.further) {
            all.extend(further.clone());
        }
        let file = folder.join("consul.json");
        std::fs::write(&file, configuration.to_string()).expect("the configuration");
        let mut command = guarded(&program("consul"));
        command.args(["agent", "-server", "-bootstrap-expect=1", "-bind=127.0.0.1", "-client=127.0.0.1", "-node=t1"]);
        command.args(["-disable-host-node-id", "-log-level=warn"]);
        command.arg(format!("-data-dir={}", folder.join("data").display()));
        command.arg(format!("-config-file={}", file.display()));
        command
    }

    fn is_ready(&self, ports: &[u16]) -> bool {
        let ask = |method: &str, target: &str| -> std::io::Result<(u16, String)> {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", ports[0]))?;
            if self.https {
                return Ok((200, String::new()));
            }
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(request(method, target, "").as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(read(&answer))
        };
        // It has a leader, which takes sessions and knows its own node.
        let known = ask("GET", "/v1/catalog/node/t1").is_ok_and(|(status, answer)| status == 200 && answer != "null");
        known && ask("GET", "/v1/kv/ready?consistent=true").is_ok_and(|(status, _)| matches!(status, 200 | 404))
    }
}

/// One that the server closes the connection after. Without [`ROOT`] nobody is asked about it.
fn request(method: &str, target: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {target} HTTP/1.0\r\nX-Consul-Token: {ROOT}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The status and the body.
fn read(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or_default();
    (status, body.to_owned())
}

/// A key as part of a path.
fn escaped(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/@:".contains(&byte);
    key.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}

fn in_base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
