//! A Nacos of one server: r-nacos, which speaks what Alibaba's does.

use crate::Daemon;
use crate::daemon::Program;
use crate::process::{guarded, program};
use crate::suite::Registry;
use rpcx::discovery::{NodeMetadata, Scheme, refreshed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Error, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long one request to it may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Who may log in to a secured one.
pub const USER: (&str, &str) = ("operator", "s@cret word");

/// A server on loopback with its own data; killed when dropped.
#[derive(Debug)]
pub struct Nacos {
    daemon: Daemon,
}

/// An instance as it is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// `network@ip:port`.
    pub address: String,
    /// As text, with the network.
    pub metadata: String,
    /// Its weight.
    pub weight: f64,
    /// Its cluster.
    pub cluster: String,
}

impl Nacos {
    /// Starts one that knows only [`USER`].
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn secured() -> Nacos {
        Nacos { daemon: Daemon::start(Server { secured: true, freezes: false }) }
    }

    /// Starts one as r-nacos is by itself: the metadata with which an instance is first registered stay for as long as it is
    /// there. Alibaba's does not do so.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn freezing() -> Nacos {
        Nacos { daemon: Daemon::start(Server { secured: false, freezes: true }) }
    }

    /// The instances of a service, by address; none if it cannot be asked. The base is the namespace.
    pub fn instances(&self, base: &str, service: &str, group: &str) -> Option<Vec<Instance>> {
        let query = query(base, &[("serviceName", service), ("groupName", group), ("healthyOnly", "false")]);
        let answer = self.http("GET", &format!("/nacos/v1/ns/instance/list?{query}")).ok()?;
        let list: Value = serde_json::from_str(&answer).ok()?;
        let mut instances: Vec<Instance> = list["hosts"].as_array()?.iter().filter_map(instance).collect();
        instances.sort_by(|a, b| a.address.cmp(&b.address));
        Some(instances)
    }

    /// Writes an instance, as an operator's tool does: one that is there keeps the connection by which it lives. Without
    /// beats, another goes after a minute and a half.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, base: &str, service: &str, address: &str, metadata: &str, more: &[(&str, &str)]) {
        let metadata = NodeMetadata::new(metadata);
        let metadata: BTreeMap<&str, &str> = metadata.pairs().collect();
        let metadata = serde_json::to_string(&metadata).expect("JSON");
        let query = place(base, service, address, &[&[("metadata", metadata.as_str())], more].concat());
        self.http("PUT", &format!("/nacos/v1/ns/instance?{query}")).expect("the instance is written");
    }

    /// Removes an instance.
    ///
    /// # Panics
    /// When it cannot be removed.
    pub fn remove(&self, base: &str, service: &str, address: &str) {
        let query = place(base, service, address, &[]);
        self.http("DELETE", &format!("/nacos/v1/ns/instance?{query}")).expect("the instance is removed");
    }

    fn http(&self, method: &str, target: &str) -> std::io::Result<String> {
        http(self.daemon.port(0), method, target)
    }
}

impl Registry for Nacos {
    const NAME: &'static str = "nacos";
    const SHORT: &'static str = "";
    // As soon as the system closes its connections.
    const GONE: Duration = Duration::from_secs(5);
    // Half a second, and until the next of its rounds, which come as often.
    const SEEN: Duration = Duration::from_secs(2);

    fn start() -> Self {
        Nacos { daemon: Daemon::start(Server { secured: false, freezes: false }) }
    }

    fn scheme() -> impl Scheme + 'static {
        librpcx_nacos::scheme()
    }

    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// The base is the namespace.
    fn url(&self, base: &str, options: &str) -> String {
        format!("nacos://{}/{}?{options}", self.host(), namespace(base))
    }

    /// Without the network, which is in each.
    async fn nodes(&self, base: &str, service: &str) -> Option<Vec<(String, String)>> {
        let plain = |metadata: String| {
            let metadata = NodeMetadata::new(&metadata);
            refreshed("", metadata.pairs().filter(|(key, _)| *key != "network"))
        };
        let instances = self.instances(base, service, "DEFAULT_GROUP")?;
        Some(instances.into_iter().map(|instance| (instance.address, plain(instance.metadata))).collect())
    }

    async fn put(&self, base: &str, service: &str, address: &str, metadata: &str) {
        self.write(base, service, address, metadata, &[]);
    }

    async fn delete(&self, base: &str, service: &str, address: &str) {
        self.remove(base, service, address);
    }
}

/// Of a base path.
fn namespace(base: &str) -> &str {
    base.trim_matches('/')
}

fn query(base: &str, pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().copied().filter(|(_, value)| !value.is_empty());
    refreshed("", pairs.chain([("namespaceId", namespace(base))]))
}

fn place(base: &str, service: &str, address: &str, more: &[(&str, &str)]) -> String {
    let (_, rest) = address.split_once('@').expect("a network");
    let (ip, port) = rest.rsplit_once(':').expect("a port");
    let ip = ip.trim_matches(['[', ']']);
    query(base, &[&[("serviceName", service), ("ip", ip), ("port", port), ("ephemeral", "true")], more].concat())
}

fn instance(host: &Value) -> Option<Instance> {
    let metadata = host["metadata"].as_object()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs: BTreeMap<String, String> = metadata.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    let network = pairs.get("network").map_or("tcp", String::as_str);
    Some(Instance {
        address: format!("{network}@{}:{}", host["ip"].as_str()?, host["port"]),
        metadata: refreshed("", pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))),
        weight: host["weight"].as_f64()?,
        cluster: text(&host["clusterName"]),
    })
}

/// A request and the body of its answer, which is no error.
fn http(port: u16, method: &str, target: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(format!("{method} {target} HTTP/1.0\r\ncontent-length: 0\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) != Some("200") {
        return Err(Error::other(answer));
    }
    Ok(body.to_owned())
}

/// How it is started.
struct Server {
    secured: bool,
    freezes: bool,
}

impl Program for Server {
    fn name(&self) -> &'static str {
        "rnacos"
    }

    /// For HTTP, gRPC and the console.
    fn ports(&self) -> usize {
        3
    }

    /// Clients take that for granted.
    fn apart(&self) -> u16 {
        1000
    }

    fn command(&self, folder: &Path, ports: &[u16]) -> Command {
        let mut command = guarded(&program("rnacos"));
        command
            .env("RNACOS_SDK_HOST", "127.0.0.1")
            .env("RNACOS_CONSOLE_HOST", "127.0.0.1")
            .env("RNACOS_HTTP_PORT", ports[0].to_string())
            .env("RNACOS_GRPC_PORT", ports[1].to_string())
            .env("RNACOS_HTTP_CONSOLE_PORT", ports[2].to_string())
            .env("RNACOS_DATA_DIR", folder.join("data"))
            // What is registered over HTTP needs no beats for as long as a test lasts.
            .env("RNACOS_NAMING_HEALTH_TIMEOUT_SECOND", "60")
            .env("RNACOS_NAMING_INSTANCE_TIMEOUT_SECOND", "90")
            .env("RNACOS_NAMING_INSTANCE_METADATA_PERSISTENCE_ENABLE", self.freezes.to_string())
            .env("RUST_LOG", "warn")
            .current_dir(folder);
        if self.secured {
            command
                .env("RNACOS_ENABLE_OPEN_API_AUTH", "true")
                .env("RNACOS_API_LOGIN_ONE_MINUTE_LIMIT", "100000")
                .env("RNACOS_INIT_ADMIN_USERNAME", USER.0)
                .env("RNACOS_INIT_ADMIN_PASSWORD", USER.1);
        }
        command
    }

    fn is_ready(&self, ports: &[u16]) -> bool {
        let listens = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
        if !ports.iter().all(listens) {
            return false;
        }
        // It takes users only once it has made itself the leader.
        let login = format!("/nacos/v1/auth/login?{}", refreshed("", [("username", USER.0), ("password", USER.1)]));
        if self.secured {
            return http(ports[0], "POST", &login).is_ok();
        }
        http(ports[0], "GET", "/nacos/v1/ns/operator/metrics").is_ok_and(|answer| answer.contains("UP"))
    }
}
