//! Registry and servers fail under a load of calls.

use crate::support::{
    Duration, Instant, addresses, client, discovery, eventually, run, seen, server, server_process, until_entry,
};
use bytes::Bytes;
use rpcx::client::CallOptions;
use rpcx_registries::etcd::Etcd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::task::JoinHandle;

/// Calls without end, of which none may fail.
struct Load {
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    task: JoinHandle<Vec<String>>,
}

impl Load {
    async fn start(url: &str) -> Load {
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = client(url);
        let (ended, count) = (stop.clone(), calls.clone());
        let task = tokio::spawn(async move {
            let mut errors = Vec::new();
            let service = client.service("Arith").expect("a service").raw();
            while !ended.load(Ordering::Acquire) {
                let options = CallOptions::new().idempotent(true);
                match service.call_with::<_, Bytes>("Echo", &Bytes::from_static(b"x"), &options).await {
                    Ok(_) => drop(count.fetch_add(1, Ordering::AcqRel)),
                    Err(error) => errors.push(error.to_string()),
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            errors
        });
        let load = Load { stop, calls, task };
        eventually("the first calls", async || load.calls.load(Ordering::Acquire) > 10).await;
        load
    }

    /// Ends the calls: so many were made, and none has failed.
    async fn end(self) {
        let before = self.calls.load(Ordering::Acquire);
        eventually("further calls", async || self.calls.load(Ordering::Acquire) > before + 10).await;
        self.stop.store(true, Ordering::Release);
        let errors = self.task.await.expect("the calls");
        assert!(errors.is_empty(), "{} calls failed: {:?}", errors.len(), &errors[..errors.len().min(5)]);
        println!("{} calls", self.calls.load(Ordering::Acquire));
    }
}

#[test]
fn a_registry_that_restarts_with_or_without_its_data_costs_no_call() {
    run(async {
        let mut etcd = Etcd::start();
        let url = etcd.url("/restart", "ttl=2s&max_reconnect_interval=1s");
        let servers = [server(&url, &[]).await, server(&url, &[]).await];
        let discovery = discovery(&url);
        let watch = discovery.watch("Arith");
        eventually("both are seen", async || addresses(&watch).len() == 2).await;
        let load = Load::start(&url).await;
        for wipe in [false, true] {
            etcd.down();
            eventually("the list is stale", async || seen(&watch).ends_with("stale")).await;
            // Longer than the lease.
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert_eq!(addresses(&watch).len(), 2);
            if wipe {
                etcd.wipe();
            }
            etcd.up();
            let back = eventually("the list is live again", async || {
                seen(&watch).ends_with("live") && addresses(&watch).len() == 2
            });
            println!("wiped {wipe}: whole and live again after {:.1?}", back.await);
        }
        load.end().await;
        for server in servers {
            server.shutdown(Duration::from_secs(10)).await.unwrap();
        }
    });
}

#[test]
fn a_registry_that_is_paused_costs_no_call() {
    run(async {
        let etcd = Etcd::start();
        let url = etcd.url("/pause", "ttl=5s&request_timeout=1s&max_reconnect_interval=1s");
        let servers = [server(&url, &[]).await, server(&url, &[]).await];
        let discovery = discovery(&url);
        let watch = discovery.watch("Arith");
        eventually("both are seen", async || addresses(&watch).len() == 2).await;
        let load = Load::start(&url).await;
        etcd.signal("STOP");
        let noticed = eventually("the list is stale", async || seen(&watch).ends_with("stale")).await;
        println!("noticed after {noticed:.1?}");
        // Longer than the lease.
        tokio::time::sleep(Duration::from_secs(7).saturating_sub(noticed)).await;
        etcd.signal("CONT");
        let back = eventually("both are registered", async || {
            seen(&watch).ends_with("live")
                && addresses(&watch).len() == 2
                && etcd.entries("/pause/Arith/").await.len() == 2
        });
        println!("both are registered and seen {:.1?} after the pause", back.await);
        load.end().await;
        drop(servers);
    });
}

#[test]
fn a_killed_server_costs_no_call_and_leaves_the_list() {
    run(async {
        let etcd = Etcd::start();
        let url = etcd.url("/killed", "ttl=2s");
        let (_stays, first) = server_process(&url, &[]);
        let (mut killed, second) = server_process(&url, &[]);
        let discovery = discovery(&url);
        let watch = discovery.watch("Arith");
        eventually("both are seen", async || addresses(&watch).len() == 2).await;
        let load = Load::start(&url).await;
        killed.process().kill();
        let began = Instant::now();
        eventually("one is left", async || addresses(&watch) == [first.clone()]).await;
        println!("{second} left the list after {:.1?} of a lease of 2 s", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        load.end().await;
    });
}

#[test]
fn a_restart_on_the_same_port_costs_no_call_and_no_moment_of_absence() {
    run(async {
        let etcd = Etcd::start();
        let url = etcd.url("/roll", "ttl=3s");
        let (_other, _) = server_process(&url, &[]);
        let (mut old, at) = server_process(&url, &["metadata=version=1"]);
        let node = format!("/roll/Arith/{at}");
        let discovery = discovery(&url);
        let watch = discovery.watch("Arith");
        eventually("both are seen", async || addresses(&watch).len() == 2).await;
        let mut follower = watch.clone();
        let load = Load::start(&url).await;
        old.tell("keep");
        old.finish();
        old.hear("its end", |line| line == "ended");
        let (_new, _) = server_process(&url, &[&format!("bind={at}"), "metadata=version=2"]);
        until_entry(&etcd, &node, |entry| entry.value.contains("version=2")).await;
        // Beyond the lease of the old one.
        let until = Instant::now() + Duration::from_secs(4);
        while let Ok(Some(next)) = tokio::time::timeout_at(until.into(), follower.changed()).await {
            assert_eq!(next.len(), 2, "the node was absent: {next:?}");
        }
        load.end().await;
    });
}
