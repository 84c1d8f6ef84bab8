//! What our servers write, and when.

use super::support::{
    address, addresses, discovery, has_node, seen, server, server_process, until_node, until_seen, without_means,
};
use super::{Ours, Registry};
use crate::wait::{LIMIT, eventually, run};
use std::time::{Duration, Instant};

/// They are as given at first, and as Go writes them from the first update on.
///
/// # Panics
/// When it is not so.
pub fn metadata_of_every_kind_is_written_as_given_and_refreshed_as_go_does<R: Registry>(_: Ours) {
    run(async {
        let registry = R::start();
        for (given, refreshed) in [
            ("", ""),
            ("k=a b/c~d_é*", "k=a+b%2Fc~d_%C3%A9%2A"),
            ("group=b&group=a", "group=b&group=a"),
            ("a=1;b=2&c=3", "c=3"),
            ("x=%zz&y=1", "y=1"),
            ("n=a%26b&foo", "foo=&n=a%26b"),
            ("state=inactive&weight=7", "state=inactive&weight=7"),
        ] {
            let first = server::<R>(&registry.url("/meta", "update_interval=1h"), &[("metadata", given)]).await;
            let at = address(&first);
            assert_eq!(until_node(&registry, "/meta", &at, |_| true).await, given);
            first.shutdown(LIMIT).await.unwrap();
            assert!(!has_node(&registry, "/meta", &at).await, "it leaves with its server");
            let url = registry.url("/meta", "update_interval=200ms&metrics=false");
            let second = server::<R>(&url, &[("metadata", given)]).await;
            until_node(&registry, "/meta", &address(&second), |text| text == refreshed).await;
            second.shutdown(LIMIT).await.unwrap();
        }
    });
}

/// Of metadata, by a tool.
///
/// # Panics
/// When it is not so.
pub fn an_operators_edit_survives_updates<R: Registry>(_: Ours) {
    run(async {
        let registry = R::start();
        let server =
            server::<R>(&registry.url("/op", "update_interval=300ms"), &[("metadata", "weight=7&group=g1")]).await;
        let at = address(&server);
        for edit in ["group=g1&state=inactive&weight=7", "state=active&weight=9"] {
            registry.put("/op", "Arith", &at, edit).await;
            let expected = format!("calls=*&connections=*&{edit}");
            let written = |text: &str| text.contains("calls=") && without_means(text) == expected;
            until_node(&registry, "/op", &at, written).await;
            // Many updates later.
            tokio::time::sleep(Duration::from_millis(1000)).await;
            assert_eq!(without_means(&until_node(&registry, "/op", &at, |_| true).await), expected);
        }
        server.set_metadata("Arith", "weight=1");
        server.announced(LIMIT).await.unwrap();
        let own = until_node(&registry, "/op", &at, |_| true).await;
        assert!(["weight=1", "calls=*&connections=*&weight=1"].contains(&without_means(&own).as_str()), "{own}");
        server.shutdown(LIMIT).await.unwrap();
        assert!(!has_node(&registry, "/op", &at).await, "it leaves with its server");
    });
}

/// A node of ours that a tool removed.
///
/// # Panics
/// When it is not so.
pub fn what_others_remove_is_there_again_at_once<R: Registry>(_: Ours) {
    run(async {
        let registry = R::start();
        let server = server::<R>(&registry.url("/gone", "update_interval=1h"), &[("metadata", "weight=7")]).await;
        let at = address(&server);
        for _ in 0..2 {
            registry.delete("/gone", "Arith", &at).await;
            let began = Instant::now();
            assert_eq!(until_node(&registry, "/gone", &at, |_| true).await, "weight=7");
            println!("a removed node was there again after {:.1?}", began.elapsed());
            assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        }
        server.shutdown(LIMIT).await.unwrap();
        assert!(!has_node(&registry, "/gone", &at).await, "it leaves with its server");
    });
}

/// As processes of their own.
///
/// # Panics
/// When it is not so.
pub fn a_killed_server_leaves_in_time_and_a_terminated_one_at_once<R: Registry>(ours: Ours) {
    run(async {
        let registry = R::start();
        let (mut killed, at) = server_process(ours, &registry.url("/kill", R::SHORT), &[]);
        until_node(&registry, "/kill", &at, |_| true).await;
        killed.process().kill();
        let took = eventually("the node goes", async || !has_node(&registry, "/kill", &at).await).await;
        println!("a killed server's node was gone after {took:.1?}; {}", R::SHORT);
        assert!(took < R::GONE, "{took:?}");
        let (mut ended, at) = server_process(ours, &registry.url("/kill", ""), &[]);
        until_node(&registry, "/kill", &at, |_| true).await;
        ended.process().signal("TERM");
        assert!(ended.process().wait().success());
        assert!(!has_node(&registry, "/kill", &at).await, "SIGTERM withdraws");
    });
}

/// Whoever ends first.
///
/// # Panics
/// When it is not so.
pub fn a_successor_takes_the_node_over_and_it_is_never_absent<R: Registry>(_: Ours) {
    run(async {
        let registry = R::start();
        let url = registry.url("/hand", "update_interval=200ms");
        let old = server::<R>(&url, &[("metadata", "version=1")]).await;
        let at = address(&old);
        let discovery = discovery::<R>(&url);
        let mut follower = discovery.watch("Arith");
        eventually("it is seen", async || addresses(&follower) == [at.clone()]).await;
        // Both at one address: what a service manager hands on.
        let new = server::<R>(&url, &[("metadata", "version=2"), ("advertise", &at)]).await;
        let second = |text: &str| text.contains("version=2");
        until_node(&registry, "/hand", &at, second).await;
        // Many updates of both: the old one leaves the new one's node alone.
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let text = until_node(&registry, "/hand", &at, |_| true).await;
            assert!(second(&text), "{text}");
        }
        // A plain end: the node is not its own any more.
        old.shutdown(LIMIT).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(second(&until_node(&registry, "/hand", &at, |_| true).await));
        // The other order: the old one leaves its node behind, then the new one comes.
        new.shutdown(rpcx::server::Shutdown::within(LIMIT).keep_registered()).await.unwrap();
        assert!(has_node(&registry, "/hand", &at).await, "it stays");
        let third = server::<R>(&url, &[("metadata", "version=3"), ("advertise", &at)]).await;
        until_node(&registry, "/hand", &at, |text| text.contains("version=3")).await;
        eventually("it is seen", async || seen(&follower).contains("version=3")).await;
        while let Ok(Some(snapshot)) = tokio::time::timeout(Duration::ZERO, follower.changed()).await {
            assert_eq!(snapshot.len(), 1, "{snapshot:?}");
        }
        third.shutdown(LIMIT).await.unwrap();
        until_seen(&follower, "live").await;
        assert!(!has_node(&registry, "/hand", &at).await, "it leaves with its server");
    });
}

/// With its data, and then without.
///
/// # Panics
/// When it is not so.
pub fn a_registry_that_was_away_has_the_node_again_at_once<R: Registry>(_: Ours) {
    run(async {
        let mut registry = R::start();
        let server = server::<R>(&registry.url("/away", "update_interval=1h"), &[("metadata", "weight=7")]).await;
        let at = address(&server);
        for wipe in [false, true] {
            registry.daemon_mut().down();
            if wipe {
                registry.daemon().wipe();
            }
            registry.daemon_mut().up();
            let began = Instant::now();
            assert_eq!(until_node(&registry, "/away", &at, |_| true).await, "weight=7");
            println!("wiped {wipe}: the node was back after {:.1?}", began.elapsed());
            assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
            // Whether the server keeps it there shows when somebody removes it.
            registry.delete("/away", "Arith", &at).await;
            until_node(&registry, "/away", &at, |text| text == "weight=7").await;
        }
        server.shutdown(LIMIT).await.unwrap();
        assert!(!has_node(&registry, "/away", &at).await, "it leaves with its server");
    });
}
