//! What our clients see, and when.

use crate::support::{Registry, discovery, run, until_seen};
use rpcx_registries::etcd::Etcd;

#[test]
fn the_leading_slash_counts() {
    run(async {
        let etcd = Etcd::start();
        etcd.write("slash/Arith/tcp@127.0.0.1:1", "", None).await;
        etcd.write("/slash/Arith/tcp@127.0.0.1:2", "", None).await;
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
        etcd.write("/compact/Arith/tcp@127.0.0.1:1", "", None).await;
        let discovery = discovery(&etcd.url("/compact", "reconnect_interval=50ms&max_reconnect_interval=100ms"));
        let watch = discovery.watch("Arith");
        until_seen(&watch, "tcp@127.0.0.1:1 live").await;
        etcd.daemon_mut().down();
        until_seen(&watch, "tcp@127.0.0.1:1 stale").await;
        assert!(watch.problem().is_some_and(|problem| problem.contains("etcd")), "{:?}", watch.problem());
        etcd.daemon_mut().up();
        let mut client = etcd.client(None).await;
        for weight in 0..10 {
            client.put("/compact/Arith/tcp@127.0.0.1:1", format!("weight={weight}"), None).await.unwrap();
        }
        let last = client.delete("/compact/none", None).await.unwrap().header().unwrap().revision();
        client.compact(last, None).await.unwrap();
        until_seen(&watch, "tcp@127.0.0.1:1?weight=9 live").await;
    });
}
