//! Several servers: which of them a call goes to.

use crate::support::{Over, Probe, WithProbe, raw, run, url};
use bytes::Bytes;
use rpcx::Context;
use rpcx::client::CallOptions;
use rpcx::error::{Delivery, Result};
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

/// Whether a call that may have run is tried again is asked of the call first, then of its client.
#[test]
fn a_call_says_itself_whether_it_may_run_twice() {
    let way = Over::Tcp.way();
    for (client, call, attempts) in
        [("false", None, 1), ("true", None, 2), ("false", Some("true"), 2), ("true", Some("false"), 1)]
    {
        run(async {
            let server = way.server().with_probe(&Probe::new()).raw("T", "Drop", hang_up).start().await.unwrap();
            let client = way.client(url(&server)).option("retries", "1").option("retry_maybe_run", client);
            let service = raw(&client.build().unwrap());
            let options = CallOptions::new();
            let options = match call {
                Some(value) => options.set("retry_maybe_run", value).unwrap(),
                None => options,
            };
            let error = service.call_with::<_, Bytes>("Drop", &b""[..], &options).await.err().unwrap();
            assert_eq!((error.delivery(), error.attempts()), (Delivery::MaybeRun, attempts), "{call:?}: {error:?}");
        });
    }
}

async fn hang_up(ctx: Context, _payload: Bytes) -> Result<Bytes> {
    ctx.connection().close();
    Ok(Bytes::new())
}
