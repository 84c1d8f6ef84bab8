//! The `Direct` write half: from foreign threads, against a peer that does not read, and shut down.

use crate::support::{bind, pair, run};
use rpcx::transport::{DirectWrite, Io, Transports, Writer};
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

fn direct(io: &Io) -> Arc<dyn DirectWrite> {
    match &io.writer {
        Writer::Direct(direct) => direct.clone(),
        Writer::Driven(_) => panic!("not a direct write half"),
    }
}

/// Runs the test over tcp and over unix.
fn over_both(test: impl AsyncFn(Io, Io)) {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let transports = Transports::default();
        for at in ["tcp@127.0.0.1:0".to_owned(), format!("unix@{}", folder.path().join("s").display())] {
            let mut listener = bind(&transports, &at).await;
            let (client, server) = pair(&transports, &mut *listener).await;
            test(client, server).await;
        }
    });
}

#[test]
fn a_thread_without_a_runtime_writes() {
    over_both(async |client, mut server| {
        let writer = direct(&client);
        let thread = std::thread::spawn(move || {
            assert!(tokio::runtime::Handle::try_current().is_err());
            let deadline = Instant::now() + Duration::from_secs(9);
            let bytes = [7_u8; 3000];
            let (mut left, mut vectored) = (3_000_000, false);
            while left > 0 {
                assert!(Instant::now() < deadline, "{left} bytes are not written");
                let now = &bytes[..left.min(bytes.len())];
                vectored = !vectored;
                let written = match vectored {
                    true => writer.try_write_vectored(&[IoSlice::new(&now[..1]), IoSlice::new(&now[1..])]),
                    false => writer.try_write(now),
                };
                match written {
                    Ok(count) => left -= count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                    Err(error) => panic!("{error}"),
                }
            }
            writer.shutdown();
        });
        let mut received = Vec::new();
        server.reader.read_to_end(&mut received).await.unwrap();
        assert!(received.len() == 3_000_000 && received.iter().all(|byte| *byte == 7));
        thread.join().unwrap();
        drop(client);
    });
}

#[test]
fn readiness_comes_back_when_the_peer_reads() {
    over_both(async |client, mut server| {
        let writer = direct(&client);
        let chunk = vec![1; 64 * 1024];
        let mut sent = 0;
        poll_fn(|cx| writer.poll_write_ready(cx)).await.unwrap();
        loop {
            match writer.try_write(&chunk) {
                Ok(count) => sent += count,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        let mut read = vec![0; sent];
        let (ready, read) =
            tokio::join!(poll_fn(|cx| writer.poll_write_ready(cx)), server.reader.read_exact(&mut read));
        assert_eq!(read.unwrap(), sent);
        ready.unwrap();
        assert!(writer.try_write(&chunk).unwrap() > 0);
    });
}

#[test]
fn shutdown_from_another_thread_wakes_the_reader_and_loses_nothing() {
    over_both(async |mut client, mut server| {
        let writer = direct(&client);
        poll_fn(|cx| writer.poll_write_ready(cx)).await.unwrap();
        assert_eq!(writer.try_write(b"last words").unwrap(), 10);
        let mut byte = [0];
        let read = client.reader.read(&mut byte);
        let (read, ()) = tokio::join!(read, async {
            // The reader waits by now: join polls in order.
            std::thread::spawn(move || {
                writer.shutdown();
                writer.shutdown();
            })
            .join()
            .unwrap();
        });
        assert_eq!(read.unwrap(), 0);
        assert!(direct(&client).try_write(b"more").is_err_and(|error| error.kind() != ErrorKind::WouldBlock));
        let mut words = String::new();
        server.reader.read_to_string(&mut words).await.unwrap();
        assert_eq!(words, "last words");
    });
}
