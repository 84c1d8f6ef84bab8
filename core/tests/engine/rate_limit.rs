//! The request rate limit: what is refused and how, whose rate it is, and requests that wait for their turn.

use crate::peer::{Peer, error_text, frame, request};
use crate::support::{Over, Probe, WithProbe, assert_failed, call, eventually, ms, raw, run, url};
use rpcx::client::CallOptions;
use rpcx::error::{Delivery, Reason};
use rpcx::protocol::{Header, SerializeType};
use rpcx::server::ServerBuilder;
use std::time::Instant;

/// A server that lets `burst` requests pass and then hardly any.
fn limited(over: Over, probe: &Probe, option: &str) -> (crate::support::Way, ServerBuilder) {
    let way = over.way();
    let builder = way.server().with_probe(probe).raw("Other", "Echo", crate::support::echo);
    // Three in 3,000 s.
    (way.clone(), builder.option(option, "0.001").option("rate_limit.burst", "50m"))
}

#[test]
fn requests_above_the_rate_are_refused_and_were_not_run() {
    for over in Over::ALL {
        run(async {
            let probe = Probe::new();
            let (way, builder) = limited(over, &probe, "rate_limit.requests");
            let server = builder.start().await.unwrap();
            let client = way.client(url(&server)).option("retries", "0").build().unwrap();
            let service = raw(&client);
            for _ in 0..3 {
                call(&service, "Echo", b"x").await.unwrap_or_else(|error| panic!("{over:?}: {error:?}"));
            }
            let error = assert_failed(call(&service, "Echo", b"x").await, Reason::OverloadServer, Delivery::Answered);
            assert_eq!(error.message(), "request reached rate limit");
            assert!(error.is_retryable(false), "no handler was started: another server may be asked");
            assert_eq!(server.stats().errors.of_reason(Reason::OverloadRate), 1);
        });
    }
}

#[test]
fn a_refused_call_goes_to_another_server() {
    run(async {
        let way = Over::Tcp.way();
        let (_, builder) = limited(Over::Tcp, &Probe::new(), "rate_limit.requests");
        let server = builder.start().await.unwrap();
        let free = way.server().with_probe(&Probe::new()).start().await.unwrap();
        let urls = format!("multiple://{},{}", url(&server), url(&free));
        let client = way.client(urls).option("select_mode", "round_robin").build().unwrap();
        for _ in 0..20 {
            call(&raw(&client), "Echo", b"x").await.unwrap();
        }
        assert_eq!((server.stats().calls, free.stats().calls), (3, 17));
    });
}

/// A peer without the hello, as Go's: it gets the text that Go's clients compare. Heartbeats and their hello are free; a
/// oneway request is dropped without a word.
#[test]
fn a_peer_that_knows_no_codes_gets_gos_text() {
    run(async {
        let probe = Probe::new();
        let (way, builder) = limited(Over::Tcp, &probe, "rate_limit.requests");
        let server = builder.start().await.unwrap();
        let mut peer = Peer::dial(&way, &url(&server)).await;
        for seq in 1..=4 {
            peer.send(&request(seq, "Echo", b"x", &[])).await;
            let answer = peer.frame().await.unwrap();
            let text = if seq == 4 { "request reached rate limit" } else { "" };
            assert_eq!((answer.header().seq, error_text(&answer).as_str()), (seq, text));
            assert!(answer.metadata_get("__rpcx_code").is_none());
        }
        peer.send(&frame(Header::request(SerializeType::RAW, 5).with_oneway(true), "Hold", b"", &[])).await;
        assert!(peer.hello().await.header().is_heartbeat(), "the connection goes on");
        peer.send(&request(6, "Echo", b"x", &[])).await;
        let answer = peer.frame().await.unwrap();
        assert_eq!(answer.metadata_get("__rpcx_not_run"), Some("1"), "said to a peer that knows codes");
        assert_eq!((probe.started(), server.stats().errors.of_reason(Reason::OverloadRate)), (0, 3));
    });
}

#[test]
fn a_client_has_a_rate_of_its_own_over_all_its_connections() {
    run(async {
        let (way, builder) = limited(Over::Tcp, &Probe::new(), "rate_limit.requests_per_peer");
        let server = builder.start().await.unwrap();
        let mut served = 0;
        for _ in 0..5 {
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.send(&request(1, "Echo", b"x", &[])).await;
            served += usize::from(error_text(&peer.frame().await.unwrap()).is_empty());
        }
        assert_eq!(served, 3, "connecting anew gains nothing");
    });
}

#[test]
fn a_service_has_a_rate_of_its_own_under_every_name() {
    run(async {
        let way = Over::Tcp.way();
        let builder = way.server().with_probe(&Probe::new()).raw("Other", "Echo", crate::support::echo);
        let builder = builder.alias("Alias", "Echo", "T", "Echo").option("rate_limit.services", "T=0.001");
        let server = builder.option("rate_limit.burst", "50m").start().await.unwrap();
        let client = way.client(url(&server)).option("retries", "0").build().unwrap();
        let alias = client.service("Alias").unwrap().raw();
        for _ in 0..3 {
            call(&alias, "Echo", b"x").await.unwrap();
        }
        for service in [&alias, &raw(&client)] {
            assert_failed(call(service, "Echo", b"x").await, Reason::OverloadServer, Delivery::Answered);
        }
        let other = client.service("Other").unwrap().raw();
        for _ in 0..10 {
            call(&other, "Echo", b"x").await.unwrap();
        }
    });
}

#[test]
fn requests_wait_for_their_turn_if_they_shall() {
    for over in [Over::Tcp, Over::Tls] {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let builder = way.server().with_probe(&probe).option("rate_limit.request_policy", "block");
            let builder = builder.option("rate_limit.requests", "50").option("rate_limit.burst", "0");
            let server = builder.start().await.unwrap();
            let client = way.client(url(&server)).option("retries", "0").build().unwrap();
            let service = raw(&client);
            let began = Instant::now();
            let calls = (0..6).map(|_| Box::pin(call(&service, "Echo", b"x"))).collect();
            for result in crate::cancellation::join_all(calls).await {
                result.unwrap_or_else(|error| panic!("{over:?}: {error:?}"));
            }
            assert!(began.elapsed() >= ms(95), "{over:?}: five had to wait, after {:?}", began.elapsed());
        });
    }
}

#[test]
fn a_request_does_not_wait_past_its_deadline_nor_for_a_caller_that_is_gone() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let builder = way.server().with_probe(&probe).option("rate_limit.request_policy", "block");
        let builder = builder.option("rate_limit.requests", "0.1").option("rate_limit.burst", "0");
        let server = builder.start().await.unwrap();
        let client = way.client(url(&server)).option("retries", "0").build().unwrap();
        let service = raw(&client);
        call(&service, "Echo", b"x").await.unwrap();
        let options = CallOptions::new().timeout(ms(5000));
        let began = Instant::now();
        let result = service.call_with::<_, bytes::Bytes>("Hold", &b"x"[..], &options).await;
        assert_failed(result, Reason::OverloadServer, Delivery::Answered);
        assert!(began.elapsed() < ms(4000), "it is told at once");
        // This one would wait for 10 s; its client leaves.
        let mut peer = Peer::dial(&way, &url(&server)).await;
        peer.send(&request(1, "Hold", b"x", &[])).await;
        eventually("it waits", || server.stats().in_flight == 1).await;
        drop(peer);
        eventually("it waits no longer", || server.stats().in_flight == 0).await;
        assert_eq!(probe.started(), 0);
        assert!(began.elapsed() < ms(9000), "its turn had not come");
    });
}
