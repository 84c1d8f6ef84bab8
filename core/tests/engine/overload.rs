//! A peer that does not read: what waits is bounded, the oldest go first, and memory with them.

use crate::peer::{Peer, RawServer, request};
use crate::support::{Over, Probe, WithProbe, assert_failed, call, eventually, ms, pair, raw, run, url};
use bytes::Bytes;
use rpcx::client::CallOptions;
use rpcx::error::{Delivery, Error, ErrorKind, Reason};
use std::cell::RefCell;
use std::rc::Rc;

/// Calls of 32 KiB each to a peer that reads nothing yet, beyond what the system and the queue hold.
#[test]
fn the_oldest_that_wait_make_room_for_fresh_ones() {
    for over in Over::ALL {
        for (option, value) in [("max_queued_bytes", "1MiB"), ("max_queued_requests", "40")] {
            run(async {
                let way = over.way();
                let mut server = RawServer::bind(&way).await;
                let client = way
                    .client(server.url())
                    .option(option, value)
                    .option("heartbeat_interval", "0")
                    .option("retries", "0")
                    .build()
                    .unwrap();
                let service = raw(&client);
                let failed: Rc<RefCell<Vec<(usize, Error)>>> = Rc::default();
                let total = 600;
                let (first, mut peer) = tokio::join!(call(&service, "First", b""), async {
                    let mut peer = server.accept().await;
                    let first = peer.request().await.unwrap();
                    peer.answer(&first, b"").await;
                    peer
                });
                first.unwrap();
                let calls: Vec<_> = (0..total)
                    .map(|i| {
                        let (service, failed) = (service.clone(), failed.clone());
                        Box::pin(async move {
                            let payload = vec![i as u8; 32 << 10];
                            let result = call(&service, "Echo", &payload).await;
                            if let Err(error) = &result {
                                failed.borrow_mut().push((i, error.clone()));
                            }
                            result
                        })
                    })
                    .collect();
                let serving = async {
                    let overloaded = || failed.borrow().len() > 20;
                    eventually("the queue is full", overloaded).await;
                    let mut served = 0;
                    while served + failed.borrow().len() < total {
                        let Some(asked) = peer.request().await else { break };
                        peer.answer(&asked, b"").await;
                        served += 1;
                        // Answers are taken in turn with requests.
                        tokio::task::yield_now().await;
                    }
                    served
                };
                let (results, served) = tokio::join!(crate::cancellation::join_all(calls), serving);
                let failed = failed.borrow();
                assert!(failed.iter().all(|(_, error)| {
                    (error.reason(), error.delivery()) == (Reason::OverloadQueue, Delivery::NotSent)
                }));
                assert!(results[total - 1].is_ok(), "{over:?} {option}: the freshest is served");
                assert_eq!(served + failed.len(), total);
                let first = failed.iter().map(|(i, _)| *i).min().unwrap();
                let last = failed.iter().map(|(i, _)| *i).max().unwrap();
                assert_eq!(last + 1 - first, failed.len(), "{over:?} {option}: in order, without a gap");
                assert!(total - 1 - last >= 25, "{over:?} {option}: the queue was full of fresh ones: {last}");
            });
        }
    }
}

#[test]
fn a_frame_larger_than_the_queue_is_still_sent_when_nothing_waits() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let server = way.server().with_probe(&Probe::new()).start().await.unwrap();
            let client = way.client(url(&server)).option("max_queued_bytes", "1KiB").build().unwrap();
            for len in [1000, 100_000, 8 << 20] {
                assert_eq!(call(&raw(&client), "Echo", &vec![1; len]).await.unwrap().len(), len, "{over:?}");
            }
        });
    }
}

/// A client that takes no answers gets no more questions read, and is served once it reads again.
#[test]
fn a_server_stops_reading_a_client_that_does_not_read() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let server = way.server().with_probe(&probe).option("max_queued_bytes", "256KiB").start().await.unwrap();
            let mut peer = Peer::dial(&way, &url(&server)).await;
            let other = way.client(url(&server)).build().unwrap();
            let payload = vec![3; 64 << 10];
            // Until the way there is blocked too: nothing takes the rest.
            let mut sent = 0;
            while sent < 2000 {
                if !peer.send_within(&request(sent, "Echo", &payload, &[]), ms(300)).await {
                    break;
                }
                sent += 1;
            }
            assert!((2..1000).contains(&sent), "{over:?}: {sent} requests were taken");
            assert!(call(&raw(&other), "Echo", b"").await.is_ok(), "others are served");
            // In any order: on a busy machine a handler may seem slow and go on beside the reading.
            let mut answered = std::collections::BTreeSet::new();
            for _ in 0..sent {
                let answer = peer.frame().await.unwrap();
                assert_eq!(answer.payload().len(), payload.len(), "{over:?}");
                answered.insert(answer.header().seq);
            }
            assert!(answered.into_iter().eq(0..sent), "{over:?}");
        });
    }
}

#[test]
fn a_write_that_makes_no_progress_ends_the_connection_on_both_sides() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let mut silent = RawServer::bind(&way).await;
            let client = way
                .client(silent.url())
                .option("heartbeat_interval", "0")
                .option("write_timeout", "200ms")
                .option("retries", "0")
                .build()
                .unwrap();
            let service = raw(&client);
            // One that fits a pipe's buffer and a segment, and one that nothing holds.
            let options = CallOptions::new().timeout(ms(10_000));
            let large = vec![0; 16 << 20];
            let (result, _peer) =
                tokio::join!(service.call_with::<_, Bytes>("Large", &large, &options), silent.accept());
            assert_failed(result, Reason::ClosedWriteTimeout, Delivery::MaybeRun);

            let builder = way.clone().another().server().with_probe(&Probe::new());
            let server = builder.option("write_timeout", "200ms").start().await.unwrap();
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.send(&request(1, "Echo", b"", &[])).await;
            peer.frame().await.unwrap();
            let connection = server.connections().remove(0);
            connection.push("News", "Large", rpcx::protocol::Metadata::empty(), &large).unwrap();
            eventually("the server gives up", || server.connections().is_empty()).await;
        });
    }
}

#[test]
fn a_call_that_makes_room_does_not_hold_up_the_end() {
    run(async {
        let way = Over::Memory.way();
        let mut server = RawServer::bind(&way).await;
        let client = way
            .client(server.url())
            .option("max_queued_requests", "1")
            .option("heartbeat_interval", "0")
            .option("retries", "0")
            .build()
            .unwrap();
        let service = raw(&client);
        let (results, mut peer) = tokio::join!(
            async {
                let payload = vec![0; 100 << 10];
                let calls: Vec<_> = (0..10).map(|_| Box::pin(call(&service, "Echo", &payload))).collect();
                let mut all = Box::pin(crate::cancellation::join_all(calls));
                let some = tokio::time::timeout(ms(200), &mut all).await;
                assert!(some.is_err(), "the last ones wait for their answers");
                client.close();
                all.await
            },
            server.accept()
        );
        let kinds: Vec<_> = results.into_iter().map(|result| result.unwrap_err().kind()).collect();
        assert!(kinds.contains(&ErrorKind::Overload) && kinds.contains(&ErrorKind::Closed), "{kinds:?}");
        while peer.more().await {}
        let (server, client) = pair(&Over::Tcp.way(), &Probe::new()).await;
        call(&raw(&client), "Echo", b"").await.unwrap();
        client.shutdown(ms(5000)).await.unwrap();
        eventually("the connection ends", || server.connections().is_empty()).await;
    });
}

/// What waits to be written is told while it waits, and no longer.
#[test]
fn statistics_tell_what_waits_to_be_written() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let mut server = RawServer::bind(&way).await;
            let client = way.client(server.url()).option("heartbeat_interval", "0").build().unwrap();
            let service = raw(&client);
            let payload = vec![1; 64 << 10];
            let calls: Vec<_> = (0..200).map(|_| Box::pin(call(&service, "Echo", &payload))).collect();
            let serving = async {
                let mut peer = server.accept().await;
                eventually("requests wait", || client.stats().queue.frames > 10).await;
                let queue = client.stats().queue;
                assert!(queue.bytes >= (queue.frames - 1) * (64 << 10), "{over:?}: {queue:?}");
                assert!(queue.frames < 200 && queue.bytes < 200 * (65 << 10), "{over:?}: {queue:?}");
                for _ in 0..200 {
                    let asked = peer.request().await.unwrap();
                    peer.answer(&asked, b"").await;
                }
                peer
            };
            let (results, _peer) = tokio::join!(crate::cancellation::join_all(calls), serving);
            assert!(results.iter().all(Result::is_ok));
            let queue = client.stats().queue;
            assert_eq!((queue.frames, queue.bytes), (0, 0), "{over:?}");

            let way = way.another();
            let server = way.server().with_probe(&Probe::new()).start().await.unwrap();
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.send(&request(0, "Echo", b"", &[])).await;
            peer.frame().await.unwrap();
            let connection = server.connections().remove(0);
            let metadata = rpcx::protocol::Metadata::empty();
            connection.push("News", "Large", metadata, &vec![0; 16 << 20]).unwrap();
            eventually("a part of it waits", || server.stats().queue.bytes > 1 << 20).await;
            peer.frame().await.unwrap();
            eventually("all of it is out", || server.stats().queue.bytes == 0).await;
        });
    }
}
