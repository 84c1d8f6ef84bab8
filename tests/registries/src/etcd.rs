//! An etcd of one member.

use crate::daemon::Program;
use crate::process::{guarded, program};
use crate::suite::Registry;
use crate::{Daemon, Pem};
use etcd_client::{Certificate, Client, ConnectOptions, GetOptions, Identity, PutOptions, TlsOptions, Txn, TxnOp};
use rpcx::discovery::Scheme;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A server on loopback with its own data; killed when dropped.
#[derive(Debug)]
pub struct Etcd {
    daemon: Daemon,
    pem: Option<Pem>,
}

/// A key as etcd has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The lease it lives by, or 0.
    pub lease: i64,
    /// When it was last written.
    pub revision: i64,
}

impl Etcd {
    /// Starts one that speaks TLS and asks for certificates of its authority.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn secured(pem: Pem) -> Etcd {
        Etcd { daemon: Daemon::start(Member { pem: Some(pem.clone()) }), pem: Some(pem) }
    }

    /// The version that it says.
    ///
    /// # Panics
    /// When it does not.
    pub fn version() -> String {
        let output =
            Command::new(program("etcd")).arg("--version").output().expect("etcd: run `tests/stages/run servers`");
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
    }

    /// A client of the test's own.
    ///
    /// # Panics
    /// When it cannot be reached.
    pub async fn client(&self, user: Option<(&str, &str)>) -> Client {
        let mut options = ConnectOptions::new().with_timeout(Duration::from_secs(10));
        let mut scheme = "http";
        if let Some(pem) = &self.pem {
            let read = |path: &Path| std::fs::read(path).expect("PEM");
            let identity = Identity::from_pem(read(&pem.cert), read(&pem.key));
            let tls = TlsOptions::new().ca_certificate(Certificate::from_pem(read(&pem.ca))).identity(identity);
            options = options.with_tls(tls);
            scheme = "https";
        }
        if let Some((user, password)) = user {
            options = options.with_user(user, password);
        }
        Client::connect([format!("{scheme}://{}", self.host())], Some(options)).await.expect("a client")
    }

    /// Everything below a prefix, by key.
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
    pub async fn try_entries(&self, prefix: &str) -> Result<Vec<Entry>, etcd_client::Error> {
        let mut client = self.client(None).await;
        let found = client.get(prefix, Some(GetOptions::new().with_prefix())).await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let entry = |pair: &etcd_client::KeyValue| Entry {
            key: text(pair.key()),
            value: text(pair.value()),
            lease: pair.lease(),
            revision: pair.mod_revision(),
        };
        Ok(found.kvs().iter().map(entry).collect())
    }

    /// Writes a key as an operator's tool does: with a lease of its own if `ttl` says so.
    ///
    /// # Panics
    /// When it cannot be written.
    pub async fn write(&self, key: &str, value: &str, ttl: Option<i64>) {
        let mut client = self.client(None).await;
        let options = match ttl {
            None => PutOptions::new(),
            Some(ttl) => PutOptions::new().with_lease(client.lease_grant(ttl, None).await.expect("a lease").id()),
        };
        client.put(key, value, Some(options)).await.expect("the key is written");
    }

    /// Removes a key.
    ///
    /// # Panics
    /// When it cannot be removed.
    pub async fn remove(&self, key: &str) {
        self.client(None).await.delete(key, None).await.expect("the key is removed");
    }
}

impl Registry for Etcd {
    const NAME: &'static str = "etcd";
    const SHORT: &'static str = "ttl=2s";
    // etcd ends leases late where it is busy.
    const GONE: Duration = Duration::from_secs(8);

    fn start() -> Self {
        Etcd { daemon: Daemon::start(Member { pem: None }), pem: None }
    }

    fn scheme() -> impl Scheme + 'static {
        librpcx_etcd::scheme()
    }

    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    async fn nodes(&self, base: &str, service: &str) -> Option<Vec<(String, String)>> {
        let prefix = format!("{base}/{service}/");
        let entries = self.try_entries(&prefix).await.ok()?;
        let node = |entry: Entry| Some((entry.key.strip_prefix(&prefix)?.to_owned(), entry.value));
        Some(entries.into_iter().filter_map(node).collect())
    }

    /// With a lease of its own, as rpcx-ui does.
    async fn put(&self, base: &str, service: &str, address: &str, metadata: &str) {
        self.write(&format!("{base}/{service}/{address}"), metadata, Some(30)).await;
    }

    async fn delete(&self, base: &str, service: &str, address: &str) {
        self.remove(&format!("{base}/{service}/{address}")).await;
    }

    async fn fill(&self, base: &str, service: &str, nodes: &[(String, String)]) {
        let mut client = self.client(None).await;
        let put = |(address, metadata): &(String, String)| {
            TxnOp::put(format!("{base}/{service}/{address}"), metadata.as_str(), None)
        };
        for some in nodes.chunks(100) {
            let puts: Vec<_> = some.iter().map(put).collect();
            client.txn(Txn::new().and_then(puts)).await.expect("the keys are written");
        }
    }
}

/// How it is started.
struct Member {
    pem: Option<Pem>,
}

impl Program for Member {
    fn name(&self) -> &'static str {
        "etcd"
    }

    /// For clients, and for other members.
    fn ports(&self) -> usize {
        2
    }

    fn command(&self, folder: &Path, ports: &[u16]) -> Command {
        let scheme = if self.pem.is_some() { "https" } else { "http" };
        let client = format!("{scheme}://127.0.0.1:{}", ports[0]);
        let peer = format!("http://127.0.0.1:{}", ports[1]);
        let data = folder.join("data").display().to_string();
        let mut command = guarded(&program("etcd"));
        for (name, value) in [
            ("name", "t1"),
            ("data-dir", &data),
            ("listen-client-urls", &client),
            ("advertise-client-urls", &client),
            ("listen-peer-urls", &peer),
            ("initial-advertise-peer-urls", &peer),
            ("initial-cluster", &format!("t1={peer}")),
            ("logger", "zap"),
            ("log-level", "error"),
        ] {
            command.arg(format!("--{name}")).arg(value);
        }
        command.arg("--unsafe-no-fsync");
        if let Some(pem) = &self.pem {
            let files = [("trusted-ca-file", &pem.ca), ("cert-file", &pem.cert), ("key-file", &pem.key)];
            for (name, path) in files {
                command.arg(format!("--{name}")).arg(path);
            }
            command.arg("--client-cert-auth");
        }
        command
    }

    fn is_ready(&self, ports: &[u16]) -> bool {
        let host = ("127.0.0.1", ports[0]);
        if self.pem.is_some() {
            // It listens only when it has a leader.
            return TcpStream::connect(host).is_ok();
        }
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(host)?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.contains("\"true\""))
    }
}
