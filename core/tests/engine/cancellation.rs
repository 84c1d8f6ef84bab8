//! Cancelled calls: what the server's handler hears, what stays of the call, and that no answer finds another one.

use crate::peer::{RawServer, request};
use crate::support::{Over, Probe, WithProbe, assert_failed, call, eventually, ms, pair, raw, run};
use bytes::Bytes;
use rpcx::client::CallOptions;
use rpcx::error::{Delivery, Reason};
use rpcx::protocol::{Header, keys};
use rpcx::server::Method;
use std::future::{Future, poll_fn};
use std::task::Poll;

/// Polls a future once, which begins its call.
pub(crate) async fn begin(call: &mut (impl Future + Unpin)) {
    let call = std::pin::Pin::new(call);
    let mut call = Some(call);
    poll_fn(|cx| {
        assert!(call.take().unwrap().poll(cx).is_pending(), "the call ended at once");
        Poll::Ready(())
    })
    .await;
}

#[test]
fn dropping_a_call_cancels_its_handler() {
    for over in Over::ALL {
        run(async {
            let probe = Probe::new();
            let (_server, client) = pair(&over.way(), &probe).await;
            let service = raw(&client);
            call(&service, "Echo", b"").await.unwrap();
            let mut dropped = Box::pin(call(&service, "Hold", b"dropped"));
            let mut kept = Box::pin(call(&service, "Hold", b"kept"));
            begin(&mut dropped).await;
            begin(&mut kept).await;
            eventually("both handlers run", || probe.started() == 2).await;
            drop(dropped);
            eventually("the handler hears of it", || probe.cancelled() == 1).await;
            probe.release(1);
            assert_eq!(kept.await.unwrap(), &b"kept"[..], "{over:?}");
        });
    }
}

/// Whether the server understands a cancellation is known from its answer to the hello, which may come later.
#[test]
fn a_call_dropped_before_the_hello_is_answered_is_cancelled_after() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let mut server = RawServer::bind(&way).await;
            let client = way.client(server.url()).build().unwrap();
            let service = raw(&client);
            let mut dropped = Box::pin(call(&service, "Hold", b"dropped"));
            let mut peer = tokio::select! {
                _ = &mut dropped => panic!("nobody answered"),
                peer = server.accept() => peer,
            };
            let (hello, request) = tokio::select! {
                _ = &mut dropped => panic!("nobody answered"),
                frames = async { (peer.frame().await.unwrap(), peer.frame().await.unwrap()) } => frames,
            };
            drop(dropped);
            // An answered call between the two shows that nothing was sent too early.
            let mut kept = Box::pin(call(&service, "Echo", b"kept"));
            let next = tokio::select! {
                _ = &mut kept => panic!("nobody answered"),
                frame = peer.frame() => frame.unwrap(),
            };
            assert_eq!(next.payload(), b"kept", "{over:?}");
            let mut words = Vec::new();
            rpcx::protocol::echo_heartbeat(&mut words, &hello, Some((keys::FEATURES, "server:cancel"))).unwrap();
            peer.send(&words).await;
            let cancel = peer.frame().await.unwrap();
            assert_eq!(cancel.service(), keys::INTERNAL_SERVICE.as_bytes(), "{over:?}");
            assert_eq!(cancel.method(), keys::CANCEL_METHOD.as_bytes());
            assert_eq!(cancel.payload(), request.header().seq.to_be_bytes());
            peer.answer(&next, b"kept").await;
            assert_eq!(kept.await.unwrap(), &b"kept"[..]);
        });
    }
}

#[test]
fn the_end_of_a_connection_cancels_its_handlers() {
    for over in Over::ALL {
        run(async {
            let probe = Probe::new();
            let (server, client) = pair(&over.way(), &probe).await;
            let service = raw(&client);
            let mut waiting = Box::pin(call(&service, "Hold", b""));
            tokio::select! {
                _ = &mut waiting => panic!("nobody answered"),
                () = eventually("the handler runs", || probe.started() == 1) => {}
            }
            client.close();
            assert_failed(waiting.await, Reason::ClosedLocal, Delivery::MaybeRun);
            eventually("the handler is cancelled", || probe.cancelled() == 1).await;
            eventually("the session ends", || server.connections().is_empty()).await;
        });
    }
}

/// Late, double and foreign answers on a connection with calls of every state.
#[test]
fn no_answer_reaches_another_call() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let mut server = RawServer::bind(&way).await;
            let client = way.client(server.url()).build().unwrap();
            let service = raw(&client);
            let soon = CallOptions::new().timeout(ms(50));
            let asking = async {
                let late = service.call_with::<_, Bytes>("Late", &b""[..], &soon).await;
                assert_failed(late, Reason::TimeoutCall, Delivery::MaybeRun);
                for round in 0..200_u32 {
                    let (a, b) = (round.to_be_bytes(), (!round).to_be_bytes());
                    let (x, y) = tokio::join!(call(&service, "Echo", &a), call(&service, "Echo", &b));
                    assert_eq!((x.unwrap(), y.unwrap()), (Bytes::copy_from_slice(&a), Bytes::copy_from_slice(&b)));
                }
                client.close();
            };
            let serving = async {
                let mut peer = server.accept().await;
                let late = peer.request().await.unwrap();
                assert_eq!(late.method(), b"Late");
                let mut before = None;
                while let Some(asked) = peer.request().await {
                    let seq = asked.header().seq;
                    peer.answer(&late, b"late").await;
                    // Neither asked, nor of 32 bits, nor of this table's round.
                    for foreign in [seq + 16, seq + (1 << 31), seq + (1 << 32), u64::MAX] {
                        let header = Header::response_to(&asked.header().with_seq(foreign));
                        peer.send(&crate::peer::frame(header, "Echo", b"foreign", &[])).await;
                    }
                    if let Some(before) = before.replace(asked.clone()) {
                        peer.answer(&before, b"double").await;
                    }
                    // A push whose number is that of the call.
                    let push = Header::request(asked.header().serialize(), seq).with_oneway(true);
                    peer.send(&crate::peer::frame(push, "Echo", b"push", &[])).await;
                    let payload = asked.payload().to_vec();
                    peer.answer(&asked, &payload).await;
                    peer.answer(&asked, b"double").await;
                }
            };
            tokio::join!(asking, serving);
        });
    }
}

/// A push above the limits is refused by its head alone, which looks like that of the answer.
#[test]
fn a_push_too_large_fails_no_call() {
    run(async {
        let way = Over::Tcp.way();
        let mut server = RawServer::bind(&way).await;
        let client = way.client(server.url()).option("max_message_size", "1KiB").build().unwrap();
        let service = raw(&client);
        let serving = async {
            let mut peer = server.accept().await;
            let asked = peer.request().await.unwrap();
            let push = Header::request(asked.header().serialize(), asked.header().seq).with_oneway(true);
            peer.send(&crate::peer::frame(push, "Push", &[0; 5000], &[])).await;
            let heartbeat = Header::request(asked.header().serialize(), asked.header().seq).with_heartbeat(true);
            peer.send(&crate::peer::frame(heartbeat.as_response(), "", &[0; 5000], &[])).await;
            peer.answer(&asked, b"the answer").await;
        };
        let (answer, ()) = tokio::join!(call(&service, "Echo", b""), serving);
        assert_eq!(answer.unwrap(), &b"the answer"[..]);
    });
}

#[test]
fn a_slot_lingers_until_its_late_answer_and_too_many_replace_the_connection() {
    run(async {
        let way = Over::Tcp.way();
        let mut server = RawServer::bind(&way).await;
        let client =
            way.client(server.url()).option("max_lingering", "3").option("max_in_flight", "5").build().unwrap();
        let service = raw(&client);
        let soon = CallOptions::new().timeout(ms(50));
        let asking = async {
            let calls = (0..5).map(|_| service.call_with::<_, Bytes>("Slow", &b""[..], &soon));
            let calls: Vec<_> = calls.map(Box::pin).collect();
            for result in join_all(calls).await {
                assert_failed(result, Reason::TimeoutCall, Delivery::MaybeRun);
            }
            // All slots linger: the table is full until an answer comes.
            let no_retry = CallOptions::new().retries(0);
            let full = service.call_with::<_, Bytes>("Echo", &b""[..], &no_retry).await;
            assert_failed(full, Reason::OverloadInFlight, Delivery::NotSent);
            client.pushes().next().await.unwrap();
            // More than `max_lingering` are left: calls go to a new connection.
            call(&service, "Echo", b"second").await.unwrap()
        };
        let serving = async {
            let mut first = server.accept().await;
            let mut slow = Vec::new();
            for _ in 0..5 {
                slow.push(first.request().await.unwrap());
            }
            // Room again, and a sign for the other side to go on.
            tokio::time::sleep(ms(200)).await; // the peer's slowness
            first.answer(&slow[0], b"late").await;
            let push = Header::request(rpcx::protocol::SerializeType::RAW, 1).with_oneway(true);
            first.send(&crate::peer::frame(push, "Go", b"", &[])).await;
            let mut second = server.accept().await;
            let asked = second.request().await.unwrap();
            second.answer(&asked, b"of the second").await;
            assert!(first.request().await.is_none(), "the drained connection is closed");
        };
        let (answer, ()) = tokio::join!(asking, serving);
        assert_eq!(answer, &b"of the second"[..]);
    });
}

pub(crate) async fn join_all<F: Future + Unpin>(mut calls: Vec<F>) -> Vec<F::Output> {
    let mut results: Vec<Option<F::Output>> = calls.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (call, result) in calls.iter_mut().zip(&mut results) {
            if result.is_none() {
                match std::pin::Pin::new(call).poll(cx) {
                    Poll::Ready(done) => *result = Some(done),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[test]
fn a_go_like_peer_gets_no_cancel() {
    run(async {
        let way = Over::Tcp.way();
        let mut server = RawServer::bind(&way).await;
        let client = way.client(server.url()).build().unwrap();
        let service = raw(&client);
        let asking = async {
            let mut dropped = Box::pin(call(&service, "Slow", b""));
            let mut pushes = client.pushes();
            tokio::select! {
                _ = &mut dropped => panic!("nobody answered"),
                _ = pushes.next() => {}
            }
            drop(dropped);
            call(&service, "Next", b"").await.unwrap();
        };
        let serving = async {
            let mut peer = server.accept().await;
            let slow = peer.request().await.unwrap();
            let push = Header::request(slow.header().serialize(), 1).with_oneway(true);
            peer.send(&crate::peer::frame(push, "Go", b"", &[])).await;
            let next = peer.request().await.unwrap();
            assert_eq!(next.method(), b"Next", "nothing of ours goes to a peer that did not say that it knows it");
            peer.answer(&next, b"").await;
        };
        tokio::join!(asking, serving);
    });
}

#[test]
fn a_cancel_reaches_only_its_own_connection() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let (server, _client) = pair(&way, &probe).await;
        let mut one = crate::peer::Peer::dial(&way, &crate::support::url(&server)).await;
        let mut two = crate::peer::Peer::dial(&way, &crate::support::url(&server)).await;
        one.send(&request(7, "Hold", b"one", &[])).await;
        two.send(&request(7, "Hold", b"two", &[])).await;
        eventually("both handlers run", || probe.started() == 2).await;
        let cancel = |seq: u64| {
            let mut wire = Vec::new();
            let header = Header::request(rpcx::protocol::SerializeType::RAW, 99).with_oneway(true);
            let head = rpcx::protocol::Head::new(header, b"_rpcx", b"cancel");
            rpcx::protocol::encode(&mut wire, &head, &seq.to_be_bytes()).unwrap();
            wire
        };
        two.send(&cancel(8)).await;
        two.send(&cancel(7)).await;
        assert_eq!(crate::peer::error_text(&two.frame().await.unwrap()), "cancelled");
        assert_eq!((probe.cancelled(), probe.running()), (1, 1));
        probe.release(1);
        assert_eq!(one.frame().await.unwrap().payload(), b"one");
    });
}

/// A handler that was registered so runs to its end: through its caller's cancellation, its deadline and the end of its
/// connection. A server that shuts down waits for it.
#[test]
fn a_handler_that_runs_to_completion_is_not_stopped() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let hold = Method::raw("Finish", probe.hold()).to_completion();
            let builder = way.server().method("T", hold).with_probe(&probe).option("cancel_grace", "0");
            let server = builder.start().await.unwrap();
            let client = way.client(crate::support::url(&server)).build().unwrap();
            let service = raw(&client);
            call(&service, "Echo", b"").await.unwrap();
            let mut dropped = Box::pin(call(&service, "Finish", b"dropped"));
            begin(&mut dropped).await;
            eventually("it runs", || probe.started() == 1).await;
            drop(dropped);
            let short = CallOptions::new().timeout(ms(100));
            let late = service.call_with::<_, Bytes>("Finish", &b"late"[..], &short).await;
            assert_failed(late, Reason::TimeoutCall, Delivery::MaybeRun);
            service.oneway("Finish", &b"oneway"[..], &short).await.unwrap();
            eventually("all three run", || probe.started() == 3).await;
            // Its cancellation shows that those before it were heard.
            let mut other = Box::pin(call(&service, "Hold", b""));
            begin(&mut other).await;
            eventually("another runs", || probe.started() == 4).await;
            drop(other);
            eventually("it is cancelled", || probe.cancelled() == 1).await;
            client.close();
            eventually("the connection is gone", || server.connections().is_empty()).await;
            assert_eq!((probe.running(), probe.finished(), probe.cancelled()), (3, 0, 1), "{over:?}");
            let mut ending = Box::pin(server.shutdown(crate::support::LIMIT));
            begin(&mut ending).await;
            probe.release(3);
            ending.await.unwrap();
            assert_eq!((probe.running(), probe.finished(), probe.cancelled()), (0, 3, 1), "{over:?}");
        });
    }
}
