//! Who is let in: access lists, the rate of connections and their number, for every protocol of a port.

use crate::support::{LIMIT, Over, Probe, WithProbe, call, eventually, ms, raw, run, url};
use rpcx::interceptor::{AccessList, BoxFuture};
use rpcx::server::{Dispatch, Protocol, ServerBuilder, Wants};
use rpcx::stats::RefusedTotals;
use rpcx::transport::Io;
use rpcx::{ErrorKind, Server};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

fn refused(server: &Server) -> RefusedTotals {
    server.stats().refused
}

/// Connects from one of the loopback addresses.
async fn dial_from(source: &str, server: &Server) -> TcpStream {
    let to = url(server).trim_start_matches("tcp@").parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Waits for the end of a connection and says how many bytes came before it.
async fn bytes_before_the_end(mut stream: TcpStream) -> usize {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(LIMIT, stream.read_to_end(&mut bytes)).await.expect("it stays open");
    // An end by reset is an end, too.
    drop(read);
    bytes.len()
}

/// Answers a line that begins with `E`, as another protocol of the port.
struct Echo;

impl Protocol for Echo {
    fn wants(&self, first_bytes: &[u8]) -> Wants {
        if first_bytes[0] == b'E' { Wants::Yes } else { Wants::No }
    }

    fn serve(&self, io: Io, _dispatch: Dispatch) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let (mut stream, _) = io.into_stream();
            let mut byte = [0];
            while stream.read_exact(&mut byte).await.is_ok() && stream.write_all(&byte).await.is_ok() {}
        })
    }
}

#[test]
fn the_lists_keep_clients_out_without_a_byte_whatever_they_speak() {
    for over in [Over::Tcp, Over::Tls] {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let builder = way.server().with_probe(&probe).protocol(Echo);
            let server = builder
                .option("access.allow", "127.0.0.0/24")
                .option("access.deny", "127.0.0.66")
                .start()
                .await
                .unwrap();
            let client = way.client(url(&server)).build().unwrap();
            call(&raw(&client), "Echo", b"x").await.unwrap_or_else(|error| panic!("{over:?}: {error:?}"));
            for source in ["127.0.0.66", "127.0.1.1"] {
                let mut stream = dial_from(source, &server).await;
                // A request, a line of the other protocol, the beginning of a TLS handshake: nobody looks at it.
                let _ = stream.write_all(b"E\x08\x16").await;
                assert_eq!(bytes_before_the_end(stream).await, 0, "{over:?} {source}");
            }
            eventually("both are counted", || refused(&server).access_list == 2).await;
            assert_eq!(server.stats().connections.failed, 2);
            if over == Over::Tcp {
                let mut stream = dial_from("127.0.0.7", &server).await;
                stream.write_all(b"E").await.unwrap();
                assert_eq!(stream.read_u8().await.unwrap(), b'E', "the other protocol is served");
            }
        });
    }
}

#[test]
fn a_client_in_its_mapped_form_is_the_same_client() {
    run(async {
        let builder =
            Server::builder().with_probe(&Probe::new()).bind("tcp@[::]:0").option("access.deny", "127.0.0.66");
        let Ok(server) = builder.start().await else { return }; // a machine without IPv6
        let port = url(&server).rsplit_once(':').unwrap().1.to_owned();
        let to = format!("127.0.0.1:{port}").parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.66:0".parse().unwrap()).unwrap();
        let Ok(stream) = socket.connect(to).await else { return }; // listeners of IPv6 take only that
        assert_eq!(bytes_before_the_end(stream).await, 0);
        eventually("it is counted", || refused(&server).access_list == 1).await;
    });
}

#[test]
fn clients_without_an_address_are_local() {
    run(async {
        let way = Over::Memory.way();
        let server = way.server().with_probe(&Probe::new()).option("access.allow", "10.0.0.0/8").start().await.unwrap();
        let client = way.client(url(&server)).option("retries", "0").build().unwrap();
        assert!(call(&raw(&client), "Echo", b"").await.is_err());
        eventually("it is counted", || refused(&server).access_list > 0).await;
        server.set_access(AccessList::new(["local".parse().unwrap()], []));
        let client = way.client(url(&server)).build().unwrap();
        call(&raw(&client), "Echo", b"").await.unwrap();
        server.set_access(AccessList::default());
        call(&raw(&way.client(url(&server)).build().unwrap()), "Echo", b"").await.unwrap();
    });
}

fn limited(policy: &str) -> ServerBuilder {
    let builder = Over::Tcp.way().server().with_probe(&Probe::new()).protocol(Echo);
    builder.option("rate_limit.connection_policy", policy).option("rate_limit.burst", "0")
}

/// Connections that were let in, by an answer of the other protocol.
async fn is_served(mut stream: TcpStream) -> bool {
    stream.write_all(b"E").await.is_ok() && stream.read_u8().await.is_ok()
}

#[test]
fn connections_above_the_rate_are_closed_without_a_byte() {
    run(async {
        // One a thousand seconds, and none saved up.
        let server = limited("reject").option("rate_limit.connections", "0.001").start().await.unwrap();
        assert!(is_served(dial_from("127.0.0.1", &server).await).await);
        for _ in 0..3 {
            assert_eq!(bytes_before_the_end(dial_from("127.0.0.1", &server).await).await, 0);
        }
        eventually("they are counted", || refused(&server).rate_limit == 3).await;
        assert_eq!(server.stats().connections.failed, 3);
    });
}

#[test]
fn connections_above_the_rate_wait_if_they_shall() {
    run(async {
        let server = limited("block").option("rate_limit.connections", "20").start().await.unwrap();
        let began = Instant::now();
        for _ in 0..4 {
            assert!(is_served(dial_from("127.0.0.1", &server).await).await);
        }
        assert!(began.elapsed() >= ms(150), "three of them had to wait, after {:?}", began.elapsed());
        assert_eq!(refused(&server), RefusedTotals::default());
    });
}

#[test]
fn a_server_whose_connections_wait_ends_at_once() {
    run(async {
        let server = limited("block").option("rate_limit.connections", "0.001").start().await.unwrap();
        assert!(is_served(dial_from("127.0.0.1", &server).await).await);
        let waiting = dial_from("127.0.0.1", &server).await;
        server.shutdown(ms(5000)).await.unwrap();
        assert_eq!(bytes_before_the_end(waiting).await, 0);
    });
}

#[test]
fn connections_above_their_number_are_counted() {
    run(async {
        let server = limited("reject").option("max_connections", "1").start().await.unwrap();
        let mut first = dial_from("127.0.0.1", &server).await;
        first.write_all(b"E").await.unwrap();
        assert_eq!(first.read_u8().await.unwrap(), b'E');
        assert_eq!(bytes_before_the_end(dial_from("127.0.0.1", &server).await).await, 0);
        eventually("it is counted", || refused(&server).max_connections == 1).await;
    });
}

#[test]
fn a_bad_entry_is_named() {
    run(async {
        let start = Over::Tcp.way().server().option("access.deny", "10.0.0.0/8, 10.0.0.0/40").start();
        let error = start.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("`access.deny`") && error.message().contains("`10.0.0.0/40`"), "{error}");
    });
}
