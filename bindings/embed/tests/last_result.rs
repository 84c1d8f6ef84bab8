//! The last result of all: nothing else holds the shards, which end with the batch that brings it.

use std::sync::mpsc;
use std::time::Duration;

use rpcx_embed::{ErrorKind, Queue, ServerBuilder, ServerConfig};

#[test]
fn a_queue_is_announced_though_its_shard_ends() {
    let (woken, wakes) = mpsc::channel();
    let queue = Queue::new(move || woken.send(()).unwrap());
    let results = queue.clone();
    let builder = ServerBuilder::new(ServerConfig { listen: vec!["bad@nowhere:0".into()], ..ServerConfig::default() });
    builder.start(move |server| results.push(server.map(drop))).unwrap();

    wakes.recv_timeout(Duration::from_secs(10)).expect("the queue is announced");
    let mut batch = Vec::new();
    queue.drain(&mut batch, usize::MAX);
    assert_eq!(batch.pop().unwrap().unwrap_err().kind(), ErrorKind::Config);
}
