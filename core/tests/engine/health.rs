//! Servers that fail: breakers that open and close, outliers that are ejected, servers that leave selection and come back.

use crate::support::{
    LIMIT, Over, Probe, Way, WithProbe, assert_failed, assert_kind, call, eventually, ms, raw, run, url,
};
use bytes::Bytes;
use rpcx::client::{CallOptions, ClientBuilder, Service};
use rpcx::codec::Raw;
use rpcx::error::{Delivery, Error, ErrorKind, Reason, Result};
use rpcx::interceptor::BoxFuture;
use rpcx::server::Authenticator;
use rpcx::stats::EndpointStats;
use rpcx::{Client, Context, Server};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// A server whose method `T.Serve` behaves as the test says.
struct Moody {
    server: Server,
    mood: Arc<Mood>,
}

#[derive(Default)]
struct Mood {
    /// It never answers.
    silent: AtomicBool,
    /// It answers with an error.
    failing: AtomicBool,
    /// How long it takes, in milliseconds.
    delay: AtomicU64,
    calls: AtomicUsize,
}

impl Moody {
    async fn start(way: &Way) -> Moody {
        let mood: Arc<Mood> = Arc::default();
        let state = mood.clone();
        let serve = move |_: Context, payload: Bytes| {
            let mood = state.clone();
            async move {
                mood.calls.fetch_add(1, Ordering::SeqCst);
                if mood.silent.load(Ordering::SeqCst) {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(ms(mood.delay.load(Ordering::SeqCst))).await;
                if mood.failing.load(Ordering::SeqCst) {
                    return Err(Error::new(Reason::ServiceError, "out of order"));
                }
                Ok(payload)
            }
        };
        let server = way.server().raw("T", "Serve", serve).start().await.unwrap();
        Moody { server, mood }
    }

    async fn several(way: &Way, count: usize) -> Vec<Moody> {
        let mut servers = Vec::new();
        for _ in 0..count {
            servers.push(Moody::start(&way.clone().another()).await);
        }
        servers
    }

    fn set(&self, what: impl Fn(&Mood) -> &AtomicBool, to: bool) {
        what(&self.mood).store(to, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.mood.calls.load(Ordering::SeqCst)
    }
}

fn client(way: &Way, servers: &[Moody]) -> ClientBuilder {
    let list: Vec<_> = servers.iter().map(|moody| url(&moody.server)).collect();
    way.client(format!("multiple://{}", list.join(",")))
}

trait With: Sized {
    fn with(self, options: &[(&str, &str)]) -> Self;
}

impl With for ClientBuilder {
    fn with(self, options: &[(&str, &str)]) -> Self {
        options.iter().fold(self, |builder, (name, value)| builder.option(name, value))
    }
}

const BREAKER: &[(&str, &str)] = &[
    ("breaker.enabled", "true"),
    ("breaker.failures", "3"),
    ("breaker.ratio", "0"),
    ("breaker.open_time", "1500ms"),
    ("breaker.probes", "1"),
];

const EJECTION: &[(&str, &str)] = &[
    ("ejection.enabled", "true"),
    ("ejection.interval", "50ms"),
    ("ejection.min_calls", "5"),
    ("ejection.base_time", "1s"),
    ("ejection.latency_margin", "50ms"),
];

/// A call that gives the server so much time.
async fn within(service: &Service<Raw>, time: Duration) -> Result<String> {
    let options = CallOptions::new().timeout(time);
    service.call_with::<_, Bytes>("Serve", &b"x"[..], &options).await.map(|answer| answer.server.to_string())
}

fn stats(client: &Client, moody: &Moody) -> EndpointStats {
    let address = url(&moody.server);
    client.stats().servers.into_iter().find(|server| server.server == address).expect("statistics of the server")
}

#[test]
fn a_breaker_opens_on_a_server_that_fails_every_call_and_a_good_probe_closes_it() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let servers = Moody::several(&way, 1).await;
            let client = client(&way, &servers).with(BREAKER).build().unwrap();
            let (service, moody) = (raw(&client), &servers[0]);
            within(&service, LIMIT).await.unwrap();
            assert_eq!(stats(&client, moody).breaker, Some("closed"));

            moody.set(|mood| &mood.silent, true);
            for _ in 0..3 {
                assert_failed(within(&service, ms(20)).await, Reason::TimeoutCall, Delivery::MaybeRun);
            }
            let calls = moody.calls();
            let refused = assert_failed(within(&service, LIMIT).await, Reason::NoServerBreakerOpen, Delivery::NotSent);
            assert_eq!(refused.server(), Some(&*url(&moody.server)));
            let target = CallOptions::new().target(url(&moody.server));
            let refused = service.call_with::<_, Bytes>("Serve", &b"x"[..], &target).await;
            assert_failed(refused, Reason::NoServerBreakerOpen, Delivery::NotSent);
            let method = service.method("Serve").unwrap();
            for (_, refused) in method.inform::<_, Bytes>(&b"x"[..], &CallOptions::new()).await.unwrap() {
                assert_failed(refused, Reason::NoServerBreakerOpen, Delivery::NotSent);
            }
            assert_eq!(moody.calls(), calls, "{over:?}: nothing reached the server");
            assert_eq!((stats(&client, moody).breaker, stats(&client, moody).breaker_opened), (Some("open"), 1));

            let is_half_open = || stats(&client, moody).breaker == Some("half_open");
            eventually("the breaker is half-open", is_half_open).await;
            assert_failed(within(&service, ms(20)).await, Reason::TimeoutCall, Delivery::MaybeRun);
            assert_failed(within(&service, LIMIT).await, Reason::NoServerBreakerOpen, Delivery::NotSent);
            assert_eq!(moody.calls(), calls + 1, "{over:?}: one probe");

            moody.set(|mood| &mood.silent, false);
            eventually("the breaker is half-open again", is_half_open).await;
            within(&service, LIMIT).await.unwrap();
            assert_eq!(stats(&client, moody).breaker, Some("closed"));
            within(&service, LIMIT).await.unwrap();
        });
    }
}

/// Refuses every token.
struct Nobody;

impl Authenticator for Nobody {
    fn authenticate<'a>(&'a self, _: &'a Context, _: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Err(Error::new(Reason::ServiceError, "who are you?")) })
    }
}

#[test]
fn what_is_wrong_with_the_call_says_nothing_about_the_server() {
    run(async {
        let way = Over::Memory.way();
        let server = way.server().with_probe(&Probe::new()).authenticator(Nobody).start().await.unwrap();
        let client = way.client(url(&server)).with(BREAKER).option("max_message_size", "1KiB").build().unwrap();
        let service = raw(&client);
        for _ in 0..5 {
            assert_failed(call(&service, "Echo", b"").await, Reason::AuthRefused, Delivery::Answered);
            assert_kind(call(&service, "Echo", &[0; 2_000]).await, ErrorKind::Limit);
        }
        let stats = client.stats();
        assert_eq!(stats.servers[0].breaker, Some("closed"));
        assert_eq!(stats.servers[0].calls.map(|calls| (calls.good, calls.failed)), Some((0, 0)));
    });
}

#[test]
fn a_server_with_an_open_breaker_is_out_of_selection_until_it_is_good_again() {
    run(async {
        let way = Over::Tcp.way();
        let servers = Moody::several(&way, 3).await;
        let options = [BREAKER, &[("breaker.service_errors", "true")]].concat();
        let client = client(&way, &servers).with(&options).build().unwrap();
        let service = raw(&client);
        servers[0].set(|mood| &mood.failing, true);
        let mut failures = 0;
        while stats(&client, &servers[0]).breaker != Some("open") {
            failures += usize::from(within(&service, LIMIT).await.is_err());
        }
        assert_eq!(failures, 3);

        let mut calls = BTreeMap::new();
        for _ in 0..20 {
            *calls.entry(within(&service, LIMIT).await.unwrap()).or_insert(0) += 1;
        }
        assert_eq!(calls.len(), 2, "{calls:?}");
        assert!(!calls.contains_key(&url(&servers[0].server)) && calls.values().all(|calls| *calls == 10), "{calls:?}");

        servers[0].set(|mood| &mood.failing, false);
        let good = url(&servers[0].server);
        let until = std::time::Instant::now() + LIMIT;
        while within(&service, LIMIT).await.unwrap() != good {
            assert!(std::time::Instant::now() < until, "it does not come back");
        }
        assert_eq!(stats(&client, &servers[0]).breaker, Some("closed"));
    });
}

#[test]
fn a_sticky_client_leaves_a_server_whose_breaker_opens() {
    run(async {
        let way = Over::Memory.way();
        let servers = Moody::several(&way, 2).await;
        let client = client(&way, &servers).with(BREAKER).option("sticky", "true").build().unwrap();
        let service = raw(&client);
        let first = within(&service, LIMIT).await.unwrap();
        assert_eq!(within(&service, LIMIT).await.unwrap(), first);
        let moody = servers.iter().find(|moody| url(&moody.server) == first).unwrap();
        moody.set(|mood| &mood.silent, true);
        for _ in 0..3 {
            assert_failed(within(&service, ms(20)).await, Reason::TimeoutCall, Delivery::MaybeRun);
        }
        let second = within(&service, LIMIT).await.unwrap();
        assert_ne!(second, first);
        moody.set(|mood| &mood.silent, false);
        eventually("the breaker is half-open", || stats(&client, moody).breaker == Some("half_open")).await;
        assert_eq!(within(&service, LIMIT).await.unwrap(), second, "it stays with the new one");
    });
}

#[test]
fn a_slow_server_is_ejected_and_comes_back() {
    run(async {
        let way = Over::Tcp.way();
        let servers = Moody::several(&way, 3).await;
        let client = client(&way, &servers).with(EJECTION).build().unwrap();
        let (service, slow) = (raw(&client), &servers[1]);
        slow.mood.delay.store(300, Ordering::SeqCst);
        let mut load = tokio::task::JoinSet::new();
        for _ in 0..30 {
            let service = service.clone();
            load.spawn(async move {
                loop {
                    within(&service, LIMIT).await.unwrap();
                    tokio::time::sleep(ms(1)).await;
                }
            });
        }
        eventually("the slow server is ejected", || stats(&client, slow).ejected).await;
        let others = [&servers[0], &servers[2]].map(|moody| stats(&client, moody));
        assert!(others.iter().all(|stats| !stats.ejected && stats.ejections == 0), "{others:?}");
        slow.mood.delay.store(0, Ordering::SeqCst);
        eventually("it comes back", || !stats(&client, slow).ejected).await;
        let calls = slow.calls();
        eventually("it gets calls again", || slow.calls() > calls + 10).await;
        load.shutdown().await;
        let counted = stats(&client, slow).calls.expect("counted");
        assert!(counted.good > 10 && counted.failed == 0 && counted.mean_us > 0.0, "{counted:?}");
    });
}

#[test]
fn never_more_than_the_share_is_ejected() {
    run(async {
        let way = Over::Memory.way();
        let servers = Moody::several(&way, 5).await;
        let options = [EJECTION, &[("ejection.service_errors", "true"), ("ejection.max_share", "0.25")]].concat();
        let client = client(&way, &servers).with(&options).build().unwrap();
        let service = raw(&client);
        servers[..2].iter().for_each(|moody| moody.set(|mood| &mood.failing, true));
        let ejected = || client.stats().servers.iter().filter(|server| server.ejected).count();
        let mut ejections = 0;
        let until = std::time::Instant::now() + LIMIT;
        while ejections < 3 {
            assert!(std::time::Instant::now() < until, "{ejections} ejections");
            let _ = within(&service, LIMIT).await;
            assert!(ejected() <= 1, "a quarter of five is one");
            ejections = client.stats().servers.iter().map(|server| server.ejections).sum::<u64>();
        }
        assert!(servers[2..].iter().all(|moody| stats(&client, moody).ejections == 0));
    });
}

#[test]
fn a_server_that_cannot_be_dialled_is_out_and_comes_back() {
    run(async {
        let way = Over::Memory.way();
        let (one, two) = (way.clone(), way.clone().another());
        let server = one.server().with_probe(&Probe::new()).start().await.unwrap();
        let client = way.client(format!("multiple://{},{}", one.bind, two.bind)).build().unwrap();
        let service = raw(&client);
        let attempts = async |calls: usize| {
            let mut attempts = 0;
            for _ in 0..calls {
                let options = CallOptions::new();
                attempts += service.call_with::<_, Bytes>("Echo", &b"x"[..], &options).await.unwrap().attempts;
            }
            attempts
        };
        assert_eq!(attempts(2).await, 3, "one call finds out");
        assert_eq!(attempts(10).await, 10);
        let of_two = || client.stats().servers.into_iter().find(|server| server.server == two.bind).unwrap();
        assert!(of_two().disallowed);
        assert_eq!(client.stats().servers.iter().map(|server| server.retries).sum::<u64>(), 1);

        server.close();
        all_are_tried(&service).await;
        let _two = two.server().with_probe(&Probe::new()).start().await.unwrap();
        let until = std::time::Instant::now() + LIMIT;
        while call(&service, "Echo", b"x").await.is_err() {
            assert!(std::time::Instant::now() < until, "it does not come back");
            tokio::time::sleep(ms(5)).await;
        }
        assert!(!of_two().disallowed);
    });
}

/// With every server out all of them are tried, and the error is that of the dials.
async fn all_are_tried(service: &Service<Raw>) {
    let until = std::time::Instant::now() + LIMIT;
    loop {
        match call(service, "Echo", b"x").await {
            Err(error) if error.reason() == Reason::ConnectRefused => {
                assert_eq!((error.delivery(), error.attempts()), (Delivery::NotSent, 4));
                break;
            }
            other => assert!(std::time::Instant::now() < until, "{other:?}"),
        }
    }
}
