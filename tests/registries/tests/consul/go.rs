//! What only Consul has between Go's programs and ours.

use crate::support::{
    Duration, Instant, LIMIT, Registry, address, addresses, discovery, eventually, run, server, until_entry, until_seen,
};
use rpcx::server::Shutdown;
use rpcx_registries::consul::Consul;
use rpcx_registries::suite::peers::go_server;

#[test]
fn our_client_sees_a_killed_go_server_go() {
    run(async {
        let consul = Consul::start();
        let discovery = discovery(&consul.url("/rpcx_test", "empty_hold=60s"));
        let arith = discovery.watch("Arith");
        let (mut go, at) = go_server(&consul, &["-update", "1s"]);
        eventually("the node", async || addresses(&arith) == [at.clone()]).await;
        go.process().kill();
        let took = until_seen(&arith, "live").await;
        println!("a killed Go server left after {took:.1?}; its sessions are of 2 s");
        assert!(took < Consul::GONE, "{took:?}");
    });
}

#[test]
fn a_go_server_at_our_address_goes_on_with_our_session() {
    run(async {
        let consul = Consul::start();
        let (_go, at) = go_server(&consul, &["-update", "500ms"]);
        let node = format!("rpcx_test/Arith/{at}");
        let first = until_entry(&consul, &node, |entry| entry.session.is_some()).await;
        // Ours takes the node over, with the address of theirs.
        let url = consul.url("/rpcx_test", "ttl=2s&update_interval=1h");
        let ours = server(&url, &[("metadata", "version=2"), ("advertise", &at)]).await;
        let taken = until_entry(&consul, &node, |entry| entry.session != first.session).await;
        assert!(taken.value.contains("version=2"), "{taken:?}");
        let shared = until_entry(&consul, &node, |entry| entry.value.contains("calls=")).await;
        assert_eq!(shared.session, taken.session, "Go writes it on");
        ours.shutdown(Shutdown::within(LIMIT).keep_registered()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(4)).await;
        let kept = until_entry(&consul, &node, |_| true).await;
        assert_eq!(kept.session, taken.session, "and renews it");
    });
}

#[test]
fn a_go_predecessor_that_unregisters_costs_a_moment() {
    run(async {
        let consul = Consul::start();
        let (mut go, at) = go_server(&consul, &["-update", "1s"]);
        let url = consul.url("/rpcx_test", "update_interval=1h");
        let ours = server(&url, &[("metadata", "version=2"), ("advertise", &at)]).await;
        let node = format!("rpcx_test/Arith/{at}");
        let taken = until_entry(&consul, &node, |entry| entry.value.contains("version=2")).await;
        go.finish();
        go.hear("its end", |line| line == "unregistered");
        let began = Instant::now();
        let again = until_entry(&consul, &node, |entry| entry.value == "version=2").await;
        println!("what Go deleted was there again after {:.1?}", began.elapsed());
        assert!(again.index >= taken.index && began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert!(address(&ours).starts_with("tcp@"));
        ours.shutdown(LIMIT).await.unwrap();
        assert!(consul.entries(&node).await.is_empty());
    });
}
