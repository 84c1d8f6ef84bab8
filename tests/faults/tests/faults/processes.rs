//! A server process that is killed, or stopped.

use crate::support::{MARGIN, all_fail, call, client, ms, raw, recovers, run, victim, waiting};
use bytes::Bytes;
use rpcx::client::CallOptions;
use rpcx::error::{Delivery, ErrorKind, Reason};
use std::time::Instant;

#[test]
fn a_killed_server_fails_its_calls_at_once_and_its_successor_is_found() {
    run(async {
        let mut first = victim(&[]);
        let client = client(first.address()).build().unwrap();
        let service = raw(&client);
        let calls = waiting(&service, 100).await;
        first.kill().unwrap();
        all_fail(calls, Instant::now(), |error| matches!(error.reason(), Reason::ClosedRemote | Reason::ClosedReset))
            .await;
        let error = call(&service, "Echo", b"").await.unwrap_err();
        assert_eq!((error.kind(), error.delivery()), (ErrorKind::Connect, Delivery::NotSent), "{error:?}");
        let _second = victim(&[&format!("bind={}", first.address())]);
        recovers(&service).await;
    });
}

#[test]
fn a_stopped_server_is_stuck_and_serves_again_when_it_goes_on() {
    run(async {
        let server = victim(&[]);
        let client = client(server.address()).build().unwrap();
        let service = raw(&client);
        let calls = waiting(&service, 20).await;
        server.signal("STOP").unwrap();
        // Asked after 100 ms of silence, given up 300 ms later; or 200 ms twice.
        all_fail(calls, Instant::now() + ms(400), |error| {
            matches!(error.reason(), Reason::ClosedStuck | Reason::ClosedHeartbeat)
        })
        .await;
        // The system still takes connections for a process that is stopped: a call there ends like the others.
        let began = Instant::now();
        let error = call(&service, "Echo", b"").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error:?}");
        assert!(began.elapsed() < ms(400) + MARGIN);
        let soon = CallOptions::new().timeout(ms(50));
        let error = service.call_with::<_, Bytes>("Echo", &b""[..], &soon).await.unwrap_err();
        assert_eq!(error.reason(), Reason::TimeoutCall, "{error:?}");
        server.signal("CONT").unwrap();
        recovers(&service).await;
    });
}
