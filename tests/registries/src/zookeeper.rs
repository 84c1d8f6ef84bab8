//! A ZooKeeper of one server.

pub mod quorum;

use crate::Daemon;
use crate::daemon::Program;
use crate::process::guarded;
use crate::suite::Registry;
use librpcx_zookeeper::wire::{Acl, Change, Code, Ensemble, Server, Session, Stat};
use rpcx::discovery::Scheme;
use rpcx::transport::Transports;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long an operator waits for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server on loopback with its own data; killed when dropped.
#[derive(Debug)]
pub struct ZooKeeper {
    daemon: Daemon,
    secured: bool,
    /// The operator's.
    session: Mutex<Option<Arc<Session>>>,
}

/// A node as ZooKeeper has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path.
    pub path: String,
    /// Its data.
    pub data: String,
    /// What is known of it.
    pub stat: Stat,
}

impl Entry {
    /// Whether it lives by a session.
    pub fn is_ephemeral(&self) -> bool {
        self.stat.owner != 0
    }
}

impl ZooKeeper {
    /// Starts one that speaks TLS as well, and then asks for certificates of this authority; all are PEM files.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn secured(ca: &Path, cert: &Path, key: &Path) -> ZooKeeper {
        let read = |path: &Path| fs::read_to_string(path).expect("PEM");
        let store = tempfile::tempdir().expect("a folder");
        let identity = store.path().join("identity.pem");
        fs::write(&identity, read(key) + &read(cert)).expect("written");
        let program = Standalone { pem: Some((ca.to_owned(), identity)), _store: Some(store) };
        ZooKeeper { daemon: Daemon::start(program), secured: true, session: Mutex::default() }
    }

    /// The version that it says.
    ///
    /// # Panics
    /// When it does not.
    pub fn version(&self) -> String {
        let told = told(self.daemon.port(0), b"srvr").expect("it answers");
        told.lines().next().unwrap_or_default().to_owned()
    }

    /// The sessions that live, as it tells them.
    ///
    /// # Panics
    /// When it does not.
    pub fn sessions(&self) -> String {
        told(self.daemon.port(0), b"dump").expect("it answers")
    }

    /// Where it listens without TLS.
    pub fn plain_host(&self) -> String {
        format!("127.0.0.1:{}", self.daemon.port(0))
    }

    /// A session of the test's own.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(&self, user: Option<(&str, &str)>) -> rpcx::Result<Session> {
        let server = Server {
            hosts: vec![self.plain_host()],
            transports: Transports::default(),
            user: user.map(|(user, password)| (user.to_owned(), password.into())),
            timeout: Duration::from_secs(20),
            beat: None,
        };
        Ensemble::new().open(&server, None).await
    }

    /// That of the operator.
    async fn session(&self) -> rpcx::Result<Arc<Session>> {
        let mut kept = self.session.lock().await;
        if let Some(session) = kept.as_ref().filter(|session| !session.is_lost()) {
            return Ok(session.clone());
        }
        let session = Arc::new(self.open(None).await?);
        *kept = Some(session.clone());
        Ok(session)
    }

    /// A node and everything below it, parents first; of one that may be down.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn try_entries(&self, path: &str) -> rpcx::Result<Vec<Entry>> {
        let session = self.session().await?;
        let (mut found, mut todo) = (Vec::new(), vec![path.to_owned()]);
        while let Some(path) = todo.pop() {
            let Ok((data, stat)) = session.data(&path, false).await? else { continue };
            let data = String::from_utf8_lossy(&data).into_owned();
            if let Ok((mut names, _)) = session.children(&path, false).await? {
                names.sort_by(|a, b| b.cmp(a));
                todo.extend(names.iter().map(|name| format!("{path}/{name}")));
            }
            found.push(Entry { path, data, stat });
        }
        Ok(found)
    }

    /// A node and everything below it, parents first.
    ///
    /// # Panics
    /// When it cannot be asked.
    pub async fn entries(&self, path: &str) -> Vec<Entry> {
        let asked = tokio::time::timeout(PATIENCE, self.try_entries(path)).await;
        asked.expect("an answer").expect("the nodes")
    }

    /// Writes a node as rpcx-ui does: one that is there keeps its session, another one lives by nothing.
    ///
    /// # Panics
    /// When it cannot be written.
    pub async fn write(&self, path: &str, data: &str) {
        let writing = async {
            let session = self.session().await.expect("a session");
            loop {
                match session.change(Change::Set(path, data.as_bytes(), -1)).await.expect("an answer") {
                    Ok(()) => return,
                    Err(Code::NO_NODE) => {}
                    Err(code) => panic!("{path}: {code:?}"),
                }
                create(&session, path, data).await;
            }
        };
        tokio::time::timeout(PATIENCE, writing).await.expect("it is written");
    }

    /// Removes a node and everything below it.
    ///
    /// # Panics
    /// When it cannot be removed.
    pub async fn remove(&self, path: &str) {
        let session = self.session().await.expect("a session");
        for entry in self.entries(path).await.iter().rev() {
            let done = session.change(Change::Delete(&entry.path, -1)).await.expect("an answer");
            assert!(matches!(done, Ok(()) | Err(Code::NO_NODE)), "{path}: {done:?}");
        }
    }
}

/// With what is above it.
async fn create(session: &Session, path: &str, data: &str) {
    let ends = path.match_indices('/').map(|(index, _)| index).skip(1).chain([path.len()]);
    for end in ends {
        let data = if end == path.len() { data } else { "" };
        let change = Change::Create { path: &path[..end], data: data.as_bytes(), ephemeral: false, acl: Acl::Open };
        let done = session.change(change).await.expect("an answer");
        assert!(matches!(done, Ok(()) | Err(Code::NODE_EXISTS)), "{path}: {done:?}");
    }
}

/// A base path as ZooKeeper has it: with a slash.
fn rooted(base: &str) -> String {
    format!("/{}", base.trim_start_matches('/'))
}

impl Registry for ZooKeeper {
    const NAME: &'static str = "zookeeper";
    const SHORT: &'static str = "ttl=2s";
    const GONE: Duration = Duration::from_secs(6);
    /// Its discovery watches which nodes there are, and not what they say: those that a refresh writes it does not see.
    const GO_SEES_EDITS: bool = false;

    fn start() -> Self {
        let daemon = Daemon::start(Standalone { pem: None, _store: None });
        ZooKeeper { daemon, secured: false, session: Mutex::default() }
    }

    fn scheme() -> impl Scheme + 'static {
        librpcx_zookeeper::scheme()
    }

    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.daemon.port(usize::from(self.secured)))
    }

    async fn nodes(&self, base: &str, service: &str) -> Option<Vec<(String, String)>> {
        let of_service = format!("{}/{service}", rooted(base));
        let asked = tokio::time::timeout(PATIENCE, self.try_entries(&of_service)).await;
        let node =
            |entry: Entry| Some((entry.path.strip_prefix(&of_service)?.strip_prefix('/')?.to_owned(), entry.data));
        Some(asked.ok()?.ok()?.into_iter().filter_map(node).collect())
    }

    async fn put(&self, base: &str, service: &str, address: &str, metadata: &str) {
        self.write(&format!("{}/{service}/{address}", rooted(base)), metadata).await;
    }

    async fn delete(&self, base: &str, service: &str, address: &str) {
        self.remove(&format!("{}/{service}/{address}", rooted(base))).await;
    }

    async fn fill(&self, base: &str, service: &str, nodes: &[(String, String)]) {
        let of_service = format!("{}/{service}", rooted(base));
        self.write(&of_service, service).await;
        let session = self.session().await.expect("a session");
        for some in nodes.chunks(100) {
            let paths: Vec<_> = some.iter().map(|(address, _)| format!("{of_service}/{address}")).collect();
            let created = paths.iter().zip(some).map(|(path, (_, data))| Change::Create {
                path,
                data: data.as_bytes(),
                ephemeral: false,
                acl: Acl::Open,
            });
            let changes: Vec<_> = created.collect();
            session.change_all(&changes).await.expect("an answer").expect("the nodes are written");
        }
    }
}

/// How it is started.
struct Standalone {
    /// The authority, and key and certificate in one file.
    pem: Option<(PathBuf, PathBuf)>,
    _store: Option<tempfile::TempDir>,
}

impl Program for Standalone {
    fn name(&self) -> &'static str {
        "ZooKeeper"
    }

    /// Without TLS, and with.
    fn ports(&self) -> usize {
        2
    }

    fn command(&self, folder: &Path, ports: &[u16]) -> Command {
        let data = folder.join("data");
        let mut text = format!(
            "tickTime=200\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
             4lw.commands.whitelist=srvr,dump\nminSessionTimeout=400\nmaxSessionTimeout=60000\nmaxClientCnxns=0\n",
            data.display(),
            ports[0],
        );
        if let Some((ca, identity)) = &self.pem {
            text += &format!(
                "secureClientPort={}\nsecureClientPortAddress=127.0.0.1\nssl.clientAuth=need\n\
                 serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n\
                 ssl.keyStore.location={}\nssl.keyStore.type=PEM\nssl.trustStore.location={}\nssl.trustStore.type=PEM\n",
                ports[1],
                identity.display(),
                ca.display(),
            );
        }
        let file = folder.join("zoo.cfg");
        fs::write(&file, text).expect("its configuration");
        let mut command = guarded("java");
        command
            .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no"])
            .args(["-cp", &class_path()])
            .arg("org.apache.zookeeper.server.ZooKeeperServerMain")
            .arg(file);
        command
    }

    fn is_ready(&self, ports: &[u16]) -> bool {
        // It says so only when it takes requests.
        let plain = told(ports[0], b"srvr").is_ok_and(|answer| answer.contains("Mode: standalone"));
        plain && (self.pem.is_none() || TcpStream::connect(("127.0.0.1", ports[1])).is_ok())
    }
}

/// The jars that it needs: where `tests/stages/run servers` has unpacked them, else those that are installed.
fn class_path() -> String {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/registries/usr/share/java");
    let folder = if unpacked.join("zookeeper.jar").is_file() { unpacked } else { "/usr/share/java".into() };
    let netty = ["buffer", "codec", "common", "handler", "resolver", "transport", "transport-native-unix-common"];
    ["zookeeper", "zookeeper-jute", "slf4j-api", "metrics-core", "snappy-java"]
        .into_iter()
        .map(str::to_owned)
        .chain(netty.into_iter().map(|part| format!("netty-{part}")))
        .map(|name| folder.join(name + ".jar").display().to_string())
        .collect::<Vec<_>>()
        .join(":")
}

/// What a server says of itself.
fn told(port: u16, command: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(command)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
