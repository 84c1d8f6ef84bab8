//! Several servers: which of them a call goes to.

use crate::support::{Over, Probe, WithProbe, ms, raw, run, url};
use bytes::Bytes;
use rpcx::client::CallOptions;
use std::collections::BTreeMap;
use std::time::Instant;

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

/// Every server here is near, so that measuring them makes them alike; before it they are alike too.
#[test]
fn servers_are_measured_beside_the_calls() {
    for over in Over::ALL {
        run(async {
            let one = over.way();
            let two = one.clone().another();
            let probe = Probe::new();
            let servers = [
                one.server().with_probe(&probe).start().await.unwrap(),
                two.server().with_probe(&probe).start().await.unwrap(),
            ];
            let list = format!("multiple://{},{}", url(&servers[0]), url(&servers[1]));
            let options = [("select_mode", "weighted_icmp"), ("ping_interval", "1s")];
            let builder = options.iter().fold(one.client(list), |builder, (name, value)| builder.option(name, value));
            let client = builder.build().unwrap();
            let service = raw(&client);
            let mut calls = BTreeMap::new();
            let until = Instant::now() + ms(1_200);
            // Some before the servers are measured, some between, some after the second time.
            while Instant::now() < until {
                let options = CallOptions::new();
                let answer = service.call_with::<_, Bytes>("Echo", &b"x"[..], &options).await.unwrap();
                *calls.entry(answer.server.to_string()).or_insert(0) += 1;
                tokio::time::sleep(ms(5)).await;
            }
            assert_eq!(calls.len(), 2, "{over:?}: {calls:?}");
            let (least, most) = (calls.values().min().unwrap(), calls.values().max().unwrap());
            assert!(most - least <= 4, "{over:?}: {calls:?}");
        });
    }
}
