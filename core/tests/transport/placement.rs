//! A connection belongs to the runtime that opens it, not to the one that accepted.

use crate::support::{accept, bind, dial, run};
use rpcx::shard::ShardSet;
use rpcx::transport::Transports;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn an_accepted_connection_moves_to_the_shard_that_opens_it() {
    let set = ShardSet::new(1).unwrap();
    for at in ["tcp@127.0.0.1:0", "memu@placement"] {
        let client = std::sync::Mutex::new(None);
        let incoming = run(async {
            let transports = Transports::default();
            let mut listener = bind(&transports, at).await;
            let to = listener.address();
            *client.lock().unwrap() = Some(std::thread::spawn(move || {
                run(async {
                    let (mut stream, _) = dial(&Transports::default(), &to).await.unwrap().into_stream();
                    stream.write_all(b"hello").await.unwrap();
                    let mut answer = [0; 5];
                    stream.read_exact(&mut answer).await.unwrap();
                    answer
                })
            }));
            listener.accept().await.unwrap()
        });
        // The runtime that accepted is gone here.
        let server = set.next().spawn(async move {
            let (mut stream, _) = incoming.open().await.unwrap().into_stream();
            let mut asked = [0; 5];
            stream.read_exact(&mut asked).await.unwrap();
            assert_eq!(&asked, b"hello");
            stream.write_all(b"world").await.unwrap();
        });
        run(server).unwrap();
        assert_eq!(&client.into_inner().unwrap().unwrap().join().unwrap(), b"world");
    }
    assert!(set.shutdown(Duration::from_secs(5)));
}

#[test]
fn a_listener_registers_where_it_accepts_first() {
    let mut listener = run(async { bind(&Transports::default(), "tcp@127.0.0.1:0").await });
    // The runtime that bound is gone here.
    run(async {
        let to = listener.address();
        let transports = Transports::default();
        let (client, server) = tokio::join!(dial(&transports, &to), accept(&mut *listener));
        client.unwrap();
        server.unwrap();
    });
}
