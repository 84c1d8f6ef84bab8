//! Many calls at once: limits with backpressure and with rejection, the pool of blocking handlers, and who delays whom.

use crate::cancellation::join_all;
use crate::support::{Over, Probe, WithProbe, assert_failed, call, eventually, ms, pair, raw, run, url};
use bytes::Bytes;
use rpcx::Context;
use rpcx::client::CallOptions;
use rpcx::codec::Raw;
use rpcx::error::{Delivery, ErrorKind, Reason, Result};
use rpcx::server::Method;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::ThreadId;

#[test]
fn slow_handlers_do_not_delay_others_on_the_connection() {
    for over in Over::ALL {
        run(async {
            let probe = Probe::new();
            let (server, client) = pair(&over.way(), &probe).await;
            let service = raw(&client);
            let held: Vec<_> = (0..100).map(|_| Box::pin(call(&service, "Hold", b"x"))).collect();
            let quick = async {
                eventually("all handlers run", || probe.started() == 100).await;
                for _ in 0..100 {
                    call(&service, "Echo", b"quick").await.unwrap();
                }
                assert_eq!((probe.finished(), server.connections().len()), (0, 1));
                probe.release(100);
            };
            let (results, ()) = tokio::join!(join_all(held), quick);
            assert!(results.iter().all(Result::is_ok), "{over:?}");
        });
    }
}

#[test]
fn beyond_max_in_flight_the_connection_waits() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let server = way.server().with_probe(&probe).option("max_in_flight", "4").start().await.unwrap();
            let client = way.client(url(&server)).build().unwrap();
            let service = raw(&client);
            let calls: Vec<_> = (0..40).map(|_| Box::pin(call(&service, "Hold", b"x"))).collect();
            let letting_go = async {
                for finished in 1..=40 {
                    eventually("the next handlers run", || probe.running() >= 4.min(41 - finished)).await;
                    probe.release(1);
                    eventually("one more is done", || probe.finished() == finished).await;
                }
            };
            let (results, ()) = tokio::join!(join_all(calls), letting_go);
            assert!(results.iter().all(Result::is_ok));
            assert_eq!(probe.most(), 4, "{over:?}");
        });
    }
}

#[test]
fn beyond_max_in_flight_calls_are_refused_when_asked_for() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let server = way
            .server()
            .with_probe(&probe)
            .option("max_in_flight", "4")
            .option("in_flight_policy", "reject")
            .start()
            .await
            .unwrap();
        let client = way.client(url(&server)).option("retries", "0").build().unwrap();
        let service = raw(&client);
        let held: Vec<_> = (0..4).map(|_| Box::pin(call(&service, "Hold", b"x"))).collect();
        let others = async {
            eventually("four handlers run", || probe.started() == 4).await;
            for _ in 0..3 {
                let error =
                    assert_failed(call(&service, "Hold", b"").await, Reason::OverloadServer, Delivery::Answered);
                assert!(error.message().contains("max_in_flight"), "{error}");
                assert!(error.is_retryable(false), "no handler was started, any retry is safe");
            }
            probe.release(4);
        };
        let (results, ()) = tokio::join!(join_all(held), others);
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(probe.started(), 4);
        probe.release(1);
        assert!(call(&service, "Hold", b"").await.is_ok(), "room again");
    });
}

#[test]
fn the_servers_own_limit_holds_for_all_connections_together() {
    for (policy, refused) in [("backpressure", false), ("reject", true)] {
        run(async {
            let (way, probe) = (Over::Tcp.way(), Probe::new());
            let server = way
                .server()
                .with_probe(&probe)
                .option("max_server_in_flight", "2")
                .option("in_flight_policy", policy)
                .start()
                .await
                .unwrap();
            let client = way.client(url(&server)).option("retries", "0").build().unwrap();
            let other = way.client(url(&server)).option("retries", "0").build().unwrap();
            let (service, elsewhere) = (raw(&client), raw(&other));
            let held: Vec<_> = (0..2).map(|_| Box::pin(call(&service, "Hold", b"x"))).collect();
            let third = async {
                eventually("two handlers run", || probe.started() == 2).await;
                let (result, ()) = tokio::join!(call(&elsewhere, "Hold", b"third"), async {
                    if !refused {
                        tokio::time::sleep(ms(100)).await; // time in which it must not be refused
                        assert_eq!(probe.started(), 2, "{policy}");
                        probe.release(3);
                    }
                });
                if refused {
                    let error = assert_failed(result, Reason::OverloadServer, Delivery::Answered);
                    assert!(error.message().contains("max_server_in_flight"), "{error}");
                    probe.release(2);
                } else {
                    assert_eq!(result.unwrap(), &b"third"[..]);
                }
            };
            let (results, ()) = tokio::join!(join_all(held), third);
            assert!(results.iter().all(Result::is_ok), "{policy}");
            assert!(probe.most() <= 2, "{policy}");
        });
    }
}

/// A door that blocking handlers wait at.
#[derive(Default)]
struct Door {
    open: Mutex<bool>,
    opened: Condvar,
    inside: AtomicUsize,
    most: AtomicUsize,
}

impl Door {
    fn wait(&self) {
        let inside = 1 + self.inside.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(inside, Ordering::SeqCst);
        let open = self.open.lock().unwrap();
        let (_open, timeout) = self.opened.wait_timeout_while(open, crate::support::LIMIT, |open| !*open).unwrap();
        assert!(!timeout.timed_out());
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

#[test]
fn blocking_handlers_run_on_a_bounded_pool() {
    run(async {
        let way = Over::Tcp.way();
        let door = Arc::new(Door::default());
        let inside = door.clone();
        let blocking = Method::blocking::<Raw, _, _, _>("Block", move |_: Context, payload: Bytes| {
            inside.wait();
            Ok(payload)
        });
        let server = way
            .server()
            .option("worker_threads", "2")
            .option("worker_queue", "3")
            .method("T", blocking)
            .with_probe(&Probe::new())
            .start()
            .await
            .unwrap();
        let client = way.client(url(&server)).option("retries", "0").build().unwrap();
        let service = raw(&client);
        let calls: Vec<_> = (0..8).map(|_| Box::pin(call(&service, "Block", b"x"))).collect();
        let opening = async {
            eventually("both threads are busy", || door.inside.load(Ordering::SeqCst) == 2).await;
            call(&service, "Echo", b"not blocked").await.unwrap();
            door.open();
        };
        let (results, ()) = tokio::join!(join_all(calls), opening);
        let refused: Vec<_> = results.into_iter().filter_map(Result::err).collect();
        assert_eq!(refused.len(), 3, "two run, three wait: {refused:?}");
        for error in &refused {
            assert_eq!((error.kind(), error.delivery()), (ErrorKind::Overload, Delivery::Answered), "{error:?}");
            assert!(error.is_retryable(false), "{error:?}");
        }
        assert_eq!(door.most.load(Ordering::SeqCst), 2);
        assert!(call(&service, "Block", b"").await.is_ok(), "the threads are free again");
    });
}

#[test]
fn a_blocking_handler_that_panics_gives_its_thread_back() {
    run(async {
        let way = Over::Tcp.way();
        let blocking = Method::blocking::<Raw, _, Bytes, _>("Block", |_: Context, payload: Bytes| {
            if payload.is_empty() { panic!("no payload") } else { Ok(payload) }
        });
        let server = way.server().option("worker_threads", "1").method("T", blocking).start().await.unwrap();
        let client = way.client(url(&server)).build().unwrap();
        let service = raw(&client);
        for _ in 0..3 {
            let error = assert_failed(call(&service, "Block", b"").await, Reason::ServiceError, Delivery::Answered);
            assert!(error.message().contains("no payload"), "{error}");
        }
        assert!(call(&service, "Block", b"x").await.is_ok());
    });
}

/// A handler that takes the connection's thread for itself is begun on a task afterwards.
#[test]
fn a_handler_that_holds_its_connection_up_moves_to_a_task() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let test = async {
        let way = Over::Tcp.way();
        let threads = Arc::new(Mutex::new(Vec::<ThreadId>::new()));
        let tasks = Arc::new(Mutex::new(Vec::new()));
        let (noted, of_tasks) = (threads.clone(), tasks.clone());
        let server = way
            .server()
            .option("inline_limit", "1ms")
            .raw("T", "Busy", move |_: Context, payload: Bytes| {
                let (noted, of_tasks) = (noted.clone(), of_tasks.clone());
                async move {
                    noted.lock().unwrap().push(std::thread::current().id());
                    of_tasks.lock().unwrap().push(tokio::task::try_id());
                    std::thread::sleep(ms(10)); // what this handler does wrong
                    Ok(payload)
                }
            })
            .start()
            .await
            .unwrap();
        let client = way.client(url(&server)).build().unwrap();
        let service = raw(&client);
        for _ in 0..40 {
            call(&service, "Busy", b"").await.unwrap();
        }
        let tasks = tasks.lock().unwrap();
        assert_eq!(tasks[0], tasks[1], "in place at first: on the connection's own task");
        let last = &tasks[tasks.len() - 5..];
        assert!(last.iter().all(|task| *task != tasks[0]), "on tasks of their own afterwards: {tasks:?}");
    };
    runtime.block_on(async { tokio::time::timeout(crate::support::LIMIT, test).await.expect("the test hangs") });
}

#[test]
fn a_client_has_a_limit_of_its_own() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let server = way.server().with_probe(&probe).start().await.unwrap();
        let client = way.client(url(&server)).option("max_in_flight", "3").option("retries", "0").build().unwrap();
        let service = raw(&client);
        call(&service, "Echo", b"").await.unwrap();
        let calls: Vec<_> = (0..5).map(|_| Box::pin(call(&service, "Hold", b""))).collect();
        let (results, ()) = tokio::join!(join_all(calls), async {
            eventually("three handlers run", || probe.started() == 3).await;
            probe.release(3);
        });
        assert!(results[..3].iter().all(Result::is_ok));
        for result in results.into_iter().skip(3) {
            assert_failed(result, Reason::OverloadInFlight, Delivery::NotSent);
        }
        assert!(call(&service, "Echo", b"").await.is_ok());
    });
}

/// Handlers, interceptors and wakers are user code: none runs under a lock of ours.
#[test]
fn a_handler_may_call_back_through_the_same_client_and_server() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let back: Arc<Mutex<Option<rpcx::Client>>> = Arc::default();
            let inner = back.clone();
            let server = way
                .server()
                .with_probe(&Probe::new())
                .raw("T", "Down", move |ctx: Context, depth: Bytes| {
                    let client = inner.lock().unwrap().clone().unwrap();
                    async move {
                        match depth[0] {
                            0 => Ok(Bytes::from_static(b"bottom")),
                            depth => {
                                let options = CallOptions::new().parent(&ctx);
                                let below =
                                    raw(&client).call_with::<_, Bytes>("Down", &[depth - 1][..], &options).await?;
                                Ok(below.value)
                            }
                        }
                    }
                })
                .start()
                .await
                .unwrap();
            let client = way.client(url(&server)).build().unwrap();
            *back.lock().unwrap() = Some(client.clone());
            assert_eq!(call(&raw(&client), "Down", &[20]).await.unwrap(), &b"bottom"[..], "{over:?}");
            assert_eq!(server.connections().len(), 1);
            back.lock().unwrap().take();
        });
    }
}
