//! A Redis.

use crate::daemon::Program;
use crate::process::{guarded, program};
use crate::suite::Registry;
use crate::{Daemon, Pem};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisResult};
use rpcx::discovery::Scheme;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long a request of the tests' own may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on loopback with its own data; killed when dropped.
#[derive(Debug)]
pub struct Redis {
    daemon: Daemon,
}

/// A key as Redis has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, with the slash that Go's library puts in front.
    pub key: String,
    /// What is there.
    pub raw: String,
    /// The key in there.
    pub inner: String,
    /// The value in there.
    pub text: String,
    /// The number in there.
    pub index: u64,
    /// How long it lives; `None` for ever.
    pub ttl: Option<Duration>,
}

impl Redis {
    /// Starts one with further arguments.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn with(arguments: &[&str]) -> Redis {
        let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
        Redis { daemon: Daemon::start(Single { arguments, pem: None }) }
    }

    /// Starts one that speaks TLS and asks for certificates of its authority.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn secured(pem: Pem) -> Redis {
        Redis { daemon: Daemon::start(Single { arguments: Vec::new(), pem: Some(pem) }) }
    }

    /// The version that it says.
    ///
    /// # Panics
    /// When it does not.
    pub fn version() -> String {
        let output = Command::new(program("redis-server"))
            .arg("--version")
            .output()
            .expect("Redis: run `tests/stages/run servers`");
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
    }

    /// A connection of the test's own.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        // The crate's own limits are a second and half of one: less than a machine may need that is busy with other tests.
        let patient =
            AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let client = redis::Client::open(format!("redis://{}", self.host()))?;
        client.get_multiplexed_async_connection_with_config(&patient).await
    }

    /// What a request answers.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn ask<T: redis::FromRedisValue>(&self, request: &[&str]) -> T {
        let mut connection = self.connection().await.expect("a connection");
        let mut command = redis::cmd(request[0]);
        command.arg(&request[1..]);
        command.query_async(&mut connection).await.unwrap_or_else(|error| panic!("{request:?}: {error}"))
    }

    /// Every key that begins so, in order.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub async fn entries(&self, prefix: &str) -> Vec<Entry> {
        self.try_entries(prefix).await.expect("the keys")
    }

    /// The same of one that may be down.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn try_entries(&self, prefix: &str) -> RedisResult<Vec<Entry>> {
        let mut connection = self.connection().await?;
        let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await?;
        keys.retain(|key| key.starts_with(prefix));
        keys.sort();
        let mut asked = redis::pipe();
        for key in &keys {
            asked.cmd("GET").arg(key).cmd("PTTL").arg(key);
        }
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let answers: Vec<redis::Value> = asked.query_async(&mut connection).await?;
        let mut entries = Vec::new();
        for (key, answer) in keys.into_iter().zip(answers.chunks(2)) {
            // One may have expired in between.
            let redis::Value::BulkString(raw) = &answer[0] else { continue };
            let ttl: i64 = redis::FromRedisValue::from_redis_value(answer[1].clone())?;
            entries.push(entry(key, raw, u64::try_from(ttl).ok()));
        }
        Ok(entries)
    }

    /// Writes a key as Go's library does; what is there goes on to live for as long as it did.
    ///
    /// # Panics
    /// When it cannot be written.
    pub async fn write(&self, key: &str, text: &str) {
        self.ask::<()>(&["SET", &format!("/{key}"), &wrapped(key, text), "KEEPTTL"]).await;
    }
}

/// As Go's library writes it.
pub fn wrapped(key: &str, text: &str) -> String {
    format!("{{\"Key\":{},\"Value\":\"{}\",\"LastIndex\":7}}", json!(key), STANDARD.encode(text))
}

fn entry(key: String, raw: &[u8], ttl: Option<u64>) -> Entry {
    let value: Value = serde_json::from_slice(raw).unwrap_or_default();
    let text = STANDARD.decode(value["Value"].as_str().unwrap_or_default()).unwrap_or_default();
    Entry {
        key,
        raw: String::from_utf8_lossy(raw).into_owned(),
        inner: value["Key"].as_str().unwrap_or_default().to_owned(),
        text: String::from_utf8_lossy(&text).into_owned(),
        index: value["LastIndex"].as_u64().unwrap_or_default(),
        ttl: ttl.map(Duration::from_millis),
    }
}

impl Registry for Redis {
    const NAME: &'static str = "redis";
    const SHORT: &'static str = "ttl=2s";
    const GONE: Duration = Duration::from_secs(5);

    fn start() -> Self {
        Redis::with(&[])
    }

    fn scheme() -> impl Scheme + 'static {
        librpcx_redis::scheme()
    }

    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    async fn nodes(&self, base: &str, service: &str) -> Option<Vec<(String, String)>> {
        let prefix = format!("/{base}/{service}/");
        let entries = self.try_entries(&prefix).await.ok()?;
        let node = |entry: Entry| Some((entry.key.strip_prefix(&prefix)?.to_owned(), entry.text));
        Some(entries.into_iter().filter_map(node).collect())
    }

    async fn put(&self, base: &str, service: &str, address: &str, metadata: &str) {
        self.write(&format!("{base}/{service}/{address}"), metadata).await;
    }

    async fn delete(&self, base: &str, service: &str, address: &str) {
        self.ask::<()>(&["DEL", &format!("/{base}/{service}/{address}")]).await;
    }

    async fn fill(&self, base: &str, service: &str, nodes: &[(String, String)]) {
        let mut writes = redis::pipe();
        for (address, metadata) in nodes {
            let key = format!("{base}/{service}/{address}");
            writes.cmd("SET").arg(format!("/{key}")).arg(wrapped(&key, metadata)).ignore();
        }
        let mut connection = self.connection().await.expect("a connection");
        writes.query_async::<()>(&mut connection).await.expect("the keys are written");
    }
}

/// How it is started.
struct Single {
    arguments: Vec<String>,
    pem: Option<Pem>,
}

impl Program for Single {
    fn name(&self) -> &'static str {
        "Redis"
    }

    fn ports(&self) -> usize {
        1
    }

    fn command(&self, folder: &Path, ports: &[u16]) -> Command {
        let mut command = guarded(&program("redis-server"));
        let (port, data) = (ports[0].to_string(), folder.join("data"));
        // What it has written before it is killed is there when it starts again; only a machine that goes down would lose it.
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "no"]);
        command.arg("--dir").arg(data);
        match &self.pem {
            None => drop(command.arg("--port").arg(port)),
            Some(pem) => {
                command.args(["--port", "0", "--tls-port"]).arg(port);
                command.arg("--tls-ca-cert-file").arg(&pem.ca);
                command.arg("--tls-cert-file").arg(&pem.cert).arg("--tls-key-file").arg(&pem.key);
            }
        }
        command.args(&self.arguments);
        command
    }

    fn is_ready(&self, ports: &[u16]) -> bool {
        let host = ("127.0.0.1", ports[0]);
        if self.pem.is_some() {
            return TcpStream::connect(host).is_ok();
        }
        let ask = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect(host)?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"PING\r\n")?;
            let mut answer = [0; 5];
            stream.read_exact(&mut answer)?;
            // One that asks for a password is ready too; one that reads its data is not.
            Ok([*b"+PONG", *b"-NOAU"].contains(&answer))
        };
        ask().is_ok_and(|ready| ready)
    }
}
