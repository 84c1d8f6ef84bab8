//! What our servers write, and when.

use crate::support::{Duration, LIMIT, Registry, address, run, schemes, server, until_entry, without_means};
use librpcx_zookeeper::wire::{Acl, Change};
use rpcx::{ErrorKind, Server};
use rpcx_registries::zookeeper::ZooKeeper;

/// Paths, data, and whether they live by a session, as in the vectors.
async fn shape(registry: &ZooKeeper, base: &str, address: &str) -> Vec<(String, String, bool)> {
    let entries = registry.entries(base).await;
    let row = |entry: rpcx_registries::zookeeper::Entry| {
        (entry.path.replace(address, "ADDRESS"), entry.data.clone(), entry.is_ephemeral())
    };
    entries.into_iter().map(row).collect()
}

fn row(path: &str, data: &str, ephemeral: bool) -> (String, String, bool) {
    (path.to_owned(), data.to_owned(), ephemeral)
}

#[test]
fn paths_and_data_are_those_of_go_and_leave_with_the_server() {
    run(async {
        let registry = ZooKeeper::start();
        println!("{}", registry.version());
        for (base, path) in [("/rpcx_test", "/rpcx_test"), ("rpcx_test", "/rpcx_test"), ("/a/b", "/a/b")] {
            let url = registry.url(base, "update_interval=3s&ttl=5s");
            let server = server(&url, &[("metadata", "weight=7&group=g1")]).await;
            let at = address(&server);
            let mut expected = vec![
                row(path, "rpcx_path", false),
                row(&format!("{path}/Arith"), "Arith", false),
                row(&format!("{path}/Arith/ADDRESS"), "weight=7&group=g1", true),
                row(&format!("{path}/Arith2"), "Arith2", false),
                row(&format!("{path}/Arith2/ADDRESS"), "weight=7&group=g1", true),
            ];
            assert_eq!(shape(&registry, path, &at).await, expected, "when start has returned");
            let node = format!("{path}/Arith/{at}");
            let first = until_entry(&registry, &node, |_| true).await;
            let ticked = until_entry(&registry, &node, |entry| entry.data.contains("calls")).await;
            assert_eq!(without_means(&ticked.data), "calls=*&connections=*&group=g1&weight=7");
            let same = |entry: &rpcx_registries::zookeeper::Entry| (entry.stat.owner, entry.stat.created);
            assert_eq!(same(&ticked), same(&first), "a refresh keeps the node");
            assert!(registry.sessions().contains(&format!("{:x}", first.stat.owner)), "{}", registry.sessions());
            server.shutdown(LIMIT).await.unwrap();
            expected.retain(|(_, _, ephemeral)| !ephemeral);
            assert_eq!(shape(&registry, path, &at).await, expected);
            let sessions = registry.sessions();
            assert!(!sessions.contains(&format!("{:x}", first.stat.owner)), "the session has ended: {sessions}");
            registry.remove(path).await;
        }
        assert_eq!(registry.entries("/a").await[0].data, "", "as Go leaves what is above the base");
    });
}

#[test]
fn a_node_without_a_session_is_taken_back_with_its_edit() {
    run(async {
        let registry = ZooKeeper::start();
        let server = server(&registry.url("/ghost", "update_interval=1h"), &[("metadata", "weight=7")]).await;
        let node = format!("/ghost/Arith/{}", address(&server));
        let before = until_entry(&registry, &node, |_| true).await;
        let session = registry.open(None).await.unwrap();
        let ghost = Change::Create { path: &node, data: b"weight=3", ephemeral: false, acl: Acl::Open };
        session.change_all(&[Change::Delete(&node, -1), ghost]).await.unwrap().unwrap();
        let again = until_entry(&registry, &node, |entry| entry.stat.owner == before.stat.owner).await;
        assert!(again.data.ends_with("weight=3"), "{again:?}");
        server.shutdown(LIMIT).await.unwrap();
        assert!(registry.entries(&node).await.is_empty());
    });
}

#[test]
fn the_node_of_a_successor_is_never_deleted_or_absent() {
    run(async {
        let registry = ZooKeeper::start();
        // Both bind the same port: what a service manager hands on.
        let url = registry.url("/hand", "ttl=3s&update_interval=200ms");
        let old = server(&url, &[("metadata", "version=1")]).await;
        let at = address(&old);
        let node = format!("/hand/Arith/{at}");
        // Asks as fast as it can: the node is always there, and never empty.
        let looking = registry.open(None).await.unwrap();
        let path = node.clone();
        let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
        let looked = tokio::spawn(async move {
            let mut asked = 0;
            while stopped.try_recv().is_err() {
                let (data, _) = looking.data(&path, false).await.unwrap().expect("the node is there");
                assert!(!data.is_empty());
                asked += 1;
            }
            asked
        });
        let new_url = registry.url("/hand", "ttl=30s&update_interval=200ms");
        let new = server(&new_url, &[("metadata", "version=2"), ("advertise", &at)]).await;
        let taken = until_entry(&registry, &node, |entry| entry.data.contains("version=2")).await;
        // Many updates of both: the old one leaves the new one's node alone.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = until_entry(&registry, &node, |_| true).await;
        assert_eq!(without_means(&now.data), "calls=*&connections=*&version=2");
        assert_eq!((now.stat.owner, now.stat.created), (taken.stat.owner, taken.stat.created));
        // A plain end: the node is not its own any more.
        old.shutdown(LIMIT).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = until_entry(&registry, &node, |_| true).await;
        assert_eq!((now.stat.owner, now.stat.created), (taken.stat.owner, taken.stat.created));
        // The other order: the old one leaves its node behind, then the new one comes.
        new.shutdown(rpcx::server::Shutdown::within(LIMIT).keep_registered()).await.unwrap();
        let third = server(&new_url, &[("metadata", "version=3"), ("advertise", &at)]).await;
        until_entry(&registry, &node, |entry| entry.stat.owner != taken.stat.owner).await;
        stop.send(()).unwrap();
        let asked = looked.await.unwrap();
        println!("asked {asked} times");
        assert!(asked > 20, "{asked}");
        third.shutdown(LIMIT).await.unwrap();
        assert!(registry.entries(&node).await.is_empty());
    });
}

#[test]
fn an_address_with_a_slash_has_no_place_there() {
    run(async {
        let registry = ZooKeeper::start();
        let folder = tempfile::tempdir().unwrap();
        let url = registry.url("/slash", "");
        let builder = |socket: &str| {
            let path = folder.path().join(socket).display().to_string();
            Server::builder()
                .schemes(schemes())
                .bind("tcp@127.0.0.1:0")
                .bind(format!("unix@{path}"))
                .raw("Arith", "Echo", |_: rpcx::Context, payload: bytes::Bytes| async move { Ok(payload) })
                .registry_url(&url)
        };
        let error = builder("a.sock").start().await.expect_err("no place for it");
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains("slash"), "{error}");
        let server = builder("b.sock").option("advertise", "tcp@127.0.0.1:1").start().await.expect("a server");
        server.announced(LIMIT).await.unwrap();
        until_entry(&registry, "/slash/Arith/tcp@127.0.0.1:1", |_| true).await;
        server.shutdown(LIMIT).await.unwrap();
        let left = registry.entries("/slash").await;
        assert_eq!(left.iter().map(|entry| entry.path.as_str()).collect::<Vec<_>>(), ["/slash", "/slash/Arith"]);
    });
}
