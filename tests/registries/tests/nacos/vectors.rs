//! What Go's programs registered, from `tests/vectors/registries.json`: our clients read it, our servers register the same.

use rpcx_registries::nacos::Nacos;
use rpcx_registries::suite::Registry;
use rpcx_registries::suite::support::{discovery, server, until_seen};
use rpcx_registries::vectors;
use rpcx_registries::wait::{LIMIT, run};
use serde_json::Value;
use std::collections::BTreeMap;

/// Every list of hosts, with its service.
fn lists(vectors: &Value) -> Vec<(String, Vec<Value>)> {
    let snapshots =
        ["cluster_test", "cluster_empty"].iter().flat_map(|part| vectors[*part].as_array().expect("snapshots"));
    let entries = snapshots.flat_map(|snapshot| snapshot["entries"].as_array().expect("entries"));
    let list = |entry: &Value| {
        (entry["service"].as_str().expect("a name").to_owned(), entry["hosts"].as_array().expect("hosts").clone())
    };
    entries.map(list).collect()
}

fn metadata(host: &Value) -> String {
    let pairs: BTreeMap<&str, &str> = host["metadata"]
        .as_object()
        .expect("a map")
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str().expect("text")))
        .collect();
    rpcx::discovery::refreshed("", pairs)
}

#[test]
fn whatever_go_registered_is_read() {
    run(async {
        let nacos = Nacos::start();
        let discovery = discovery::<Nacos>(&nacos.url("/vectors", "empty_hold=0"));
        let mut read = 0;
        for (service, hosts) in lists(&vectors::of("nacos")) {
            let watch = discovery.watch(&service);
            let mut expected = String::new();
            for host in &hosts {
                let address = format!("tcp@{}:{}", host["ip"].as_str().expect("an IP"), host["port"]);
                let cluster = host["clusterName"].as_str().expect("a cluster");
                let weight = host["weight"].to_string();
                let more = [("clusterName", cluster), ("weight", weight.as_str())];
                nacos.write("/vectors", &service, &address, &metadata(host), &more);
                expected += &format!("{address}?{} ", metadata(host));
            }
            until_seen(&watch, &(expected + "live")).await;
            read += hosts.len();
            for host in &hosts {
                let address = format!("tcp@{}:{}", host["ip"].as_str().expect("an IP"), host["port"]);
                nacos.delete("/vectors", &service, &address).await;
            }
            until_seen(&watch, "live").await;
        }
        assert!(read > 10, "{read} instances were read");
    });
}

#[test]
fn our_servers_register_what_go_registered() {
    run(async {
        let nacos = Nacos::start();
        let server = server::<Nacos>(&nacos.url("/vectors", ""), &[("metadata", "weight=7&group=g1")]).await;
        let vectors = vectors::of("nacos");
        let go = &vectors["cluster_empty"][0]["entries"][0]["hosts"][0];
        let ours = nacos.instances("/vectors", "Arith", "DEFAULT_GROUP").expect("it answers").remove(0);
        assert_eq!(ours.metadata, metadata(go));
        assert_eq!(ours.cluster, go["clusterName"].as_str().expect("a cluster"));
        // Go's own weight keeps other clients of Nacos away.
        assert_eq!((ours.weight, go["weight"].as_f64()), (1.0, Some(0.0)));
        server.shutdown(LIMIT).await.unwrap();
    });
}
