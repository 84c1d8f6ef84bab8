//! Requests that another protocol of a port brings: what holds for those in frames holds for them.

use crate::lines::{LineClient, Lines};
use crate::log::Log;
use crate::support::{Over, Probe, Way, WithProbe, call, eventually, ms, raw, run, url};
use bytes::Bytes;
use rpcx::error::{Reason, Result};
use rpcx::interceptor::{BoxFuture, Call, Interceptor, Next, Reply};
use rpcx::protocol::{Metadata, SerializeType};
use rpcx::server::{Authenticator, Request, ServerBuilder};
use rpcx::{Context, Server};
use std::time::Instant;

pub(crate) fn builder(way: &Way, probe: &Probe) -> ServerBuilder {
    way.server().with_probe(probe).protocol(Lines)
}

pub(crate) async fn start(builder: ServerBuilder, way: &Way) -> (Server, LineClient) {
    let server = builder.start().await.unwrap();
    let client = LineClient::dial(way, &url(&server)).await;
    (server, client)
}

pub(crate) fn raw_service(way: &Way, server: &Server) -> rpcx::client::Service<rpcx::codec::Raw> {
    raw(&way.client(url(server)).option("retries", "0").build().unwrap())
}

/// What a handler can know of its call.
async fn tell(ctx: Context, payload: Bytes) -> Result<Bytes> {
    ctx.set_metadata("seen", ctx.metadata().get("k").unwrap_or("nothing"));
    let push = ctx.push("S", "M", Metadata::empty(), b"").unwrap_err().reason();
    let text = format!(
        "{}.{},{:?},{},{},{},{push},{}",
        ctx.service(),
        ctx.method(),
        ctx.tls().is_some(),
        ctx.serialize_type(),
        ctx.is_oneway(),
        ctx.deadline().is_some(),
        String::from_utf8_lossy(&payload),
    );
    Ok(Bytes::from(text))
}

#[test]
fn a_handler_gets_what_the_protocol_gave_and_answers_with_metadata() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let builder = builder(&way, &Probe::new()).raw("T", "Tell", tell);
            let (server, mut client) = start(builder, &way).await;
            let tls = over == Over::Tls;
            let answer = client.ask("T.Tell k=v&type=1&timeout=9000 a b").await;
            let json = SerializeType::JSON;
            assert_eq!(answer, format!("ok T.Tell,{tls},{json},false,true,unsupported.feature,a b seen=v"), "{over:?}");
            let answer = client.ask("T.Tell oneway=1").await;
            let raw = SerializeType::RAW;
            assert_eq!(answer, format!("ok T.Tell,{tls},{raw},true,false,unsupported.feature, seen=nothing"));
            // The other protocol of the port goes on beside it.
            call(&raw_service(&way, &server), "Echo", b"x").await.unwrap();
        });
    }
}

#[test]
fn what_is_not_there_is_answered_as_in_frames() {
    run(async {
        let way = Over::Tcp.way();
        let typed =
            builder(&way, &Probe::new()).function("T", "Add", |_ctx, (a, b): (i64, i64)| async move { Ok(a + b) });
        let (server, mut client) = start(typed.option("max_metadata_pairs", "2"), &way).await;
        for (request, answer) in [
            ("No.Echo - x", "service.unknown_service rpcx: can't find service No"),
            ("T.No - x", "service.unknown_method rpcx: can't find method No"),
            ("T.Add - x", "codec.unsupported can not find codec for 0"),
            ("T.Add type=1 [3,4]", "ok 7"),
        ] {
            assert_eq!(client.ask(request).await.trim_end(), answer);
        }
        assert!(client.ask("T.Add type=1 [3,").await.starts_with("codec.decode"));
        assert!(client.ask("T.Echo a=1&b=2&auth=3 x").await.starts_with("limit.max_metadata_pairs"));
        assert_eq!(server.stats().errors.of_reason(Reason::LimitMaxMetadataPairs), 1);
        assert_eq!(client.ask("T.Echo a=1&auth=3 x").await.trim_end(), "ok x");
    });
}

#[test]
fn a_message_above_the_limit_is_refused_in_both_directions() {
    run(async {
        let way = Over::Tcp.way();
        let grow = |_ctx: Context, payload: Bytes| async move { Ok(Bytes::from(payload.repeat(10))) };
        let builder = builder(&way, &Probe::new()).raw("T", "Grow", grow).option("max_message_size", "1000");
        let (_server, mut client) = start(builder, &way).await;
        let large = "x".repeat(1000);
        assert!(client.ask(&format!("T.Echo - {large}")).await.starts_with("limit.max_message_size the request: "));
        assert!(
            client.ask(&format!("T.Grow - {}", &large[..200])).await.starts_with("limit.max_message_size the answer: ")
        );
        assert!(client.ask(&format!("T.Echo - {}", &large[..500])).await.starts_with("ok x"));
    });
}

/// Knows one token; says who it was asked about.
struct Token;

impl Authenticator for Token {
    fn authenticate<'a>(&'a self, ctx: &'a Context, token: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if token == "right" { Ok(()) } else { Err(format!("no {token} for {}", ctx.method()).into()) }
        })
    }
}

#[test]
fn the_authenticator_is_asked_and_the_connection_stays_open() {
    for over in Over::ALL {
        run(async {
            let (way, probe) = (over.way(), Probe::new());
            let (server, mut client) = start(builder(&way, &probe).authenticator(Token), &way).await;
            assert_eq!(client.ask("T.Hold auth=wrong x").await, "auth.refused no wrong for Hold");
            assert_eq!(client.ask("T.Hold - x").await, "auth.refused no  for Hold");
            // The token may also come as it does in frames.
            assert_eq!(client.ask("T.Echo __AUTH=right x").await.trim_end(), "ok x", "{over:?}");
            assert_eq!(client.ask("T.Echo auth=right y").await.trim_end(), "ok y");
            assert_eq!((probe.started(), server.stats().errors.of_reason(Reason::AuthRefused)), (0, 2));
        });
    }
}

#[test]
fn a_token_is_not_shown() {
    let mut request = Request::new("T", "M", SerializeType::RAW, Bytes::new());
    request.auth = Some("s3cret".into());
    request.metadata.insert("__AUTH", "s3cret");
    assert!(!format!("{request:?}").contains("s3cret"));
}

#[test]
fn slow_calls_are_logged_with_and_without_a_chain() {
    struct Through;
    impl Interceptor for Through {
        fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Reply>> {
            next.run(call)
        }
    }
    for chained in [false, true] {
        let (log, _guard) = Log::start();
        run(async {
            let (way, probe) = (Over::Tcp.way(), Probe::new());
            let slow = |_ctx: Context, _payload: Bytes| async {
                tokio::time::sleep(ms(60)).await; // the time that is too long
                Err::<Bytes, _>("out of paper".into())
            };
            let mut builder = builder(&way, &probe).raw("T", "Slow", slow).option("slow_call", "50ms");
            if chained {
                builder = builder.interceptor(Through);
            }
            let (_server, mut client) = start(builder, &way).await;
            assert_eq!(client.ask("T.Echo - x").await.trim_end(), "ok x");
            assert_eq!(client.ask("T.Slow for=10.0.0.1:5 x").await, "service.error out of paper");
            let lines = log.of("rpcx::slow");
            assert_eq!(lines.len(), 1, "chained: {chained}, {lines:?}");
            let [service, method, peer, error] =
                ["service", "method", "peer", "error"].map(|name| lines[0].field(name));
            assert_eq!((service, method, peer), ("T", "Slow", "10.0.0.1:5"));
            assert!(error.contains("out of paper"), "{error}");
            assert!(lines[0].field("elapsed_us").parse::<u64>().unwrap() >= 60_000, "{lines:?}");
        });
    }
}

/// Three requests in 3,000 s.
fn limited(builder: ServerBuilder, option: &str, value: &str) -> ServerBuilder {
    builder.option(option, value).option("rate_limit.burst", "50m")
}

#[test]
fn a_client_has_one_request_rate_in_all_protocols() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let builder = limited(builder(&way, &probe), "rate_limit.requests_per_peer", "0.001");
        let (server, mut client) = start(builder, &way).await;
        call(&raw_service(&way, &server), "Echo", b"").await.unwrap();
        for _ in 0..2 {
            assert_eq!(client.ask("T.Echo - x").await.trim_end(), "ok x");
        }
        assert_eq!(client.ask("T.Hold - x").await, "overload.rate request reached rate limit");
        assert_eq!((probe.started(), server.stats().errors.of_reason(Reason::OverloadRate)), (0, 1));
        // Whom a proxy names has a rate of his own, the same one every time.
        for left in [true, true, true, false] {
            let answer = client.ask("T.Echo for=10.0.0.1:5 x").await;
            assert_eq!(answer.starts_with("ok"), left, "{answer}");
        }
        assert!(client.ask("T.Echo for=10.0.0.2:5 x").await.starts_with("ok"));
    });
}

#[test]
fn a_service_has_a_request_rate() {
    run(async {
        let way = Over::Tcp.way();
        let builder = builder(&way, &Probe::new()).raw("Other", "Echo", crate::support::echo);
        let (_server, mut client) = start(limited(builder, "rate_limit.services", "T=0.001"), &way).await;
        for left in [true, true, true, false] {
            assert_eq!(client.ask("T.Echo - x").await.starts_with("ok"), left);
        }
        assert_eq!(client.ask("Other.Echo - x").await.trim_end(), "ok x");
    });
}

#[test]
fn requests_wait_for_the_rate_if_they_shall() {
    run(async {
        let (way, probe) = (Over::Tcp.way(), Probe::new());
        let builder =
            builder(&way, &probe).option("rate_limit.services", "T=10,Rare=0.001").raw("Rare", "Hold", probe.hold());
        let builder = builder.option("rate_limit.burst", "0").option("rate_limit.request_policy", "block");
        let (server, mut client) = start(builder, &way).await;
        let began = Instant::now();
        for _ in 0..3 {
            assert_eq!(client.ask("T.Echo - x").await.trim_end(), "ok x");
        }
        assert!(began.elapsed() >= ms(180), "{:?}", began.elapsed());
        assert!(client.ask("Rare.Hold timeout=20 x").await.starts_with("timeout.server"), "the only one that begins");
        assert_eq!(client.ask("Rare.Hold timeout=9000 x").await, "overload.rate request reached rate limit");
        // Given up while it waits, its handler never begins.
        client.send("2 Rare.Hold - x").await;
        eventually("it waits", || server.stats().in_flight == 1).await;
        client.send("drop 2").await;
        eventually("it has gone", || server.stats().in_flight == 0).await;
        assert_eq!(probe.started(), 1);
    });
}

/// Adds to the payload and to the answer's metadata, and answers `Refuse` itself.
struct Mark;

impl Interceptor for Mark {
    fn intercept<'a>(&'a self, call: &'a mut Call, next: Next<'a>) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async move {
            if call.method == "Refuse" {
                return Err("refused by the interceptor".into());
            }
            call.payload = Bytes::from([&call.payload[..], b"!"].concat());
            let names = format!("{}.{} {}", call.service, call.method, call.peer.is_empty());
            let mut reply = next.run(call).await?;
            reply.metadata.insert("mark", names);
            Ok(reply)
        })
    }
}

#[test]
fn interceptors_see_the_request_by_its_real_name_and_change_it() {
    for intercepted in [false, true] {
        run(async {
            let way = Over::Tcp.way();
            let mut builder = builder(&way, &Probe::new()).raw("T", "Refuse", crate::support::echo);
            builder = builder.alias("Second", "Name", "T", "Echo").raw("T", "Tell", tell);
            if intercepted {
                builder = builder.interceptor(Mark);
            }
            let (server, mut client) = start(builder, &way).await;
            let expected = if intercepted { "ok x! mark=T.Echo false" } else { "ok x" };
            for name in ["Second.Name", "T.Echo", "Second.Name"] {
                assert_eq!(client.ask(&format!("{name} - x")).await.trim_end(), expected);
            }
            if intercepted {
                assert_eq!(client.ask("T.Refuse - x").await, "service.error refused by the interceptor");
                let answer = client.ask("T.Tell k=v x").await;
                assert!(answer.ends_with("x! seen=v&mark=T.Tell false"), "{answer}");
            }
            let stats = server.stats();
            let echoes =
                stats.methods.iter().find(|method| (method.service.as_str(), method.method.as_str()) == ("T", "Echo"));
            assert_eq!(echoes.unwrap().calls, 3, "an alias is counted under the real name");
        });
    }
}

#[test]
fn requests_are_counted_by_method_as_all_others() {
    run(async {
        let way = Over::Tcp.way();
        let fail = |_ctx: Context, _payload: Bytes| async move { Err("it failed".into()) };
        let (server, mut client) = start(builder(&way, &Probe::new()).raw("T", "Fail", fail), &way).await;
        for _ in 0..3 {
            client.ask("T.Echo - x").await;
        }
        assert_eq!(client.ask("T.Fail - x").await, "service.error it failed");
        client.ask("T.No - x").await;
        let stats = server.stats();
        assert_eq!((stats.calls, stats.in_flight, stats.connections.open), (4, 0, 1));
        let of = |name: &str| stats.methods.iter().find(|method| method.method == name).unwrap().clone();
        assert_eq!((of("Echo").calls, of("Echo").errors, of("Echo").latency.count), (3, 0, 3));
        assert_eq!((of("Fail").calls, of("Fail").errors), (1, 1));
        assert_eq!(stats.errors.of_reason(Reason::ServiceUnknownMethod), 1);
    });
}
