//! The interceptor chain on both sides: order, short cuts, changed requests and replies, errors.

use crate::log::Log;
use crate::support::{Over, Probe, WithProbe, assert_failed, call, raw, run, url};
use bytes::Bytes;
use rpcx::client::CallOptions;
use rpcx::error::{Delivery, Error, Reason, Result};
use rpcx::interceptor::{BoxFuture, Call, Interceptor, Next, Reply, TimeRecorder, Timing};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Writes down when it is passed, and does what the method's name asks for.
struct Named {
    name: &'static str,
    log: Arc<Mutex<Vec<String>>>,
}

impl Interceptor for Named {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async move {
            let name = self.name;
            self.log.lock().unwrap().push(format!("+{name}"));
            match call.metadata.get(name).map(str::to_owned).as_deref() {
                Some("answer") => return Ok(Reply { payload: Bytes::from_static(b"short"), ..Reply::default() }),
                Some("refuse") => return Err(Error::new(Reason::OverloadRate, format!("{name} refuses"))),
                Some("change") => {
                    call.payload = [&call.payload[..], name.as_bytes()].concat().into();
                    call.metadata.insert("changed", name);
                }
                _ => {}
            }
            let mut result = next.run(call).await;
            self.log.lock().unwrap().push(format!("-{name}{}", if result.is_ok() { "" } else { "!" }));
            if let Ok(reply) = &mut result {
                reply.metadata.insert(name, "passed");
            }
            result
        })
    }
}

#[test]
fn both_chains_run_in_order_around_the_call() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let log = Arc::new(Mutex::new(Vec::new()));
            let named = |name| Named { name, log: log.clone() };
            let server = way
                .server()
                .with_probe(&Probe::new())
                .raw("T", "Changed", |ctx: rpcx::Context, payload: Bytes| async move {
                    let changed = ctx.metadata().get("changed").unwrap_or("nothing").to_owned();
                    Ok([&payload[..], b"/", changed.as_bytes()].concat().into())
                })
                .interceptor(named("s1"))
                .interceptor(named("s2"))
                .start()
                .await
                .unwrap();
            let client = way.client(url(&server)).interceptor(named("c1")).interceptor(named("c2")).build().unwrap();
            let service = raw(&client);
            let logged = || std::mem::take(&mut *log.lock().unwrap()).join(" ");

            let answer = service.call_with::<_, Bytes>("Echo", &b"x"[..], &CallOptions::new()).await.unwrap();
            assert_eq!(answer.value, &b"x"[..]);
            for name in ["c1", "c2", "s1", "s2"] {
                assert_eq!(answer.metadata.get(name), Some("passed"), "{name}");
            }
            assert_eq!(logged(), "+c1 +c2 +s1 +s2 -s2 -s1 -c2 -c1");

            let asked = |name: &str, what: &str| CallOptions::new().metadata(name, what);
            let answer = service.call_with::<_, Bytes>("Echo", &b"x"[..], &asked("c2", "answer")).await.unwrap();
            assert_eq!((answer.value, logged().as_str()), (Bytes::from_static(b"short"), "+c1 +c2 -c1"));
            let answer = service.call_with::<_, Bytes>("Echo", &b"x"[..], &asked("s1", "answer")).await.unwrap();
            assert_eq!((answer.value, logged().as_str()), (Bytes::from_static(b"short"), "+c1 +c2 +s1 -c2 -c1"));

            let refused = service.call_with::<_, Bytes>("Echo", &b"x"[..], &asked("c2", "refuse").retries(0)).await;
            assert_eq!(assert_failed(refused, Reason::OverloadRate, Delivery::NotSent).message(), "c2 refuses");
            assert_eq!(logged(), "+c1 +c2 -c1!");
            let refused = service.call_with::<_, Bytes>("Echo", &b"x"[..], &asked("s2", "refuse").retries(0)).await;
            let error = assert_failed(refused, Reason::OverloadServer, Delivery::Answered);
            assert_eq!(error.message(), "s2 refuses");
            assert_eq!(logged(), "+c1 +c2 +s1 +s2 -s1! -c2! -c1!");

            for name in ["c1", "s2"] {
                let answer = service.call_with::<_, Bytes>("Changed", &b"x"[..], &asked(name, "change")).await.unwrap();
                assert_eq!(answer.value, format!("x{name}/{name}"), "{over:?}");
            }
            logged();
            // A handler's error and an unknown method pass the client's chain; the server's begins at the handler.
            assert_failed(call(&service, "Nil", b"").await, Reason::ServiceUnknownMethod, Delivery::Answered);
            assert_eq!(logged(), "+c1 +c2 -c2! -c1!");
            service.oneway("Echo", &b"x"[..], &CallOptions::new()).await.unwrap();
            assert_eq!(call(&service, "Echo", b"y").await.unwrap(), &b"y"[..]);
            assert_eq!(server.connections().len(), 1);
        });
    }
}

/// Panics.
struct Broken;

impl Interceptor for Broken {
    fn intercept<'a>(&'a self, _call: &'a mut Call, _next: Next<'a>) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async { panic!("broken interceptor") })
    }
}

#[test]
fn an_interceptor_that_panics_costs_its_call_only() {
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().with_probe(&Probe::new()).interceptor(Broken).start().await.unwrap();
        let client = way.client(url(&server)).build().unwrap();
        let service = raw(&client);
        for _ in 0..2 {
            let error = assert_failed(call(&service, "Echo", b"").await, Reason::ServiceError, Delivery::Answered);
            assert!(error.message().contains("broken interceptor"), "{error}");
        }
        assert_eq!(server.connections().len(), 1);
    });
}

#[test]
fn the_time_recorder_tells_of_every_call_and_its_end() {
    run(async {
        let way = Over::Tcp.way();
        let told = Arc::new(Mutex::new(Vec::new()));
        let recorder = |side: &'static str| {
            let told = told.clone();
            TimeRecorder::new(move |timing: &Timing<'_>| {
                let failed = timing.error.map(|error| error.reason());
                let named = format!("{side} {}.{}", timing.service, timing.method);
                assert_eq!(timing.peer.is_empty(), side == "client");
                told.lock().unwrap().push((named, failed, timing.elapsed));
            })
        };
        let probe = Probe::new();
        let server = way.server().with_probe(&probe).interceptor(recorder("server")).start().await.unwrap();
        let client = way.client(url(&server)).interceptor(recorder("client")).build().unwrap();
        let service = raw(&client);
        let release = async {
            crate::support::eventually("it runs", || probe.started() == 1).await;
            tokio::time::sleep(crate::support::ms(20)).await; // the time that is measured
            probe.release(1);
        };
        tokio::join!(async { call(&service, "Hold", b"").await.unwrap() }, release);
        assert!(call(&service, "None", b"").await.is_err());
        let told = told.lock().unwrap();
        let ends: Vec<_> = told.iter().map(|(name, failed, _)| (name.as_str(), *failed)).collect();
        let unknown = Some(Reason::ServiceUnknownMethod);
        assert_eq!(ends, [("server T.Hold", None), ("client T.Hold", None), ("client T.None", unknown)]);
        assert!(told[..2].iter().all(|(_, _, elapsed)| *elapsed >= crate::support::ms(20)), "{told:?}");
    });
}

#[test]
fn slow_calls_are_logged_on_both_sides_and_quick_ones_are_not() {
    // With interceptors the whole chain is timed, without them there is none.
    for chained in [false, true] {
        slow_calls_are_logged(chained);
    }
}

fn slow_calls_are_logged(chained: bool) {
    let (log, _guard) = Log::start();
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let mut server = way.server().with_probe(&probe).option("slow_call", "50ms");
        if chained {
            server = server.interceptor(TimeRecorder::new(|_: &Timing<'_>| {}));
        }
        let server = server.start().await.unwrap();
        let mut client = way.client(url(&server)).option("slow_call", "50ms");
        if chained {
            client = client.interceptor(TimeRecorder::new(|_: &Timing<'_>| {}));
        }
        let client = client.build().unwrap();
        let service = raw(&client);
        call(&service, "Echo", b"").await.unwrap();
        let release = async {
            crate::support::eventually("it runs", || probe.started() == 1).await;
            tokio::time::sleep(crate::support::ms(60)).await; // the time that is too long
            probe.release(1);
        };
        tokio::join!(async { call(&service, "Hold", b"").await.unwrap() }, release);
        let lines = log.of("rpcx::slow");
        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in &lines {
            assert_eq!((line.field("service"), line.field("method")), ("T", "Hold"));
            assert!(line.field("elapsed_us").parse::<u64>().unwrap() >= 50_000, "{line:?}");
        }
    });
}

#[test]
fn a_slow_failure_is_logged_with_its_text_wherever_its_handler_ran() {
    // By the precise clock and by the coarse one.
    for threshold in ["50ms", "100ms"] {
        a_slow_failure_is_logged(threshold);
    }
}

fn a_slow_failure_is_logged(threshold: &str) {
    const LONG: Duration = crate::support::ms(120);
    let (log, _guard) = Log::start();
    run(async {
        let way = Over::Tcp.way();
        let fail = |time: Duration| {
            std::thread::sleep(time);
            Err::<Bytes, _>(Error::from("out of paper"))
        };
        let server = way
            .server()
            .option("slow_call", threshold)
            .raw("T", "Quick", move |_, _| async move { fail(Duration::ZERO) })
            .raw("T", "Slow", move |_, _| async move { fail(LONG) })
            .start()
            .await
            .unwrap();
        let client = way.client(url(&server)).build().unwrap();
        let service = raw(&client);
        // The first call of a method runs on the connection's task; since that was slow the next one does not.
        for method in ["Quick", "Slow", "Slow", "Quick"] {
            call(&service, method, b"").await.unwrap_err();
        }
        let lines = log.of("rpcx::slow");
        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in &lines {
            assert_eq!((line.field("service"), line.field("method")), ("T", "Slow"));
            assert!(line.field("error").contains("out of paper"), "{line:?}");
            assert!(line.field("elapsed_us").parse::<u64>().unwrap() >= LONG.as_micros() as u64, "{line:?}");
            assert!(line.field("peer").starts_with("127.0.0.1:"), "{line:?}");
        }
    });
}

#[test]
fn calls_to_every_server_pass_the_chain_once_a_server() {
    run(async {
        let (way, probe, log) = (Over::Tcp.way(), Probe::new(), Arc::new(Mutex::new(Vec::new())));
        let first = way.server().with_probe(&probe).start().await.unwrap();
        let second = way.server().with_probe(&probe).start().await.unwrap();
        let peers = Arc::new(Mutex::new(Vec::new()));
        let told = peers.clone();
        let recorder = TimeRecorder::new(move |timing: &Timing<'_>| told.lock().unwrap().push(timing.peer.to_owned()));
        let client = way
            .client(format!("multiple://{},{}", url(&first), url(&second)))
            .interceptor(recorder)
            .interceptor(Named { name: "a", log: log.clone() })
            .build()
            .unwrap();
        let service = raw(&client);
        let mut both = [url(&first), url(&second)];
        both.sort();
        let options = CallOptions::new();
        let results = service.method("Echo").unwrap().inform::<_, Bytes>(&b"x"[..], &options).await.unwrap();
        for ((address, result), expected) in results.into_iter().zip(&both) {
            let response = result.unwrap();
            assert_eq!((&*address, &*response.server, &response.value[..]), (&**expected, &**expected, &b"x"[..]));
        }
        let mut seen = peers.lock().unwrap().clone();
        seen.sort();
        assert_eq!(seen, both, "each of them knows its server");
        assert_eq!(log.lock().unwrap().iter().filter(|entry| *entry == "+a").count(), 2);
        assert_eq!(
            service.method("Echo").unwrap().broadcast::<_, Bytes>(&b"y"[..], &options).await.unwrap().value,
            "y"
        );
        assert_eq!(service.method("Echo").unwrap().fork::<_, Bytes>(&b"z"[..], &options).await.unwrap().value, "z");
        // An interceptor may answer for a server.
        let options = CallOptions::new().metadata("a", "answer");
        for (_, result) in service.method("None").unwrap().inform::<_, Bytes>(&b"x"[..], &options).await.unwrap() {
            assert_eq!(result.unwrap().value, "short");
        }
        assert_eq!((first.stats().errors.total(), second.stats().errors.total()), (0, 0));
    });
}
