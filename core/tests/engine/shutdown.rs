//! The end of a server, graceful and not: what was accepted is answered.

use crate::peer::{Peer, error_text, frame, hello, request};
use crate::support::{
    LIMIT, Over, Probe, WithProbe, assert_failed, assert_kind, call, eventually, ms, pair, raw, run, url,
};
use bytes::Bytes;
use rpcx::Context;
use rpcx::error::{Delivery, ErrorKind, Reason};
use rpcx::protocol::{Header, SerializeType};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Instant;

#[test]
fn calls_in_progress_are_finished_and_new_ones_refused() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let (server, client) = pair(&way, &probe).await;
            let service = raw(&client);
            call(&service, "Echo", b"").await.unwrap();
            let held = call(&service, "Hold", b"held");
            let mut held = std::pin::pin!(held);
            tokio::select! {
                _ = &mut held => panic!("nobody answered"),
                () = eventually("the handler runs", || probe.started() == 1) => {}
            }
            let (ended, result, ()) = tokio::join!(server.shutdown(LIMIT), held, async {
                eventually("the listener is closed", || probe.running() == 1).await;
                let late = way.client(url(&server)).option("retries", "0").option("connect_timeout", "500ms").build();
                assert_kind(call(&raw(&late.unwrap()), "Echo", b"").await, ErrorKind::Connect);
                probe.release(1);
            });
            ended.unwrap();
            assert_eq!(result.unwrap(), &b"held"[..], "{over:?}");
            assert!(server.connections().is_empty());
        });
    }
}

#[test]
fn the_deadline_cuts_off_what_still_runs() {
    for over in Over::ALL {
        run(async {
            let probe = Probe::new();
            let (server, client) = pair(&over.way(), &probe).await;
            let service = raw(&client);
            let began = Instant::now();
            let (result, ended) = tokio::join!(call(&service, "Hold", b""), async {
                eventually("the handler runs", || probe.started() == 1).await;
                server.shutdown(ms(100)).await
            });
            assert_kind(ended, ErrorKind::Timeout);
            let error = assert_kind(result, ErrorKind::Closed);
            assert_eq!(error.delivery(), Delivery::MaybeRun, "{over:?}");
            assert!(began.elapsed() < ms(2000), "{:?}", began.elapsed());
            eventually("the handler is cancelled", || probe.running() == 0).await;
        });
    }
}

#[test]
fn clients_with_two_servers_see_no_failure() {
    for over in Over::ALL {
        run(async {
            let (one, two) = (over.way(), over.way());
            let two = if over == Over::Tls { one.clone() } else { two };
            let first = one.server().with_probe(&Probe::new()).start().await.unwrap();
            let second = two.server().with_probe(&Probe::new()).start().await.unwrap();
            let list = format!("multiple://{},{}", url(&first), url(&second));
            let client = one.client(list).build().unwrap();
            let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
            let callers: Vec<_> = (0..200)
                .map(|i: u32| {
                    let (service, stop, done) = (raw(&client), stop.clone(), done.clone());
                    tokio::spawn(async move {
                        while !stop.load(Ordering::Relaxed) {
                            let answer = call(&service, "Echo", &i.to_be_bytes()).await?;
                            assert_eq!(answer, &i.to_be_bytes()[..]);
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok::<(), rpcx::Error>(())
                    })
                })
                .collect();
            eventually("calls go on", || done.load(Ordering::Relaxed) > 1000).await;
            first.shutdown(LIMIT).await.unwrap();
            let then = done.load(Ordering::Relaxed);
            eventually("calls go on elsewhere", || done.load(Ordering::Relaxed) > then + 1000).await;
            stop.store(true, Ordering::Relaxed);
            for caller in callers {
                caller.await.unwrap().unwrap_or_else(|error| panic!("{over:?}: {error:?}"));
            }
        });
    }
}

/// Requests in flight meet the refusal of a server that goes: moving them costs nothing of the retry budget.
#[test]
fn a_refusal_before_the_handler_moves_to_another_server_for_free() {
    run(async {
        let way = Over::Tcp.way();
        let mut going = crate::peer::RawServer::bind(&way).await;
        let staying = way.server().with_probe(&Probe::new()).start().await.unwrap();
        let client = way
            .client(format!("multiple://{},{}", going.url(), url(&staying)))
            .option("retry_budget.min", "0")
            .option("retry_budget.ratio", "0")
            .build()
            .unwrap();
        let service = raw(&client);
        let serving = async {
            let mut peer = going.accept().await;
            while let Some(asked) = peer.request().await {
                let header = Header::response_to(asked.header()).with_status(rpcx::protocol::Status::ERROR);
                let said = [("__rpcx_error__", "going"), ("__rpcx_code", "13"), ("__rpcx_not_run", "1")];
                peer.send(&frame(header, "Echo", b"", &said)).await;
            }
        };
        let calls = (0..40).map(|_| Box::pin(call(&service, "Echo", b"x"))).collect();
        let results = tokio::select! {
            results = crate::cancellation::join_all(calls) => results,
            () = serving => panic!("the connection ended"),
        };
        for result in results {
            assert_eq!(result.unwrap(), &b"x"[..]);
        }
    });
}

/// The system has accepted the connection, and its first request is on the way, before the server knows of either.
#[test]
fn who_has_connected_is_answered() {
    run(async {
        let server = Over::Tcp.way().server().with_probe(&Probe::new()).start().await.unwrap();
        let (mut ours, _) = Peer::connected(&url(&server), &[hello(), request(1, "Echo", b"", &[])].concat());
        let (mut go_like, _) = Peer::connected(&url(&server), &request(1, "Echo", b"served", &[]));
        let (ended, ()) = tokio::join!(server.shutdown(LIMIT), async {
            let answer = go_like.frame().await.expect("the connection was dropped");
            assert_eq!(answer.payload(), b"served");
            assert!(ours.frame().await.unwrap().header().is_heartbeat());
            assert_eq!(ours.frame().await.unwrap().method(), b"drain");
            let refused = ours.frame().await.unwrap();
            assert_eq!((refused.header().seq, refused.metadata_get("__rpcx_not_run")), (1, Some("1")));
        });
        ended.unwrap();
    });
}

/// Else a client that is told to leave, and connects anew, is accepted by a socket that is closed a moment later: its
/// request is lost, and may have run for all it knows.
#[test]
fn clients_are_told_to_leave_when_nobody_listens_any_more() {
    run(async {
        let server = Over::Tcp.way().server().with_probe(&Probe::new()).start().await.unwrap();
        let (mut peer, socket) = Peer::connected(&url(&server), b"");
        peer.hello().await;
        let mut shutdown = std::pin::pin!(server.shutdown(LIMIT));
        // No other task runs between the word and the dial.
        let again = std::future::poll_fn(|cx| {
            assert!(shutdown.as_mut().poll(cx).is_pending());
            match socket.peek(&mut [0]) {
                Ok(_) => Poll::Ready(std::net::TcpStream::connect(socket.peer_addr().unwrap())),
                Err(_) => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        });
        let again = again.await.map_err(|error| error.kind());
        assert_eq!(again.err(), Some(std::io::ErrorKind::ConnectionRefused));
        assert_eq!(peer.frame().await.unwrap().method(), b"drain");
        drop((peer, socket));
        shutdown.await.unwrap();
    });
}

#[test]
fn an_idle_connection_that_cannot_be_told_is_closed_after_the_linger() {
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().with_probe(&Probe::new()).option("shutdown_linger", "100ms").start().await.unwrap();
        let mut go_like = Peer::dial(&way, &url(&server)).await;
        go_like.send(&request(1, "Echo", b"", &[])).await;
        go_like.frame().await.unwrap();
        let began = Instant::now();
        let (ended, last) = tokio::join!(server.shutdown(LIMIT), async {
            // Served until the end: such a peer would take a refusal for the service's word.
            go_like.send(&request(2, "Echo", b"last", &[])).await;
            let last = go_like.frame().await.unwrap();
            assert!(go_like.frame().await.is_none());
            last
        });
        ended.unwrap();
        assert_eq!(last.payload(), b"last");
        let took = began.elapsed();
        assert!(took >= ms(100) && took < ms(3000), "{took:?}");
    });
}

#[test]
fn a_peer_that_was_told_is_refused_with_a_code_and_its_oneways_are_served() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let (server, _client) = pair(&way, &probe).await;
        let mut peer = Peer::dial(&way, &url(&server)).await;
        peer.hello().await;
        peer.send(&request(1, "Hold", b"held", &[])).await;
        eventually("the handler runs", || probe.started() == 1).await;
        let (ended, ()) = tokio::join!(server.shutdown(LIMIT), async {
            let drain = peer.frame().await.unwrap();
            assert!(drain.header().is_push());
            assert_eq!((drain.service(), drain.method()), (&b"_rpcx"[..], &b"drain"[..]));
            let oneway = Header::request(SerializeType::RAW, 2).with_oneway(true);
            peer.send(&[frame(oneway, "Hold", b"", &[]), request(3, "Echo", b"", &[])].concat()).await;
            let refused = peer.frame().await.unwrap();
            assert_eq!((refused.header().seq, refused.metadata_get("__rpcx_code")), (3, Some("13")));
            assert_eq!(refused.metadata_get("__rpcx_not_run"), Some("1"));
            assert!(error_text(&refused).contains("shutting down"));
            eventually("nobody would hear of its refusal, so the oneway request runs", || probe.started() == 2).await;
            probe.release(2);
            assert_eq!(peer.frame().await.unwrap().payload(), b"held");
        });
        ended.unwrap();
    });
}

#[test]
fn a_client_that_says_hello_during_the_drain_is_told_too() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let (server, _client) = pair(&way, &probe).await;
        let mut peer = Peer::dial(&way, &url(&server)).await;
        peer.send(&request(1, "Hold", b"", &[])).await;
        eventually("the handler runs", || probe.started() == 1).await;
        let (ended, ()) = tokio::join!(server.shutdown(LIMIT), async {
            let hello = peer.hello().await;
            assert!(hello.header().is_heartbeat());
            assert_eq!(peer.frame().await.unwrap().method(), b"drain");
            probe.release(1);
            assert_eq!(peer.frame().await.unwrap().header().seq, 1);
        });
        ended.unwrap();
    });
}

/// The answer of a finished call is larger than any buffer on the way: the end waits until it is out.
#[test]
fn an_answer_that_is_still_being_written_is_not_cut() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let served = Arc::new(AtomicBool::new(false));
            let told = served.clone();
            let server = way
                .server()
                .option("shutdown_linger", "0")
                .raw("T", "Large", move |_: Context, _: Bytes| {
                    told.store(true, Ordering::SeqCst);
                    async { Ok(Bytes::from(vec![5; 24 << 20])) }
                })
                .start()
                .await
                .unwrap();
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.send(&request(1, "Large", b"", &[])).await;
            eventually("it is answered", || served.load(Ordering::SeqCst)).await;
            let (ended, ()) = tokio::join!(server.shutdown(LIMIT), async {
                tokio::time::sleep(ms(100)).await; // the peer's slowness
                let answer = peer.frame().await.unwrap_or_else(|| panic!("{over:?}: the answer was cut"));
                assert_eq!(answer.payload().len(), 24 << 20);
                assert!(peer.frame().await.is_none());
            });
            ended.unwrap();
        });
    }
}

#[test]
fn close_ends_everything_at_once() {
    for over in Over::ALL {
        run(async {
            let probe = Probe::new();
            let (server, client) = pair(&over.way(), &probe).await;
            let service = raw(&client);
            let (result, ()) = tokio::join!(call(&service, "Hold", b""), async {
                eventually("the handler runs", || probe.started() == 1).await;
                server.close();
                server.close();
                server.wait().await;
            });
            let error = assert_kind(result, ErrorKind::Closed);
            assert_eq!(error.delivery(), Delivery::MaybeRun);
            eventually("the handler is cancelled", || probe.running() == 0).await;
            let no_retry = rpcx::client::CallOptions::new().retries(0);
            let again = service.call_with::<_, Bytes>("Echo", &b""[..], &no_retry).await;
            assert_eq!(again.unwrap_err().delivery(), Delivery::NotSent, "{over:?}");
        });
    }
}

#[test]
fn a_client_comes_back_when_its_server_does() {
    run(async {
        let way = Over::Tcp.way();
        let (server, _) = pair(&way, &Probe::new()).await;
        let at = url(&server);
        let client = way.client(&at).build().unwrap();
        call(&raw(&client), "Echo", b"").await.unwrap();
        server.shutdown(LIMIT).await.unwrap();
        let no_retry = rpcx::client::CallOptions::new().retries(0);
        let gone = raw(&client).call_with::<_, Bytes>("Echo", &b""[..], &no_retry).await;
        assert_failed(gone, Reason::ConnectRefused, Delivery::NotSent);
        let mut again = way.clone();
        again.bind = at;
        let _server = again.server().with_probe(&Probe::new()).start().await.unwrap();
        assert_eq!(call(&raw(&client), "Echo", b"back").await.unwrap(), &b"back"[..]);
    });
}
