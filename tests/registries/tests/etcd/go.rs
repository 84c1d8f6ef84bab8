//! What only etcd has between Go's programs and ours.

use crate::support::{Registry, addresses, client, discovery, eventually, multiply, run, until_entry, until_seen};
use rpcx_registries::etcd::Etcd;
use rpcx_registries::suite::peers::{go_client, go_server, until_called};
use rpcx_registries::suite::support::server_process;

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
fn a_go_client_that_takes_a_missing_key_for_an_empty_list_follows_our_server() {
    run(async {
        let etcd = Etcd::start();
        let mut go = go_client(&etcd, &["-allow-key-not-found"]);
        go.hear("nothing", |line| line == "initial 0 []");
        let (mut server, at) = server_process(rpcx_registries::rust!(), &etcd.url("/rpcx_test", ""), &[]);
        go.hear("our server", |line| line == format!("push 1 [{at} ()]"));
        until_called(&mut go, "call 42 <nil>");
        server.finish();
        go.hear("the empty list", |line| line == "push 0 []");
    });
}
