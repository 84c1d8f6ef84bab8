//! Three servers that are restarted one after the other.

use crate::support::{Instant, LIMIT, address, discovery, eventually, run, server, until_seen};
use librpcx_zookeeper::wire::Change;
use rpcx_registries::wait::until;
use rpcx_registries::zookeeper::quorum::Quorum;

#[test]
fn sessions_go_on_at_another_server_while_each_is_restarted() {
    run(async {
        let mut quorum = Quorum::start().await;
        // What is empty soon after a reconnect is believed only after the hold.
        let options = "ttl=30s&update_interval=1h&max_reconnect_interval=500ms&empty_hold=1s";
        let url = format!("zookeeper://{}/three?{options}", quorum.hosts());
        let server = server(&url, &[("metadata", "weight=7")]).await;
        let at = address(&server);
        let node = format!("/three/Arith/{at}");
        let discovery = discovery(&url);
        let watch = discovery.watch("Arith");
        until_seen(&watch, &format!("{at}?weight=7 live")).await;
        let owner = quorum.session().await.stat(&node, false).await.unwrap().expect("the node").owner;
        for index in 0..3 {
            quorum.member(index).down();
            let began = Instant::now();
            // Whether the server and its watches are back shows when somebody removes the node.
            let session = quorum.session().await;
            let removed = session.change(Change::Delete(&node, -1)).await.unwrap();
            assert_eq!(removed, Ok(()));
            let find = async || session.stat(&node, false).await.ok()?.ok();
            let (again, _) = until("the node", find).await;
            println!("without server {index}: removed and there again after {:.1?}", began.elapsed());
            assert_eq!(again.owner, owner, "the same session");
            until_seen(&watch, &format!("{at}?weight=7 live")).await;
            quorum.member(index).up();
            eventually("it serves again", async || quorum.serves(index)).await;
        }
        server.shutdown(LIMIT).await.unwrap();
        let left = quorum.session().await.stat(&node, false).await.unwrap();
        assert!(left.is_err(), "{left:?}");
        until_seen(&watch, "live").await;
    });
}
