//! What our clients see, and when.

use crate::support::{Registry, discovery, eventually, run, seen, until_seen};
use librpcx_zookeeper::wire::{Acl, Change};
use rpcx_registries::zookeeper::ZooKeeper;

#[test]
fn the_leading_slash_does_not_count() {
    run(async {
        let registry = ZooKeeper::start();
        registry.write("/slash/Arith/tcp@127.0.0.1:1", "").await;
        for url in [format!("zk://{}/slash", registry.host()), registry.url("slash", ""), registry.url("/slash", "")] {
            until_seen(&discovery(&url).watch("Arith"), "tcp@127.0.0.1:1 live").await;
        }
    });
}

#[test]
fn a_service_comes_and_goes_and_comes_again() {
    run(async {
        let registry = ZooKeeper::start();
        let discovery = discovery(&registry.url("/deep/base", ""));
        let watch = discovery.watch("Arith");
        until_seen(&watch, "live").await;
        for _ in 0..2 {
            // Each part of the path by itself, the last one in Go's two steps.
            registry.write("/deep/base/Arith", "Arith").await;
            registry.write("/deep/base/Arith/tcp@127.0.0.1:1", "").await;
            registry.write("/deep/base/Arith/tcp@127.0.0.1:1", "weight=7").await;
            until_seen(&watch, "tcp@127.0.0.1:1?weight=7 live").await;
            registry.remove("/deep").await;
            until_seen(&watch, "live").await;
        }
    });
}

#[test]
fn a_node_that_is_replaced_at_once_is_never_seen_to_be_absent() {
    run(async {
        let registry = ZooKeeper::start();
        let node = "/replace/Arith/tcp@127.0.0.1:1";
        registry.write(node, "n=0").await;
        let discovery = discovery(&registry.url("/replace", ""));
        let watch = discovery.watch("Arith");
        until_seen(&watch, "tcp@127.0.0.1:1?n=0 live").await;
        let mut follower = watch.clone();
        let session = registry.open(None).await.unwrap();
        for number in 1..=200 {
            let data = format!("n={number}");
            let create = Change::Create { path: node, data: data.as_bytes(), ephemeral: false, acl: Acl::Open };
            session.change_all(&[Change::Delete(node, -1), create]).await.unwrap().unwrap();
        }
        while seen(&follower) != "tcp@127.0.0.1:1?n=200 live" {
            let next = follower.changed().await.expect("open");
            assert_eq!(next.len(), 1);
        }
    });
}

#[test]
fn a_service_that_is_not_allowed_leaves_the_others_alone() {
    run(async {
        let registry = ZooKeeper::start();
        registry.write("/secret/Arith/tcp@127.0.0.1:1", "").await;
        registry.write("/secret/Open/tcp@127.0.0.1:2", "").await;
        let session = registry.open(Some(("operator", "x"))).await.unwrap();
        session.set_acl("/secret/Arith", Acl::Own).await.unwrap().unwrap();
        let discovery = discovery(&registry.url("/secret", "reconnect_interval=20ms&max_reconnect_interval=50ms"));
        let (arith, open) = (discovery.watch("Arith"), discovery.watch("Open"));
        until_seen(&open, "tcp@127.0.0.1:2 live").await;
        eventually("a problem", async || arith.problem().is_some()).await;
        assert!(arith.problem().unwrap_or_default().contains("not allowed"), "{:?}", arith.problem());
        registry.write("/secret/Open/tcp@127.0.0.1:3", "").await;
        until_seen(&open, "tcp@127.0.0.1:2 tcp@127.0.0.1:3 live").await;
        assert_eq!(open.problem(), None);
        session.set_acl("/secret/Arith", Acl::Read).await.unwrap().unwrap();
        until_seen(&arith, "tcp@127.0.0.1:1 live").await;
    });
}
