//! What our servers write, and when.

use crate::support::{
    Duration, Instant, LIMIT, address, eventually, run, server, server_process, until_entry, without_means,
};
use rpcx_registries::etcd::Etcd;

/// Keys, values, and whether they live by a lease, as in the vectors.
async fn shape(etcd: &Etcd, base: &str, address: &str) -> Vec<(String, String, bool)> {
    let entries = etcd.entries(base).await;
    entries.into_iter().map(|entry| (entry.key.replace(address, "ADDRESS"), entry.value, entry.lease != 0)).collect()
}

fn row(key: &str, value: &str, leased: bool) -> (String, String, bool) {
    (key.to_owned(), value.to_owned(), leased)
}

#[test]
fn keys_and_values_are_those_of_go_and_leave_with_the_server() {
    run(async {
        let etcd = Etcd::start();
        for base in ["/rpcx_test", "rpcx_test"] {
            let url = etcd.url(base, "update_interval=300ms&ttl=5s");
            let server = server(&url, &[("metadata", "weight=7&group=g1")]).await;
            let at = address(&server);
            let mut expected = vec![
                row(base, "rpcx_path", false),
                row(&format!("{base}/Arith"), "Arith", false),
                row(&format!("{base}/Arith/ADDRESS"), "weight=7&group=g1", true),
                row(&format!("{base}/Arith2"), "Arith2", false),
                row(&format!("{base}/Arith2/ADDRESS"), "weight=7&group=g1", true),
            ];
            assert_eq!(shape(&etcd, base, &at).await, expected, "when start has returned");
            let node = format!("{base}/Arith/{at}");
            let lease = until_entry(&etcd, &node, |_| true).await.lease;
            let ticked = until_entry(&etcd, &node, |entry| entry.value.contains("calls")).await;
            assert_eq!(without_means(&ticked.value), "calls=*&connections=*&group=g1&weight=7");
            assert_eq!(ticked.lease, lease, "a refresh keeps the lease");
            let mut client = etcd.client(None).await;
            let granted = client.lease_time_to_live(lease, None).await.unwrap();
            assert_eq!(granted.granted_ttl(), 5);
            server.shutdown(LIMIT).await.unwrap();
            expected.retain(|(_, _, leased)| !leased);
            assert_eq!(shape(&etcd, base, &at).await, expected, "the keys that stay keep Go's clients from going on");
            let leases = client.leases().await.unwrap();
            assert!(leases.leases().is_empty(), "the lease is revoked");
            for (key, _, _) in expected {
                etcd.delete(&key).await;
            }
        }
    });
}

#[test]
fn metadata_of_every_kind_is_written_as_given_and_refreshed_as_go_does() {
    run(async {
        let etcd = Etcd::start();
        for (given, refreshed) in [
            ("", ""),
            ("k=a b/c~d_é*", "k=a+b%2Fc~d_%C3%A9%2A"),
            ("group=b&group=a", "group=b&group=a"),
            ("a=1;b=2&c=3", "c=3"),
            ("x=%zz&y=1", "y=1"),
            ("n=a%26b&foo", "foo=&n=a%26b"),
        ] {
            let url = etcd.url("/meta", "update_interval=200ms&metrics=false");
            let server = server(&url, &[("metadata", given)]).await;
            let node = format!("/meta/Arith/{}", address(&server));
            let first = until_entry(&etcd, &node, |_| true).await;
            let now = until_entry(&etcd, &node, |entry| entry.value == refreshed).await;
            if given == refreshed {
                assert_eq!(first.revision, now.revision, "nothing is written anew that has not changed");
            }
            server.shutdown(LIMIT).await.unwrap();
        }
    });
}

#[test]
fn an_operators_edit_survives_and_the_node_comes_back_to_its_lease() {
    run(async {
        let etcd = Etcd::start();
        let server =
            server(&etcd.url("/op", "update_interval=500ms&ttl=5s"), &[("metadata", "weight=7&group=g1")]).await;
        let node = format!("/op/Arith/{}", address(&server));
        let lease = until_entry(&etcd, &node, |_| true).await.lease;
        for (value, ttl) in [("group=g1&state=inactive&weight=7", Some(30)), ("state=active&weight=9", None)] {
            etcd.put(&node, value, ttl).await;
            let kept = until_entry(&etcd, &node, |entry| entry.lease == lease && entry.value.contains("calls")).await;
            let expected = format!("calls=*&connections=*&{value}");
            assert_eq!(without_means(&kept.value), expected, "at once on its own lease");
            tokio::time::sleep(Duration::from_millis(1200)).await;
            let later = until_entry(&etcd, &node, |_| true).await;
            assert_eq!((without_means(&later.value), later.lease), (expected, lease), "after two updates");
        }
        server.set_metadata("Arith", "weight=1");
        server.announced(LIMIT).await.unwrap();
        assert_eq!(until_entry(&etcd, &node, |_| true).await.value, "weight=1", "what the server says itself counts");
        server.shutdown(LIMIT).await.unwrap();
        assert!(etcd.entries(&node).await.is_empty());
    });
}

#[test]
fn what_others_remove_is_there_again_at_once() {
    run(async {
        let etcd = Etcd::start();
        let server = server(&etcd.url("/gone", "update_interval=1h"), &[("metadata", "weight=7")]).await;
        let node = format!("/gone/Arith/{}", address(&server));
        for key in [node.as_str(), "/gone", "/gone/Arith"] {
            let before = until_entry(&etcd, key, |_| true).await;
            etcd.delete(key).await;
            let again = until_entry(&etcd, key, |entry| entry.revision > before.revision).await;
            assert_eq!((again.value, again.lease), (before.value, before.lease));
        }
        // The lease itself is gone.
        let lease = until_entry(&etcd, &node, |_| true).await.lease;
        etcd.client(None).await.lease_revoke(lease).await.unwrap();
        let again = until_entry(&etcd, &node, |entry| entry.lease != lease).await;
        assert_eq!((again.value.as_str(), again.lease >> 48), ("weight=7", lease >> 48));
        server.shutdown(LIMIT).await.unwrap();
        assert!(etcd.entries(&node).await.is_empty());
    });
}

#[test]
fn a_killed_server_leaves_with_its_lease_and_a_terminated_one_at_once() {
    run(async {
        let etcd = Etcd::start();
        let (mut killed, at) = server_process(&etcd.url("/kill", "ttl=3s"), &[]);
        let node = format!("/kill/Arith/{at}");
        until_entry(&etcd, &node, |_| true).await;
        killed.process().kill();
        let took = eventually("the node goes", async || etcd.entries(&node).await.is_empty()).await;
        println!("a killed server's node was gone after {took:.1?} of a lease of 3 s");
        assert!(took < Duration::from_secs(8), "{took:?}");
        let (mut ended, at) = server_process(&etcd.url("/kill", "ttl=60s"), &[]);
        let node = format!("/kill/Arith/{at}");
        until_entry(&etcd, &node, |_| true).await;
        ended.process().signal("TERM");
        assert!(ended.process().wait().success());
        assert!(etcd.entries(&node).await.is_empty(), "SIGTERM withdraws");
    });
}

#[test]
fn a_successor_takes_the_node_over_and_it_is_never_absent() {
    run(async {
        let etcd = Etcd::start();
        // Both bind the same port: what a service manager hands on.
        let url = etcd.url("/hand", "ttl=3s&update_interval=200ms");
        let old = server(&url, &[("metadata", "version=1")]).await;
        let at = address(&old);
        let node = format!("/hand/Arith/{at}");
        let mut client = etcd.client(None).await;
        let mut watch = client.watch(node.clone(), None).await.unwrap();
        let new_url = etcd.url("/hand", "ttl=30s&update_interval=200ms");
        let new = server(&new_url, &[("metadata", "version=2"), ("advertise", &at)]).await;
        let taken = until_entry(&etcd, &node, |entry| entry.value.contains("version=2")).await;
        // Many updates of both: the old one leaves the new one's node alone.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = until_entry(&etcd, &node, |_| true).await;
        assert_eq!((now.lease, without_means(&now.value).as_str()), (taken.lease, "calls=*&connections=*&version=2"));
        // A plain end: the node is not its own any more.
        old.shutdown(LIMIT).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(until_entry(&etcd, &node, |_| true).await.lease, taken.lease);
        // The other order: the old one leaves its node behind, then the new one comes.
        new.shutdown(rpcx::server::Shutdown::within(LIMIT).keep_registered()).await.unwrap();
        assert_eq!(until_entry(&etcd, &node, |_| true).await.lease, taken.lease);
        let third = server(&new_url, &[("metadata", "version=3"), ("advertise", &at)]).await;
        until_entry(&etcd, &node, |entry| entry.lease != taken.lease).await;
        let seen = async {
            let mut puts = 0;
            while let Ok(Some(response)) = watch.message().await {
                for event in response.events() {
                    let deleted = event.event_type() == etcd_client::EventType::Delete;
                    assert!(!deleted, "the node was absent");
                    puts += 1;
                    if event.kv().is_some_and(|pair| pair.value().ends_with(b"version=3")) {
                        return puts;
                    }
                }
            }
            panic!("the watch ended");
        };
        let puts = tokio::time::timeout(LIMIT, seen).await.unwrap();
        assert!(puts > 2, "{puts} writes were seen");
        third.shutdown(LIMIT).await.unwrap();
        assert!(etcd.entries(&node).await.is_empty());
    });
}

#[test]
fn a_registry_that_was_away_has_the_node_again_at_once() {
    run(async {
        let mut etcd = Etcd::start();
        let server = server(&etcd.url("/away", "update_interval=1h&ttl=30s"), &[("metadata", "weight=7")]).await;
        let node = format!("/away/Arith/{}", address(&server));
        let lease = until_entry(&etcd, &node, |_| true).await.lease;
        etcd.down();
        etcd.up();
        let kept = until_entry(&etcd, &node, |_| true).await;
        assert_eq!((kept.value.as_str(), kept.lease), ("weight=7", lease), "with its data it has the node all along");
        // Whether the server keeps it there shows when somebody removes it.
        etcd.delete(&node).await;
        let began = Instant::now();
        until_entry(&etcd, &node, |entry| entry.value == "weight=7").await;
        println!("after a restart with data, a removed node was back after {:.1?}", began.elapsed());
        etcd.down();
        etcd.wipe();
        etcd.up();
        let began = Instant::now();
        let again = until_entry(&etcd, &node, |_| true).await;
        println!("after a restart without data, the node was back after {:.1?}", began.elapsed());
        assert!(again.lease != lease && began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        for key in ["/away", "/away/Arith", "/away/Arith2"] {
            until_entry(&etcd, key, |entry| entry.lease == 0).await;
        }
        server.shutdown(LIMIT).await.unwrap();
        assert!(etcd.entries(&node).await.is_empty());
    });
}
