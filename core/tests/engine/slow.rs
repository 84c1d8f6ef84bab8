//! Calls that wait before they have a connection: for a dial, for discovery. They are begun calls all the same.

use crate::cancellation::begin;
use crate::peer::RawServer;
use crate::support::{
    LIMIT, Over, Probe, Way, WithProbe, assert_failed, assert_kind, call, eventually, ms, raw, run, url,
};
use bytes::Bytes;
use rpcx::client::{CallOptions, ClientBuilder};
use rpcx::discovery::{Discovery, Node, Publisher, Watch};
use rpcx::error::{Delivery, Error, ErrorKind, Reason, Result};
use rpcx::transport::{Address, BoxFuture, Dial, DialOptions, Io, Transports};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::Semaphore;

/// A transport that dials when it is told to.
#[derive(Clone)]
struct SlowDial {
    lower: Transports,
    gate: Arc<Semaphore>,
}

impl SlowDial {
    fn new(way: &Way) -> SlowDial {
        SlowDial { lower: way.transports.clone(), gate: Arc::new(Semaphore::new(0)) }
    }

    fn client(&self, to: &str) -> ClientBuilder {
        rpcx::Client::builder()
            .transports(Transports::none().with_dial("tcp", self.clone()).with_dial("memu", self.clone()))
            .discovery_url(to)
            .option("connect_timeout", "15s")
    }

    fn let_pass(&self) {
        self.gate.add_permits(1);
    }
}

impl Dial for SlowDial {
    fn dial<'a>(&'a self, to: &'a Address, options: &'a DialOptions) -> BoxFuture<'a, Result<Io>> {
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            self.lower.dial(to, options).await
        })
    }
}

/// A discovery that answers when it is told to.
struct SlowDiscovery(Publisher);

impl Discovery for SlowDiscovery {
    fn watch(&self, _service: &str) -> Watch {
        self.0.watch()
    }

    fn close(&self) {}
}

/// A call is begun when its caller has begun it, wherever it waits: only those that come after are refused.
#[test]
fn a_client_that_shuts_down_lets_calls_finish_that_are_dialling() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let slow = SlowDial::new(&way);
            let server = way.server().with_probe(&Probe::new()).start().await.unwrap();
            let client = slow.client(&url(&server)).build().unwrap();
            let service = raw(&client);
            let options = CallOptions::new();
            let mut dialling = Box::pin(call(&service, "Echo", b"dialling"));
            let mut oneway = Box::pin(service.oneway("Echo", &b"oneway"[..], &options));
            begin(&mut dialling).await;
            begin(&mut oneway).await;
            service.oneshot("Echo", &b"oneshot"[..], &options).unwrap();
            let mut ending = Box::pin(client.shutdown(LIMIT));
            begin(&mut ending).await;
            assert_failed(call(&service, "Echo", b"").await, Reason::ClosedLocal, Delivery::NotSent);
            assert!(service.oneshot("Echo", &b""[..], &options).is_err());
            slow.let_pass();
            let (answer, sent, ended) = tokio::join!(dialling, oneway, ending);
            assert_eq!(answer.unwrap(), &b"dialling"[..], "{over:?}");
            sent.unwrap();
            ended.unwrap();
            eventually("its connection ends", || server.connections().is_empty()).await;
            assert_eq!(server.stats().calls, 3, "{over:?}");
        });
    }
}

#[test]
fn a_client_that_shuts_down_lets_calls_finish_that_wait_for_discovery() {
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().with_probe(&Probe::new()).start().await.unwrap();
        let discovery = Arc::new(SlowDiscovery(Publisher::new()));
        let client = rpcx::Client::builder().discovery(discovery.clone()).build().unwrap();
        let service = raw(&client);
        let method = service.method("Echo").unwrap();
        let options = CallOptions::new();
        let mut waiting = Box::pin(call(&service, "Echo", b"x"));
        let mut all = Box::pin(method.inform::<_, Bytes>(&b"x"[..], &options));
        begin(&mut waiting).await;
        begin(&mut all).await;
        let mut ending = Box::pin(client.shutdown(LIMIT));
        begin(&mut ending).await;
        discovery.0.publish(vec![Node::new(url(&server), Default::default()).unwrap()]);
        let (answer, informed, ended) = tokio::join!(waiting, all, ending);
        assert_eq!(answer.unwrap(), &b"x"[..]);
        assert!(informed.unwrap()[0].1.is_ok());
        ended.unwrap();
    });
}

#[test]
fn the_deadline_of_a_clients_shutdown_cuts_off_what_still_waits() {
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().with_probe(&Probe::new()).start().await.unwrap();
        let client = SlowDial::new(&way).client(&url(&server)).option("timeout", "300ms").build().unwrap();
        let service = raw(&client);
        let mut dialling = Box::pin(call(&service, "Echo", b""));
        begin(&mut dialling).await;
        let began = Instant::now();
        assert_kind(client.shutdown(ms(50)).await, ErrorKind::Timeout);
        assert!(began.elapsed() < ms(250), "{:?}", began.elapsed());
        assert!(dialling.await.is_err());
    });
}

/// A dial ends in time whatever it waits for: a connection, a handshake, or a transport of the user's.
#[test]
fn a_dial_ends_within_connect_timeout() {
    run(async {
        let (tcp, tls) = (Over::Tcp.way(), Over::Tls.way());
        let silent = RawServer::bind(&tcp).await;
        let handshake = tls.client(silent.url());
        let custom = SlowDial::new(&tcp).client(&silent.url());
        for client in [handshake, custom] {
            let client = client.option("connect_timeout", "200ms").option("retries", "0").build().unwrap();
            let began = Instant::now();
            let error =
                assert_failed(call(&raw(&client), "Echo", b"").await, Reason::ConnectTimeout, Delivery::NotSent);
            assert!(error.message().contains("connect_timeout (200ms)"), "{error}");
            let took = began.elapsed();
            assert!(took >= ms(200) && took < ms(2000), "{took:?}");
            assert_eq!(client.stats().connections.failed, 1);
        }
    });
}

/// What is left of the deadline is said when the request leaves, not when it was made.
#[test]
fn time_that_a_dial_took_is_not_promised_to_the_server() {
    for over in [Over::Tcp, Over::Memory] {
        for payload in [&b"x"[..], &[7; 20_000]] {
            run(async {
                let way = over.way();
                let (slow, mut server) = (SlowDial::new(&way), RawServer::bind(&way).await);
                let client = slow.client(&server.url()).option("timeout", "10s").build().unwrap();
                let service = raw(&client);
                let options = CallOptions::new().metadata("a", "1").metadata("z", "2");
                let calling = service.call_with::<_, Bytes>("Echo", payload, &options);
                let oneway = service.oneway("Echo", payload, &options);
                let serving = async {
                    tokio::time::sleep(ms(600)).await; // how slow the dial is
                    slow.let_pass();
                    let mut peer = server.accept().await;
                    for _ in 0..2 {
                        let asked = peer.request().await.unwrap();
                        let left: u64 = asked.metadata_get("__ServerTimeout").unwrap().parse().unwrap();
                        assert!((5000..=9400).contains(&left), "{over:?}: {left} ms are left");
                        assert_eq!((asked.metadata_get("a"), asked.metadata_get("z")), (Some("1"), Some("2")));
                        assert_eq!(asked.payload(), payload);
                        if !asked.header().is_oneway() {
                            peer.answer(&asked, b"").await;
                        }
                    }
                };
                let (answer, sent, ()) = tokio::join!(calling, oneway, serving);
                answer.unwrap();
                sent.unwrap();
            });
        }
    }
}

/// Fails the first dial to one address; the next ones hang.
#[derive(Clone)]
struct Gone {
    lower: Transports,
    address: String,
    dials: Arc<AtomicUsize>,
}

impl Dial for Gone {
    fn dial<'a>(&'a self, to: &'a Address, options: &'a DialOptions) -> BoxFuture<'a, Result<Io>> {
        Box::pin(async move {
            if to.to_string() != self.address {
                return self.lower.dial(to, options).await;
            }
            if self.dials.fetch_add(1, Ordering::SeqCst) > 0 {
                std::future::pending::<()>().await;
            }
            Err(Error::new(Reason::ConnectRefused, "nobody there"))
        })
    }
}

/// When a server may be dialled again, one call finds out whether it is there.
#[test]
fn calls_do_not_wait_together_for_a_server_that_could_not_be_dialled() {
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().with_probe(&Probe::new()).start().await.unwrap();
        let address = "tcp@127.0.0.1:1".to_owned();
        let gone = Gone { lower: way.transports.clone(), address: address.clone(), dials: Arc::default() };
        let client = rpcx::Client::builder()
            .transports(Transports::none().with_dial("tcp", gone.clone()))
            .discovery_url(&format!("multiple://{address},{}", url(&server)))
            .option("time_to_disallow", "20ms")
            .build()
            .unwrap();
        let service = raw(&client);
        for _ in 0..4 {
            call(&service, "Echo", b"x").await.unwrap();
        }
        assert_eq!(gone.dials.load(Ordering::SeqCst), 1);
        eventually("it may be dialled again", || client.stats().servers.iter().all(|server| !server.disallowed)).await;
        let mut waiting = Vec::new();
        for _ in 0..10 {
            let mut call = Box::pin(call(&service, "Echo", b"x"));
            if !answered(&mut call).await {
                waiting.push(call);
            }
        }
        assert_eq!((waiting.len(), gone.dials.load(Ordering::SeqCst)), (1, 2), "one waits for the dial");
    });
}

/// Whether the call is answered before the dial that hangs could end.
async fn answered(call: &mut (impl Future<Output = Result<Bytes>> + Unpin)) -> bool {
    tokio::time::timeout(ms(100), call).await.is_ok_and(|answer| answer.is_ok())
}
