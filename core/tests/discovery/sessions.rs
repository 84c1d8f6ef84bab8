//! A client beside a registry that is down, restarts, forgets, lags and comes back: it never loses the servers that work.

use crate::board::Board;
use crate::support::{LIMIT, ask, eventually, ms, run, seen, until_seen, url, who};
use rpcx::client::CallOptions;
use rpcx::config::DiscoveryOptions;
use rpcx::discovery::{BoxFuture, Discovery, Feed, Source, SourceDiscovery};
use rpcx::error::{Delivery, ErrorKind, Reason};
use rpcx::{Client, Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_client_outlives_its_registry() {
    run(async {
        let board = Board::new();
        let server = who("one").registry(board.registry()).start().await.unwrap();
        let discovery = board.discovery("60s");
        let client = Client::builder().discovery(discovery.clone()).build().unwrap();
        assert_eq!(ask(&client).await.unwrap(), "one");
        let watch = discovery.watch("Who");
        assert_eq!(seen(&watch), format!("{} live", url(&server)));
        board.stop();
        until_seen(&watch, format!("{} stale", url(&server))).await;
        assert_eq!(watch.problem().as_deref(), Some("the board is down"));
        assert_eq!(ask(&client).await.unwrap(), "one");
        board.start();
        until_seen(&watch, format!("{} live", url(&server))).await;
        assert_eq!(watch.problem(), None);
    });
}

/// The registry restarts and has lost everything: the clients go on while the servers announce themselves again.
#[test]
fn a_registry_that_forgets_everything_fails_no_call() {
    run(async {
        let board = Board::new();
        let servers = [
            who("one").registry(board.registry()).start().await.unwrap(),
            who("two").registry(board.registry()).start().await.unwrap(),
        ];
        let discovery = board.discovery("60s");
        let client = Client::builder().discovery(discovery.clone()).build().unwrap();
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let caller: tokio::task::JoinHandle<Result<()>> = tokio::spawn({
            let (client, stop, done) = (client.clone(), stop.clone(), done.clone());
            async move {
                while !stop.load(Ordering::Relaxed) {
                    ask(&client).await?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }
        });
        let watch = discovery.watch("Who");
        let mut all: Vec<_> = servers.iter().map(url).collect();
        all.sort();
        let all = all.join(" ");
        until_seen(&watch, format!("{all} live")).await;
        for _ in 0..20 {
            board.stop();
            board.wipe();
            until_seen(&watch, format!("{all} stale")).await;
            board.start();
            until_seen(&watch, format!("{all} live")).await;
            let before = done.load(Ordering::Relaxed);
            eventually("calls go on", || done.load(Ordering::Relaxed) > before || caller.is_finished()).await;
        }
        stop.store(true, Ordering::Relaxed);
        caller.await.unwrap().unwrap();
    });
}

#[tokio::test(start_paused = true)]
async fn an_empty_registry_is_believed_after_the_hold() {
    let board = Board::new();
    board.put("Who", "tcp@a:1");
    let discovery = board.discovery("60s");
    let mut watch = discovery.watch("Who");
    watch.known().await.unwrap();
    board.stop();
    board.wipe();
    board.start();
    let began = tokio::time::Instant::now();
    until_stale(&mut watch).await;
    assert_eq!(seen(&watch), "tcp@a:1 stale");
    let emptied = tokio::time::timeout(Duration::from_secs(100), watch.changed()).await.expect("emptied").unwrap();
    assert!(emptied.is_empty() && seen(&watch) == "live");
    let held = began.elapsed();
    assert!(held >= Duration::from_secs(60) && held < Duration::from_secs(61), "{held:?}");
}

async fn until_stale(watch: &mut rpcx::discovery::Watch) {
    while !seen(watch).ends_with("stale") {
        watch.changed().await.expect("open");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_lags_is_not_believed_and_a_real_end_is() {
    let board = Board::new();
    board.put("Who", "tcp@a:1");
    let discovery = board.discovery("60s");
    let mut watch = discovery.watch("Who");
    watch.known().await.unwrap();
    board.lag();
    until_stale(&mut watch).await;
    board.catch_up();
    assert_eq!(watch.changed().await.map(|snapshot| snapshot.len()), Some(1));
    assert_eq!(seen(&watch), "tcp@a:1 live");
    // The session of the node expires, within the reader's own session: that is the truth.
    board.expire(0);
    assert_eq!(watch.changed().await.map(|snapshot| snapshot.len()), Some(0));
    assert_eq!(seen(&watch), "live");
}

#[test]
fn a_registry_that_comes_back_with_another_set_is_believed_at_once() {
    run(async {
        let board = Board::new();
        let (old, new) = (who("old").start().await.unwrap(), who("new").start().await.unwrap());
        board.put("Who", &url(&old));
        let client = Client::builder().discovery(board.discovery("60s")).build().unwrap();
        assert_eq!(ask(&client).await.unwrap(), "old");
        board.stop();
        board.wipe();
        board.put("Who", &url(&new));
        board.start();
        let until = Instant::now() + LIMIT;
        while ask(&client).await.unwrap() != "new" {
            assert!(Instant::now() < until, "still the old one");
        }
    });
}

#[test]
fn a_server_that_dies_leaves_when_its_session_expires() {
    run(async {
        let board = Board::new();
        let (dying, staying) = (board.registry(), board.registry());
        let server = who("dying").registry(dying.clone()).start().await.unwrap();
        let other = who("staying").registry(staying).start().await.unwrap();
        let discovery = board.discovery("60s");
        let mut watch = discovery.watch("Who");
        assert_eq!(watch.known().await.unwrap().len(), 2);
        server.close();
        dying.die();
        until_seen(&watch, format!("{} live", url(&other))).await;
    });
}

#[test]
fn calls_wait_for_the_first_answer_and_say_why_there_is_none() {
    run(async {
        let board = Board::new();
        let server = who("late").registry(board.registry()).start().await.unwrap();
        board.stop();
        let client =
            Client::builder().discovery(board.discovery("60s")).option("discovery_timeout", "100ms").build().unwrap();
        let error = ask(&client).await.unwrap_err();
        assert_eq!((error.reason(), error.delivery()), (Reason::NoServerDiscoveryTimeout, Delivery::NotSent));
        assert!(error.message().contains("the board is down"), "{error}");
        // A call's own deadline comes first.
        let hurried = CallOptions::new().timeout(ms(20));
        let began = Instant::now();
        let result: Result<String> =
            client.service("Who").unwrap().call_with("Am", &(), &hurried).await.map(|a| a.value);
        assert_eq!(result.unwrap_err().delivery(), Delivery::NotSent);
        assert!(began.elapsed() < ms(90), "{:?}", began.elapsed());
        let patient = Client::builder().discovery(board.discovery("60s")).build().unwrap();
        let (answer, ()) = tokio::join!(ask(&patient), async { board.start() });
        assert_eq!(answer.unwrap(), "late");
        drop(server);
    });
}

#[test]
fn watches_share_a_session_and_the_last_one_leaves_it() {
    run(async {
        let board = Board::new();
        let discovery = board.discovery("60s");
        let (one, two, other) = (discovery.watch("Who"), discovery.watch("Who"), discovery.watch("Other"));
        eventually("both services are followed, once each", || board.followers() == 2).await;
        drop(one);
        until_seen(&two, "live").await;
        assert_eq!(board.followers(), 2);
        drop(two);
        eventually("one is left", || board.followers() == 1).await;
        discovery.close();
        discovery.close();
        eventually("none is left", || board.followers() == 0).await;
        let mut ended = other.clone();
        assert_eq!(ended.changed().await.map(|last| last.len()), Some(0), "the last word is read");
        assert!(ended.changed().await.is_none());
        let late = discovery.watch("Late");
        assert_eq!((seen(&late).as_str(), late.problem().as_deref()), ("unknown", Some("the discovery is closed")));
    });
}

#[test]
fn clients_of_one_discovery_end_one_by_one() {
    run(async {
        let board = Board::new();
        let first = who("first").registry(board.registry()).start().await.unwrap();
        let discovery = board.discovery("60s");
        let one = Client::builder().discovery(discovery.clone()).build().unwrap();
        let two = Client::builder().discovery(discovery.clone()).build().unwrap();
        assert_eq!((ask(&one).await.unwrap(), ask(&two).await.unwrap()), ("first".to_owned(), "first".to_owned()));
        one.close();
        first.shutdown(LIMIT).await.unwrap();
        let _second = who("second").registry(board.registry()).start().await.unwrap();
        let watch = discovery.watch("Who");
        eventually("the second is found", || watch.latest().len() == 1).await;
        assert_eq!(ask(&two).await.unwrap(), "second");
    });
}

#[test]
fn outside_of_a_runtime_the_error_says_so() {
    let discovery = Board::new().discovery("60s");
    let watch = discovery.watch("Who");
    assert!(watch.problem().is_some_and(|problem| problem.contains("tokio runtime")), "{watch:?}");
    run(async {
        let client = Client::builder().discovery(discovery.clone()).build().unwrap();
        // Made in a runtime now: the service is followed.
        let error = ask(&client).await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (ErrorKind::NoServer, Reason::NoServerEmpty));
    });
}

/// Panics whenever it is asked for the second time.
struct Shaky(AtomicUsize);

impl Source for Shaky {
    fn follow<'a>(&'a self, _service: &'a str, feed: &'a Feed) -> BoxFuture<'a, Error> {
        Box::pin(async move {
            let time = self.0.fetch_add(1, Ordering::SeqCst);
            assert_ne!(time, 1, "this panic is the test's own");
            feed.answer(vec![format!("tcp@a:{}", time + 1).parse().unwrap()]);
            if time > 1 {
                std::future::pending::<()>().await;
            }
            Error::new(Reason::ConnectOther, "lost")
        })
    }
}

#[test]
fn a_source_that_panics_is_asked_again() {
    run(async {
        let mut options = DiscoveryOptions::default();
        options.set("reconnect_interval", "1ms").unwrap();
        let discovery = SourceDiscovery::new(Shaky(AtomicUsize::new(0)), options).unwrap();
        until_seen(&discovery.watch("Who"), "tcp@a:3 live").await;
        assert_eq!(discovery.source().0.load(Ordering::SeqCst), 3);
    });
}
