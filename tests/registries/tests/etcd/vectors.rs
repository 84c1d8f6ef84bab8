//! What Go's programs wrote, from `tests/vectors/registries.json`: our clients read it, our servers write the same.

use crate::support::{Registry, discovery, run, until_seen};
use rpcx::discovery::refreshed;
use rpcx_registries::etcd::Etcd;
use rpcx_registries::vectors::{self, text};
use std::collections::BTreeMap;

#[test]
fn whatever_go_wrote_is_read() {
    run(async {
        let etcd = Etcd::start();
        let mut read = 0;
        for layout in ["etcd3", "etcd3_single"] {
            let vectors = vectors::of(layout);
            let found = vectors::snapshots(&vectors);
            assert!(found.len() > 1, "{layout}: {} snapshots", found.len());
            for (when, entries) in found {
                // By base path and service the nodes, as a watch shows them.
                let mut services: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
                for entry in entries {
                    let (key, value) = (text(entry, "key"), text(entry, "value"));
                    etcd.write(key, value, None).await;
                    let (base, rest) = key.split_at(key[1..].find('/').map_or(key.len(), |slash| slash + 1));
                    if let Some((service, address)) = rest.trim_start_matches('/').split_once('/') {
                        let node = if value.is_empty() { address.to_owned() } else { format!("{address}?{value}") };
                        services.entry((base, service)).or_default().push(node);
                    }
                }
                for ((base, service), nodes) in services {
                    let expected = format!("{} live", nodes.join(" "));
                    until_seen(&discovery(&etcd.url(base, "")).watch(service), &expected).await;
                    read += 1;
                }
                for entry in entries {
                    etcd.remove(text(entry, "key")).await;
                }
                println!("{layout}: {when}");
            }
        }
        assert!(read > 30, "{read} lists were read");
    });
}

#[test]
fn what_go_writes_over_an_operators_edit_is_what_we_write() {
    let vectors = vectors::of("etcd3");
    let found = vectors::snapshots(&vectors["operator_edit_other_lease"]);
    let value = |when: &str| {
        let (_, entries) = found.iter().find(|(name, _)| *name == when).expect(when);
        text(entries.iter().find(|entry| text(entry, "key").contains("@")).expect("a node"), "value").to_owned()
    };
    let means = [("calls", "0.00"), ("connections", "0.00")];
    assert_eq!(refreshed(&value("operator edit with another lease"), means), value("after tick"));
}
