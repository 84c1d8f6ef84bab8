//! Many nodes, of which few change: the work that follows is for those few.

use crate::support::{run, url, who};
use rpcx::client::CallOptions;
use rpcx::discovery::{Discovery, Multiple, Node, NodeChange};
use rpcx::{Client, Result};
use std::sync::Arc;

const NODES: usize = 10_000;

/// As a registry lists them: fresh text each time.
fn list(changed: Option<usize>) -> Vec<Node> {
    let node = |index: usize| {
        let weight = if changed == Some(index) { 9 } else { 1 };
        format!("tcp@10.{}.{}.1:8972?weight={weight}&group=a", index / 250, index % 250).parse().unwrap()
    };
    (0..NODES).map(node).collect()
}

/// Between an old list and a new one only the changed node is another one in memory; nobody downstream compares text.
#[test]
fn an_update_replaces_only_the_node_that_changed() {
    let discovery = Multiple::new(list(None));
    let watch = discovery.watch("Who");
    let before = watch.latest();
    discovery.update(list(Some(777)));
    let after = watch.latest();
    let diff = after.diff(&before);
    assert_eq!((diff.added.len(), diff.removed.len(), diff.changed.len()), (0, 0, 1));
    let fresh = |(new, old): &(&Node, &Node)| !std::ptr::eq(new.address(), old.address());
    assert_eq!(after.nodes().iter().zip(before.nodes()).filter(fresh).count(), 1);
    assert_eq!(after.nodes()[diff.changed[0]].metadata().weight(), 9);
    // One step instead of a list: the same again.
    let changed = after.nodes()[4321].address().to_owned() + "?weight=5";
    discovery.change([NodeChange::Set(changed.parse().unwrap())]);
    let last = watch.latest();
    assert_eq!(last.diff(&after).changed, [4321]);
    assert_eq!(last.nodes().iter().zip(after.nodes()).filter(fresh).count(), 1);
}

/// One real server among them: whatever changes around it, its connection stays and calls go on.
#[test]
fn servers_that_stay_keep_their_connections() {
    run(async {
        let server = who("here").start().await.unwrap();
        let with_server =
            |changed| list(changed).into_iter().chain([url(&server).parse().unwrap()]).collect::<Vec<_>>();
        let discovery = Arc::new(Multiple::new(with_server(None)));
        let client = Client::builder().discovery(discovery.clone()).build().unwrap();
        let service = client.service("Who").unwrap();
        for changed in 0..5 {
            let options = CallOptions::new().target(url(&server));
            let answer: Result<_> = service.call_with("Am", &(), &options).await;
            let name: String = answer.unwrap().value;
            assert_eq!(name, "here");
            discovery.update(with_server(Some(changed)));
            discovery.change([NodeChange::Remove(list(None)[changed].shared_address())]);
        }
        assert_eq!(server.stats().connections.opened, 1);
    });
}
