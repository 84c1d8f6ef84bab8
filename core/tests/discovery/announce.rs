//! Servers that announce themselves: what registries are told, when, and what happens when they cannot be.

use crate::board::Board;
use crate::support::{LIMIT, eventually, ms, run, url, who};
use bytes::Bytes;
use rpcx::discovery::{Announced, Announcement, BoxFuture, Registry};
use rpcx::server::{Context, Method, Service, Shutdown};
use rpcx::{Error, Reason, Result, Server};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

struct Extra;

impl Service for Extra {
    const NAME: &'static str = "Extra";

    fn methods(self) -> Vec<Method> {
        vec![Method::raw("Echo", |_: Context, payload: Bytes| async move { Ok(payload) })]
    }
}

#[test]
fn every_service_is_announced_with_its_metadata_until_the_end() {
    run(async {
        let (board, second) = (Board::new(), Board::new());
        let server = who("one")
            .service(Extra)
            .option("metadata", "weight=7")
            .metadata("Extra", "group=a")
            .registry(board.registry())
            .registry(second.registry())
            .start()
            .await
            .unwrap();
        let at = url(&server);
        assert_eq!(board.list(), [format!("Extra {at}?group=a"), format!("Who {at}?weight=7")]);
        assert_eq!(second.list(), board.list());
        server.set_metadata("Who", "weight=7&state=inactive");
        assert!(server.remove_service("Extra"));
        server.announced(LIMIT).await.unwrap();
        assert_eq!(board.list(), [format!("Who {at}?weight=7&state=inactive")]);
        server.add_service("Extra", Extra);
        server.announced(LIMIT).await.unwrap();
        assert_eq!(second.list(), [format!("Extra {at}?group=a"), format!("Who {at}?weight=7&state=inactive")]);
        server.shutdown(LIMIT).await.unwrap();
        assert!(board.list().is_empty() && second.list().is_empty());
    });
}

#[test]
fn an_empty_name_stands_for_all_services() {
    run(async {
        let board = Board::new();
        let server = who("one")
            .service(Extra)
            .option("metadata", "weight=7")
            .metadata("Extra", "group=a")
            .metadata("", "group=b")
            .registry(board.registry())
            .start()
            .await
            .unwrap();
        let at = url(&server);
        assert_eq!(board.list(), [format!("Extra {at}?group=a"), format!("Who {at}?group=b")]);
        server.set_metadata("", "state=inactive");
        server.announced(LIMIT).await.unwrap();
        assert_eq!(board.list(), [format!("Extra {at}?state=inactive"), format!("Who {at}?state=inactive")]);
        server.shutdown(LIMIT).await.unwrap();
    });
}

#[test]
fn it_leaves_the_registry_before_anything_else() {
    run(async {
        let board = Board::new();
        let server = who("one")
            .raw("T", "Hold", |_: Context, _: Bytes| async {
                tokio::time::sleep(ms(200)).await;
                Ok(Bytes::new())
            })
            .registry(board.registry())
            .start()
            .await
            .unwrap();
        let client = rpcx::Client::new(&url(&server)).unwrap();
        let service = client.service("T").unwrap().raw();
        let held = service.call::<_, Bytes>("Hold", &b""[..]);
        let (held, ended, ()) = tokio::join!(
            held,
            async {
                eventually("the call runs", || server.stats().in_flight == 1).await;
                server.shutdown(LIMIT).await
            },
            async {
                eventually("the call runs", || server.stats().in_flight == 1).await;
                eventually("the registry is left", || board.list().is_empty()).await;
                assert_eq!(server.stats().in_flight, 1, "while the call still runs");
            }
        );
        held.unwrap();
        ended.unwrap();
    });
}

#[test]
fn a_server_serves_while_its_registry_is_down_and_is_announced_later() {
    run(async {
        let board = Board::new();
        board.stop();
        let began = Instant::now();
        let server = who("one").option("registry_timeout", "50ms").registry(board.registry()).start().await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(5));
        let client = rpcx::Client::new(&url(&server)).unwrap();
        assert_eq!(crate::support::ask(&client).await.unwrap(), "one");
        assert!(server.announced(ms(10)).await.is_err());
        board.start();
        server.announced(LIMIT).await.unwrap();
        assert_eq!(board.list(), [format!("Who {}", url(&server))]);
        // Down again: the end is not held up for longer than asked.
        board.stop();
        let began = Instant::now();
        server.shutdown(LIMIT).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    });
}

#[test]
fn another_process_may_take_the_place_in_the_registry() {
    run(async {
        let board = Board::new();
        let process = board.registry();
        let old = who("old").registry(process.clone()).start().await.unwrap();
        let place = [format!("Who {}", url(&old))];
        old.shutdown(Shutdown::within(LIMIT).keep_registered()).await.unwrap();
        assert_eq!(board.list(), place);
        let new = Server::builder()
            .bind(url(&old))
            .raw("Who", "Am", |_: Context, payload: Bytes| async move { Ok(payload) })
            .registry(board.registry())
            .start()
            .await
            .unwrap();
        process.die();
        assert_eq!(board.list(), place, "the node is the new process's own");
        new.close();
        eventually("a close withdraws too", || board.list().is_empty()).await;
    });
}

#[test]
fn shards_of_its_own_announce_as_well() {
    let board = Board::new();
    let server = who("one").registry(board.registry()).serve_per_core(2).unwrap();
    assert_eq!(board.list(), [format!("Who {}", url(&server))]);
    run(server.shutdown(LIMIT)).unwrap();
    assert!(board.list().is_empty());
}

#[test]
fn an_address_that_means_nothing_elsewhere_is_refused() {
    run(async {
        for (bind, advertise, part) in [
            ("tcp@0.0.0.0:0", "", "every address of this machine"),
            ("tcp@[::]:0", "", "every address of this machine"),
            ("memu@announce-refused", "", "within this process only"),
            ("tcp@127.0.0.1:0", "tcp@:8972", "every address of this machine"),
            ("tcp@127.0.0.1:0", "tcp@10.0.0.1:0", "has no port"),
            ("tcp@127.0.0.1:0", "nonsense", "nonsense"),
        ] {
            let board = Board::new();
            let server = Server::builder()
                .bind(bind)
                .service(Extra)
                .option("advertise", advertise)
                .registry(board.registry())
                .start()
                .await;
            let error = server.err().unwrap_or_else(|| panic!("{bind} as {advertise} was announced"));
            assert!(error.message().contains(part), "{error}");
            assert!(board.list().is_empty());
        }
        let board = Board::new();
        let server = Server::builder()
            .bind("tcp@0.0.0.0:0")
            .service(Extra)
            .option("advertise", "tcp@10.0.0.1:8972,tcp@[2001:db8::1]:8972")
            .registry(board.registry())
            .start()
            .await
            .unwrap();
        assert_eq!(board.list(), ["Extra tcp@10.0.0.1:8972", "Extra tcp@[2001:db8::1]:8972"]);
        server.shutdown(LIMIT).await.unwrap();
    });
}

/// Refuses the first announcements, or all for good.
struct Refusing {
    times: AtomicUsize,
    reason: Reason,
}

struct Taken;

impl Announced for Taken {
    fn update(&self, _: rpcx::discovery::NodeMetadata) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

impl Registry for Refusing {
    fn announce(&self, _: Announcement) -> BoxFuture<'_, Result<Arc<dyn Announced>>> {
        Box::pin(async {
            let left = self.times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            match left {
                Ok(_) => Err(Error::new(self.reason, "refused")),
                Err(_) => Ok(Arc::new(Taken) as Arc<dyn Announced>),
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

#[test]
fn a_refusal_is_tried_again_unless_it_is_for_good() {
    run(async {
        let registry = Arc::new(Refusing { times: AtomicUsize::new(2), reason: Reason::ConnectRefused });
        let server = who("one").registry(registry.clone()).start().await.unwrap();
        server.announced(ms(0)).await.expect("announced when start returned");
        assert_eq!(registry.times.load(Ordering::SeqCst), 0);
        server.close();
        let registry = Arc::new(Refusing { times: AtomicUsize::new(usize::MAX), reason: Reason::ConfigBadArgument });
        let error = who("two").registry(registry).start().await.expect_err("can never be announced");
        assert_eq!((error.reason(), error.message()), (Reason::ConfigBadArgument, "refused"));
    });
}

#[test]
fn a_start_that_is_given_up_leaves_no_server() {
    run(async {
        let board = Board::new();
        board.stop();
        let folder = tempfile::tempdir().unwrap();
        let at = format!("unix@{}", folder.path().join("s").display());
        let start = who("one").bind(at.as_str()).registry(board.registry()).start();
        assert!(tokio::time::timeout(ms(50), start).await.is_err(), "the registry is down");
        let again = async || who("one").bind(at.as_str()).start().await;
        let until = Instant::now() + LIMIT;
        while again().await.is_err() {
            assert!(Instant::now() < until, "the address is still taken");
            tokio::time::sleep(ms(1)).await;
        }
        board.start();
        assert!(board.list().is_empty());
    });
}
