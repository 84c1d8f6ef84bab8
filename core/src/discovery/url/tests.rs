//! Tests of discoveries from text, and of a scheme of a user's own.

use super::*;
use crate::discovery::{Announced, Announcement, BoxFuture, NodeMetadata, Publisher, Watch};
use std::collections::BTreeMap;
use std::sync::Mutex;

fn opened(text: &str) -> String {
    let snapshot = Schemes::default().open(text).expect(text).watch("Arith").latest();
    snapshot.nodes().iter().map(Node::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_form_opens() {
    for (text, nodes) in [
        ("tcp@127.0.0.1:8972", "tcp@127.0.0.1:8972"),
        ("127.0.0.1:8972?weight=7&group=a", "127.0.0.1:8972?weight=7&group=a"),
        ("unix@/run/x.sock", "unix@/run/x.sock"),
        ("tcp@a:1?url=http://b/", "tcp@a:1?url=http://b/"),
        ("a:1?url=http://b/", "a:1?url=http://b/"),
        ("b:1, a:1?weight=2", "a:1?weight=2 b:1"),
        ("peer2peer://tcp@[::1]:1?weight=3", "tcp@[::1]:1?weight=3"),
        ("Peer2Peer://a:1", "a:1"),
        ("multiple://b:1,a:1", "a:1 b:1"),
        ("multiple://a:1", "a:1"),
        ("multiple://", ""),
    ] {
        assert_eq!(opened(text), nodes, "{text}");
    }
}

#[test]
fn errors_name_what_cannot_be_read() {
    let cases = [
        ("", Reason::ConfigBadAddress, "\"\""),
        ("?weight=1", Reason::ConfigBadAddress, "\"?weight=1\""),
        ("peer2peer://", Reason::ConfigBadAddress, "peer2peer://"),
        ("peer2peer://a:1,b:1", Reason::ConfigBadAddress, "peer2peer://a:1,b:1"),
        ("multiple://a:1,,b:1", Reason::ConfigBadAddress, "\"a:1,,b:1\""),
        ("a:1,?x=y", Reason::ConfigBadAddress, "\"?x=y\""),
        ("cache://folder", Reason::ConfigBadAddress, "cache://FOLDER?of=URL"),
        ("cache://?of=a:1", Reason::ConfigBadAddress, "cache://FOLDER?of=URL"),
        ("cache://folder?proof=a:1", Reason::ConfigBadAddress, "cache://FOLDER?of=URL"),
        ("cache://folder?hold=1s&of=a:1", Reason::ConfigUnknownOption, "`hold`"),
        ("cache://folder?of=peer2peer://", Reason::ConfigBadAddress, "peer2peer://"),
        ("cache://folder?of=etcd://h", Reason::ConfigUnknownScheme, "etcd://"),
        (
            "etcd://h:2379",
            Reason::ConfigUnknownScheme,
            "etcd:// is not known here; known are cache://, inprocess://, multiple://, peer2peer://",
        ),
    ];
    for (text, reason, part) in cases {
        let error = Schemes::default().open(text).err().unwrap_or_else(|| panic!("{text} opened"));
        assert_eq!(error.reason(), reason, "{text}");
        assert!(error.message().contains(part), "{error}");
    }
    let error = Schemes::default().open("redis://:secret@h").err().expect("unknown");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn a_list_of_addresses_is_no_registry() {
    for text in ["multiple://a:1", "peer2peer://a:1", "tcp@a:1", "etcd://h:1"] {
        let error = Schemes::default().open_registry(text).err().unwrap_or_else(|| panic!("{text} opened"));
        assert_eq!(error.reason(), Reason::ConfigUnknownScheme, "{text}");
    }
}

/// A registry within the test: what is announced is found.
#[derive(Clone, Default)]
struct Board(Arc<Services>);

type Nodes = BTreeMap<Arc<str>, Node>;

#[derive(Default)]
struct Services(Mutex<BTreeMap<Arc<str>, (Publisher, Nodes)>>);

impl Services {
    fn change(&self, service: &str, change: impl FnOnce(&mut Nodes)) -> Watch {
        let mut services = self.0.lock().expect("services");
        let (publisher, nodes) = services.entry(service.into()).or_default();
        change(nodes);
        publisher.publish(nodes.values().cloned().collect());
        publisher.watch()
    }
}

struct Notice {
    services: Arc<Services>,
    announcement: Announcement,
}

impl Announced for Notice {
    fn update(&self, metadata: NodeMetadata) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let address = self.announcement.node.shared_address();
            let node = Node::new(address.clone(), metadata)?;
            self.services.change(&self.announcement.service, |nodes| drop(nodes.insert(address, node)));
            Ok(())
        })
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let address = self.announcement.node.address();
            self.services.change(&self.announcement.service, |nodes| drop(nodes.remove(address)));
            Ok(())
        })
    }
}

impl Registry for Board {
    fn announce(&self, announcement: Announcement) -> BoxFuture<'_, Result<Arc<dyn Announced>>> {
        Box::pin(async move {
            let metadata = announcement.node.metadata().clone();
            let notice = Notice { services: self.0.clone(), announcement };
            notice.update(metadata).await?;
            Ok(Arc::new(notice) as Arc<dyn Announced>)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

impl Discovery for Board {
    fn watch(&self, service: &str) -> Watch {
        self.0.change(service, |_| ())
    }

    fn close(&self) {
        self.0.0.lock().expect("services").clear();
    }
}

impl Scheme for Board {
    fn names(&self) -> &[&str] {
        &["board", "multiple"]
    }

    fn discovery(&self, _rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(self.clone()))
    }

    fn registry(&self, _rest: &str) -> Result<Arc<dyn Registry>> {
        Ok(Arc::new(self.clone()))
    }
}

#[tokio::test]
async fn a_scheme_of_ones_own_announces_and_finds() {
    let schemes = Schemes::default().with(Board::default());
    assert_eq!(format!("{schemes:?}"), "Schemes(board://, cache://, inprocess://, multiple://, peer2peer://)");
    let (registry, discovery) =
        (schemes.open_registry("board://").expect("registry"), schemes.open("multiple://").expect("own"));
    let mut watch = discovery.watch("Arith");
    let node = "tcp@a:1?weight=2".parse().expect("node");
    let announced =
        registry.announce(Announcement { service: "Arith".into(), node, load: None }).await.expect("announced");
    assert_eq!(watch.changed().await.map(|snapshot| snapshot.nodes()[0].metadata().weight()), Some(2));
    announced.update(NodeMetadata::new("weight=5")).await.expect("updated");
    assert_eq!(watch.changed().await.map(|snapshot| snapshot.nodes()[0].metadata().weight()), Some(5));
    announced.withdraw().await.expect("withdrawn");
    assert_eq!(watch.changed().await.map(|snapshot| snapshot.len()), Some(0));
    registry.close().await;
    discovery.close();
    assert!(watch.changed().await.is_none());
}
