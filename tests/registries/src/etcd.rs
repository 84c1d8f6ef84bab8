//! An etcd of one member.

use crate::ports::Port;
use crate::process::{Process, program};
use etcd_client::{Certificate, Client, ConnectOptions, GetOptions, Identity, PutOptions, TlsOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take to start, on a machine that is busy with others.
const START: Duration = Duration::from_secs(60);

/// PEM files for TLS, with the same authority on both sides.
#[derive(Clone, Debug)]
pub struct Pem {
    /// The authority.
    pub ca: PathBuf,
    /// The certificate of everybody.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A server on loopback with its own data; killed when dropped.
#[derive(Debug)]
pub struct Etcd {
    process: Option<Process>,
    client: Port,
    peer: Port,
    folder: TempDir,
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
    /// Starts one.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start() -> Etcd {
        Etcd::start_with(None)
    }

    /// Starts one that speaks TLS and asks for certificates of its authority.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_with(pem: Option<Pem>) -> Etcd {
        for _ in 0..3 {
            let folder = tempfile::tempdir().expect("a folder");
            let mut etcd = Etcd { process: None, client: Port::free(), peer: Port::free(), folder, pem: pem.clone() };
            if etcd.try_up() {
                return etcd;
            }
        }
        panic!("etcd does not start");
    }

    /// Starts it again, with the data that it has.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn up(&mut self) {
        assert!(self.try_up(), "etcd does not start again: {}", self.log());
    }

    /// Kills it (SIGKILL). Its data stay.
    pub fn down(&mut self) {
        self.process = None;
    }

    /// Takes the data of one that is down.
    ///
    /// # Panics
    /// When they cannot be removed.
    pub fn wipe(&self) {
        assert!(self.process.is_none(), "it runs");
        std::fs::remove_dir_all(self.folder.path().join("data")).expect("the data go");
    }

    /// Stops (`STOP`) or continues (`CONT`) the process.
    ///
    /// # Panics
    /// When it is down.
    pub fn signal(&self, name: &str) {
        self.process.as_ref().expect("it runs").signal(name);
    }

    /// `host:port` for clients.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.client.number())
    }

    /// The URL of a base path, with further options: `url("/rpcx_test", "ttl=2s")`.
    pub fn url(&self, base: &str, options: &str) -> String {
        format!("etcd://{}?base_path={base}&{options}", self.host())
    }

    /// The version that it says.
    ///
    /// # Panics
    /// When it does not.
    pub fn version() -> String {
        let output = Command::new(program("etcd")).arg("--version").output().expect("etcd: run `make setup`");
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
    pub async fn put(&self, key: &str, value: &str, ttl: Option<i64>) {
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
    pub async fn delete(&self, key: &str) {
        self.client(None).await.delete(key, None).await.expect("the key is removed");
    }

    fn try_up(&mut self) -> bool {
        let scheme = if self.pem.is_some() { "https" } else { "http" };
        let client = format!("{scheme}://{}", self.host());
        let peer = format!("http://127.0.0.1:{}", self.peer.number());
        let data = self.folder.path().join("data").display().to_string();
        let mut arguments: Vec<String> = [
            ("name", "t1"),
            ("data-dir", &data),
            ("listen-client-urls", &client),
            ("advertise-client-urls", &client),
            ("listen-peer-urls", &peer),
            ("initial-advertise-peer-urls", &peer),
            ("initial-cluster", &format!("t1={peer}")),
            ("logger", "zap"),
            ("log-level", "error"),
            ("listen-metrics-urls", ""),
        ]
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()])
        .collect();
        arguments.push("--unsafe-no-fsync".to_owned());
        if let Some(pem) = &self.pem {
            let files = [("trusted-ca-file", &pem.ca), ("cert-file", &pem.cert), ("key-file", &pem.key)];
            arguments.extend(files.iter().flat_map(|(name, path)| [format!("--{name}"), path.display().to_string()]));
            arguments.push("--client-cert-auth".to_owned());
        }
        let mut process = Process::start(&program("etcd"), &arguments, &self.folder.path().join("log"));
        let until = Instant::now() + START;
        while process.is_alive() && Instant::now() < until {
            // What answers on the port may be another server, if this one has died of that.
            if self.is_ready() && process.is_alive() {
                self.process = Some(process);
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn is_ready(&self) -> bool {
        if self.pem.is_some() {
            // It listens only when it has a leader.
            return TcpStream::connect(self.host()).is_ok();
        }
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(self.host())?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.contains("\"true\""))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}
