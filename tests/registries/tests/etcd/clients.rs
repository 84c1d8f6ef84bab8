//! What our clients see, and when.

use crate::support::{Duration, discovery, run, seen, until_seen};
use rpcx_registries::etcd::Etcd;

#[test]
fn a_list_is_followed_within_a_second() {
    run(async {
        let etcd = Etcd::start();
        etcd.put("/list", "rpcx_path", None).await;
        etcd.put("/list/Arith", "Arith", None).await;
        etcd.put("/list/Arith2", "Arith2", None).await;
        etcd.put("/list/Arith2/tcp@127.0.0.1:9", "weight=9", None).await;
        etcd.put("/list/Arith/tcp@127.0.0.1:1", "weight=7", None).await;
        etcd.put("/list/Arith/unix@/run/a.sock", "", None).await;
        let discovery = discovery(&etcd.url("/list", "empty_hold=60s"));
        let (arith, second) = (discovery.watch("Arith"), discovery.watch("Arith2"));
        until_seen(&arith, "tcp@127.0.0.1:1?weight=7 unix@/run/a.sock live").await;
        until_seen(&second, "tcp@127.0.0.1:9?weight=9 live").await;
        let node = "/list/Arith/tcp@127.0.0.1:1";
        let unix = "unix@/run/a.sock live";
        etcd.put(node, "state=inactive&weight=3", None).await;
        let mut longest = until_seen(&arith, &format!("tcp@127.0.0.1:1?state=inactive&weight=3 {unix}")).await;
        etcd.delete(node).await;
        longest = longest.max(until_seen(&arith, unix).await);
        etcd.put("/list/Arith/tcp@127.0.0.1:2", "", None).await;
        longest = longest.max(until_seen(&arith, &format!("tcp@127.0.0.1:2 {unix}")).await);
        etcd.delete("/list/Arith/tcp@127.0.0.1:2").await;
        etcd.delete("/list/Arith/unix@/run/a.sock").await;
        longest = longest.max(until_seen(&arith, "live").await);
        println!("the slowest change was there after {longest:.1?}");
        assert!(longest < Duration::from_secs(1), "{longest:?}");
        assert_eq!(seen(&second), "tcp@127.0.0.1:9?weight=9 live");
        discovery.close();
    });
}

#[test]
fn the_leading_slash_counts() {
    run(async {
        let etcd = Etcd::start();
        etcd.put("slash/Arith/tcp@127.0.0.1:1", "", None).await;
        etcd.put("/slash/Arith/tcp@127.0.0.1:2", "", None).await;
        let path = discovery(&format!("etcdv3://{}/slash", etcd.host()));
        until_seen(&path.watch("Arith"), "tcp@127.0.0.1:2 live").await;
        let option = discovery(&etcd.url("slash", ""));
        until_seen(&option.watch("Arith"), "tcp@127.0.0.1:1 live").await;
    });
}

#[test]
fn changes_that_were_compacted_are_listed_again() {
    run(async {
        let mut etcd = Etcd::start();
        etcd.put("/compact/Arith/tcp@127.0.0.1:1", "", None).await;
        let discovery = discovery(&etcd.url("/compact", "reconnect_interval=50ms&max_reconnect_interval=100ms"));
        let watch = discovery.watch("Arith");
        until_seen(&watch, "tcp@127.0.0.1:1 live").await;
        etcd.down();
        until_seen(&watch, "tcp@127.0.0.1:1 stale").await;
        assert!(watch.problem().is_some_and(|problem| problem.contains("etcd")), "{:?}", watch.problem());
        etcd.up();
        let mut client = etcd.client(None).await;
        for weight in 0..10 {
            client.put("/compact/Arith/tcp@127.0.0.1:1", format!("weight={weight}"), None).await.unwrap();
        }
        let last = client.delete("/compact/none", None).await.unwrap().header().unwrap().revision();
        client.compact(last, None).await.unwrap();
        until_seen(&watch, "tcp@127.0.0.1:1?weight=9 live").await;
    });
}
