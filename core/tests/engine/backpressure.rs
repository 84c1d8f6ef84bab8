//! A server that takes no more requests for now: it stays a living peer, bounded in what it keeps, and fair.

use crate::peer::{Peer, error_text, request};
use crate::support::{Over, Probe, WithProbe, call, eventually, ms, raw, run, url};
use bytes::Bytes;
use rpcx::Server;
use rpcx::client::CallOptions;
use rpcx::protocol::{Frame, Header, Metadata, SerializeType, keys};
use std::time::Instant;

/// The limits beyond which requests wait: of each connection, and of the whole server.
const LIMITS: [&str; 2] = ["max_in_flight", "max_server_in_flight"];

async fn serving(over: Over, limit: &str, probe: &Probe) -> (crate::support::Way, Server) {
    let way = over.way();
    let server = way.server().with_probe(probe).option(limit, "2").start().await.unwrap();
    (way, server)
}

/// A connection on which two handlers run and so many more requests wait, numbered from 1.
async fn full(way: &crate::support::Way, server: &Server, probe: &Probe, waiting: u64) -> Peer {
    let mut peer = Peer::dial(way, &url(server)).await;
    peer.hello().await;
    for seq in 1..=2 + waiting {
        peer.send(&request(seq, "Hold", b"x", &[])).await;
    }
    eventually("two handlers run", || probe.started() == 2).await;
    peer
}

/// Connections that have begun.
async fn connected(way: &crate::support::Way, server: &Server, count: usize) -> Vec<Peer> {
    let mut peers = Vec::new();
    for _ in 0..count {
        let mut peer = Peer::dial(way, &url(server)).await;
        peer.hello().await;
        peers.push(peer);
    }
    peers
}

fn heartbeat(seq: u64) -> Vec<u8> {
    crate::peer::frame(Header::request(SerializeType::MSGPACK, seq).with_heartbeat(true), "", b"\xc0", &[])
}

fn cancel(seq: u64) -> Vec<u8> {
    let header = Header::request(SerializeType::RAW, 1000 + seq).with_oneway(true);
    let mut wire = Vec::new();
    let head = rpcx::protocol::Head {
        header,
        service: keys::INTERNAL_SERVICE.as_bytes(),
        method: keys::CANCEL_METHOD.as_bytes(),
        metadata: Metadata::empty(),
        extra: &[],
    };
    rpcx::protocol::encode(&mut wire, &head, &seq.to_be_bytes()).unwrap();
    wire
}

/// The next answer to a call; heartbeats are passed over.
async fn answer(peer: &mut Peer) -> Frame {
    loop {
        let frame = peer.frame().await.unwrap();
        if !frame.header().is_heartbeat() {
            return frame;
        }
    }
}

#[test]
fn heartbeats_are_answered_while_requests_wait() {
    for over in Over::ALL {
        for limit in LIMITS {
            run(async {
                let probe = Probe::new();
                let (way, server) = serving(over, limit, &probe).await;
                let mut peer = full(&way, &server, &probe, 3).await;
                for seq in 100..103 {
                    peer.send(&heartbeat(seq)).await;
                    let echo = peer.frame().await.unwrap();
                    assert!(echo.header().is_heartbeat(), "{over:?} {limit}");
                    assert_eq!(echo.header().seq, seq);
                }
                assert_eq!(probe.started(), 2, "the others wait");
                probe.release(5);
                let mut answered = Vec::new();
                for _ in 0..5 {
                    answered.push(answer(&mut peer).await.header().seq);
                }
                answered.sort_unstable();
                assert_eq!(answered, [1, 2, 3, 4, 5], "{over:?} {limit}");
                assert_eq!(probe.most(), 2);
            });
        }
    }
}

#[test]
fn a_peer_that_leaves_while_requests_wait_cancels_its_handlers() {
    for over in Over::ALL {
        for limit in LIMITS {
            run(async {
                let probe = Probe::new();
                let (way, server) = serving(over, limit, &probe).await;
                let peer = full(&way, &server, &probe, 3).await;
                drop(peer);
                eventually("the connection ends", || server.connections().is_empty()).await;
                eventually("both handlers hear of it", || probe.cancelled() == 2).await;
                eventually("nothing runs any more", || probe.running() == 0).await;
                assert_eq!(probe.started(), 2, "{over:?} {limit}: what waited never began");
            });
        }
    }
}

#[test]
fn a_cancellation_reaches_handlers_and_requests_that_wait() {
    for over in Over::ALL {
        for limit in LIMITS {
            run(async {
                let probe = Probe::new();
                let (way, server) = serving(over, limit, &probe).await;
                let mut peer = full(&way, &server, &probe, 3).await;
                // The third request is cancelled before its handler begins: it is answered, so that its number is free again.
                peer.send(&cancel(3)).await;
                let cancelled = answer(&mut peer).await;
                assert_eq!(cancelled.header().seq, 3);
                assert!(error_text(&cancelled).contains("cancelled"), "{}", error_text(&cancelled));
                assert_eq!((probe.started(), probe.cancelled()), (2, 0));
                peer.send(&cancel(1)).await;
                assert_eq!(answer(&mut peer).await.header().seq, 1, "{over:?} {limit}");
                eventually("the next handler begins", || probe.started() == 3).await;
                probe.release(3);
                let mut rest = Vec::new();
                for _ in 0..3 {
                    let answer = answer(&mut peer).await;
                    assert_eq!(answer.payload(), b"x");
                    rest.push(answer.header().seq);
                }
                rest.sort_unstable();
                assert_eq!(rest, [2, 4, 5]);
            });
        }
    }
}

/// The deadline of a request counts from when it came, not from when its turn comes.
#[test]
fn a_request_whose_time_is_used_up_by_waiting_is_not_run() {
    for limit in LIMITS {
        run(async {
            let probe = Probe::new();
            let (way, server) = serving(Over::Tcp, limit, &probe).await;
            let mut peer = full(&way, &server, &probe, 0).await;
            let came = Instant::now();
            peer.send(&request(3, "Echo", b"late", &[("__ServerTimeout", "100")])).await;
            peer.send(&heartbeat(100)).await;
            // Its answer shows that the request before it has been read.
            assert!(peer.frame().await.unwrap().header().is_heartbeat());
            tokio::time::sleep_until((came + ms(150)).into()).await; // the time that is used up
            probe.release(2);
            let mut late = None;
            for _ in 0..3 {
                let answer = answer(&mut peer).await;
                if answer.header().seq == 3 {
                    late = Some(answer);
                }
            }
            let text = error_text(&late.unwrap());
            assert!(text.contains("deadline"), "{limit}: {text:?}");
        });
    }
}

/// What waits is bounded; the rest is left to the transport. A peer that knows us still sees that we live.
#[test]
fn a_server_keeps_little_of_what_it_cannot_run_and_gives_a_sign_of_life() {
    for over in Over::ALL {
        for limit in LIMITS {
            run(async {
                let probe = Probe::new();
                let (way, server) = serving(over, limit, &probe).await;
                let mut peer = full(&way, &server, &probe, 0).await;
                let payload = vec![7; 64 << 10];
                let mut sent = 0;
                while sent < 1000 && peer.send_within(&request(10 + sent, "Echo", &payload, &[]), ms(300)).await {
                    sent += 1;
                }
                assert!((16..600).contains(&sent), "{over:?} {limit}: {sent} requests were taken");
                // Once is enough: it takes seconds.
                if over == Over::Tls && limit == LIMITS[0] {
                    // Nothing that the peer said asked for this: nothing of it is read.
                    let sign = peer.frame().await.unwrap();
                    assert!(sign.header().is_heartbeat() && sign.header().is_response(), "{sign:?}");
                }
                probe.release(2);
                let mut answered = 0;
                while answered < sent + 2 {
                    answer(&mut peer).await;
                    answered += 1;
                }
                assert_eq!(probe.most(), 2);
            });
        }
    }
}

#[test]
fn a_client_does_not_give_up_a_server_that_is_full() {
    for over in Over::ALL {
        for limit in LIMITS {
            run(async {
                let probe = Probe::new();
                let (way, server) = serving(over, limit, &probe).await;
                let client = way
                    .client(url(&server))
                    .option("heartbeat_interval", "200ms")
                    .option("stuck_timeout", "300ms")
                    .option("heartbeat_timeout", "600ms")
                    .option("retries", "0")
                    .build()
                    .unwrap();
                let service = raw(&client);
                let calls: Vec<_> = (0..10).map(|_| Box::pin(call(&service, "Hold", b"x"))).collect();
                let (results, ()) = tokio::join!(crate::cancellation::join_all(calls), async {
                    eventually("two handlers run", || probe.started() == 2).await;
                    tokio::time::sleep(ms(1500)).await; // longer than the client waits for a sign of life
                    probe.release(10);
                });
                for result in results {
                    assert_eq!(result.unwrap(), &b"x"[..], "{over:?} {limit}");
                }
                let options = CallOptions::new();
                let last = service.call_with::<_, Bytes>("Echo", &b"again"[..], &options).await.unwrap();
                assert_eq!(last.attempts, 1);
                assert_eq!(client.stats().connections.opened, 1);
            });
        }
    }
}

/// Connections that wait for the server's limit take turns: one that asks much does not keep the others waiting.
#[test]
fn connections_take_turns_at_the_servers_limit() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let server = way.server().with_probe(&probe).option(LIMITS[1], "1").start().await.unwrap();
            let mut others = connected(&way, &server, 3).await;
            let mut greedy = Peer::dial(&way, &url(&server)).await;
            for seq in 1..=6 {
                greedy.send(&request(seq, "Hold", b"x", &[])).await;
            }
            eventually("the first handler runs", || probe.started() == 1).await;
            let reads = server.stats().traffic.reads;
            for peer in &mut others {
                peer.send(&request(1, "Hold", b"x", &[])).await;
            }
            eventually("everybody waits", || server.stats().traffic.reads >= reads + 3).await;
            // The greedy one is first in line once more, then it has had its turn.
            for finished in 1..=5 {
                probe.release(1);
                eventually("the next handler runs", || probe.started() == finished + 1).await;
            }
            for peer in &mut others {
                let answered = tokio::time::timeout(ms(2000), answer(peer)).await;
                assert_eq!(answered.expect("others wait for the greedy one").header().seq, 1, "{over:?}");
            }
            probe.release(4);
            for _ in 0..6 {
                answer(&mut greedy).await;
            }
            assert_eq!(probe.most(), 1);
        });
    }
}

/// Room that its first taker has no use for goes to the next in line, also when that one has left.
#[test]
fn room_is_handed_on() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let server = way.server().with_probe(&probe).option(LIMITS[1], "1").start().await.unwrap();
            let mut waiting = connected(&way, &server, 5).await;
            let mut busy = Peer::dial(&way, &url(&server)).await;
            busy.send(&request(1, "Hold", b"x", &[])).await;
            eventually("the handler runs", || probe.started() == 1).await;
            let reads = server.stats().traffic.reads;
            for peer in &mut waiting {
                peer.send(&request(1, "Hold", b"x", &[])).await;
            }
            eventually("everybody waits", || server.stats().traffic.reads >= reads + 5).await;
            // The first two in line have nothing to do when their turn comes: one took its request back, one has left.
            waiting[0].send(&cancel(1)).await;
            answer(&mut waiting[0]).await;
            drop(waiting.remove(1));
            eventually("it has left", || server.connections().len() == 5).await;
            probe.release(4);
            answer(&mut busy).await;
            for peer in &mut waiting[1..] {
                answer(peer).await;
            }
            assert_eq!((probe.started(), probe.most()), (4, 1), "{over:?}");
        });
    }
}
