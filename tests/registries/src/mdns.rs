//! A network with mDNS, on which there is no server to be ended: what an operator writes is said by a responder of the test's.

use crate::Daemon;
use crate::suite::Registry;
use rpcx::discovery::{Announced, Announcement, Discovery, Node, NodeMetadata, Scheme, Watch};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long it may take until what was said is known.
const HEARD: Duration = Duration::from_millis(100);

/// Those on the network, as one who has always listened knows them.
#[derive(Default)]
pub struct Mdns {
    /// Of the listener.
    inside: Mutex<Option<Inside>>,
    /// What the test itself has written.
    written: tokio::sync::Mutex<HashMap<(String, String), Arc<dyn Announced>>>,
}

/// What needs a runtime.
struct Inside {
    discovery: Arc<dyn Discovery>,
    watches: HashMap<String, Watch>,
    registry: Arc<dyn rpcx::discovery::Registry>,
}

impl Inside {
    fn new() -> Inside {
        let options = |text: &str| librpcx_mdns::MdnsOptions::parse(text).expect("options");
        Inside {
            // What is not there any more is not held.
            discovery: Arc::new(librpcx_mdns::discovery(options("?empty_hold=0ms")).expect("a discovery")),
            watches: HashMap::new(),
            registry: Arc::new(librpcx_mdns::registry(options("?update_interval=1h")).expect("a registry")),
        }
    }
}

impl Mdns {
    fn with<T>(&self, ask: impl FnOnce(&mut Inside) -> T) -> T {
        ask(self.inside.lock().expect("no test has panicked").get_or_insert_with(Inside::new))
    }

    fn watch(&self, service: &str) -> Watch {
        self.with(|inside| {
            let discovery = inside.discovery.clone();
            inside.watches.entry(service.to_owned()).or_insert_with(|| discovery.watch(service)).clone()
        })
    }
}

impl Registry for Mdns {
    const NAME: &'static str = "mdns";
    const SHORT: &'static str = "ttl=3s";
    const GONE: Duration = Duration::from_secs(6);
    const GO_SEES_EDITS: bool = false;

    fn start() -> Mdns {
        Mdns::default()
    }

    fn scheme() -> impl Scheme + 'static {
        librpcx_mdns::scheme()
    }

    fn daemon(&self) -> &Daemon {
        panic!("there is no server")
    }

    fn daemon_mut(&mut self) -> &mut Daemon {
        panic!("there is no server")
    }

    fn host(&self) -> String {
        "local".to_owned()
    }

    fn url(&self, _base: &str, options: &str) -> String {
        format!("mdns://local?{options}")
    }

    async fn nodes(&self, _base: &str, service: &str) -> Option<Vec<(String, String)>> {
        let mut watch = self.watch(service);
        watch.known().await?;
        tokio::time::sleep(HEARD).await;
        let text = |node: &Node| (node.address().to_owned(), node.metadata().as_str().to_owned());
        Some(watch.latest().nodes().iter().map(text).collect())
    }

    async fn put(&self, _base: &str, service: &str, address: &str, metadata: &str) {
        let mut written = self.written.lock().await;
        let metadata = NodeMetadata::new(metadata);
        let key = (service.to_owned(), address.to_owned());
        if let Some(announced) = written.get(&key) {
            return announced.update(metadata).await.expect("announced");
        }
        let node = Node::new(address, metadata).expect("a node");
        let announcement = Announcement { service: service.into(), node, load: None };
        let registry = self.with(|inside| inside.registry.clone());
        written.insert(key, registry.announce(announcement).await.expect("announced"));
    }

    async fn delete(&self, _base: &str, service: &str, address: &str) {
        let written = self.written.lock().await.remove(&(service.to_owned(), address.to_owned()));
        written.expect("the test's own").withdraw().await.expect("withdrawn");
    }
}
