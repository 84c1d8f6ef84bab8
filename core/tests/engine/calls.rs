//! Calls and what comes back: formats, metadata, errors, compression as seen on the wire, sizes and limits.

use crate::peer::{Peer, RawServer, error_text, frame};
use crate::support::{Over, Probe, WithProbe, assert_failed, call, echo, pair, raw, run, url};
use bytes::Bytes;
use rpcx::client::CallOptions;
use rpcx::codec::Serde;
use rpcx::error::{Delivery, Error, ErrorKind, Reason};
use rpcx::protocol::{CompressType, Header, SerializeType};
use rpcx::server::Method;
use rpcx::{Context, Server};
use serde_json::json;

fn add() -> Method {
    Method::new::<Serde, _, _, _, _>("Add", |_ctx: Context, (a, b): (i64, i64)| async move { Ok(a + b) })
}

#[test]
fn typed_and_raw_calls_work_over_every_transport() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let server = way.server().method("T", add()).raw("T", "Echo", echo).start().await.unwrap();
            let client = way.client(url(&server)).build().unwrap();
            let service = client.service("T").unwrap();
            let sum: i64 = service.call("Add", &(40, 2)).await.unwrap();
            assert_eq!(sum, 42, "{over:?}");
            let json = CallOptions::new().serialize_type(SerializeType::JSON);
            let sum = service.call_with::<_, i64>("Add", &(-1, 2), &json).await.unwrap();
            assert_eq!((sum.value, sum.attempts, &*sum.server), (1, 1, url(&server).as_str()), "{over:?}");
            assert_eq!(call(&raw(&client), "Echo", b"bytes").await.unwrap(), &b"bytes"[..], "{over:?}");
        });
    }
}

#[test]
fn metadata_goes_both_ways_and_the_protocols_keys_stay_apart() {
    run(async {
        let way = Over::Tcp.way();
        let server = way
            .server()
            .raw("T", "Meta", |ctx: Context, payload: Bytes| async move {
                let asked = ctx.metadata();
                assert!(asked.get("__ServerTimeout").is_some_and(|left| left.parse::<u64>().is_ok()));
                ctx.set_metadata("answer", asked.get("question").unwrap_or("none"));
                ctx.set_metadata("answer2", "ü");
                if payload.is_empty() { Err(Error::new(Reason::ServiceError, "no payload")) } else { Ok(payload) }
            })
            .start()
            .await
            .unwrap();
        let client = way.client(url(&server)).build().unwrap();
        let options = CallOptions::new().metadata("question", "of life");
        let answer = raw(&client).call_with::<_, Bytes>("Meta", &b"x"[..], &options).await.unwrap();
        assert_eq!(answer.metadata.get("answer"), Some("of life"));
        assert_eq!(answer.metadata.get("answer2"), Some("ü"));
        // The metadata of one call does not stay for the next, whose context uses the same memory.
        let answer = raw(&client).call_with::<_, Bytes>("Meta", &b"x"[..], &CallOptions::new()).await.unwrap();
        assert_eq!(answer.metadata.get("answer"), Some("none"));
        // An error has its metadata too.
        let mut peer = Peer::dial(&way, &url(&server)).await;
        peer.send(&frame(Header::request(SerializeType::RAW, 9), "Meta", b"", &[("__ServerTimeout", "1000")])).await;
        let answer = peer.frame().await.unwrap();
        assert_eq!((error_text(&answer).as_str(), answer.metadata_get("answer")), ("no payload", Some("none")));
    });
}

#[test]
fn errors_have_gos_texts_and_our_kinds() {
    for over in Over::ALL {
        run(async {
            let way = over.way();
            let server = way
                .server()
                .method("T", add())
                .raw("T", "Fail", |_: Context, _: Bytes| async { Err(Error::new(Reason::TimeoutCall, "my own words")) })
                .raw("T", "Panic", |_: Context, payload: Bytes| async move { panic!("at {}", payload.len()) })
                .start()
                .await
                .unwrap();
            let client = way.client(url(&server)).build().unwrap();
            let service = raw(&client);
            let answered = Delivery::Answered;
            let error = assert_failed(call(&service, "Fail", b"").await, Reason::ServiceError, answered);
            assert_eq!(error.message(), "my own words", "a handler's error is the service's own, whatever it was");
            let error = assert_failed(call(&service, "Nil", b"").await, Reason::ServiceUnknownMethod, answered);
            assert_eq!(error.message(), "rpcx: can't find method Nil");
            let unknown = client.service("Nobody").unwrap().raw();
            let error = assert_failed(call(&unknown, "Echo", b"").await, Reason::ServiceUnknownService, answered);
            assert_eq!(error.message(), "rpcx: can't find service Nobody");
            let error = assert_failed(call(&service, "Panic", b"abc").await, Reason::ServiceError, answered);
            assert!(error.message().contains("T.Panic") && error.message().contains("at 3"), "{error}");
            // Raw bytes for a typed method: no format that it has.
            let error = assert_failed(call(&service, "Add", b"x").await, Reason::CodecServer, answered);
            assert!(error.message().contains("can not find codec for 0"), "{error}");
            let typed = client.service("T").unwrap();
            let result = typed.call::<_, i64>("Add", "not two numbers").await;
            assert_eq!(assert_failed(result, Reason::CodecServer, answered).attempts(), 1);
            let result = typed.call::<_, String>("Add", &(1, 2)).await;
            assert_failed(result, Reason::CodecDecode, answered);
            // None of these cost the connection.
            assert_eq!(server.connections().len(), 1, "{over:?}");
            assert_eq!(typed.call::<_, i64>("Add", &(1, 2)).await.unwrap(), 3);
        });
    }
}

#[test]
fn a_panics_text_can_be_kept_from_the_caller() {
    run(async {
        let way = Over::Tcp.way();
        let server = way
            .server()
            .option("panic_text", "false")
            .raw("T", "Panic", |_: Context, _: Bytes| async { panic!("a secret") })
            .start()
            .await
            .unwrap();
        let client = way.client(url(&server)).build().unwrap();
        let error = assert_failed(call(&raw(&client), "Panic", b"").await, Reason::ServiceError, Delivery::Answered);
        assert!(error.message().contains("T.Panic") && !error.message().contains("secret"), "{error}");
    });
}

#[test]
fn payloads_are_compressed_above_1024_bytes_and_answers_follow_the_request() {
    run(async {
        let way = Over::Tcp.way();
        let mut server = RawServer::bind(&way).await;
        let client = way.client(server.url()).option("compress_type", "gzip").build().unwrap();
        let service = raw(&client);
        let mut peer = None;
        for (len, expected) in [(0, CompressType::NONE), (1024, CompressType::NONE), (1025, CompressType::GZIP)] {
            let asked = vec![7; len];
            let serve = async {
                if peer.is_none() {
                    peer = Some(server.accept().await);
                }
                let peer = peer.as_mut().unwrap();
                let request = peer.request().await.unwrap();
                assert_eq!(request.header().compress(), expected, "{len}");
                if expected == CompressType::NONE {
                    assert_eq!(request.payload(), asked);
                } else {
                    assert!(request.payload().len() < 100);
                }
                peer.answer(&request, b"plain").await;
            };
            let (answer, ()) = tokio::join!(call(&service, "Echo", &asked), serve);
            assert_eq!(answer.unwrap_or_else(|error| panic!("{len}: {error:?}")), &b"plain"[..]);
        }

        let real = way.server().raw("T", "Many", many).start().await.unwrap();
        let mut peer = Peer::dial(&way, &url(&real)).await;
        for (len, expected) in [(1024_u32, CompressType::NONE), (1025, CompressType::GZIP)] {
            let mut small = Vec::new();
            let compressors = rpcx::protocol::Compressors::default();
            let gzip = compressors.get(CompressType::GZIP).unwrap();
            gzip.compress(&len.to_be_bytes(), &mut small).unwrap();
            let header = Header::request(SerializeType::RAW, 5).with_compress(CompressType::GZIP);
            peer.send(&frame(header, "Many", &small, &[])).await;
            let answer = peer.frame().await.unwrap();
            assert_eq!((answer.header().compress(), answer.header().seq), (expected, 5), "{len}");
            // A plain request gets a plain answer, however large.
            peer.send(&frame(Header::request(SerializeType::RAW, 6), "Many", &len.to_be_bytes(), &[])).await;
            let answer = peer.frame().await.unwrap();
            assert_eq!((answer.header().compress(), answer.payload().len()), (CompressType::NONE, len as usize));
        }
    });
}

async fn many(_ctx: Context, payload: Bytes) -> rpcx::Result<Bytes> {
    let len = u32::from_be_bytes(payload[..4].try_into().unwrap());
    Ok(vec![1; len as usize].into())
}

#[test]
fn every_compressor_goes_round() {
    for over in [Over::Tcp, Over::Tls] {
        run(async {
            let (_server, client) = pair(&over.way(), &Probe::new()).await;
            let payload: Vec<u8> = (0..100_000_u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
            for compress in [CompressType::GZIP, CompressType::SNAPPY, CompressType::ZSTD, CompressType::LZ4] {
                let options = CallOptions::new().compress_type(compress);
                let answer = raw(&client).call_with::<_, Bytes>("Echo", &payload[..], &options).await.unwrap();
                assert!(answer.value == payload, "{compress}");
            }
            let options = CallOptions::new().compress_type(CompressType::new(7).unwrap());
            let result = raw(&client).call_with::<_, Bytes>("Echo", &payload[..], &options).await;
            assert_failed(result, Reason::UnsupportedCompress, Delivery::NotSent);
        });
    }
}

#[test]
fn empty_and_16_mib_payloads_arrive_whole() {
    for over in Over::ALL {
        run(async {
            let (_server, client) = pair(&over.way(), &Probe::new()).await;
            assert!(call(&raw(&client), "Echo", b"").await.unwrap().is_empty());
            let large: Vec<u8> = (0..16 << 20).map(|i: u32| (i ^ (i >> 11)) as u8).collect();
            let service = raw(&client);
            let (first, second) = tokio::join!(call(&service, "Echo", &large), call(&service, "Echo", &large[1..]));
            assert!(first.unwrap() == large && second.unwrap() == large[1..], "{over:?}");
        });
    }
}

#[test]
fn limits_are_told_by_name_whichever_side_sets_them() {
    run(async {
        let way = Over::Tcp.way();
        let small = |server: rpcx::server::ServerBuilder| server.with_probe(&Probe::new()).raw("T", "Many", many);
        let server = small(way.server()).option("max_message_size", "2KiB").start().await.unwrap();
        let client = way.client(url(&server)).build().unwrap();
        let error =
            assert_failed(call(&raw(&client), "Echo", &[0; 4096]).await, Reason::LimitServer, Delivery::Answered);
        assert!(error.message().contains("max_message_size"), "{error}");
        // An answer above the server's own limit.
        let error = call(&raw(&client), "Many", &4096_u32.to_be_bytes()).await;
        let error = assert_failed(error, Reason::LimitServer, Delivery::Answered);
        assert!(error.message().contains("max_message_size"), "{error}");
        assert_eq!(call(&raw(&client), "Echo", &[0; 100]).await.unwrap().len(), 100, "the connection goes on");

        let server = small(way.server()).start().await.unwrap();
        let client = way
            .client(url(&server))
            .option("max_message_size", "2KiB")
            .option("max_metadata_pairs", "4")
            .option("max_metadata_size", "128")
            .build()
            .unwrap();
        let service = raw(&client);
        let error =
            assert_failed(call(&service, "Echo", &[0; 4096]).await, Reason::LimitMaxMessageSize, Delivery::NotSent);
        assert!(error.message().contains("max_message_size"), "{error}");
        let error = call(&service, "Many", &4096_u32.to_be_bytes()).await;
        assert_failed(error, Reason::LimitMaxMessageSize, Delivery::Answered);
        let mut many_pairs = CallOptions::new();
        for i in 0..5 {
            many_pairs = many_pairs.metadata(format!("k{i}"), "v");
        }
        let result = service.call_with::<_, Bytes>("Echo", &b""[..], &many_pairs).await;
        assert_failed(result, Reason::LimitMaxMetadataPairs, Delivery::NotSent);
        let large = CallOptions::new().metadata("k", "v".repeat(200));
        let result = service.call_with::<_, Bytes>("Echo", &b""[..], &large).await;
        assert_failed(result, Reason::LimitMaxMetadataSize, Delivery::NotSent);
        assert!(call(&service, "Echo", b"").await.is_ok(), "the connection goes on");
    });
}

#[test]
fn a_decompression_bomb_is_refused_on_both_sides() {
    run(async {
        let way = Over::Tcp.way();
        let server =
            way.server().with_probe(&Probe::new()).option("max_decompressed_size", "64KiB").start().await.unwrap();
        let client = way.client(url(&server)).option("compress_type", "gzip").build().unwrap();
        let error = call(&raw(&client), "Echo", &vec![0; 1 << 20]).await;
        let error = assert_failed(error, Reason::LimitServer, Delivery::Answered);
        assert!(error.message().contains("max_decompressed_size"), "{error}");

        let server = way.server().with_probe(&Probe::new()).start().await.unwrap();
        let client = way
            .client(url(&server))
            .option("compress_type", "gzip")
            .option("max_decompressed_size", "64KiB")
            .build()
            .unwrap();
        let error = call(&raw(&client), "Echo", &vec![0; 1 << 20]).await;
        assert_failed(error, Reason::LimitMaxDecompressedSize, Delivery::Answered);
        assert_eq!(call(&raw(&client), "Echo", b"on").await.unwrap(), &b"on"[..]);
    });
}

#[test]
fn what_keeps_a_call_from_leaving_is_not_sent() {
    run(async {
        let way = Over::Tcp.way();
        let closed = {
            let server = way.server().with_probe(&Probe::new()).start().await.unwrap();
            server.shutdown(crate::support::LIMIT).await.unwrap();
            url(&server)
        };
        let client = way.client(&closed).option("retries", "0").build().unwrap();
        let error = assert_failed(call(&raw(&client), "Echo", b"").await, Reason::ConnectRefused, Delivery::NotSent);
        assert!(error.server() == Some(&closed) && error.attempts() == 1, "{error:?}");
        assert!(error.message().contains(closed.trim_start_matches("tcp@")), "{error}");

        let client = way.client("tcp@127.0.0.1:1").build().unwrap();
        let unsupported = CallOptions::new().serialize_type(SerializeType::THRIFT);
        let result = client.service("T").unwrap().call_with::<_, i64>("Add", &json!(1), &unsupported).await;
        assert_failed(result, Reason::CodecUnsupported, Delivery::NotSent);
        assert_eq!(client.service("").unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(client.service("_rpcx").unwrap_err().kind(), ErrorKind::Config);
        assert_eq!(Server::builder().start().await.unwrap_err().kind(), ErrorKind::Config);
    });
}

/// An empty reply is the zero value of a type, and nothing else than empty for whoever asked for the bytes.
#[test]
fn an_empty_reply_is_a_zero_value_or_no_bytes() {
    run(async {
        let way = Over::Tcp.way();
        let server = way.server().raw("T", "Echo", echo).raw("T", "Empty", |_: Context, _| async { Ok(Bytes::new()) });
        let server = server.start().await.unwrap();
        let client = way.client(url(&server)).build().unwrap();
        let service = client.service("T").unwrap();
        for serialize in [SerializeType::MSGPACK, SerializeType::JSON] {
            let options = CallOptions::new().serialize_type(serialize);
            let number = service.call_with::<_, i64>("Empty", &1, &options).await.unwrap();
            assert_eq!(number.value, 0, "{serialize}");
            let bytes = service.codecs::<rpcx::client::AnyBytes>();
            let echoed = bytes.call_with::<[u8], Bytes>("Echo", b"", &options).await.unwrap();
            assert_eq!(echoed.value, &b""[..], "{serialize}");
        }
    });
}
