//! What only Redis has between Go's programs and ours.

use crate::support::{Duration, Registry, addresses, discovery, eventually, run, seen, until_entry};
use rpcx_registries::redis::Redis;
use rpcx_registries::suite::peers::{go_client, go_server, until_called};
use rpcx_registries::suite::support::server_process;

#[test]
fn a_killed_go_server_leaves_after_twice_its_interval() {
    run(async {
        let redis = Redis::start();
        let discovery = discovery(&redis.url("/rpcx_test", ""));
        let arith = discovery.watch("Arith");
        let (mut go, at) = go_server(&redis, &["-update", "1s"]);
        eventually("the node", async || addresses(&arith) == [at.clone()]).await;
        go.process().kill();
        let took = eventually("it leaves", async || seen(&arith) == "live").await;
        println!("a killed Go server left the list after {took:.1?} of 2 s");
        assert!(took < Duration::from_secs(4), "{took:?}");
    });
}

#[test]
fn a_go_client_takes_other_services_for_servers_whoever_wrote_them() {
    run(async {
        let redis = Redis::start();
        let (mut ours, at) = server_process(
            rpcx_registries::rust!(),
            &redis.url("/rpcx_test", "update_interval=1h"),
            &["metadata=weight=7"],
        );
        let all = "/rpcx_test/Arith2";
        let mut go = go_client(&redis, &["-as-is"]);
        // As the vectors have it of Go's own server.
        let expected = format!("3 [{all} (Arith2) | {all}/{at} (weight=7) | {at} (weight=7)]");
        go.hear("what Go sees", |line| line == format!("initial {expected}"));
        // One whose name begins like no other's.
        let mut second = go_client(&redis, &["-services", "Arith2"]);
        second.hear("one node", |line| line == format!("initial 1 [{at} (weight=7)]"));
        ours.finish();
        ours.hear("its end", |line| line == "ended");
        go.hear("only the other service's key", |line| line == format!("push 1 [{all} (Arith2)]"));
        second.hear("the empty list", |line| line == "push 0 []");
    });
}

#[test]
fn a_go_client_goes_on_while_our_server_renews_and_restores() {
    run(async {
        let redis = Redis::start();
        let (_ours, at) = server_process(
            rpcx_registries::rust!(),
            &redis.url("/rpcx_test", "update_interval=500ms&ttl=1s"),
            &["metadata=k=a b/c&d=\u{e9}&e="],
        );
        let mut go = go_client(&redis, &[]);
        go.hear("an update", |line| line.contains("&d=%C3%A9&e=&k=a+b%2Fc)") && line.contains("calls="));
        let node = format!("//rpcx_test/Arith/{at}");
        // Something nobody can read, for a moment, ends a Go client's watch; anything else does not.
        for _ in 0..3 {
            redis.delete("/rpcx_test", "Arith", &at).await;
            until_entry(&redis, &node, |_| true).await;
            go.hear("it is back", |line| line.contains(&at));
            until_called(&mut go, "call 42 <nil>");
        }
    });
}
