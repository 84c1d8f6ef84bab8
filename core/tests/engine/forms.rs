//! Calls without an answer, and calls by the dozen.

use crate::peer::RawServer;
use crate::support::{Over, Probe, assert_failed, call, eventually, ms, pair, raw, run};
use bytes::Bytes;
use rpcx::client::{Batch, CallOptions};
use rpcx::error::{Delivery, Reason};

#[test]
fn oneway_and_oneshot_reach_the_handler_and_get_no_answer() {
    for over in Over::ALL {
        run(async {
            let probe = Probe::new();
            let (_server, client) = pair(&over.way(), &probe).await;
            let service = raw(&client);
            // Before there is a connection, and after.
            service.oneshot("Hold", &b"1"[..], &CallOptions::new()).unwrap();
            eventually("it arrives", || probe.started() == 1).await;
            service.oneway("Hold", &b"2"[..], &CallOptions::new()).await.unwrap();
            service.oneway("Nil", &b"unknown methods say nothing"[..], &CallOptions::new()).await.unwrap();
            eventually("it arrives", || probe.started() == 2).await;
            probe.release(2);
            eventually("they end", || probe.finished() == 2).await;
            assert_eq!(call(&service, "Echo", b"next").await.unwrap(), &b"next"[..], "{over:?}");
        });
    }
}

#[test]
fn a_oneway_frame_says_so_and_nothing_comes_back() {
    run(async {
        let way = Over::Tcp.way();
        let (server, _client) = pair(&way, &Probe::new()).await;
        let mut peer = crate::peer::Peer::dial(&way, &crate::support::url(&server)).await;
        let oneway = |seq, method| {
            let header = rpcx::protocol::Header::request(rpcx::protocol::SerializeType::RAW, seq).with_oneway(true);
            crate::peer::frame(header, method, b"x", &[])
        };
        peer.send(&[oneway(1, "Echo"), oneway(2, "Nil"), crate::peer::request(3, "Echo", b"y", &[])].concat()).await;
        assert_eq!(peer.frame().await.unwrap().header().seq, 3, "only the call is answered");

        let mut server = RawServer::bind(&way).await;
        let client = way.client(server.url()).build().unwrap();
        let service = raw(&client);
        let options = CallOptions::new();
        let (sent, asked) = tokio::join!(service.oneway("Note", &b"x"[..], &options), async {
            server.accept().await.request().await.unwrap()
        });
        sent.unwrap();
        assert!(asked.header().is_oneway() && !asked.header().is_response());
    });
}

#[test]
fn a_batch_keeps_its_order_and_leaves_in_few_writes() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let (_server, client) = pair(&way, &Probe::new()).await;
            let echo = raw(&client).method("Echo").unwrap();
            let nil = raw(&client).method("Nil").unwrap();
            let mut batch = Batch::<Bytes>::new();
            for i in 0..500_u32 {
                batch.add(if i % 100 == 7 { &nil } else { &echo }, i.to_be_bytes().to_vec(), CallOptions::new());
            }
            assert_eq!(batch.len(), 500);
            for (i, result) in batch.run().await.into_iter().enumerate() {
                if i % 100 == 7 {
                    assert_failed(result, Reason::ServiceUnknownMethod, Delivery::Answered);
                } else {
                    assert_eq!(result.unwrap().value, (i as u32).to_be_bytes().to_vec(), "{over:?}");
                }
            }
        });
    }
    run(async {
        let way = Over::Tcp.way();
        let mut server = RawServer::bind(&way).await;
        let client = way.client(server.url()).build().unwrap();
        let service = raw(&client);
        let serving = async {
            let mut peer = server.accept().await;
            let first = peer.request().await.unwrap();
            peer.answer(&first, b"").await;
            assert!(peer.more().await);
            // One read gives many frames: they came in one write, or very few.
            let held = peer.buffered();
            for _ in 0..100 {
                let asked = peer.request().await.unwrap();
                peer.answer(&asked, b"").await;
            }
            held
        };
        let asking = async {
            call(&service, "Echo", b"").await.unwrap();
            let mut batch = Batch::<Bytes>::new();
            for _ in 0..100 {
                batch.add(&service.method("Echo").unwrap(), vec![1_u8; 50], CallOptions::new());
            }
            assert!(batch.run().await.iter().all(Result::is_ok));
        };
        let (held, ()) = tokio::join!(serving, asking);
        assert!(held > 50 * 82, "{held} bytes came at once");
    });
}

#[test]
fn a_dropped_batch_cancels_its_calls() {
    run(async {
        let probe = Probe::new();
        let (_server, client) = pair(&Over::Tcp.way(), &probe).await;
        call(&raw(&client), "Echo", b"").await.unwrap();
        let mut batch = Batch::<Bytes>::new();
        for _ in 0..5 {
            batch.add(&raw(&client).method("Hold").unwrap(), b"x".to_vec(), CallOptions::new());
        }
        let mut running = Box::pin(batch.run());
        tokio::select! {
            _ = &mut running => panic!("nobody answered"),
            () = eventually("all run", || probe.started() == 5) => {}
        }
        drop(running);
        eventually("all are cancelled", || probe.cancelled() == 5).await;
        let timeout = CallOptions::new().timeout(ms(10_000));
        assert!(raw(&client).call_with::<_, Bytes>("Echo", &b""[..], &timeout).await.is_ok());
    });
}
