//! The end of a client: close, shutdown, and servers that leave its discovery.

use crate::peer::RawServer;
use crate::support::{
    LIMIT, Over, Probe, WithProbe, assert_failed, assert_kind, call, eventually, ms, pair, raw, run, url,
};
use rpcx::Client;
use rpcx::discovery::Multiple;
use rpcx::error::{Delivery, ErrorKind, Reason};
use rpcx::protocol::{Header, Metadata, SerializeType};
use std::sync::Arc;

#[test]
fn close_fails_pending_calls_and_later_ones() {
    for over in Over::ALL {
        run(async {
            let probe = Probe::new();
            let (server, client) = pair(&over.way(), &probe).await;
            let service = raw(&client);
            let (result, ()) = tokio::join!(call(&service, "Hold", b""), async {
                eventually("the handler runs", || probe.started() == 1).await;
                client.close();
                client.close();
            });
            assert_failed(result, Reason::ClosedLocal, Delivery::MaybeRun);
            assert_failed(call(&service, "Echo", b"").await, Reason::ClosedLocal, Delivery::NotSent);
            assert_eq!(client.service("T").unwrap_err().kind(), ErrorKind::Closed);
            eventually("the connection ends", || server.connections().is_empty()).await;
        });
    }
}

#[test]
fn shutdown_waits_for_calls_in_progress() {
    for over in Over::ALL {
        run(async {
            let probe = Probe::new();
            let (server, client) = pair(&over.way(), &probe).await;
            let service = raw(&client);
            let (result, ended, ()) = tokio::join!(
                call(&service, "Hold", b"held"),
                async {
                    eventually("the handler runs", || probe.started() == 1).await;
                    client.shutdown(LIMIT).await
                },
                async {
                    eventually("the handler runs", || probe.started() == 1).await;
                    while client.service("T").is_ok() {
                        tokio::task::yield_now().await;
                    }
                    assert_failed(call(&service, "Echo", b"").await, Reason::ClosedLocal, Delivery::NotSent);
                    probe.release(1);
                }
            );
            assert_eq!(result.unwrap(), &b"held"[..]);
            ended.unwrap();
            eventually("the connection ends", || server.connections().is_empty()).await;
        });
    }
}

#[test]
fn shutdown_cuts_off_at_its_deadline() {
    run(async {
        let probe = Probe::new();
        let (_server, client) = pair(&Over::Tcp.way(), &probe).await;
        let service = raw(&client);
        let (result, ended) = tokio::join!(call(&service, "Hold", b""), async {
            eventually("the handler runs", || probe.started() == 1).await;
            client.shutdown(ms(50)).await
        });
        assert_kind(ended, ErrorKind::Timeout);
        assert_failed(result, Reason::ClosedLocal, Delivery::MaybeRun);
    });
}

#[test]
fn dropping_the_last_handle_closes_the_connections() {
    for over in Over::ALL {
        run(async {
            let (server, client) = pair(&over.way(), &Probe::new()).await;
            let service = raw(&client);
            drop(client);
            call(&service, "Echo", b"").await.unwrap();
            assert_eq!(server.connections().len(), 1);
            drop(service);
            eventually("the connection ends", || server.connections().is_empty()).await;
        });
    }
}

fn drain() -> Vec<u8> {
    let mut wire = Vec::new();
    let header = Header::request(SerializeType::RAW, 1).with_oneway(true);
    let head =
        rpcx::protocol::Head { header, service: b"_rpcx", method: b"drain", metadata: Metadata::empty(), extra: &[] };
    rpcx::protocol::encode(&mut wire, &head, b"").unwrap();
    wire
}

/// A connection that was told to drain is replaced, but its calls are still the client's.
#[test]
fn calls_on_a_replaced_connection_end_with_the_client() {
    for shutdown in [false, true] {
        run(async {
            let way = Over::Tcp.way();
            let mut server = RawServer::bind(&way).await;
            let client = way.client(server.url()).build().unwrap();
            let service = raw(&client);
            let (old, ended) = tokio::join!(call(&service, "Old", b""), async {
                let mut first = server.accept().await;
                let old = first.request().await.unwrap();
                first.send(&drain()).await;
                let (new, _second) = tokio::join!(
                    async {
                        // Until the word has arrived calls still come on the first connection.
                        loop {
                            tokio::select! {
                                answer = call(&service, "New", b"") => return answer,
                                Some(asked) = first.request() => first.answer(&asked, b"on the first").await,
                            }
                        }
                    },
                    async {
                        let mut second = server.accept().await;
                        let asked = second.request().await.unwrap();
                        second.answer(&asked, b"on the second").await;
                        second
                    }
                );
                new.unwrap();
                let ended = if shutdown {
                    let (ended, ()) = tokio::join!(client.shutdown(LIMIT), async {
                        // The idle one may go first.
                        first.answer(&old, b"done").await;
                    });
                    ended
                } else {
                    client.close();
                    Ok(())
                };
                // Nothing is left open.
                while first.request().await.is_some() {}
                ended
            });
            ended.unwrap();
            if shutdown {
                assert_eq!(old.unwrap(), &b"done"[..]);
            } else {
                assert_failed(old, Reason::ClosedLocal, Delivery::MaybeRun);
            }
        });
    }
}

#[test]
fn a_server_that_leaves_the_list_finishes_its_calls() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let (going, _c) = pair(&way, &probe).await;
        let staying = way.server().with_probe(&Probe::new()).start().await.unwrap();
        let list = Arc::new(Multiple::new(vec![url(&going).parse().unwrap()]));
        let client = Client::builder().discovery(list.clone()).build().unwrap();
        let service = raw(&client);
        let (held, ()) = tokio::join!(call(&service, "Hold", b"held"), async {
            eventually("the handler runs", || probe.started() == 1).await;
            list.update(vec![url(&staying).parse().unwrap()]);
            for _ in 0..5 {
                call(&service, "Echo", b"").await.unwrap();
            }
            assert_eq!((going.connections().len(), staying.connections().len()), (1, 1));
            probe.release(1);
        });
        assert_eq!(held.unwrap(), &b"held"[..]);
        eventually("its connection ends with the last call", || going.connections().is_empty()).await;
    });
}

#[test]
fn many_calls_that_need_a_connection_wait_for_one_dial() {
    for over in Over::ALL {
        run(async {
            let (server, client) = pair(&over.way(), &Probe::new()).await;
            let service = raw(&client);
            let calls = (0..50).map(|_| Box::pin(call(&service, "Echo", b""))).collect();
            assert!(crate::cancellation::join_all(calls).await.iter().all(Result::is_ok));
            assert_eq!(server.connections().len(), 1, "{over:?}");
        });
    }
}

#[test]
fn several_connections_share_the_calls() {
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().with_probe(&Probe::new()).start().await.unwrap();
        let client = way.client(url(&server)).option("connections", "4").build().unwrap();
        for _ in 0..40 {
            call(&raw(&client), "Echo", b"").await.unwrap();
        }
        assert_eq!(server.connections().len(), 4);
        client.close();
        eventually("all end", || server.connections().is_empty()).await;
    });
}
