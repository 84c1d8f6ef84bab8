//! A registry fails under a load of calls, and servers are replaced.

use super::load::Load;
use super::support::{addresses, discovery, has_node, seen, server_process, until_node};
use super::{Ours, Registry};
use crate::wait::{eventually, run};
use std::time::{Duration, Instant};

/// Each time it is away for longer than servers stay in it by themselves, if that is short.
///
/// # Panics
/// When it is not so.
pub fn a_registry_that_restarts_with_or_without_its_data_costs_no_call<R: Registry>(ours: Ours) {
    run(async {
        let mut registry = R::start();
        let url = registry.url("/restart", &format!("{}&max_reconnect_interval=1s", R::SHORT));
        let servers = [server_process(ours, &url, &[]), server_process(ours, &url, &[])];
        let discovery = discovery::<R>(&url);
        let watch = discovery.watch("Arith");
        eventually("both are seen", async || addresses(&watch).len() == 2).await;
        let load = Load::start::<R>(ours, &url).await;
        for wipe in [false, true] {
            registry.daemon_mut().down();
            eventually("the list is stale", async || seen(&watch).ends_with("stale")).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert_eq!(addresses(&watch).len(), 2);
            if wipe {
                registry.daemon().wipe();
            }
            registry.daemon_mut().up();
            let back = eventually("the list is live again", async || {
                seen(&watch).ends_with("live") && addresses(&watch).len() == 2
            });
            println!("wiped {wipe}: whole and live again after {:.1?}", back.await);
        }
        load.end().await;
        for (mut server, _) in servers {
            server.finish();
            server.hear("its end", |line| line == "ended");
        }
        eventually("nothing is left", async || registry.nodes("/restart", "Arith").await == Some(Vec::new())).await;
    });
}

/// For longer than servers stay in it by themselves, if that is short.
///
/// # Panics
/// When it is not so.
pub fn a_registry_that_is_paused_costs_no_call<R: Registry>(ours: Ours) {
    run(async {
        let registry = R::start();
        let url = registry.url("/pause", &format!("{}&request_timeout=1s&max_reconnect_interval=1s", R::SHORT));
        let servers = [server_process(ours, &url, &[]), server_process(ours, &url, &[])];
        let discovery = discovery::<R>(&url);
        let watch = discovery.watch("Arith");
        eventually("both are seen", async || addresses(&watch).len() == 2).await;
        let load = Load::start::<R>(ours, &url).await;
        registry.daemon().signal("STOP");
        let noticed = eventually("the list is stale", async || seen(&watch).ends_with("stale")).await;
        println!("noticed after {noticed:.1?}");
        tokio::time::sleep(Duration::from_secs(7).saturating_sub(noticed)).await;
        registry.daemon().signal("CONT");
        let back = eventually("both are registered", async || {
            seen(&watch).ends_with("live")
                && addresses(&watch).len() == 2
                && registry.nodes("/pause", "Arith").await.is_some_and(|nodes| nodes.len() == 2)
        });
        println!("both are registered and seen {:.1?} after the pause", back.await);
        load.end().await;
        drop(servers);
    });
}

/// One of two.
///
/// # Panics
/// When it is not so.
pub fn a_killed_server_costs_no_call_and_leaves_the_list<R: Registry>(ours: Ours) {
    run(async {
        let registry = R::start();
        let url = registry.url("/killed", R::SHORT);
        let (_stays, first) = server_process(ours, &url, &[]);
        let (mut killed, second) = server_process(ours, &url, &[]);
        let discovery = discovery::<R>(&url);
        let watch = discovery.watch("Arith");
        eventually("both are seen", async || addresses(&watch).len() == 2).await;
        let load = Load::start::<R>(ours, &url).await;
        killed.process().kill();
        let began = Instant::now();
        eventually("one is left", async || addresses(&watch) == [first.clone()]).await;
        println!("{second} left the list after {:.1?}; {}", began.elapsed(), R::SHORT);
        assert!(began.elapsed() < R::GONE, "{:?}", began.elapsed());
        load.end().await;
    });
}

/// The old process ends before the new one begins, and leaves its node behind.
///
/// # Panics
/// When it is not so.
pub fn a_restart_on_the_same_port_costs_no_call_and_no_moment_of_absence<R: Registry>(ours: Ours) {
    run(async {
        let registry = R::start();
        let url = registry.url("/roll", R::SHORT);
        let (_other, _) = server_process(ours, &url, &[]);
        let (mut old, at) = server_process(ours, &url, &["metadata=version=1"]);
        let discovery = discovery::<R>(&url);
        let watch = discovery.watch("Arith");
        eventually("both are seen", async || addresses(&watch).len() == 2).await;
        let mut follower = watch.clone();
        let load = Load::start::<R>(ours, &url).await;
        old.tell("keep");
        old.finish();
        old.hear("its end", |line| line == "ended");
        let (_new, _) = server_process(ours, &url, &[&format!("bind={at}"), "metadata=version=2"]);
        until_node(&registry, "/roll", &at, |text| text.contains("version=2")).await;
        // Until the old one's time would be over.
        let until = Instant::now() + R::GONE.min(Duration::from_secs(15));
        while let Ok(Some(next)) = tokio::time::timeout_at(until.into(), follower.changed()).await {
            assert_eq!(next.len(), 2, "the node was absent: {next:?}");
        }
        assert!(has_node(&registry, "/roll", &at).await);
        load.end().await;
    });
}
