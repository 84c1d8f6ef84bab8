//! What Go's programs wrote, from `tests/vectors/registries.json`: our clients read it, our servers write the same.

use crate::support::{Registry, discovery, run, until_seen};
use rpcx::discovery::refreshed;
use rpcx_registries::consul::{Consul, FLAGS};
use rpcx_registries::vectors::{self, text};
use std::collections::BTreeMap;

#[test]
fn whatever_go_wrote_is_read() {
    run(async {
        let vectors = vectors::of("consul");
        let consul = Consul::start();
        let mut read = 0;
        for snapshot in vectors["snapshots"].as_array().expect("snapshots") {
            let entries = snapshot["entries"].as_array().expect("entries");
            // By service the nodes, as a watch shows them.
            let mut services: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
            for entry in entries {
                let (key, value) = (text(entry, "key"), text(entry, "value"));
                assert_eq!(text(entry, "flags"), FLAGS.to_string(), "{key}");
                consul.write(key, value).await;
                let mut parts = key.splitn(3, '/');
                if let (Some(base), Some(service)) = (parts.next(), parts.next()) {
                    let nodes = services.entry((base, service)).or_default();
                    nodes.extend(parts.next().map(|address| format!("{address}?{value} ")));
                }
            }
            for ((base, service), nodes) in services {
                let expected = format!("{}live", nodes.concat());
                until_seen(&discovery(&consul.url(base, "")).watch(service), &expected).await;
                read += 1;
            }
            for entry in entries {
                consul.remove(text(entry, "key")).await;
            }
            println!("{}", text(snapshot, "when"));
        }
        assert!(read > 15, "{read} lists were read");
    });
}

#[test]
fn what_go_writes_at_an_update_is_what_we_write() {
    let vectors = vectors::of("consul");
    let value = |when: &str| {
        let snapshots = vectors["snapshots"].as_array().expect("snapshots");
        let snapshot = snapshots.iter().find(|snapshot| snapshot["when"] == when).expect(when);
        let entries = snapshot["entries"].as_array().expect("entries");
        text(entries.iter().find(|entry| text(entry, "key").contains('@')).expect("a node"), "value").to_owned()
    };
    let first = value("just after registration (0.9 s)");
    let means = [("calls", "0.49"), ("connections", "0.49")];
    assert_eq!(refreshed(&first, means), value("after first tick (10.5 s)"));
    let means = [("calls", "0.22"), ("connections", "0.22")];
    assert_eq!(refreshed(&value("after first tick (10.5 s)"), means), value("after second tick (20.5 s)"));
}
