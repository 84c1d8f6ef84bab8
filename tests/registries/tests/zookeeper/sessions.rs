//! Sessions that go on, expire, or meet a ZooKeeper that has forgotten everything.

use crate::support::{
    Duration, Instant, LIMIT, Registry, address, addresses, discovery, eventually, run, seen, server, server_process,
    until_entry, until_seen,
};
use rpcx_registries::zookeeper::ZooKeeper;

#[test]
fn a_session_goes_on_in_a_registry_that_restarts_with_its_data() {
    run(async {
        let mut registry = ZooKeeper::start();
        let server = server(&registry.url("/again", "update_interval=1h&ttl=30s"), &[]).await;
        let node = format!("/again/Arith/{}", address(&server));
        let before = until_entry(&registry, &node, |_| true).await;
        registry.daemon_mut().down();
        registry.daemon_mut().up();
        // Whether the server is back shows when somebody removes the node.
        assert_eq!(until_entry(&registry, &node, |_| true).await, before);
        registry.remove(&node).await;
        let after = until_entry(&registry, &node, |_| true).await;
        assert_eq!(after.stat.owner, before.stat.owner, "the same session");
        server.shutdown(LIMIT).await.unwrap();
    });
}

#[test]
fn a_server_that_stood_still_for_longer_than_its_session_is_there_again_at_once() {
    run(async {
        let registry = ZooKeeper::start();
        let (server, at) = server_process(
            rpcx_registries::rust!(),
            &registry.url("/still", "update_interval=1h&ttl=1s"),
            &["metadata=weight=7"],
        );
        let mut server = server;
        let node = format!("/still/Arith/{at}");
        let before = until_entry(&registry, &node, |_| true).await;
        server.process().signal("STOP");
        let gone = eventually("the session expires", async || registry.entries(&node).await.is_empty()).await;
        server.process().signal("CONT");
        let began = Instant::now();
        let after = until_entry(&registry, &node, |_| true).await;
        println!("gone after {gone:.1?}, there again after {:.1?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert_eq!(after.data, "weight=7");
        assert_ne!(after.stat.owner, before.stat.owner);
        server.finish();
        server.hear("its end", |line| line == "ended");
        assert!(registry.entries(&node).await.is_empty());
    });
}

#[test]
fn a_quiet_registry_that_has_lost_its_data_is_used_again_at_once() {
    run(async {
        let mut registry = ZooKeeper::start();
        let url = registry.url("/lost", "update_interval=1h&ttl=30s&empty_hold=60s");
        let server = server(&url, &[("metadata", "weight=7")]).await;
        let discovery = discovery(&url);
        let watch = discovery.watch("Arith");
        let at = address(&server);
        until_seen(&watch, &format!("{at}?weight=7 live")).await;
        // Both know transactions that the next registry will not have for long.
        for number in 0..300 {
            registry.write("/other", &format!("{number}")).await;
        }
        registry.write("/lost/Arith/tcp@127.0.0.1:1", "").await;
        eventually("both", async || addresses(&watch).len() == 2).await;
        registry.daemon_mut().down();
        eventually("it is stale", async || seen(&watch).ends_with("stale")).await;
        registry.daemon().wipe();
        registry.daemon_mut().up();
        let began = Instant::now();
        eventually("the server is registered and seen", async || seen(&watch) == format!("{at}?weight=7 live")).await;
        println!("registered and seen {:.1?} after the start of an empty registry", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        for (path, data) in [("/lost", "rpcx_path"), ("/lost/Arith", "Arith")] {
            assert_eq!(registry.entries(path).await[0].data, data);
        }
        server.shutdown(LIMIT).await.unwrap();
    });
}

#[test]
fn an_empty_registry_is_believed_after_the_hold() {
    run(async {
        let mut registry = ZooKeeper::start();
        registry.write("/hold/Arith/tcp@127.0.0.1:1", "").await;
        let discovery = discovery(&registry.url("/hold", "empty_hold=2s&max_reconnect_interval=200ms"));
        let watch = discovery.watch("Arith");
        until_seen(&watch, "tcp@127.0.0.1:1 live").await;
        registry.daemon_mut().down();
        registry.daemon().wipe();
        until_seen(&watch, "tcp@127.0.0.1:1 stale").await;
        let began = Instant::now();
        registry.daemon_mut().up();
        until_seen(&watch, "live").await;
        let took = began.elapsed();
        println!("believed {took:.1?} after the start of an empty registry");
        assert!(took > Duration::from_secs(1), "{took:?}");
    });
}

#[test]
fn a_discovery_ends_its_session_when_it_is_closed() {
    run(async {
        let registry = ZooKeeper::start();
        registry.write("/end/Arith/tcp@127.0.0.1:1", "").await;
        let count = || registry.sessions().matches("0x").count();
        let before = count();
        let discovery = discovery(&registry.url("/end", "ttl=60s"));
        until_seen(&discovery.watch("Arith"), "tcp@127.0.0.1:1 live").await;
        assert!(count() > before, "{}", registry.sessions());
        discovery.close();
        eventually("the session ends", async || count() == before).await;
    });
}
