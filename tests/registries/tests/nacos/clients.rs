//! What our clients see.

use rpcx_registries::Port;
use rpcx_registries::nacos::Nacos;
use rpcx_registries::suite::Registry;
use rpcx_registries::suite::support::{address, addresses, discovery, server, until_seen};
use rpcx_registries::wait::{LIMIT, eventually, run};

#[test]
fn instances_of_other_tools_are_nodes_as_far_as_they_take_calls() {
    run(async {
        let nacos = Nacos::start();
        nacos.write("/test", "Arith", "tcp@127.0.0.1:1", "", &[("weight", "0")]);
        nacos.write("/test", "Arith", "tcp@[::1]:4321", "network=quic", &[]);
        nacos.write("/test", "Arith", "tcp@127.0.0.1:2", "network=tcp", &[("enabled", "false")]);
        let discovery = discovery::<Nacos>(&nacos.url("/test", "empty_hold=60s"));
        let watch = discovery.watch("Arith");
        until_seen(&watch, "quic@[::1]:4321?network=quic tcp@127.0.0.1:1 live").await;
        nacos.write("/test", "Arith", "tcp@127.0.0.1:2", "network=tcp", &[("enabled", "true")]);
        until_seen(&watch, "quic@[::1]:4321?network=quic tcp@127.0.0.1:1 tcp@127.0.0.1:2?network=tcp live").await;
        nacos.write("/test", "Arith", "tcp@127.0.0.1:2", "network=tcp", &[("enabled", "false")]);
        until_seen(&watch, "quic@[::1]:4321?network=quic tcp@127.0.0.1:1 live").await;
    });
}

#[test]
fn namespaces_groups_and_clusters_are_kept_apart() {
    run(async {
        let nacos = Nacos::start();
        let metadata = "network=tcp";
        nacos.write("/one", "Arith", "tcp@127.0.0.1:1", metadata, &[]);
        nacos.write("/one", "Arith", "tcp@127.0.0.1:2", metadata, &[("clusterName", "east")]);
        nacos.write("/one", "Arith", "tcp@127.0.0.1:3", metadata, &[("groupName", "g")]);
        nacos.write("/two", "Arith", "tcp@127.0.0.1:4", metadata, &[]);
        nacos.write("/public", "Arith", "tcp@127.0.0.1:5", metadata, &[]);
        for (url, expected) in [
            (nacos.url("/one", ""), &["tcp@127.0.0.1:1", "tcp@127.0.0.1:2"][..]),
            (nacos.url("/one", "cluster=east"), &["tcp@127.0.0.1:2"]),
            (nacos.url("/one", "cluster=west"), &[]),
            (nacos.url("/one", "group=g"), &["tcp@127.0.0.1:3"]),
            (nacos.url("", "namespace=two"), &["tcp@127.0.0.1:4"]),
            (nacos.url("", ""), &["tcp@127.0.0.1:5"]),
        ] {
            let discovery = discovery::<Nacos>(&url);
            let watch = discovery.watch("Arith");
            watch.clone().known().await.expect("open");
            assert_eq!(addresses(&watch), expected, "{url}");
        }
        // What is pushed names no cluster.
        let discovery = discovery::<Nacos>(&nacos.url("/one", "cluster=east"));
        let watch = discovery.watch("Arith");
        until_seen(&watch, "tcp@127.0.0.1:2?network=tcp live").await;
        nacos.write("/one", "Arith", "tcp@127.0.0.1:6", metadata, &[("clusterName", "east")]);
        nacos.write("/one", "Arith", "tcp@127.0.0.1:7", metadata, &[("clusterName", "west")]);
        until_seen(&watch, "tcp@127.0.0.1:2?network=tcp tcp@127.0.0.1:6?network=tcp live").await;
    });
}

#[test]
fn a_server_of_the_cluster_that_is_down_is_passed_over() {
    run(async {
        let nacos = Nacos::start();
        let nobody = Port::free();
        let url = format!("nacos://127.0.0.1:{},{}/test", nobody.number(), nacos.host());
        for _ in 0..4 {
            let server = server::<Nacos>(&url, &[]).await;
            let discovery = discovery::<Nacos>(&url);
            let watch = discovery.watch("Arith");
            let at = address(&server);
            eventually("it is seen", async || addresses(&watch) == [at.clone()]).await;
            server.shutdown(LIMIT).await.unwrap();
        }
    });
}

#[test]
fn a_service_that_nobody_watches_any_more_is_watched_again() {
    run(async {
        let nacos = Nacos::start();
        let discovery = discovery::<Nacos>(&nacos.url("/test", ""));
        // Keeps the connection.
        let other = discovery.watch("Arith2");
        until_seen(&other, "live").await;
        for port in 1..6 {
            let watch = discovery.watch("Arith");
            watch.clone().known().await.expect("open");
            nacos.write("/test", "Arith", &format!("tcp@127.0.0.1:{port}"), "", &[]);
            eventually("it is seen", async || addresses(&watch).len() == port).await;
        }
    });
}
