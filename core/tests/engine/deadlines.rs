//! Deadlines: what the caller hears, what leaves, what the handler sees, and what nested calls inherit.

use crate::peer::{Peer, RawServer, error_text, request};
use crate::support::{Over, Probe, WithProbe, assert_failed, call, eventually, ms, pair, raw, run, url};
use bytes::Bytes;
use rpcx::Context;
use rpcx::client::CallOptions;
use rpcx::error::{Delivery, Reason};
use rpcx::interceptor::{BoxFuture, Call, Interceptor, Next, Parent, Reply};
use rpcx::protocol::Metadata;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a busy machine may add to a deadline.
const MARGIN: Duration = ms(1000);

fn within(timeout: u64) -> CallOptions {
    CallOptions::new().timeout(ms(timeout))
}

#[test]
fn a_call_ends_at_its_deadline_and_its_handler_is_cancelled() {
    for over in Over::ALL {
        run(async {
            let probe = Probe::new();
            let (_server, client) = pair(&over.way(), &probe).await;
            call(&raw(&client), "Echo", b"").await.unwrap();
            let began = Instant::now();
            let result = raw(&client).call_with::<_, Bytes>("Hold", &b""[..], &within(100)).await;
            let took = began.elapsed();
            assert_failed(result, Reason::TimeoutCall, Delivery::MaybeRun);
            assert!(took >= ms(100) && took < ms(100) + MARGIN, "{over:?}: {took:?}");
            eventually("the handler is cancelled", || probe.cancelled() == 1).await;
            assert!(call(&raw(&client), "Echo", b"on").await.is_ok());
        });
    }
}

#[test]
fn a_request_whose_time_is_used_up_is_answered_without_its_handler() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let (server, _client) = pair(&way, &probe).await;
        let mut peer = Peer::dial(&way, &url(&server)).await;
        for left in ["0", "-5"] {
            peer.send(&request(3, "Hold", b"", &[("__ServerTimeout", left)])).await;
            let answer = peer.frame().await.unwrap();
            assert!(error_text(&answer).contains("deadline"), "{:?}", error_text(&answer));
            assert_eq!((answer.header().seq, answer.metadata_get("__rpcx_code")), (3, None));
        }
        peer.hello().await;
        peer.send(&request(4, "Hold", b"", &[("__ServerTimeout", "0")])).await;
        let answer = peer.frame().await.unwrap();
        assert_eq!(answer.metadata_get("__rpcx_code"), Some("4"), "a peer that knows codes is told the kind");
        assert_eq!(probe.started(), 0);
        // What is no integer says nothing, as in Go.
        peer.send(&request(5, "Echo", b"x", &[("__ServerTimeout", "soon")])).await;
        assert_eq!(peer.frame().await.unwrap().payload(), b"x");
    });
}

#[test]
fn a_late_answer_is_held_back_until_the_callers_clock_has_spoken() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let (server, _client) = pair(&way, &probe).await;
        let mut peer = Peer::dial(&way, &url(&server)).await;
        let began = Instant::now();
        peer.send(&request(1, "Hold", b"", &[("__ServerTimeout", "50")])).await;
        let answer = peer.frame().await.unwrap();
        let took = began.elapsed();
        assert_eq!(error_text(&answer), "cancelled");
        assert!(took >= ms(149) && took < ms(150) + MARGIN, "{took:?}");
    });
}

#[test]
fn a_handler_that_does_not_listen_is_dropped_after_the_grace() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let guard = Arc::new(());
            let inside = guard.clone();
            let server = way
                .server()
                .option("cancel_grace", "50ms")
                .raw("T", "Deaf", move |_: Context, _: Bytes| {
                    let inside = inside.clone();
                    async move {
                        let _inside = inside;
                        std::future::pending::<rpcx::Result<Bytes>>().await
                    }
                })
                .start()
                .await
                .unwrap();
            let mut peer = Peer::dial(&way, &url(&server)).await;
            peer.send(&request(1, "Deaf", b"", &[("__ServerTimeout", "100")])).await;
            eventually("the handler runs", || Arc::strong_count(&guard) == 3).await;
            let answer = peer.frame().await.unwrap();
            assert!(error_text(&answer).contains("dropped"), "{}", error_text(&answer));
            assert_eq!(Arc::strong_count(&guard), 2, "{over:?}");
        });
    }
}

/// A deadline that passes in the queue of unsent requests: the request never leaves.
#[test]
fn a_request_that_expires_in_the_queue_is_withdrawn() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let mut server = RawServer::bind(&way).await;
            let client = way.client(server.url()).option("heartbeat_interval", "0").build().unwrap();
            let service = raw(&client);
            // Far more than the system holds for a peer that does not read.
            let large = vec![1; 32 << 20];
            let ((), ()) = tokio::join!(
                async {
                    call(&service, "First", b"").await.unwrap();
                    let blocker = call(&service, "Large", &large);
                    let mut blocker = std::pin::pin!(blocker);
                    let soon = within(150);
                    let queued = service.call_with::<_, Bytes>("Small", &b"never"[..], &soon);
                    tokio::select! {
                        biased;
                        result = &mut blocker => panic!("{result:?}"),
                        result = queued => { assert_failed(result, Reason::TimeoutQueued, Delivery::NotSent); }
                    }
                    let (large, last) = tokio::join!(blocker, call(&service, "Last", b"last"));
                    assert!(large.is_ok() && last.is_ok());
                },
                async {
                    let mut peer = server.accept().await;
                    let mut seen = Vec::new();
                    let first = peer.request().await.unwrap();
                    peer.answer(&first, b"").await;
                    tokio::time::sleep(ms(400)).await; // the peer's slowness, longer than the deadline
                    while seen.len() < 2 {
                        let request = peer.request().await.unwrap();
                        seen.push(request.method_str().into_owned());
                        peer.answer(&request, b"").await;
                    }
                    assert_eq!(seen, ["Large", "Last"], "{over:?}");
                }
            );
        });
    }
}

#[test]
fn nested_calls_inherit_the_deadline_and_the_trace() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let inner = way.server().with_probe(&probe).raw("T", "Trace", trace).start().await.unwrap();
        let to_inner = way.client(url(&inner)).build().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (noted, nested) = (seen.clone(), to_inner.clone());
        let outer = way
            .server()
            .raw("T", "Outer", move |ctx: Context, method: Bytes| {
                let (noted, nested) = (noted.clone(), nested.clone());
                async move {
                    let method = std::str::from_utf8(&method).unwrap();
                    let began = Instant::now();
                    let result =
                        raw(&nested).call_with::<_, Bytes>(method, &b""[..], &CallOptions::new().parent(&ctx)).await;
                    noted.lock().unwrap().push((result.as_ref().err().cloned(), began.elapsed()));
                    result.map(|answer| answer.value)
                }
            })
            .start()
            .await
            .unwrap();
        let client = way.client(url(&outer)).build().unwrap();
        let result = raw(&client).call_with::<_, Bytes>("Outer", &b"Hold"[..], &within(150)).await;
        assert_failed(result, Reason::TimeoutCall, Delivery::MaybeRun);
        eventually("the nested call ends too", || seen.lock().unwrap().len() == 1).await;
        eventually("and its handler", || probe.cancelled() == 1).await;
        let (error, took) = seen.lock().unwrap().remove(0);
        assert_eq!(error.unwrap().reason(), Reason::TimeoutCall);
        assert!(took < ms(150) + MARGIN, "{took:?}");

        let options = CallOptions::new().metadata("traceparent", "00-trace").metadata("private", "x");
        let answer = raw(&client).call_with::<_, Bytes>("Outer", &b"Trace"[..], &options).await.unwrap();
        assert_eq!(answer.value, &b"traceparent=00-trace private=none"[..]);
    });
}

async fn trace(ctx: Context, _: Bytes) -> rpcx::Result<Bytes> {
    let metadata = ctx.metadata();
    let get = |key| metadata.get(key).unwrap_or("none");
    Ok(format!("traceparent={} private={}", get("traceparent"), get("private")).into())
}

/// A handler that notices the deadline by itself, as a nested call does, may answer before the server's own clock has
/// cancelled it. The caller must hear of its deadline all the same, not what the handler makes of it.
#[test]
fn an_answer_after_the_deadline_is_held_back_even_before_the_cancellation() {
    run(async {
        let way = Over::Tcp.way();
        let server = way
            .server()
            .raw("T", "Watch", |ctx: Context, _: Bytes| async move {
                while ctx.remaining().is_some_and(|left| !left.is_zero()) {
                    tokio::task::yield_now().await;
                }
                Err("the handler's own text".into())
            })
            .start()
            .await
            .unwrap();
        let mut peer = Peer::dial(&way, &url(&server)).await;
        for seq in 0..5 {
            let began = Instant::now();
            peer.send(&request(seq, "Watch", b"", &[("__ServerTimeout", "20")])).await;
            assert_eq!(peer.frame().await.unwrap().header().seq, seq);
            let took = began.elapsed();
            assert!(took >= ms(20 + 100), "{took:?}");
        }
    });
}

#[test]
fn a_deadline_holds_for_a_dial_that_does_not_end() {
    run(async {
        let way = Over::Tcp.way();
        // A TLS client whose peer never says a word.
        let tls = Over::Tls.way();
        let silent = RawServer::bind(&way).await;
        let client = tls.client(silent.url()).build().unwrap();
        let began = Instant::now();
        let result = raw(&client).call_with::<_, Bytes>("Echo", &b""[..], &within(100)).await;
        assert_failed(result, Reason::TimeoutCall, Delivery::NotSent);
        assert!(began.elapsed() < ms(100) + MARGIN);
        let client =
            tls.client(silent.url()).option("connect_timeout", "100ms").option("retries", "0").build().unwrap();
        assert_failed(call(&raw(&client), "Echo", b"").await, Reason::ConnectTimeout, Delivery::NotSent);
    });
}

/// A call made inside a handler belongs to the handler's own call, without a word: its first poll, polls on a task, and
/// behind interceptors. What is said counts more.
#[test]
fn calls_inside_a_handler_find_their_parent_by_themselves() {
    for (slow, chain) in [(false, false), (true, false), (false, true), (true, true)] {
        run(async {
            let way = Over::Tcp.way();
            let inner = way.server().raw("T", "Tell", tell).start().await.unwrap();
            let nested = way.client(url(&inner)).option("timeout", "20s").build().unwrap();
            call(&raw(&nested), "Tell", b"").await.unwrap();
            let mut builder = way.server().raw("T", "Outer", move |ctx: Context, how: Bytes| {
                let service = raw(&nested);
                async move {
                    if slow {
                        tokio::task::yield_now().await;
                    }
                    let other = Parent::new(None, Metadata::from_iter([("traceparent", "other")]));
                    let options = match &how[..] {
                        b"plain" => return call(&service, "Tell", b"").await,
                        b"spawned" => {
                            return tokio::spawn(async move { call(&service, "Tell", b"").await }).await.unwrap();
                        }
                        b"options" => CallOptions::new(),
                        b"explicit" => CallOptions::new().parent(other),
                        b"without" => CallOptions::new().without_parent(),
                        _ => return Ok(format!("{:?}", ctx.deadline()).into()),
                    };
                    let told = service.call_with::<_, Bytes>("Tell", &b""[..], &options).await?;
                    // The others see to the context's use after the call.
                    assert!(ctx.deadline().is_some());
                    Ok(told.value)
                }
            });
            if chain {
                builder = builder.interceptor(Through);
            }
            let outer = builder.start().await.unwrap();
            let client = way.client(url(&outer)).build().unwrap();
            let options = within(5000).metadata("traceparent", "mine").metadata("private", "x");
            for (how, expected) in [
                ("plain", "5 s, mine"),
                ("options", "5 s, mine"),
                ("explicit", "20 s, other"),
                ("without", "20 s, none"),
                ("spawned", "20 s, none"),
            ] {
                let told = raw(&client).call_with::<_, Bytes>("Outer", how.as_bytes(), &options).await.unwrap();
                assert_eq!(told.value, expected.as_bytes(), "{how}, slow: {slow}, chain: {chain}");
            }
            // Outside of the handler there is no parent, on the thread that polled it neither.
            let direct = way.client(url(&inner)).option("timeout", "20s").build().unwrap();
            assert_eq!(call(&raw(&direct), "Tell", b"").await.unwrap(), &b"20 s, none"[..]);
        });
    }
}

/// The time it was given, in steps of five seconds rounded up, and the trace.
async fn tell(ctx: Context, _: Bytes) -> rpcx::Result<Bytes> {
    let left = ctx.remaining().unwrap().as_secs() / 5 * 5 + 5;
    let metadata = ctx.metadata();
    assert_eq!(metadata.get("private"), None);
    Ok(format!("{left} s, {}", metadata.get("traceparent").unwrap_or("none")).into())
}

/// An interceptor that changes nothing.
struct Through;

impl Interceptor for Through {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, rpcx::Result<Reply>> {
        next.run(call)
    }
}
