//! The tee: what clients send is copied, whatever protocol it is, and nobody waits for the copies.

use crate::peer::{Peer, request};
use crate::support::{Over, Probe, WithProbe, call, raw, run, url};
use rpcx::interceptor::Tee;

#[test]
fn the_copies_are_what_was_sent_tls_taken_off_and_can_be_sent_again() {
    for over in Over::ALL {
        run(async {
            let (way, (tee, mut copies)) = (over.way(), Tee::new(1 << 20));
            let server = way.server().with_probe(&Probe::new()).tee(tee.clone()).start().await.unwrap();
            let wire = [request(1, "Echo", b"one", &[("k", "v")]), request(2, "Echo", &[7; 100_000], &[])].concat();
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.send(&wire).await;
            for _ in 0..2 {
                peer.frame().await.unwrap();
            }
            drop(peer);
            let mut recorded = Vec::new();
            loop {
                let chunk = copies.next().await.unwrap();
                assert_eq!((chunk.connection, chunk.lost), (1, 0));
                if chunk.bytes.is_empty() {
                    break;
                }
                recorded.extend_from_slice(&chunk.bytes);
            }
            assert!(recorded == wire, "{over:?}: {} bytes for {}", recorded.len(), wire.len());
            let mut again = Peer::dial(&way, &url(&server)).await;
            again.send(&recorded).await;
            assert_eq!(again.frame().await.unwrap().payload(), b"one");
        });
    }
}

#[test]
fn a_slow_sink_loses_copies_and_holds_nobody_up() {
    run(async {
        let (way, (tee, mut copies)) = (Over::Tcp.way(), Tee::new(10_000));
        let server = way.server().with_probe(&Probe::new()).tee(tee.clone()).start().await.unwrap();
        let client = way.client(url(&server)).build().unwrap();
        for _ in 0..50 {
            assert_eq!(call(&raw(&client), "Echo", &[1; 1000]).await.unwrap().len(), 1000);
        }
        client.close();
        server.shutdown(crate::support::ms(5000)).await.unwrap();
        drop(server);
        let lost = tee.lost_bytes();
        assert!(lost > 30_000 && tee.lost_chunks() > 30, "{lost}");
        drop(tee);
        let mut taken = 0;
        while let Some(chunk) = copies.next().await {
            taken += chunk.bytes.len() as u64;
        }
        assert!(taken <= 10_000 && taken + lost > 50_000, "{taken} taken, {lost} lost");
    });
}
