//! Peers that stop: dripping frames, idle connections, missing heartbeats, stuck servers.

use crate::peer::{Peer, RawServer, request};
use crate::support::{LIMIT, Over, Probe, WithProbe, assert_failed, call, eventually, ms, raw, run, url};
use bytes::Bytes;
use rpcx::client::CallOptions;
use rpcx::error::{Delivery, Reason};
use rpcx::protocol::Metadata;
use std::time::Instant;

#[test]
fn a_frame_that_drips_is_not_waited_for() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let server = way.server().with_probe(&Probe::new()).option("read_timeout", "200ms").start().await.unwrap();
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.send(&request(1, "Echo", b"whole", &[])).await;
            assert_eq!(peer.frame().await.unwrap().payload(), b"whole");
            // Between frames there is no such limit.
            assert!(peer.quiet_for(ms(400)).await >= ms(400));
            let began = Instant::now();
            for byte in request(2, "Echo", &[0; 200], &[]) {
                peer.send(&[byte]).await;
                tokio::time::sleep(ms(20)).await; // how it drips
                if server.connections().is_empty() {
                    break;
                }
            }
            let took = began.elapsed();
            assert!(peer.frame().await.is_none());
            assert!(took >= ms(200) && took < ms(1500), "{over:?}: {took:?}");
        });
    }
}

#[test]
fn an_idle_connection_is_closed_by_the_side_that_was_told_to() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let server = way.server().with_probe(&probe).option("idle_timeout", "200ms").start().await.unwrap();
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.send(&request(1, "Hold", b"", &[])).await;
            assert!(peer.quiet_for(ms(500)).await >= ms(500), "{over:?}: a call is pending");
            probe.release(1);
            assert_eq!(peer.frame().await.unwrap().header().seq, 1);
            let quiet = peer.quiet_for(ms(5000)).await;
            assert!(quiet >= ms(150) && quiet < ms(2000), "{over:?}: idle begins with the answer: {quiet:?}");

            let way = way.another();
            let server = way.server().with_probe(&probe).start().await.unwrap();
            let client = way
                .client(url(&server))
                .option("idle_timeout", "200ms")
                .option("heartbeat_interval", "50ms")
                .build()
                .unwrap();
            let service = raw(&client);
            let (held, ()) = tokio::join!(call(&service, "Hold", b""), async {
                tokio::time::sleep(ms(400)).await; // longer than idle_timeout
                probe.release(1);
            });
            held.unwrap();
            assert_eq!(server.connections().len(), 1);
            eventually("heartbeats alone keep nothing open", || server.connections().is_empty()).await;
            assert!(call(&service, "Echo", b"").await.is_ok(), "the next call dials anew");
        });
    }
}

#[test]
fn pushes_are_traffic() {
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().with_probe(&Probe::new()).option("idle_timeout", "250ms").start().await.unwrap();
        let mut peer = Peer::dial(&way, &url(&server)).await;
        peer.send(&request(1, "Echo", b"", &[])).await;
        peer.frame().await.unwrap();
        let connection = server.connections().remove(0);
        for _ in 0..12 {
            connection.push("News", "Item", Metadata::empty(), b"").unwrap();
            peer.frame().await.unwrap();
            tokio::time::sleep(ms(60)).await; // the pace of the news
        }
        assert!(connection.is_open());
        assert!(peer.quiet_for(ms(5000)).await < ms(2000));
    });
}

/// A server that takes requests and says nothing, not even to heartbeats.
#[test]
fn a_stuck_server_is_found_out_and_its_calls_fail() {
    for over in Over::ALL {
        for (stuck, timeout, reason) in
            [("150ms", "10s", Reason::ClosedStuck), ("10s", "150ms", Reason::ClosedHeartbeat)]
        {
            run(async {
                let way = over.way();
                let mut server = RawServer::bind(&way).await;
                let client = way
                    .client(server.url())
                    .option("heartbeat_interval", "150ms")
                    .option("stuck_timeout", stuck)
                    .option("heartbeat_timeout", timeout)
                    .option("retries", "0")
                    .build()
                    .unwrap();
                let service = raw(&client);
                let began = Instant::now();
                let (result, mut peer) = tokio::join!(call(&service, "Echo", b""), server.accept());
                assert_failed(result, reason, Delivery::MaybeRun);
                let took = began.elapsed();
                assert!(took >= ms(300) && took < ms(2000), "{over:?} {reason}: {took:?}");
                // It is replaced: the next call comes on a connection of its own.
                let (answer, ()) = tokio::join!(call(&service, "Echo", b""), async {
                    let mut second = server.accept().await;
                    let asked = second.request().await.unwrap();
                    second.answer(&asked, b"recovered").await;
                });
                assert_eq!(answer.unwrap(), &b"recovered"[..]);
                while peer.frame().await.is_some() {}
            });
        }
    }
}

#[test]
fn a_slow_handler_does_not_look_stuck() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let server = way.server().with_probe(&probe).start().await.unwrap();
            let client = way
                .client(url(&server))
                .option("heartbeat_interval", "60ms")
                .option("stuck_timeout", "50ms")
                .option("heartbeat_timeout", "100ms")
                .build()
                .unwrap();
            let service = raw(&client);
            let (answer, ()) = tokio::join!(call(&service, "Hold", b"slow"), async {
                tokio::time::sleep(ms(800)).await; // the handler's slowness
                assert_eq!(server.connections().len(), 1);
                probe.release(1);
            });
            assert_eq!(answer.unwrap(), &b"slow"[..], "{over:?}");
        });
    }
}

#[test]
fn with_heartbeats_off_only_the_deadline_ends_a_call() {
    run(async {
        let way = Over::Tcp.way();
        let mut server = RawServer::bind(&way).await;
        let client = way
            .client(server.url())
            .option("heartbeat_interval", "0")
            .option("stuck_timeout", "50ms")
            .option("timeout", "400ms")
            .build()
            .unwrap();
        let service = raw(&client);
        let (result, _peer) = tokio::join!(call(&service, "Echo", b""), server.accept());
        assert_failed(result, Reason::TimeoutCall, Delivery::MaybeRun);
    });
}

#[test]
fn a_client_that_says_nothing_does_not_keep_a_place() {
    run(async {
        let tls = Over::Tls.way();
        let server = tls
            .server()
            .with_probe(&Probe::new())
            .option("handshake_timeout", "100ms")
            .option("max_connections", "1")
            .start()
            .await
            .unwrap();
        // Plain TCP to a TLS port, and not a word.
        let mut silent = Peer::dial(&Over::Tcp.way(), &url(&server)).await;
        assert!(silent.quiet_for(ms(5000)).await < ms(3000));
        let client = tls.client(url(&server)).build().unwrap();
        assert!(call(&raw(&client), "Echo", b"").await.is_ok());
    });
}

/// The system accepts connections for a process that is stopped: what they say is that somebody listens, not that he hears.
#[test]
fn a_silent_server_gets_no_calls_before_it_has_answered_on_a_new_connection() {
    // Whichever ends a connection that brings nothing.
    for limit in [("connect_timeout", "100ms"), ("heartbeat_timeout", "100ms")] {
        no_calls_before_it_has_answered(limit);
    }
}

fn no_calls_before_it_has_answered(limit: (&str, &str)) {
    run(async {
        let way = Over::Tcp.way();
        let mut silent = RawServer::bind(&way).await;
        let server = way.server().with_probe(&Probe::new()).start().await.unwrap();
        let client = way
            .client(format!("multiple://{},{}", silent.url(), url(&server)))
            .option("stuck_timeout", "50ms")
            .option(limit.0, limit.1)
            .option("heartbeat_interval", "50ms")
            .option("time_to_disallow", "50ms")
            .build()
            .unwrap();
        let service = raw(&client);
        let options = CallOptions::new().idempotent(true);
        let echo = async || service.call_with::<_, Bytes>("Echo", &b"x"[..], &options).await.unwrap();
        let silent_url = silent.url();
        let mut attempts = Vec::new();
        // Until several connections were accepted and brought nothing.
        let until = Instant::now() + ms(5_000);
        while client.stats().connections.failed < 3 && Instant::now() < until {
            attempts.push(echo().await.attempts);
            tokio::time::sleep(ms(5)).await; // the pace of the calls
        }
        assert_eq!(attempts.iter().filter(|attempts| **attempts > 1).count(), 1, "{limit:?}: {attempts:?}");
        assert!(client.stats().servers.iter().any(|server| server.disallowed && server.server == silent_url));

        tokio::spawn(async move {
            loop {
                let mut peer = silent.accept().await;
                tokio::spawn(async move {
                    while let Some(asked) = peer.request().await {
                        peer.answer(&asked, b"awake").await;
                    }
                });
            }
        });
        let until = Instant::now() + LIMIT;
        loop {
            let answer = echo().await;
            assert_eq!(answer.attempts, 1);
            if *answer.server == *silent_url {
                break;
            }
            assert!(Instant::now() < until, "it does not come back");
            tokio::time::sleep(ms(5)).await;
        }
    });
}

/// Such a peer cannot be asked for a sign of life; its connections end when they are idle and come back with the next call.
#[test]
fn a_server_that_ignores_heartbeats_still_serves() {
    run(async {
        let way = Over::Tcp.way();
        let mut server = RawServer::bind(&way).await;
        let client = way
            .client(server.url())
            .option("heartbeat_interval", "50ms")
            .option("heartbeat_timeout", "100ms")
            .option("connect_timeout", "100ms")
            .option("retries", "0")
            .build()
            .unwrap();
        let service = raw(&client);
        for _ in 0..3 {
            let (answer, ()) = tokio::join!(call(&service, "Echo", b""), async {
                let mut peer = server.accept().await;
                while let Some(frame) = peer.frame().await {
                    if !frame.header().is_heartbeat() {
                        peer.answer(&frame, b"served").await;
                    }
                }
            });
            assert_eq!(answer.unwrap(), &b"served"[..]);
        }
    });
}
