//! Several servers: which of them a call goes to.

use crate::support::{Over, Probe, WithProbe, raw, run, url};
use bytes::Bytes;
use rpcx::client::CallOptions;
use std::collections::BTreeMap;

/// A server that was selected is called, also when the connection to it must be opened first: selecting again instead would
/// skip it for ever where every second turn falls on it.
#[test]
fn taking_turns_reaches_every_server_equally() {
    for over in Over::ALL {
        run(async {
            let one = over.way();
            let two = one.clone().another();
            let servers = [
                one.server().with_probe(&Probe::new()).start().await.unwrap(),
                two.server().with_probe(&Probe::new()).start().await.unwrap(),
            ];
            let list = format!("multiple://{},{}", url(&servers[0]), url(&servers[1]));
            let client = one.client(list).build().unwrap();
            let service = raw(&client);
            let mut calls = BTreeMap::new();
            for _ in 0..20 {
                let options = CallOptions::new();
                let answer = service.call_with::<_, Bytes>("Echo", &b"x"[..], &options).await.unwrap();
                *calls.entry(answer.server.to_string()).or_insert(0) += 1;
            }
            assert_eq!(calls, BTreeMap::from_iter(servers.iter().map(|server| (url(server), 10))), "{over:?}");
        });
    }
}
