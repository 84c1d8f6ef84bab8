//! How requests that another protocol brings run and end: their number, deadlines, cancellation, panics, the shutdown.

use crate::foreign::{builder, raw_service, start};
use crate::lines::LineClient;
use crate::support::{LIMIT, Over, Probe, call, eventually, ms, run, url};
use bytes::Bytes;
use rpcx::Context;
use rpcx::error::{ErrorKind, Reason, Result};
use rpcx::server::Method;
use std::time::Instant;

#[test]
fn as_many_run_as_may_and_the_others_wait_in_their_order() {
    for over in Over::ALL {
        for option in ["max_in_flight", "max_server_in_flight"] {
            run(async {
                let (way, probe) = (over.way(), Probe::new());
                let (server, mut client) = start(builder(&way, &probe).option(option, "2"), &way).await;
                for id in 1..=6 {
                    client.send(&format!("{id} T.Hold - x")).await;
                }
                client.send("7 T.Hold timeout=50 x").await;
                eventually("two run", || probe.running() == 2).await;
                let text = "the request's deadline passed before it was answered";
                assert_eq!(client.line().await.unwrap(), format!("7 timeout.server {text}"));
                client.send("drop 3").await;
                client.send("8 T.Hold timeout=0 x").await;
                assert!(client.line().await.unwrap().starts_with("8 timeout.server"), "the drop has been seen to");
                for id in [1, 2, 4, 5, 6] {
                    probe.release(1);
                    let line = client.line().await.unwrap();
                    if id > 2 {
                        assert_eq!(line.trim_end(), format!("{id} ok x"), "{over:?} {option}");
                    }
                }
                assert_eq!((probe.started(), probe.most()), (5, 2), "{over:?} {option}");
                eventually("none is left", || server.stats().in_flight == 0).await;
            });
        }
    }
}

/// The limit of the server holds for requests in frames and in lines together, and each hears of the other's end.
#[test]
fn the_limit_of_the_server_is_one_for_all_protocols() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let (server, mut client) = start(builder(&way, &probe).option("max_server_in_flight", "1"), &way).await;
        let service = raw_service(&way, &server);
        for round in 1..=5 {
            let framed = call(&service, "Hold", b"f");
            let lines = async {
                client.send("1 T.Hold - l").await;
                client.line().await.unwrap()
            };
            let release = async {
                for started in 1..=2 {
                    eventually("the next one runs", || probe.started() == 2 * round + started - 2).await;
                    probe.release(1);
                }
            };
            let (framed, line, ()) = tokio::join!(framed, lines, release);
            assert_eq!((&framed.unwrap()[..], line.trim_end()), (&b"f"[..], "1 ok l"));
        }
        assert_eq!(probe.most(), 1);
    });
}

/// On several threads handlers end while others get in line.
#[test]
fn nobody_who_waits_is_forgotten() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let test = async {
        let way = Over::Tcp.way();
        let slow = |_ctx: Context, payload: Bytes| async move {
            tokio::task::yield_now().await;
            Ok(payload)
        };
        let builder = builder(&way, &Probe::new()).raw("T", "Slow", slow);
        let builder = builder.option("max_in_flight", "3").option("max_server_in_flight", "2");
        let (server, _client) = start(builder, &way).await;
        let (to, framed) = (url(&server), raw_service(&way, &server));
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (way, to, framed) = (way.clone(), to.clone(), framed.clone());
            clients.spawn(async move {
                let mut client = LineClient::dial(&way, &to).await;
                for id in 1..=100 {
                    client.send(&format!("{id} T.Slow - x")).await;
                }
                for _ in 0..100 {
                    call(&framed, "Slow", b"").await.unwrap();
                    assert!(client.line().await.unwrap().contains(" ok x"));
                }
            });
        }
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
        }
        assert_eq!(server.stats().calls, 800);
        eventually("all places are free", || server.stats().in_flight == 0).await;
    };
    runtime.block_on(async { tokio::time::timeout(LIMIT, test).await.expect("the test hangs") });
}

#[test]
fn requests_above_the_limit_are_refused_if_they_shall() {
    for (option, reason) in [("max_in_flight", "overload.in_flight"), ("max_server_in_flight", "overload.server")] {
        run(async {
            let (way, probe) = (Over::Tcp.way(), Probe::new());
            let builder = builder(&way, &probe).option(option, "1").option("in_flight_policy", "reject");
            let (server, mut client) = start(builder, &way).await;
            client.send("1 T.Hold - x").await;
            eventually("it runs", || probe.running() == 1).await;
            client.send("2 T.Echo - x").await;
            let line = client.line().await.unwrap();
            assert!(line.starts_with(&format!("2 {reason} {option}")), "{line}");
            let reason = Reason::from_name(reason).unwrap();
            assert_eq!(server.stats().errors.of_reason(reason), 1);
            probe.release(1);
            assert_eq!(client.line().await.unwrap().trim_end(), "1 ok x");
            assert_eq!(client.ask("T.Echo - x").await.trim_end(), "ok x");
        });
    }
}

#[test]
fn a_request_ends_at_its_deadline_and_its_handler_is_told() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let (server, mut client) = start(builder(&way, &probe), &way).await;
            // What the protocol says and what the metadata say: the earlier counts.
            for options in ["timeout=50", "timeout=60000&__ServerTimeout=50", "__ServerTimeout=60000&timeout=50"] {
                let (began, before) = (Instant::now(), probe.cancelled());
                let answer = client.ask(&format!("T.Hold {options} x")).await;
                assert_eq!(answer, "timeout.server the request's deadline passed before it was answered");
                assert!((ms(49)..ms(5000)).contains(&began.elapsed()), "{:?}", began.elapsed());
                eventually("the handler is cancelled", || probe.cancelled() == before + 1).await;
            }
            for options in ["timeout=0", "__ServerTimeout=0"] {
                let answer = client.ask(&format!("T.Hold {options} x")).await;
                assert_eq!(answer, "timeout.server the request came when its deadline had passed");
            }
            eventually("they are counted", || server.stats().cancelled == 3).await;
            assert_eq!((probe.started(), server.stats().errors.of_reason(Reason::TimeoutServer)), (3, 2));
        });
    }
}

/// Waits for ever, whatever it is told.
fn stubborn() -> Method {
    Method::raw("Stubborn", |_ctx, _payload| std::future::pending())
}

#[test]
fn a_handler_that_nobody_waits_for_is_dropped_after_the_grace() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let builder = builder(&way, &probe).method("T", stubborn()).option("cancel_grace", "50ms");
        let (server, mut client) = start(builder, &way).await;
        let began = Instant::now();
        assert!(client.ask("T.Stubborn timeout=20 x").await.starts_with("timeout.server"));
        eventually("it is dropped", || server.stats().in_flight == 0).await;
        assert!(began.elapsed() >= ms(69), "{:?}", began.elapsed());
        assert_eq!(server.stats().cancelled, 1);
    });
}

#[test]
fn dropping_a_call_cancels_its_handler_and_so_does_the_end_of_the_connection() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let (server, mut client) = start(builder(&way, &probe), &way).await;
            client.send("1 T.Hold - x").await;
            client.send("2 T.Hold - x").await;
            eventually("they run", || probe.running() == 2).await;
            client.send("drop 1").await;
            eventually("it is cancelled", || probe.cancelled() == 1).await;
            assert_eq!(probe.running(), 1, "the other one goes on");
            drop(client);
            eventually("it is cancelled, too", || probe.cancelled() == 2).await;
            eventually("all is given back", || {
                let stats = server.stats();
                (stats.in_flight, stats.connections.open, stats.cancelled) == (0, 0, 2)
            })
            .await;
        });
    }
}

#[test]
fn what_runs_to_completion_does_so_without_its_caller() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let store = Method::raw("Store", probe.hold()).to_completion();
        let builder = builder(&way, &probe).method("T", store).option("cancel_grace", "0");
        let (server, mut client) = start(builder, &way).await;
        assert!(client.ask("T.Store timeout=20 x").await.starts_with("timeout.server"));
        client.send("2 T.Store - x").await;
        eventually("both run", || probe.running() == 2).await;
        drop(client);
        eventually("the client has left", || server.stats().connections.open == 0).await;
        assert_eq!((probe.running(), server.stats().in_flight), (2, 2));
        probe.release(2);
        eventually("both have ended", || server.stats().in_flight == 0).await;
        assert_eq!((probe.finished(), probe.cancelled(), server.stats().cancelled), (2, 0, 0));
    });
}

#[test]
fn a_panic_is_answered_and_counted() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let late = |_ctx: Context, _payload: Bytes| async move {
                tokio::task::yield_now().await;
                panic!("late")
            };
            fn early(_ctx: Context, _payload: Bytes) -> std::future::Ready<Result<Bytes>> {
                panic!("early")
            }
            let builder = builder(&way, &Probe::new()).raw("T", "Late", late).raw("T", "Early", early);
            let (server, mut client) = start(builder, &way).await;
            for text in ["late", "early"] {
                let method = if text == "late" { "Late" } else { "Early" };
                let answer = client.ask(&format!("T.{method} - x")).await;
                assert!(answer.starts_with("service.panic") && answer.contains(text), "{over:?}: {answer}");
            }
            assert_eq!(client.ask("T.Echo - x").await.trim_end(), "ok x");
            let stats = server.stats();
            assert_eq!((stats.panics, stats.calls, stats.in_flight), (2, 3, 0));
        });
    }
}

#[test]
fn a_shutdown_waits_for_what_runs_and_refuses_what_is_new() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let (server, mut client) = start(builder(&way, &probe), &way).await;
            client.send("1 T.Hold - held").await;
            eventually("it runs", || probe.running() == 1).await;
            let lines = async {
                assert_eq!(client.line().await.unwrap(), "go elsewhere");
                client.send("2 T.Echo - x").await;
                assert_eq!(client.line().await.unwrap(), "2 shutting_down.server the server is shutting down");
                probe.release(1);
                assert_eq!(client.line().await.unwrap().trim_end(), "1 ok held", "{over:?}");
                drop(client);
            };
            let (ended, ()) = tokio::join!(server.shutdown(LIMIT), lines);
            ended.unwrap();
            assert_eq!(server.stats().errors.of_reason(Reason::ShuttingDownServer), 1);
        });
    }
}

#[test]
fn the_deadline_of_a_shutdown_cuts_off_what_still_runs() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let (server, mut client) = start(builder(&way, &probe), &way).await;
        client.send("1 T.Hold - x").await;
        eventually("it runs", || probe.running() == 1).await;
        let error = server.shutdown(ms(100)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        eventually("it is cancelled", || probe.running() == 0).await;
        assert_eq!(client.line().await.unwrap(), "go elsewhere");
        assert_eq!(client.line().await, None);
    });
}

/// A client that stays is waited for no longer than others that cannot be told.
#[test]
fn a_shutdown_does_not_wait_for_a_connection_that_stays() {
    run(async {
        let way = Over::Tcp.way();
        let (server, mut client) = start(builder(&way, &Probe::new()).option("shutdown_linger", "50ms"), &way).await;
        client.ask("T.Echo - x").await;
        server.shutdown(LIMIT).await.unwrap();
        assert_eq!(client.line().await.unwrap(), "go elsewhere");
        assert_eq!(client.line().await, None);
    });
}

#[test]
fn a_handler_may_close_the_connection() {
    run(async {
        let way = Over::Tcp.way();
        let close = |ctx: Context, payload: Bytes| async move {
            ctx.connection().close();
            Ok(payload)
        };
        let (server, mut client) = start(builder(&way, &Probe::new()).raw("T", "Close", close), &way).await;
        client.send("1 T.Close - x").await;
        while client.line().await.is_some() {}
        eventually("it has ended", || server.stats().connections.open == 0).await;
    });
}

#[test]
fn a_protocol_that_panics_ends_its_connection_only() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let (server, mut client) = start(builder(&way, &probe).option("max_connections", "1"), &way).await;
        client.send("1 T.Hold - x").await;
        eventually("it runs", || probe.running() == 1).await;
        client.send("panic now").await;
        assert_eq!(client.line().await, None);
        eventually("the handler is cancelled", || probe.cancelled() == 1).await;
        eventually("its place is free", || server.stats().connections.closed == 1).await;
        let mut client = LineClient::dial(&way, &url(&server)).await;
        assert_eq!(client.ask("T.Echo - x").await.trim_end(), "ok x");
        drop(client);
        server.shutdown(LIMIT).await.unwrap();
    });
}
