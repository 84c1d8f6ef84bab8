//! What our servers write, and when.

use crate::support::{Duration, LIMIT, Registry, address, run, server, until_entry, without_means};
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
                etcd.remove(&key).await;
            }
        }
    });
}

#[test]
fn keys_that_stay_and_a_revoked_lease_are_there_again_at_once() {
    run(async {
        let etcd = Etcd::start();
        let server = server(&etcd.url("/gone", "update_interval=1h"), &[("metadata", "weight=7")]).await;
        let node = format!("/gone/Arith/{}", address(&server));
        for key in [node.as_str(), "/gone", "/gone/Arith"] {
            let before = until_entry(&etcd, key, |_| true).await;
            etcd.remove(key).await;
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
fn the_key_of_a_successor_is_never_deleted() {
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
