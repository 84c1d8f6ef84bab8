//! What two peers of this library tell each other, and that a Go peer notices nothing of it.

use crate::peer::{Peer, RawServer};
use crate::support::{Over, Probe, call, eventually, ms, pair, raw, run, url};
use rpcx::protocol::{Header, SerializeType, keys};

#[test]
fn the_hello_leaves_in_one_write_with_the_first_request() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let mut server = RawServer::bind(&way).await;
            let client = way.client(server.url()).build().unwrap();
            let service = raw(&client);
            let (answer, ()) = tokio::join!(call(&service, "Echo", b"first"), async {
                let mut peer = server.accept().await;
                assert!(peer.more().await);
                let first_read = peer.buffered();
                let hello = peer.frame().await.unwrap();
                assert!(hello.header().is_heartbeat() && !hello.header().is_response());
                assert_eq!((hello.service(), hello.method()), (&b""[..], &b""[..]));
                assert_eq!(hello.metadata_get(keys::FEATURES), Some("client:cancel,drain,code,push"));
                assert_eq!(hello.payload().len(), 9);
                let request = peer.frame().await.unwrap();
                assert_eq!(first_read, hello.wire_len() + request.wire_len(), "{over:?}: both came at once");
                peer.answer(&request, b"").await;
            });
            answer.unwrap();
        });
    }
}

#[test]
fn without_heartbeats_there_is_no_hello() {
    run(async {
        let way = Over::Tcp.way();
        let mut server = RawServer::bind(&way).await;
        let client = way.client(server.url()).option("heartbeat_interval", "0").build().unwrap();
        let service = raw(&client);
        let (answer, ()) = tokio::join!(call(&service, "Echo", b""), async {
            let mut peer = server.accept().await;
            let first = peer.frame().await.unwrap();
            assert!(!first.header().is_heartbeat());
            peer.answer(&first, b"").await;
        });
        answer.unwrap();
    });
}

#[test]
fn a_server_answers_the_hello_with_its_own_words_and_echoes_all_else() {
    run(async {
        let way = Over::Tcp.way();
        let (server, _client) = pair(&way, &Probe::new()).await;
        let mut peer = Peer::dial(&way, &url(&server)).await;
        let answer = peer.hello().await;
        assert!(answer.header().is_heartbeat() && answer.header().is_response());
        let words = answer.metadata_get(keys::FEATURES).unwrap();
        let words = words.strip_prefix("server:").unwrap();
        for word in ["cancel", "drain", "code", "push"] {
            assert!(words.split(',').any(|given| given == word), "{words}");
        }
        // A Go client's heartbeat, and one with all the freedom that the protocol leaves.
        let header = Header::request(SerializeType::MSGPACK, 77).with_heartbeat(true).with_oneway(true).with_version(3);
        let heartbeat = crate::peer::frame(header, "M", b"payload", &[("k", "v")]);
        peer.send(&heartbeat).await;
        let echo = peer.frame().await.unwrap();
        let mut expected = heartbeat;
        rpcx::protocol::mark_response(&mut expected);
        let mut got = Vec::new();
        rpcx::protocol::echo_heartbeat(&mut got, &echo, None).unwrap();
        assert_eq!(got, expected);
    });
}

/// A connection that was opened and not used yet has nothing that waits for the system.
#[test]
fn a_hello_that_waits_is_no_stalled_write() {
    run(async {
        let way = Over::Tcp.way();
        let mut server = RawServer::bind(&way).await;
        let client = way
            .client(server.url())
            .option("write_timeout", "100ms")
            .option("heartbeat_interval", "30s")
            .build()
            .unwrap();
        let service = raw(&client);
        // The dial goes on without the call that began it.
        let mut gone = Box::pin(call(&service, "Echo", b"gone"));
        crate::cancellation::begin(&mut gone).await;
        drop(gone);
        let mut peer = server.accept().await;
        let early = tokio::time::timeout(ms(400), peer.frame()).await;
        assert!(early.is_err(), "the connection stays open and nothing was sent: {early:?}");
        let (answer, ()) = tokio::join!(call(&service, "Echo", b"first"), async {
            let request = peer.request().await.unwrap();
            assert_eq!(request.payload(), b"first");
            peer.answer(&request, b"").await;
        });
        answer.unwrap();
    });
}

#[test]
fn heartbeats_go_on_while_the_connection_is_quiet() {
    run(async {
        let way = Over::Tcp.way();
        let mut server = RawServer::bind(&way).await;
        let client = way.client(server.url()).option("heartbeat_interval", "50ms").build().unwrap();
        let service = raw(&client);
        let (answer, mut peer) = tokio::join!(call(&service, "Echo", b""), async {
            let mut peer = server.accept().await;
            let request = peer.request().await.unwrap();
            peer.answer(&request, b"").await;
            peer
        });
        answer.unwrap();
        for _ in 0..3 {
            let heartbeat = peer.frame().await.unwrap();
            assert!(heartbeat.header().is_heartbeat() && heartbeat.metadata_get(keys::FEATURES).is_none());
            let mut echo = Vec::new();
            rpcx::protocol::echo_heartbeat(&mut echo, &heartbeat, None).unwrap();
            peer.send(&echo).await;
        }
    });
}

#[test]
fn a_real_pair_learns_each_others_features() {
    for over in Over::ALL {
        run(async {
            let probe = Probe::new();
            let (_server, client) = pair(&over.way(), &probe).await;
            let service = raw(&client);
            // Cancelling in the very first call, whose request came with the hello.
            let mut held = Box::pin(call(&service, "Hold", b""));
            tokio::select! {
                _ = &mut held => panic!("nobody answered"),
                () = eventually("the handler runs", || probe.started() == 1) => {}
            }
            call(&service, "Echo", b"").await.unwrap();
            drop(held);
            eventually("the handler is cancelled", || probe.cancelled() == 1).await;
        });
    }
}
