//! What happens between client and server: silence, resets, slowness, and frames that are cut.

use crate::support::{all_fail, call, client, comes_down, ms, raw, recovers, run, victim, waiting};
use rpcx::error::{Delivery, Error, Reason};
use rpcx_faults::{Fault, Proxy, held};
use std::time::Instant;

#[test]
fn every_fault_of_the_way_ends_calls_in_time_and_passes() {
    run(async {
        let server = victim(&["write_timeout=500ms"]);
        let proxy = Proxy::start(server.address()).await.unwrap();
        let client = client(&proxy.url()).build().unwrap();
        let service = raw(&client);
        assert!(call(&service, "Echo", b"").await.is_ok());
        let (ours, its) = (held(std::process::id()).unwrap(), held(server.id()).unwrap());
        let silent = |error: &Error| matches!(error.reason(), Reason::ClosedStuck | Reason::ClosedHeartbeat);
        let lost = |error: &Error| matches!(error.reason(), Reason::ClosedRemote | Reason::ClosedReset);
        for round in 0..3 {
            for (fault, limit, expected) in [
                (Fault::Stall, ms(400), &silent as &dyn Fn(&Error) -> bool),
                (Fault::HalfOpen, ms(400), &silent),
                (Fault::Reset, ms(0), &lost),
                (Fault::CutAfter(0), ms(200), &lost),
            ] {
                let calls = waiting(&service, 10).await;
                proxy.set(fault);
                all_fail(calls, Instant::now() + limit, expected).await;
                proxy.set(Fault::None);
                recovers(&service).await;
                println!("round {round}: {fault:?} passed");
            }
        }
        comes_down(std::process::id(), ours, 16 << 10).await;
        comes_down(server.id(), its, 16 << 10).await;
    });
}

#[test]
fn slow_ways_lose_nothing() {
    run(async {
        let server = victim(&[]);
        let proxy = Proxy::start(server.address()).await.unwrap();
        let client =
            client(&proxy.url()).option("stuck_timeout", "2s").option("heartbeat_timeout", "3s").build().unwrap();
        let service = raw(&client);
        for (fault, size) in
            [(Fault::Delay(ms(20)), 100_000), (Fault::Throttle(2 << 20), 300_000), (Fault::OneByte, 3000)]
        {
            proxy.set(fault);
            let payload: Vec<u8> = (0..size).map(|i: u32| (i ^ (i >> 8)) as u8).collect();
            let calls = (0..5).map(|_| {
                let (service, payload) = (service.clone(), payload.clone());
                tokio::spawn(async move { call(&service, "Echo", &payload).await.map(|answer| answer == payload) })
            });
            for call in calls.collect::<Vec<_>>() {
                assert!(call.await.unwrap().unwrap(), "{fault:?}");
            }
        }
    });
}

#[test]
fn a_frame_that_is_cut_is_no_answer() {
    run(async {
        let server = victim(&[]);
        for bytes in [1, 15, 16, 20, 40, 1000] {
            let proxy = Proxy::start(server.address()).await.unwrap();
            let client = client(&proxy.url()).option("heartbeat_interval", "0").build().unwrap();
            let service = raw(&client);
            assert!(call(&service, "Echo", b"").await.is_ok());
            proxy.set(Fault::CutAfter(bytes));
            let error = call(&service, "Many", &5000_u32.to_be_bytes()).await.unwrap_err();
            assert_eq!((error.reason(), error.delivery()), (Reason::ClosedRemote, Delivery::MaybeRun), "{bytes}");
            proxy.set(Fault::None);
            assert_eq!(call(&service, "Many", &5000_u32.to_be_bytes()).await.unwrap().len(), 5000);
        }
    });
}
