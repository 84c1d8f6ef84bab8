//! Messages that a server sends on its own: order, bounds on both sides, and who gets them.

use crate::peer::{Peer, RawServer, hello};
use crate::support::{Over, Probe, WithProbe, assert_failed, assert_kind, call, eventually, ms, pair, raw, run, url};
use bytes::Bytes;
use rpcx::error::{Delivery, ErrorKind, Reason, Result};
use rpcx::protocol::{Header, Metadata, SerializeType};
use rpcx::{Client, Context, Server};
use std::sync::{Arc, Mutex};

async fn notify(ctx: Context, count: Bytes) -> Result<Bytes> {
    for i in 0..count[0] {
        ctx.push("News", "Item", &Metadata::from_iter([("i", i.to_string())]), &[i])?;
    }
    Ok(count)
}

async fn serving(over: Over, options: &[(&str, &str)]) -> (Server, Client) {
    let way = over.way();
    let server = way.server().with_probe(&Probe::new()).raw("T", "Notify", notify).start().await.unwrap();
    let mut client = way.client(url(&server));
    for (name, value) in options {
        client = client.option(name, value);
    }
    (server, client.build().unwrap())
}

#[test]
fn pushes_arrive_in_order_with_their_metadata() {
    for over in Over::ALL {
        run(async {
            let (server, client) = serving(over, &[]).await;
            let mut pushes = client.pushes();
            call(&raw(&client), "Notify", &[10]).await.unwrap();
            server.connections()[0].push("News", "Last", Metadata::empty(), b"from outside").unwrap();
            for i in 0..10_u8 {
                let push = pushes.next().await.unwrap();
                assert_eq!((push.service().as_str(), push.method().as_str()), ("News", "Item"));
                assert_eq!((push.payload(), push.serialize_type()), (Bytes::copy_from_slice(&[i]), SerializeType::RAW));
                assert_eq!(push.metadata().get("i"), Some(i.to_string().as_str()));
            }
            assert_eq!(pushes.next().await.unwrap().payload(), &b"from outside"[..], "{over:?}");
            client.close();
            assert!(pushes.next().await.is_none());
            eventually("the connection ends", || server.connections().is_empty()).await;
        });
    }
}

#[test]
fn a_full_queue_drops_the_newest_or_the_oldest_or_stops_reading() {
    for (overflow, expected) in [("drop_newest", [0, 1, 2, 9]), ("drop_oldest", [3, 4, 5, 9]), ("block", [0, 1, 2, 3])]
    {
        run(async {
            let (server, client) = serving(Over::Tcp, &[("push_queue", "3"), ("push_overflow", overflow)]).await;
            let mut pushes = client.pushes();
            let service = raw(&client);
            if overflow == "block" {
                // The answer stands behind messages that nobody has read.
                let mut notifying = Box::pin(call(&service, "Notify", &[6]));
                assert!(tokio::time::timeout(ms(150), &mut notifying).await.is_err());
                for expected in expected {
                    assert_eq!(pushes.next().await.unwrap().payload()[0], expected);
                }
                let (answer, ()) = tokio::join!(notifying, async {
                    assert_eq!(pushes.next().await.unwrap().payload()[0], 4);
                    assert_eq!(pushes.next().await.unwrap().payload()[0], 5);
                });
                answer.unwrap();
                return;
            }
            call(&service, "Notify", &[6]).await.unwrap();
            for expected in &expected[..3] {
                assert_eq!(pushes.next().await.unwrap().payload()[0], *expected, "{overflow}");
            }
            server.connections()[0].push("News", "Item", Metadata::empty(), &[9]).unwrap();
            assert_eq!(pushes.next().await.unwrap().payload()[0], expected[3]);
        });
    }
}

/// A client that reads nothing because its user reads nothing has not lost its server.
#[test]
fn a_connection_that_waits_for_its_reader_is_not_silent() {
    for over in [Over::Tcp, Over::Memory] {
        run(async {
            let (server, client) = serving(
                over,
                &[
                    ("push_queue", "1"),
                    ("push_overflow", "block"),
                    ("heartbeat_interval", "50ms"),
                    ("heartbeat_timeout", "150ms"),
                    ("stuck_timeout", "100ms"),
                ],
            )
            .await;
            let service = raw(&client);
            let mut notifying = Box::pin(call(&service, "Notify", &[3]));
            assert!(tokio::time::timeout(ms(600), &mut notifying).await.is_err(), "{over:?}");
            let mut pushes = client.pushes();
            let (answer, ()) = tokio::join!(notifying, async {
                for i in 0..3 {
                    assert_eq!(pushes.next().await.unwrap().payload()[0], i);
                }
            });
            answer.unwrap();
            assert_eq!(server.connections().len(), 1);
        });
    }
}

#[test]
fn peers_that_said_nothing_get_pushes_unless_the_option_forbids() {
    for (allowed, expected) in [("true", true), ("false", false)] {
        run(async {
            let way = Over::Tcp.way();
            let server =
                way.server().option("push_to_unknown", allowed).raw("T", "Notify", notify).start().await.unwrap();
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.send(&crate::peer::request(1, "Notify", &[1], &[])).await;
            let first = peer.frame().await.unwrap();
            assert_eq!(first.header().is_push(), expected, "{allowed}");
            if !expected {
                assert!(crate::peer::error_text(&first).contains("takes no pushes"));
            }
            // One that listed the word gets them either way.
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.send(&[hello(), crate::peer::request(1, "Notify", &[1], &[])].concat()).await;
            // The message may overtake the answers of its batch, the hello's among them.
            let (one, two) = (peer.frame().await.unwrap(), peer.frame().await.unwrap());
            assert!(one.header().is_push() || two.header().is_push(), "{one:?} {two:?}");
        });
    }
}

/// Messages for a client that does not read them are counted and bounded, however often the connection's task looks in.
#[test]
fn pushes_that_wait_are_bounded() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let server = way.server().with_probe(&Probe::new()).option("push_queue", "16").start().await.unwrap();
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.send(&crate::peer::request(1, "Echo", b"", &[])).await;
            peer.frame().await.unwrap();
            let connection = server.connections().remove(0);
            let (mut sent, mut failed) = (0, None);
            // Fewer than 64 MiB, the limit of bytes.
            while sent < 700 && failed.is_none() {
                match connection.push("News", "Item", Metadata::empty(), &[0; 64 << 10]) {
                    Ok(()) => sent += 1,
                    Err(error) => failed = Some(error),
                }
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
            let error = failed.unwrap_or_else(|| panic!("{over:?}: {sent} pushes were taken"));
            assert_failed::<()>(Err(error), Reason::LimitMaxPushes, Delivery::NotSent);
            for _ in 0..sent {
                assert!(peer.frame().await.unwrap().header().is_push());
            }
            eventually("there is room again", || connection.push("News", "Item", Metadata::empty(), b"again").is_ok())
                .await;
        });
    }
}

#[test]
fn a_handle_outlives_its_connection() {
    run(async {
        let (server, client) = pair(&Over::Tcp.way(), &Probe::new()).await;
        call(&raw(&client), "Echo", b"").await.unwrap();
        let connection = server.connections().remove(0);
        assert!(connection.is_open());
        connection.close();
        eventually("it ends", || server.connections().is_empty()).await;
        assert!(!connection.is_open());
        assert!(connection.push("News", "Item", Metadata::empty(), b"").is_err());
        eventually("the client has seen it", || client.stats().connections.closed == 1).await;
        assert!(call(&raw(&client), "Echo", b"anew").await.is_ok());
    });
}

#[test]
fn pushes_of_a_go_like_server_are_read() {
    run(async {
        let way = Over::Tcp.way();
        let mut server = RawServer::bind(&way).await;
        let client = way.client(server.url()).build().unwrap();
        let service = raw(&client);
        let (answer, ()) = tokio::join!(call(&service, "Echo", b""), async {
            let mut peer = server.accept().await;
            let asked = peer.request().await.unwrap();
            let header = Header::request(SerializeType::RAW, asked.header().seq).with_oneway(true);
            peer.send(&crate::peer::frame(header, "Item", b"news", &[("k", "v")])).await;
            peer.answer(&asked, b"answer").await;
        });
        assert_eq!(answer.unwrap(), &b"answer"[..]);
        assert_eq!(client.pushes().next().await.unwrap().payload(), &b"news"[..]);
    });
}

/// Metadata that the other side would refuse is not sent: in a push, and in an answer.
#[test]
fn metadata_of_pushes_and_answers_keep_the_servers_own_limits() {
    for (option, value, reason) in [
        ("max_metadata_size", "256", Reason::LimitMaxMetadataSize),
        ("max_metadata_pairs", "3", Reason::LimitMaxMetadataPairs),
    ] {
        run(async {
            let way = Over::Tcp.way();
            let many = || Metadata::from_iter((0..20).map(|i| (format!("key{i}"), "some value")));
            let answer = move |ctx: Context, payload: Bytes| async move {
                let metadata = if payload.is_empty() { Metadata::new() } else { many() };
                metadata.iter().for_each(|(key, value)| ctx.set_metadata(key, value));
                if payload == "fail" { Err("of its own".into()) } else { Ok(payload) }
            };
            let server = way.server().option(option, value).raw("T", "Answer", answer).start().await.unwrap();
            let client = way.client(url(&server)).build().unwrap();
            let service = raw(&client);
            assert!(call(&service, "Answer", b"").await.is_ok());
            let error = assert_failed(call(&service, "Answer", b"x").await, Reason::LimitServer, Delivery::Answered);
            assert!(error.message().contains("answer's metadata") && error.message().contains(option), "{error}");
            // A failure is told all the same, without them.
            let error =
                assert_failed(call(&service, "Answer", b"fail").await, Reason::ServiceError, Delivery::Answered);
            assert_eq!(error.message(), "of its own");
            let connection = server.connections().remove(0);
            let error = assert_failed(connection.push("News", "Item", &many(), b""), reason, Delivery::NotSent);
            assert!(error.message().contains("push's metadata"), "{error}");
            connection.push("News", "Item", Metadata::empty(), b"fits").unwrap();
            assert_eq!(client.pushes().next().await.unwrap().payload(), &b"fits"[..]);
        });
    }
}

/// Instead of failing, a push can wait for room: from outside for as long as its caller wants, in a handler until its call
/// is over.
#[test]
fn a_push_can_wait_for_room() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let ended = Arc::new(Mutex::new(Vec::new()));
            let noted = ended.clone();
            let flood = move |ctx: Context, _: Bytes| {
                let noted = noted.clone();
                async move {
                    loop {
                        let pushed = ctx.push_when_ready("News", "Item", Metadata::empty(), &[1; 64 << 10]).await;
                        if let Err(error) = pushed {
                            noted.lock().unwrap().push(error);
                            return Ok(Bytes::new());
                        }
                    }
                }
            };
            let server = way.server().option("push_queue", "16").raw("T", "Flood", flood).start().await.unwrap();
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.hello().await;
            let connection = server.connections().remove(0);
            let mut sent = 0;
            while connection.push("News", "Item", Metadata::empty(), &[0; 64 << 10]).is_ok() {
                sent += 1;
                assert!(sent < 700, "{over:?}");
            }
            let dropped = server.stats().pushes.dropped;
            let mut waiting = Box::pin(connection.push_when_ready("News", "Last", Metadata::empty(), b"last"));
            crate::cancellation::begin(&mut waiting).await;
            assert_eq!(server.stats().pushes.dropped, dropped, "what waits is not dropped");
            let reading = async {
                loop {
                    let push = peer.frame().await.unwrap();
                    if push.method() == b"Last" {
                        return push;
                    }
                }
            };
            let (pushed, push) = tokio::join!(waiting, reading);
            pushed.unwrap();
            assert_eq!(push.payload(), b"last", "{over:?}");

            // A handler stops waiting with its call: at its deadline, and when its connection ends.
            peer.send(&crate::peer::request(1, "Flood", b"", &[("__ServerTimeout", "300")])).await;
            eventually("its deadline ends it", || ended.lock().unwrap().len() == 1).await;
            let error = ended.lock().unwrap().remove(0);
            assert_failed::<()>(Err(error), Reason::TimeoutQueued, Delivery::NotSent);
            eventually("it is over", || server.stats().in_flight == 0).await;
            peer.send(&crate::peer::request(2, "Flood", b"", &[])).await;
            eventually("it waits for room", || server.stats().queue.bytes > 0 && server.stats().in_flight > 0).await;
            let mut outside = Box::pin(connection.push_when_ready("News", "Item", Metadata::empty(), b""));
            connection.close();
            eventually("the end of the connection ends it", || ended.lock().unwrap().len() == 1).await;
            assert_kind(outside.as_mut().await, ErrorKind::Closed);
        });
    }
}
