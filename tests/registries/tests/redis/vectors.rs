//! What Go's programs wrote, from `tests/vectors/registries.json`: our clients read it, our servers write the same.

use crate::support::{Registry, address, discovery, run, server, until_entry, until_seen};
use rpcx::discovery::refreshed;
use rpcx_registries::redis::Redis;
use rpcx_registries::vectors::{self, text};
use std::collections::BTreeMap;

/// Base, service and address of a node's key.
fn node(key: &str) -> Option<(&str, &str, &str)> {
    let key = key.strip_prefix('/')?;
    let base = key[1..].find('/').map(|slash| slash + 1)?;
    let (service, address) = key[base + 1..].split_once('/')?;
    Some((&key[..base], service, address))
}

#[test]
fn whatever_go_wrote_is_read() {
    run(async {
        let vectors = vectors::of("redis");
        let redis = Redis::start();
        let found = vectors::snapshots(&vectors);
        let mut read = 0;
        for (when, entries) in found {
            // By base path and service the nodes, as a watch shows them.
            let mut services: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
            for entry in entries {
                redis.ask::<()>(&["SET", text(entry, "key"), text(entry, "value")]).await;
                if let Some((base, service, address)) = node(text(entry, "key")) {
                    let metadata = text(entry, "decoded");
                    let node = if metadata.is_empty() { address.to_owned() } else { format!("{address}?{metadata}") };
                    services.entry((base, service)).or_default().push(node);
                }
            }
            for ((base, service), mut nodes) in services {
                nodes.sort();
                let expected = format!("{} live", nodes.join(" "));
                until_seen(&discovery(&redis.url(base, "")).watch(service), &expected).await;
                read += 1;
            }
            redis.ask::<()>(&["FLUSHALL"]).await;
            println!("{when}: {} keys", entries.len());
        }
        assert!(read > 15, "{read} lists were read");
    });
}

#[test]
fn what_go_wrote_is_what_we_write_but_for_who_and_when() {
    run(async {
        let vectors = vectors::of("redis");
        let found = vectors::snapshots(&vectors);
        let (_, entries) =
            found.iter().find(|(when, _)| when.starts_with("just after registration")).expect("a vector");
        let redis = Redis::start();
        let url = redis.url("/rpcx_test", "update_interval=2s");
        let server = server(&url, &[("metadata", "weight=7&group=g1")]).await;
        let plain = |key: &str, value: &str, address: &str| {
            let value = value.split(",\"LastIndex\":").next().expect("text").to_owned();
            (key.replace(address, "ADDRESS"), value.replace(address, "ADDRESS"))
        };
        let go = "tcp@127.0.0.1:59839";
        let mut expected: Vec<_> =
            entries.iter().map(|entry| plain(text(entry, "key"), text(entry, "value"), go)).collect();
        expected.sort();
        let at = address(&server);
        let ours: Vec<_> =
            redis.entries("//rpcx_test").await.iter().map(|entry| plain(&entry.key, &entry.raw, &at)).collect();
        assert_eq!(ours, expected);
    });
}

#[test]
fn what_go_writes_over_an_operators_edit_is_what_we_write() {
    run(async {
        let vectors = vectors::of("redis");
        let found = vectors::snapshots(&vectors["operator_edit"]);
        let (_, entries) = found.iter().find(|(when, _)| *when == "operator edit after tick").expect("a vector");
        let entry = entries.iter().find(|entry| text(entry, "key").contains('@')).expect("a node");
        let means = [("calls", "0.00"), ("connections", "0.00")];
        assert_eq!(refreshed("state=inactive&weight=3", means), text(entry, "decoded"));
        // The same with a server of ours.
        let redis = Redis::start();
        let server =
            server(&redis.url("/op", "update_interval=300ms&metrics=false"), &[("metadata", "weight=7")]).await;
        let at = address(&server);
        redis.put("/op", "Arith", &at, "weight=3&state=inactive").await;
        let node = format!("//op/Arith/{at}");
        let kept = until_entry(&redis, &node, |entry| entry.text == "state=inactive&weight=3").await;
        assert!(kept.ttl.is_some());
    });
}
