//! The authenticator: what it sees, and what becomes of those it refuses.

use crate::peer::{Peer, error_text, frame, request};
use crate::support::{Over, Probe, WithProbe, assert_failed, call, echo, eventually, ms, raw, run, url};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rpcx::Context;
use rpcx::error::{Delivery, Error, Reason, Result};
use rpcx::interceptor::BoxFuture;
use rpcx::protocol::{Header, SerializeType};
use rpcx::server::Authenticator;
use rpcx::transport::{ClientTls, ServerTls, Transports};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Knows one token; `slow` makes it wait before it decides.
struct Token {
    slow: bool,
}

impl Authenticator for Token {
    fn authenticate<'a>(&'a self, _ctx: &'a Context, token: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if self.slow {
                tokio::time::sleep(ms(20)).await; // a token service
            }
            if token == "right" {
                Ok(())
            } else {
                Err(Error::new(Reason::ServiceError, format!("bad token {token:?}")))
            }
        })
    }
}

#[test]
fn the_right_token_passes_and_a_wrong_one_is_answered_and_closed() {
    for (over, slow) in [(Over::Tcp, false), (Over::Tcp, true), (Over::Tls, true), (Over::Memory, false)] {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let server = way.server().with_probe(&probe).authenticator(Token { slow }).start().await.unwrap();
            let client = way.client(url(&server)).option("auth", "right").build().unwrap();
            assert!(call(&raw(&client), "Echo", b"").await.is_ok());
            let id = server.connections()[0].id();
            let wrong = way.client(url(&server)).option("auth", "wrong").build().unwrap();
            let error = assert_failed(call(&raw(&wrong), "Echo", b"").await, Reason::AuthRefused, Delivery::Answered);
            assert_eq!(error.message(), "bad token \"wrong\"");
            eventually("it is closed", || server.connections().len() == 1).await;
            assert_eq!(server.connections()[0].id(), id, "the other connection goes on");
            assert!(call(&raw(&client), "Echo", b"").await.is_ok());
        });
    }
}

#[test]
fn heartbeats_pass_without_a_token() {
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().with_probe(&Probe::new()).authenticator(Token { slow: false }).start().await.unwrap();
        let mut peer = Peer::dial(&way, &url(&server)).await;
        assert!(peer.hello().await.header().is_heartbeat());
        peer.send(&request(1, "Echo", b"x", &[("__AUTH", "right")])).await;
        assert_eq!(peer.frame().await.unwrap().payload(), b"x");
        // Refused: answered, then closed; a oneway one is only closed.
        peer.send(&request(2, "Echo", b"x", &[])).await;
        assert_eq!(error_text(&peer.frame().await.unwrap()), "bad token \"\"");
        assert!(peer.frame().await.is_none());
        let mut peer = Peer::dial(&way, &url(&server)).await;
        peer.send(&frame(Header::request(SerializeType::RAW, 1).with_oneway(true), "Echo", b"", &[])).await;
        assert!(peer.frame().await.is_none());
    });
}

/// What stands behind a refused request in the same read must not cost the refusal its answer.
#[test]
fn the_refusal_of_the_first_of_many_requests_arrives() {
    for over in Over::ALL {
        for slow in [false, true] {
            run(async {
                let (way, probe) = (over.way(), Probe::new());
                let server = way.server().with_probe(&probe).authenticator(Token { slow }).start().await.unwrap();
                let mut peer = Peer::dial(&way, &url(&server)).await;
                let wire: Vec<u8> =
                    (1..=5).flat_map(|seq| request(seq, "Echo", b"x", &[("__AUTH", "wrong")])).collect();
                peer.send(&wire).await;
                let answer = peer.frame().await.unwrap_or_else(|| panic!("{over:?}, slow {slow}: no answer"));
                assert_eq!((answer.header().seq, error_text(&answer).as_str()), (1, "bad token \"wrong\""));
                while peer.frame().await.is_some() {}
            });
        }
    }
}

#[test]
fn a_timeout_of_zero_is_none() {
    for over in [Over::Tcp, Over::Tls] {
        run(async {
            let way = over.way();
            let server = way
                .server()
                .with_probe(&Probe::new())
                .option("auth_timeout", "0")
                .option("handshake_timeout", "0")
                .authenticator(Token { slow: true })
                .start()
                .await
                .unwrap();
            let client = way.client(url(&server)).option("auth", "right").option("retries", "0").build().unwrap();
            call(&raw(&client), "Echo", b"").await.unwrap_or_else(|error| panic!("{over:?}: {error:?}"));
        });
    }
}

/// Never decides.
struct Never;

impl Authenticator for Never {
    fn authenticate<'a>(&'a self, _ctx: &'a Context, _token: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn an_authenticator_that_does_not_answer_is_not_waited_for() {
    run(async {
        let way = Over::Tcp.way();
        let server = way
            .server()
            .with_probe(&Probe::new())
            .option("auth_timeout", "50ms")
            .authenticator(Never)
            .start()
            .await
            .unwrap();
        let client = way.client(url(&server)).build().unwrap();
        let error = assert_failed(call(&raw(&client), "Echo", b"").await, Reason::AuthRefused, Delivery::Answered);
        assert!(error.message().contains("50ms"), "{error}");
    });
}

/// Accepts `right`, and counts what it is asked.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicUsize>);

impl Authenticator for Counted {
    fn authenticate<'a>(&'a self, _ctx: &'a Context, token: &'a str) -> BoxFuture<'a, Result<()>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let right = token == "right";
        Box::pin(async move {
            tokio::time::sleep(ms(20)).await; // a token service, so that calls meet at it
            if right { Ok(()) } else { Err("bad token".into()) }
        })
    }
}

#[test]
fn what_was_accepted_is_not_asked_about_again_for_a_while() {
    run(async {
        let (way, asked) = (Over::Tcp.way(), Counted::default());
        let start = |cache: &str| {
            let server = way.server().with_probe(&Probe::new()).raw("T", "Same", echo).option("auth_cache", cache);
            server.authenticator(asked.clone()).start()
        };
        let asked = || asked.0.swap(0, Ordering::SeqCst);

        let server = start("1h").await.unwrap();
        let client = way.client(url(&server)).option("auth", "right").build().unwrap();
        for _ in 0..3 {
            call(&raw(&client), "Echo", b"").await.unwrap();
        }
        assert_eq!(asked(), 1);
        call(&raw(&client), "Same", b"").await.unwrap();
        assert_eq!(asked(), 1, "another method");
        let second = way.client(url(&server)).option("auth", "right").build().unwrap();
        call(&raw(&second), "Echo", b"").await.unwrap();
        assert_eq!(asked(), 1, "another connection");
        for _ in 0..2 {
            let wrong = way.client(url(&server)).option("auth", "wrong").build().unwrap();
            assert_failed(call(&raw(&wrong), "Echo", b"").await, Reason::AuthRefused, Delivery::Answered);
        }
        assert_eq!(asked(), 2, "refusals are not kept");

        let server = start("1h").await.unwrap();
        let client = way.client(url(&server)).option("auth", "right").build().unwrap();
        let echoes = raw(&client);
        let calls: Vec<_> = (0..100)
            .map(|_| {
                tokio::spawn({
                    let echoes = echoes.clone();
                    async move { call(&echoes, "Echo", b"").await }
                })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        asked();
        for _ in 0..2 {
            call(&echoes, "Same", b"").await.unwrap();
        }
        assert_eq!(asked(), 1, "calls at the same time take one place, and leave room for others");

        let server = start("5ms").await.unwrap();
        let client = way.client(url(&server)).option("auth", "right").build().unwrap();
        call(&raw(&client), "Echo", b"").await.unwrap();
        tokio::time::sleep(ms(10)).await;
        call(&raw(&client), "Echo", b"").await.unwrap();
        assert_eq!(asked(), 2, "its time has passed");
    });
}

/// A client is done with its handshake before the server has looked at its certificate: what it hears then is no lost
/// connection, and its requests were never read.
#[test]
fn a_client_whose_certificate_is_refused_is_told_so() {
    run(async {
        let authority = |name: &str| {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
        };
        let (servers, clients, strangers) = (authority("servers"), authority("clients"), authority("strangers"));
        let key = KeyPair::generate().unwrap();
        let signed = |by: &CertifiedIssuer<'static, KeyPair>| {
            CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, by).unwrap().pem()
        };
        let tls = ServerTls::builder_from_pem(signed(&servers), key.serialize_pem()).client_ca_pem(clients.pem());
        let server = rpcx::Server::builder()
            .transports(Transports::default().with_server_tls(tls.build().unwrap()))
            .with_probe(&Probe::new())
            .bind("tcp@127.0.0.1:0")
            .start()
            .await
            .unwrap();
        let trusting = ClientTls::builder().ca_pem(servers.pem());
        let known = trusting.clone().identity_pem(signed(&clients), key.serialize_pem());
        let stranger = trusting.clone().identity_pem(signed(&strangers), key.serialize_pem());
        for (tls, good) in [(known, true), (trusting, false), (stranger, false)] {
            let transports = Transports::default().with_client_tls(tls.build().unwrap());
            let client = rpcx::Client::builder().transports(transports).discovery_url(&url(&server));
            let client = client.option("connect_timeout", "10s").option("retries", "0").build().unwrap();
            let answer = call(&raw(&client), "Echo", b"x").await;
            if good {
                assert_eq!(answer.unwrap(), &b"x"[..]);
                continue;
            }
            let error = assert_failed(answer, Reason::ConnectTls, Delivery::NotSent);
            assert!(error.message().contains("certificate"), "{error}");
        }
    });
}
