//! What goes wrong when dialling and listening names the address and says that nothing was sent.

use crate::support::{address, assert_error, bind, dial, run};
use rpcx::error::{Reason, Result};
use rpcx::transport::{Address, BoxFuture, Dial, DialOptions, Io, ListenOptions, Transports};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use std::time::Duration;

#[test]
fn dialling_says_what_failed() {
    run(async {
        let transports = Transports::default();
        // Bound, so that nobody else gets the port, but not listening.
        let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        silent.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        let refusing = format!("tcp@{}", silent.local_addr().unwrap().as_socket().unwrap());
        let long = format!("unix@/{}", "x".repeat(200));
        for (to, reason, named) in [
            (refusing.as_str(), Reason::ConnectRefused, refusing.as_str()),
            ("unix@/nowhere/at/all.sock", Reason::ConnectRefused, "unix@/nowhere/at/all.sock"),
            ("memu@nobody", Reason::ConnectRefused, "memu@nobody"),
            ("tcp@a..b:80", Reason::ConnectResolve, "tcp@a..b:80"),
            ("tcp6@127.0.0.1:80", Reason::ConnectResolve, "no IPv6 address"),
            ("tcp4@[::1]:80", Reason::ConnectResolve, "no IPv4 address"),
            ("tcp@127.0.0.1:0", Reason::ConfigBadAddress, "port 0"),
            ("reuseport@127.0.0.1:80", Reason::UnsupportedTransport, "reuseport@127.0.0.1:80"),
            ("nosuch@somewhere", Reason::ConfigUnknownScheme, "known are fd, memu, reuseport, tcp, tcp4, tcp6, unix"),
            (&long, Reason::ConfigBadAddress, "xxx"),
        ] {
            assert_error(&dial(&transports, &address(to)).await.unwrap_err(), reason, named);
        }
    });
}

#[test]
fn listening_says_what_failed() {
    run(async {
        let transports = Transports::default();
        let tcp = bind(&transports, "tcp@127.0.0.1:0").await;
        let memory = bind(&transports, "memu@taken").await;
        let taken = tcp.address().to_string();
        for (at, reason, named) in [
            (taken.as_str(), Reason::ConfigListen, taken.as_str()),
            ("memu@taken", Reason::ConfigListen, "memu@taken"),
            ("unix@/nowhere/at/all.sock", Reason::ConfigListen, "unix@/nowhere/at/all.sock"),
            ("tcp@192.0.2.1:0", Reason::ConfigListen, "tcp@192.0.2.1:0"),
            ("tcp@a..b:80", Reason::ConnectResolve, "tcp@a..b:80"),
            ("quic@127.0.0.1:0", Reason::ConfigUnknownScheme, "quic@127.0.0.1:0"),
            ("fd@nothing", Reason::ConfigListen, "fd@nothing"),
        ] {
            let error = transports.bind(&address(at), &ListenOptions::default()).await.map(|_| ()).unwrap_err();
            assert_error(&error, reason, named);
        }
        drop(memory);
    });
}

struct Silent;

impl Dial for Silent {
    fn dial<'a>(&'a self, _: &'a Address, _: &'a DialOptions) -> BoxFuture<'a, Result<Io>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_dial_ends_after_connect_timeout() {
    let transports = Transports::none().with_dial("silent", Silent);
    let options = DialOptions { connect_timeout: Duration::from_secs(3), ..DialOptions::default() };
    let begin = tokio::time::Instant::now();
    let error = transports.dial(&address("silent@x"), &options).await.unwrap_err();
    assert_eq!(begin.elapsed().as_secs(), 3);
    assert_error(&error, Reason::ConnectTimeout, "silent@x");
    let error = transports.bind(&address("silent@x"), &ListenOptions::default()).await.map(|_| ()).unwrap_err();
    assert_error(&error, Reason::UnsupportedTransport, "silent@x");
}

#[test]
fn a_name_is_given_back_when_its_listener_is_dropped() {
    run(async {
        let transports = Transports::default();
        let listener = bind(&transports, "memu@given-back").await;
        let to = listener.address();
        drop(listener);
        assert_error(&dial(&transports, &to).await.unwrap_err(), Reason::ConnectRefused, to.as_str());
        bind(&transports, to.as_str()).await;
    });
}
