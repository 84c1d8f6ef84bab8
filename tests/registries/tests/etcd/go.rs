//! Go's servers with our clients, and our servers with Go's clients.

use crate::support::{
    Duration, LIMIT, Talker, addresses, client, discovery, eventually, run, seen, server_process, until_entry,
    until_seen, without_means,
};
use rpcx_registries::etcd::Etcd;
use rpcx_registries::go;
use serde_json::{Value, json};

fn go_server(etcd: &Etcd, options: &[&str]) -> (Talker, String) {
    let host = etcd.host();
    let mut talker = go::start("etcd", &[&["-etcd", &host], options, &["serve"]].concat());
    let line = talker.hear("its address", |line| line.starts_with("serving "));
    (talker, line["serving ".len()..].to_owned())
}

/// A Go client of the first service that says something new after each `tell`.
fn go_client(etcd: &Etcd, options: &[&str]) -> Talker {
    let host = etcd.host();
    go::start("etcd", &[&["-etcd", &host], options, &["client"]].concat())
}

async fn multiply(client: &rpcx::Client) -> rpcx::Result<i64> {
    let product: Value = client.service("Arith")?.call("Mul", &json!({"A": 6, "B": 7})).await?;
    Ok(product["C"].as_i64().unwrap_or_default())
}

#[test]
fn our_client_follows_a_go_server_from_its_start_to_its_end() {
    run(async {
        let etcd = Etcd::start();
        for base in ["/rpcx_test", "rpcx_test"] {
            let url = etcd.url(base, "empty_hold=60s");
            let discovery = discovery(&url);
            let (arith, second) = (discovery.watch("Arith"), discovery.watch("Arith2"));
            until_seen(&arith, "live").await;
            // A service that Go registers last appears with its first update.
            let (mut go, at) = go_server(&etcd, &["-base", base, "-update", "1s"]);
            for watch in [&arith, &second] {
                eventually("the node", async || addresses(watch) == [at.clone()]).await;
                eventually("its means", async || seen(watch).contains("calls")).await;
                assert_eq!(
                    without_means(seen(watch).split(['?', ' ']).nth(1).unwrap()),
                    "calls=*&connections=*&group=g1&weight=7"
                );
            }
            assert_eq!(multiply(&client(&url)).await.unwrap(), 42);
            let node = format!("{base}/Arith/{at}");
            etcd.put(&node, "group=g1&state=inactive&weight=3", None).await;
            eventually("the edit", async || seen(&arith).contains("state=inactive&weight=3")).await;
            assert_eq!(multiply(&client(&url)).await.unwrap_err().reason(), rpcx::Reason::NoServerNoneEligible);
            go.finish();
            go.hear("its end", |line| line == "unregistered");
            until_seen(&arith, "live").await;
            until_seen(&second, "live").await;
        }
    });
}

#[test]
fn our_client_reads_the_single_layout_and_sees_a_killed_go_server_go() {
    run(async {
        let etcd = Etcd::start();
        let url = etcd.url("/rpcx_test", "");
        let discovery = discovery(&url);
        let arith = discovery.watch("Arith");
        let (mut single, at) = go_server(&etcd, &["-single"]);
        eventually("the node", async || addresses(&arith) == [at.clone()]).await;
        assert_eq!(multiply(&client(&url)).await.unwrap(), 42);
        single.finish();
        single.hear("its end", |line| line == "unregistered");
        until_seen(&arith, "live").await;
        let (mut killed, at) = go_server(&etcd, &["-update", "500ms"]);
        eventually("the node", async || addresses(&arith) == [at.clone()]).await;
        let lease = until_entry(&etcd, &format!("/rpcx_test/Arith/{at}"), |_| true).await.lease;
        killed.process().kill();
        // Go's lease is of 30 s, whatever the options say; here it is not waited for.
        etcd.client(None).await.lease_revoke(lease).await.unwrap();
        until_seen(&arith, "live").await;
    });
}

#[test]
fn a_go_client_follows_our_server_from_its_start_to_its_end() {
    run(async {
        let etcd = Etcd::start();
        for (base, missing) in [("/rpcx_test", "true"), ("rpcx_test", "false")] {
            let url = etcd.url(base, "update_interval=1s&ttl=2s");
            let (mut ours, at) = server_process(&url, &["metadata=weight=7&group=g1"]);
            let mut go = go_client(&etcd, &["-base", base, &format!("-allow-key-not-found={missing}")]);
            let node = format!("{base}/Arith/{at}");
            go.hear("the first list", |line| {
                line == format!("initial 1 [{at} (weight=7&group=g1)]")
                    || line.starts_with("initial 1 [") && line.contains("group=g1&weight=7")
            });
            go.tell("call");
            go.hear("an answer", |line| line == "call 42 <nil>");
            go.hear("an update", |line| {
                line.contains("calls=") && line.contains("connections=") && line.contains("group=g1&weight=7")
            });
            etcd.put(&node, "group=g1&state=inactive&weight=7", Some(30)).await;
            go.hear("the edit after our update", |line| line.contains("calls=") && line.contains("state=inactive"));
            go.tell("call");
            go.hear("no server", |line| line.contains("can not found any server"));
            etcd.put(&node, "group=g1&state=active&weight=7", Some(30)).await;
            go.hear("the edit after our update", |line| line.contains("calls=") && line.contains("state=active"));
            go.tell("call");
            go.hear("an answer", |line| line == "call 42 <nil>");
            ours.finish();
            ours.hear("its end", |line| line == "ended");
            go.hear("the empty list", |line| line == "push 0 []");
            // Killed: also then Go's client sees nothing left, since the service's key stays.
            let (mut ours, at) = server_process(&url, &[]);
            go.hear("the next server", |line| line.contains(&at));
            ours.process().kill();
            go.hear("the empty list", |line| line == "push 0 []");
            go.tell("call");
            go.hear("no server", |line| line.contains("can not found any server"));
        }
    });
}

#[test]
fn go_and_we_share_a_service_and_a_registry_that_loses_its_data() {
    run(async {
        let mut etcd = Etcd::start();
        let url = etcd.url("/rpcx_test", "update_interval=1s&ttl=10s&max_reconnect_interval=500ms");
        let (_ours, at) = server_process(&url, &["metadata=weight=7"]);
        let (_go, go_at) = go_server(&etcd, &["-update", "1s"]);
        let discovery = discovery(&url);
        let arith = discovery.watch("Arith");
        let both = |watch| {
            let (mut found, mut expected) = (addresses(watch), vec![at.clone(), go_at.clone()]);
            found.sort();
            expected.sort();
            found == expected
        };
        eventually("both servers", async || both(&arith)).await;
        let client = client(&url);
        for _ in 0..4 {
            assert_eq!(multiply(&client).await.unwrap(), 42);
        }
        let mut follower = go_client(&etcd, &[]);
        follower.hear("both servers", |line| line.starts_with("initial 2 [") || line.starts_with("push 2 ["));
        etcd.down();
        etcd.wipe();
        etcd.up();
        let began = std::time::Instant::now();
        eventually("our node", async || !etcd.entries(&format!("/rpcx_test/Arith/{at}")).await.is_empty()).await;
        println!("our node was back after {:.1?}", began.elapsed());
        eventually("Go's node", async || !etcd.entries(&format!("/rpcx_test/Arith/{go_at}")).await.is_empty()).await;
        println!("Go's node was back after {:.1?}", began.elapsed());
        eventually("both servers, live", async || both(&arith) && seen(&arith).ends_with("live")).await;
        assert!(began.elapsed() < LIMIT + Duration::from_secs(1));
        assert_eq!(multiply(&client).await.unwrap(), 42);
    });
}
