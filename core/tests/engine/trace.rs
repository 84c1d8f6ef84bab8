//! Trace context: one trace through clients, servers and nested calls, spans for each, and Go's keys on the wire.

use crate::log::{Entry, Log};
use crate::peer::{Peer, request};
use crate::support::{Over, call, run, url};
use bytes::Bytes;
use rpcx::client::{CallOptions, Service};
use rpcx::codec::Raw;
use rpcx::interceptor::{Trace, TraceContext};
use rpcx::{Client, Context, Result};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// Answers with what it finds in the request's metadata, and says a word to the log.
async fn shown(ctx: Context, _payload: Bytes) -> Result<Bytes> {
    tracing::info!(target: "handler", "it runs");
    let metadata = ctx.metadata();
    let keys = ["traceparent", "tracestate", "baggage"].map(|key| metadata.get(key).unwrap_or("-").to_owned());
    Ok(Bytes::from(keys.join(" ")))
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn service(client: &Client) -> Service<Raw> {
    client.service("T").unwrap().raw()
}

fn spans(log: &Log) -> Vec<Entry> {
    log.of("rpcx::trace")
}

/// The fields of a span that say where it belongs.
fn place(span: &Entry) -> (&str, &str, &str, &str) {
    (span.field("otel.name"), span.field("trace_id"), span.field("parent_id"), span.field("span_id"))
}

#[test]
fn one_trace_goes_through_nested_calls_each_under_its_caller() {
    for over in [Over::Tcp, Over::Tls] {
        let (log, _guard) = Log::start();
        run(async {
            let way = over.way();
            let inner = way.server().raw("T", "Show", shown).interceptor(Trace::server()).start().await.unwrap();
            let between = way.client(url(&inner)).interceptor(Trace::client()).build().unwrap();
            let nested = service(&between);
            let builder = way.clone().another().server().interceptor(Trace::server());
            let outer = builder
                .raw("T", "Nest", move |ctx: Context, payload: Bytes| {
                    let nested = nested.clone();
                    async move {
                        let options = CallOptions::new().parent(&ctx);
                        let reply = nested.call_with::<_, Bytes>("Show", &payload, &options).await?;
                        Ok(reply.value)
                    }
                })
                .start()
                .await
                .unwrap();
            let client = way.client(url(&outer)).interceptor(Trace::client()).build().unwrap();
            let options =
                CallOptions::new().metadata("baggage", "user=7").metadata("tracestate", "kept=only-with-a-parent");
            let reply = service(&client).call_with::<_, Bytes>("Nest", &b""[..], &options).await.unwrap();
            let spans = spans(&log);
            let names: Vec<_> = spans.iter().map(|span| place(span).0).collect();
            let expected = ["rpcx.client.T.Nest", "rpcx.service.T.Nest", "rpcx.client.T.Show", "rpcx.service.T.Show"];
            assert_eq!(names, expected, "{over:?}");
            assert_eq!(place(&spans[0]).2, "", "a new trace");
            for pair in spans.windows(2) {
                assert_eq!(place(&pair[1]).1, place(&pair[0]).1, "{over:?}: one trace");
                assert_eq!(place(&pair[1]).2, place(&pair[0]).3, "{over:?}: each under the one before");
            }
            let (_, trace, _, span) = place(&spans[3]);
            assert_eq!(text(&reply.value), format!("00-{trace}-{span}-01 - user=7"), "the handler's own place");
            for span in &spans {
                assert_eq!((span.field("otel.status_code"), span.field("rpc.system")), ("OK", "rpcx"));
            }
            let word = &log.of("handler")[0];
            assert!(word.within.contains(&spans[3].id), "{word:?}");
        });
        assert!(spans(&log).iter().all(|span| span.ended), "{over:?}");
    }
}

/// What Go's plugin sends, and what it would send on.
#[test]
fn a_trace_of_another_peer_goes_on() {
    let (log, _guard) = Log::start();
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().raw("T", "Show", shown).interceptor(Trace::server()).start().await.unwrap();
        let mut peer = Peer::dial(&way, &url(&server)).await;
        let traceparent = format!("00-{TRACE}-{PARENT}-00");
        let metadata = [("traceparent", traceparent.as_str()), ("tracestate", "vendor=1"), ("baggage", "k=v")];
        peer.send(&request(1, "Show", b"", &metadata)).await;
        let answer = peer.frame().await.unwrap();
        let shown = String::from_utf8(answer.payload().to_vec()).unwrap();
        let (traceparent, rest) = shown.split_once(' ').unwrap();
        let context: TraceContext = traceparent.parse().unwrap();
        assert_eq!((format!("{:032x}", context.trace_id()).as_str(), context.is_sampled()), (TRACE, false));
        assert_eq!(rest, "vendor=1 k=v");
        // One that Go would not read either: a new trace, without the state of the old one.
        let upper = format!("00-{}-{PARENT}-01", TRACE.to_uppercase());
        peer.send(&request(2, "Show", b"", &[("traceparent", &upper), ("tracestate", "vendor=1")])).await;
        let answer = peer.frame().await.unwrap();
        let shown = String::from_utf8(answer.payload().to_vec()).unwrap();
        let (traceparent, rest) = shown.split_once(' ').unwrap();
        assert!(!traceparent.contains(TRACE) && traceparent.parse::<TraceContext>().is_ok(), "{traceparent}");
        assert_eq!(rest, "- -");
    });
    let spans = spans(&log);
    assert_eq!((spans[0].field("trace_id"), spans[0].field("parent_id")), (TRACE, PARENT));
    assert_eq!((spans.len(), spans[1].field("parent_id")), (2, ""));
}

#[test]
fn a_failed_call_is_told_as_one() {
    let (log, _guard) = Log::start();
    run(async {
        let way = Over::Tcp.way();
        let fails = |_ctx: Context, _payload: Bytes| async { Err::<Bytes, _>("it is so".into()) };
        let server = way.server().raw("T", "Fail", fails).interceptor(Trace::server()).start().await.unwrap();
        let client = way.client(url(&server)).interceptor(Trace::client()).build().unwrap();
        assert!(call(&service(&client), "Fail", b"").await.is_err());
    });
    for span in spans(&log) {
        assert_eq!((span.field("otel.status_code"), span.field("error")), ("ERROR", "it is so"), "{span:?}");
    }
}

/// The option is the interceptor, outside of all others: the word about a slow call lies within the span.
#[test]
fn the_option_traces_by_name() {
    let (log, _guard) = Log::start();
    run(async {
        let way = Over::Tcp.way();
        let builder = way.server().raw("T", "Show", shown).option("trace", "true").option("slow_call", "1us");
        let server = builder.start().await.unwrap();
        let client = way.client(url(&server)).option("trace", "true").option("slow_call", "1us").build().unwrap();
        let answer = call(&service(&client), "Show", b"").await.unwrap();
        let spans = spans(&log);
        assert_eq!(spans.len(), 2);
        assert_eq!(place(&spans[1]).2, place(&spans[0]).3, "the server's under the client's");
        let (_, trace, _, span) = place(&spans[1]);
        assert_eq!(text(&answer), format!("00-{trace}-{span}-01 - -"));
        let slow = log.of("rpcx::slow");
        assert_eq!(slow.len(), 2, "{slow:?}");
        for span in &spans {
            assert!(slow.iter().any(|word| word.within.last() == Some(&span.id)), "{slow:?}");
        }
        let plain = way.client(url(&server)).build().unwrap();
        call(&service(&plain), "Show", b"").await.unwrap();
        let spans = log.of("rpcx::trace");
        assert_eq!((spans.len(), place(&spans[2]).2), (3, ""), "without it a client hands on nothing");
    });
}
