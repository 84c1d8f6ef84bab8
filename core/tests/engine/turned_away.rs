//! Servers that accept connections and end them before they have said anything, as an access list, a limit of connections or
//! a proxy without a server behind it does.

use crate::peer::RawServer;
use crate::support::{LIMIT, Over, Probe, Way, WithProbe, eventually, ms, raw, run, url};
use bytes::Bytes;
use rpcx::client::{CallOptions, Service};
use rpcx::codec::Raw;
use rpcx::{Client, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// A server that ends what it accepts until it is told to serve.
struct Closed {
    url: String,
    accepted: Arc<AtomicUsize>,
    serves: Arc<AtomicBool>,
}

impl Closed {
    /// `last_words` are sent before the end.
    async fn start(way: &Way, last_words: &'static [u8]) -> Closed {
        let mut server = RawServer::bind(way).await;
        let url = server.url();
        let (accepted, serves): (Arc<AtomicUsize>, Arc<AtomicBool>) = Default::default();
        let (count, open) = (accepted.clone(), serves.clone());
        tokio::spawn(async move {
            loop {
                let mut peer = server.accept().await;
                count.fetch_add(1, Ordering::SeqCst);
                if !open.load(Ordering::SeqCst) {
                    peer.send(last_words).await;
                    continue;
                }
                tokio::spawn(async move {
                    while let Some(asked) = peer.request().await {
                        peer.answer(&asked, b"open").await;
                    }
                });
            }
        });
        Closed { url, accepted, serves }
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// An idempotent call; says who answered and after how many attempts.
async fn echo(service: &Service<Raw>) -> (String, u32) {
    let options = CallOptions::new().idempotent(true);
    let answer = service.call_with::<_, Bytes>("Echo", &b"x"[..], &options).await.unwrap();
    (answer.server.to_string(), answer.attempts)
}

fn is_disallowed(client: &Client, url: &str) -> bool {
    client.stats().servers.iter().any(|server| server.server == url && server.disallowed)
}

async fn good(way: &Way) -> Server {
    way.clone().another().server().with_probe(&Probe::new()).start().await.unwrap()
}

#[test]
fn a_server_that_accepts_and_closes_is_out_of_selection_and_comes_back() {
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    for (over, last_words) in [(Over::Tcp, &b""[..]), (Over::Tls, b""), (Over::Memory, b""), (Over::Tcp, http)] {
        run(async {
            let way = over.way();
            let closed = Closed::start(&way, last_words).await;
            let server = good(&way).await;
            let client = way
                .client(format!("multiple://{},{}", closed.url, url(&server)))
                .option("time_to_disallow", "500ms")
                .build()
                .unwrap();
            let service = raw(&client);
            let began = Instant::now();
            let mut attempts = 0;
            for _ in 0..200 {
                attempts += echo(&service).await.1 as usize;
            }
            let dials = closed.accepted();
            let periods = began.elapsed().as_millis() as usize / 500;
            assert!((1..=1 + periods).contains(&dials), "{over:?}: {dials} dials in {:?}", began.elapsed());
            assert!(attempts <= 200 + dials, "{over:?}: {attempts} attempts, {dials} dials");
            assert!(periods > 0 || is_disallowed(&client, &closed.url), "{over:?}");

            closed.serves.store(true, Ordering::SeqCst);
            let until = Instant::now() + LIMIT;
            while echo(&service).await.0 != closed.url {
                assert!(Instant::now() < until, "{over:?}: it does not come back");
            }
            let dials = closed.accepted();
            for _ in 0..20 {
                assert_eq!(echo(&service).await.1, 1);
            }
            assert_eq!((closed.accepted(), is_disallowed(&client, &closed.url)), (dials, false), "{over:?}");
        });
    }
}

/// That it could be connected to does not make the next wait a first one again.
#[test]
fn the_wait_grows_until_a_connection_has_brought_a_frame() {
    run(async {
        let way = Over::Memory.way();
        let closed = Closed::start(&way, b"").await;
        let server = good(&way).await;
        let client = way.client(format!("multiple://{},{}", closed.url, url(&server))).build().unwrap();
        let service = raw(&client);
        // How long it is until the server has been dialled so often.
        let dialled = async |times: usize| {
            let began = Instant::now();
            while closed.accepted() < times {
                assert!(began.elapsed() < LIMIT, "it is not dialled again");
                echo(&service).await;
                tokio::time::sleep(ms(1)).await; // the pace of the calls
            }
            began.elapsed()
        };
        dialled(1).await;
        let first = dialled(2).await;
        assert!(first >= ms(700), "{first:?}");
        let second = dialled(3).await;
        assert!(second >= ms(1_500), "{second:?}");
    });
}

/// Ends each connection politely once it has answered so many requests; says how many it accepted.
fn serve_and_close(mut server: RawServer, heartbeats: bool) -> Arc<AtomicUsize> {
    let accepted: Arc<AtomicUsize> = Arc::default();
    let count = accepted.clone();
    tokio::spawn(async move {
        loop {
            let mut peer = server.accept().await;
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let asked = if heartbeats {
                    peer.request().await
                } else {
                    loop {
                        match peer.frame().await {
                            Some(frame) if frame.header().is_heartbeat() => {}
                            other => break other,
                        }
                    }
                };
                if let Some(asked) = asked {
                    peer.answer(&asked, b"once").await;
                }
            });
        }
    });
    accepted
}

#[test]
fn a_server_that_has_served_may_close_its_connections() {
    for (over, heartbeats) in [(Over::Tcp, true), (Over::Tls, true), (Over::Memory, true), (Over::Tcp, false)] {
        run(async {
            let way = over.way();
            let once = RawServer::bind(&way).await;
            let once_url = once.url();
            let accepted = serve_and_close(once, heartbeats);
            let server = good(&way).await;
            let client = way.client(format!("multiple://{once_url},{}", url(&server))).build().unwrap();
            let service = raw(&client);
            for _ in 0..10 {
                echo(&service).await;
                let ended = || client.stats().servers.iter().any(|s| s.server == once_url && s.connections == 0);
                eventually("its connection has ended", ended).await;
                assert!(!is_disallowed(&client, &once_url), "{over:?}");
            }
            assert_eq!(accepted.load(Ordering::SeqCst), 5, "{over:?}: it stays in selection");
        });
    }
}

/// A server may take fewer connections of a client than the client would like to have.
#[test]
fn calls_use_the_connections_there_are_while_others_are_turned_away() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let mut server = RawServer::bind(&way).await;
            let (url, accepted) = (server.url(), Arc::new(AtomicUsize::new(0)));
            let count = accepted.clone();
            tokio::spawn(async move {
                loop {
                    let mut peer = server.accept().await;
                    if count.fetch_add(1, Ordering::SeqCst) > 0 {
                        continue;
                    }
                    tokio::spawn(async move {
                        while let Some(asked) = peer.request().await {
                            peer.answer(&asked, b"open").await;
                        }
                    });
                }
            });
            let client = way.client(&url).option("connections", "3").build().unwrap();
            let service = raw(&client);
            let began = Instant::now();
            for _ in 0..60 {
                echo(&service).await;
            }
            // Each dial that fails is followed by a rest of a second or more.
            let (dials, most) = (accepted.load(Ordering::SeqCst), 2 + began.elapsed().as_secs() as usize);
            assert!(dials <= 1 + most, "{over:?}: {dials} dials");
        });
    }
}
