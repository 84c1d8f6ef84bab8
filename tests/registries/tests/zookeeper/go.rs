//! What only ZooKeeper has between Go's programs and ours.

use crate::support::{
    Duration, Instant, Registry, addresses, discovery, eventually, multiply, run, seen, server_process, until_entry,
    until_seen,
};
use rpcx_registries::suite::peers::{go_client, go_server, until_called};
use rpcx_registries::suite::support::client;
use rpcx_registries::zookeeper::ZooKeeper;

#[test]
fn a_go_client_sees_an_operators_edit_since_our_server_puts_the_node_there_again() {
    run(async {
        let registry = ZooKeeper::start();
        let url = registry.url("/rpcx_test", "update_interval=1h");
        let (mut server, at) = server_process(rpcx_registries::rust!(), &url, &["metadata=weight=7"]);
        let node = format!("/rpcx_test/Arith/{at}");
        let mut go = go_client(&registry, &[]);
        go.hear("our server", |line| line == format!("initial 1 [{at} (weight=7)]"));
        for (state, answer) in [("inactive", "can not found any server"), ("active", "call 42 <nil>")] {
            let before = until_entry(&registry, &node, |_| true).await;
            registry.write(&node, &format!("state={state}&weight=7")).await;
            go.hear("the edit", |line| line.starts_with("push 1 ") && line.contains(&format!("state={state}")));
            until_called(&mut go, answer);
            let after = until_entry(&registry, &node, |entry| entry.stat.created > before.stat.created).await;
            assert_eq!(after.stat.owner, before.stat.owner);
        }
        server.finish();
        go.hear("the empty list", |line| line == "push 0 []");
    });
}

#[test]
fn a_killed_go_server_leaves_with_its_session() {
    run(async {
        let registry = ZooKeeper::start();
        let url = registry.url("/rpcx_test", "");
        let discovery = discovery(&url);
        let arith = discovery.watch("Arith");
        let (mut killed, at) = go_server(&registry, &["-update", "500ms"]);
        eventually("the node", async || addresses(&arith) == [at.clone()]).await;
        assert_eq!(multiply(&client::<ZooKeeper>(&url)).await.unwrap(), 42);
        killed.process().kill();
        let took = until_seen(&arith, "live").await;
        println!("a killed Go server was gone after {took:.1?} of a session of 10 s");
        assert!(took < Duration::from_secs(20), "{took:?}");
    });
}

#[test]
fn go_and_we_share_a_registry_that_loses_its_data_and_grows_again() {
    run(async {
        let mut registry = ZooKeeper::start();
        let url = registry.url("/rpcx_test", "update_interval=1s&max_reconnect_interval=500ms");
        let (_ours, at) = server_process(rpcx_registries::rust!(), &url, &["metadata=weight=7"]);
        let (_go, go_at) = go_server(&registry, &["-update", "1s"]);
        let mut expected = vec![at.clone(), go_at.clone()];
        expected.sort();
        let discovery = discovery(&url);
        let arith = discovery.watch("Arith");
        eventually("both servers", async || addresses(&arith) == expected).await;
        let caller = client::<ZooKeeper>(&url);
        let mut follower = go_client(&registry, &[]);
        follower.hear("both servers", |line| line.starts_with("initial 2 [") || line.starts_with("push 2 ["));
        registry.daemon_mut().down();
        registry.daemon().wipe();
        registry.daemon_mut().up();
        let began = Instant::now();
        until_entry(&registry, &format!("/rpcx_test/Arith/{at}"), |_| true).await;
        println!("our node was back after {:.1?}", began.elapsed());
        // Go's programs are let in only when the registry has grown beyond what they know.
        let go_node = format!("/rpcx_test/Arith/{go_at}");
        eventually("Go's node", async || {
            registry.write("/other", &format!("{:?}", began.elapsed())).await;
            !registry.entries(&go_node).await.is_empty()
        })
        .await;
        println!("Go's node was back after {:.1?}", began.elapsed());
        eventually("both servers, live", async || addresses(&arith) == expected && seen(&arith).ends_with("live"))
            .await;
        assert_eq!(multiply(&caller).await.unwrap(), 42);
    });
}
