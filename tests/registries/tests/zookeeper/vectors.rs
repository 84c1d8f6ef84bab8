//! What Go's programs wrote, from `tests/vectors/registries.json`: our clients read it, our servers write the same.

use crate::support::{Registry, discovery, run, until_seen};
use librpcx_zookeeper::wire::{Acl, Change};
use rpcx::discovery::refreshed;
use rpcx_registries::vectors::{self, text};
use rpcx_registries::zookeeper::ZooKeeper;
use std::collections::BTreeMap;

#[test]
fn whatever_go_wrote_is_read() {
    run(async {
        let vectors = vectors::of("zookeeper");
        let found = vectors::snapshots(&vectors);
        assert!(found.len() > 10, "{} snapshots", found.len());
        let registry = ZooKeeper::start();
        let mut read = 0;
        for (when, entries) in found {
            let session = registry.open(None).await.unwrap();
            // By base path and service the nodes, as a watch shows them.
            let mut services: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
            for entry in entries {
                let (path, data) = (text(entry, "path"), text(entry, "data"));
                let ephemeral = entry["ephemeral"].as_bool().expect("a flag");
                let change = Change::Create { path, data: data.as_bytes(), ephemeral, acl: Acl::Open };
                session.change(change).await.unwrap().unwrap_or_else(|code| panic!("{when}: {path}: {code:?}"));
                if let [_, base, service, address] = *path.split('/').collect::<Vec<_>>() {
                    let node = if data.is_empty() { address.to_owned() } else { format!("{address}?{data}") };
                    services.entry((base, service)).or_default().push(node);
                }
            }
            for ((base, service), nodes) in services {
                let expected = format!("{} live", nodes.join(" "));
                until_seen(&discovery(&registry.url(base, "")).watch(service), &expected).await;
                read += 1;
            }
            for entry in entries.iter().filter(|entry| text(entry, "path").matches('/').count() == 1) {
                registry.remove(text(entry, "path")).await;
            }
            println!("{when}");
        }
        assert!(read > 20, "{read} lists were read");
    });
}

#[test]
fn what_go_writes_over_an_operators_edit_is_what_we_write() {
    let vectors = vectors::of("zookeeper");
    let found = vectors::snapshots(&vectors["operator_edit_and_resurrection"]);
    let (_, entries) = found.iter().find(|(when, _)| *when == "operator set, after a tick").expect("the edit");
    let node = |path: &str| {
        let entry =
            entries.iter().find(|entry| text(entry, "path").starts_with(path) && text(entry, "path").contains('@'));
        text(entry.expect("a node"), "data")
    };
    let means = [("calls", "0.00"), ("connections", "0.00")];
    assert_eq!(refreshed("state=inactive&weight=3", means), node("/rpcx_test/Arith/"));
    assert_eq!(refreshed("weight=7&group=g1", means), node("/rpcx_test/Arith2/"));
}
