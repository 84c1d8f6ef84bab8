//! Bytes both ways over every transport that needs no TLS, and who each end says the other is.

use crate::support::{address, bind, dial, exchange, pair, run};
use bytes::Bytes;
use rpcx::transport::{ListenOptions, Transports, Writer};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn tcp_in_all_its_spellings() {
    let ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    run(async {
        let transports = Transports::default();
        for (at, listening) in [
            ("tcp@127.0.0.1:0", "tcp@127.0.0.1:"),
            ("127.0.0.1:0", "tcp@127.0.0.1:"),
            ("tcp@localhost:0", "tcp@localhost:"),
            ("tcp4@localhost:0", "tcp4@localhost:"),
            ("tcp4@:0", "tcp4@0.0.0.0:"),
            ("reuseport@127.0.0.1:0", "tcp@127.0.0.1:"),
            ("tcp@[::1]:0", "tcp@[::1]:"),
            ("tcp6@[::1]:0", "tcp6@[::1]:"),
            ("tcp6@:0", "tcp6@[::]:"),
            ("tcp@:0", "tcp@[::]:"),
        ] {
            if !ipv6 && listening.contains('[') {
                eprintln!("{at} is left out: this machine has no IPv6");
                continue;
            }
            let mut listener = bind(&transports, at).await;
            assert!(listener.address().as_str().starts_with(listening), "{at} became {}", listener.address());
            assert_ne!(listener.address().port(), Some(0));
            let (client, server) = pair(&transports, &mut *listener).await;
            assert!(matches!((&client.writer, &server.writer), (Writer::Direct(_), Writer::Direct(_))));
            let dialled_from = client.info.local.clone().unwrap();
            if !listening.contains("[::]") {
                assert_eq!(server.info.remote, dialled_from.rest());
            }
            assert_eq!(server.info.local, Some(listener.address()));
            assert_eq!(client.info.remote.rsplit_once(':').unwrap().1, listener.address().port().unwrap().to_string());
            assert!(client.info.tls.is_none() && server.info.tls.is_none());
            exchange(client, server).await;
        }
    });
}

#[test]
fn a_listener_on_every_address_takes_ipv4_and_writes_it_as_such() {
    run(async {
        let transports = Transports::default();
        let mut listener = bind(&transports, "tcp@:0").await;
        let to = address(&format!("tcp@127.0.0.1:{}", listener.address().port().unwrap()));
        let client = dial(&transports, &to).await.unwrap();
        let incoming = listener.accept().await.unwrap();
        assert_eq!(incoming.remote(), client.info.local.unwrap().rest());
        assert!(incoming.remote().starts_with("127.0.0.1:"));
    });
}

#[test]
fn unix_by_path() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let transports = Transports::default();
        let mut listener = bind(&transports, &format!("unix@{}", path.display())).await;
        let (client, server) = pair(&transports, &mut *listener).await;
        assert!(matches!((&client.writer, &server.writer), (Writer::Direct(_), Writer::Direct(_))));
        assert_eq!(client.info.remote, path.to_str().unwrap());
        assert_eq!((server.info.remote.as_str(), server.info.local.clone()), ("", Some(listener.address())));
        exchange(client, server).await;
    });
}

#[cfg(target_os = "linux")]
#[test]
fn unix_by_abstract_name() {
    run(async {
        let transports = Transports::default();
        let mut listener = bind(&transports, &format!("unix@@rpcx-test-{}", std::process::id())).await;
        let (client, server) = pair(&transports, &mut *listener).await;
        assert_eq!(client.info.remote, listener.address().rest());
        exchange(client, server).await;
    });
}

#[test]
fn memory_by_name_and_again_when_the_name_is_free() {
    run(async {
        let transports = Transports::default();
        for _ in 0..2 {
            let mut listener = bind(&transports, "memu@round-trip").await;
            let (client, server) = pair(&transports, &mut *listener).await;
            assert!(matches!((&client.writer, &server.writer), (Writer::Driven(_), Writer::Driven(_))));
            assert_eq!((client.info.remote.as_str(), server.info.remote.as_str()), ("round-trip", ""));
            exchange(client, server).await;
        }
    });
}

#[test]
fn reuseport_lets_two_listeners_share_a_port() {
    run(async {
        let transports = Transports::default();
        let mut first = bind(&transports, "reuseport@127.0.0.1:0").await;
        let to = first.address();
        let mut second = bind(&transports, &format!("reuseport@{}", to.rest())).await;
        assert_eq!(second.address(), to);
        let (mut at_first, mut at_second) = (0, 0);
        while at_first == 0 || at_second == 0 {
            let _client = dial(&transports, &to).await.unwrap();
            tokio::select! {
                incoming = first.accept() => at_first += usize::from(incoming.is_ok()),
                incoming = second.accept() => at_second += usize::from(incoming.is_ok()),
            }
            assert!(at_first + at_second < 1000, "one listener gets everything");
        }
    });
}

#[test]
fn bytes_looked_at_come_again_in_front_of_the_rest() {
    run(async {
        let transports = Transports::default();
        let mut listener = bind(&transports, "tcp@127.0.0.1:0").await;
        let (client, mut server) = pair(&transports, &mut *listener).await;
        let (mut client, _) = client.into_stream();
        client.write_all(b"looked at, and the rest").await.unwrap();
        let mut seen = [0; 9];
        server.reader.read_exact(&mut seen).await.unwrap();
        // Put back in two parts, as layers would, one of them empty.
        let mut server =
            server.with_prefix(Bytes::from_static(b"ked at")).with_prefix(Bytes::new()).with_prefix("loo".into());
        let mut one = [0; 1];
        server.reader.read_exact(&mut one).await.unwrap();
        assert_eq!(&one, b"l");
        client.shutdown().await.unwrap();
        let mut rest = String::new();
        server.reader.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "ooked at, and the rest");
    });
}

#[test]
fn socket_options_reach_the_socket() {
    run(async {
        let transports = Transports::default();
        let options =
            ListenOptions { tcp_nodelay: false, keepalive: Some(Duration::from_millis(1)), ..ListenOptions::default() };
        let mut listener = transports.bind(&address("tcp@127.0.0.1:0"), &options).await.unwrap();
        // The period is rounded up to what the system takes: the connection opens, where zero seconds would be refused.
        let (client, server) = pair(&transports, &mut *listener).await;
        exchange(client, server).await;
    });
}

#[test]
fn a_connection_that_has_come_is_taken_without_waiting() {
    let folder = std::env::temp_dir().join(format!("rpcx-now-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let unix = format!("unix@{}", folder.join("s").display());
    run(async {
        let transports = Transports::default();
        for at in ["tcp@127.0.0.1:0", unix.as_str(), "memu@now"] {
            let mut listener = bind(&transports, at).await;
            assert!(listener.try_accept().unwrap().is_none(), "{at}");
            let to = listener.address();
            let (one, two) = (dial(&transports, &to).await.unwrap(), dial(&transports, &to).await.unwrap());
            // Both ways of accepting go together.
            let first = listener.try_accept().unwrap().expect(at).open().await.unwrap();
            exchange(one, first).await;
            let second = listener.accept().await.unwrap().open().await.unwrap();
            exchange(two, second).await;
            assert!(listener.try_accept().unwrap().is_none(), "{at}");
        }
    });
    std::fs::remove_dir_all(&folder).unwrap();
}
