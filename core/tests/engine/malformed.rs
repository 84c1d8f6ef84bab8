//! The malformed input that Go's peers were tried with, on our own: a clear error, the right end, and everything else goes on.

use crate::peer::{Peer, RawServer, error_text};
use crate::support::{LIMIT, Over, ms, run, url};
use rpcx::client::CallOptions;
use rpcx::codec::Serde;
use rpcx::error::{Delivery, ErrorKind};
use rpcx::protocol::{CompressType, Compressors, Header, SerializeType};
use rpcx::server::Method;
use rpcx::{Context, Server};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Vectors {
    to_server: Vec<ToServer>,
    to_client: Vec<ToClient>,
}

#[derive(Deserialize)]
struct ToServer {
    name: String,
    wire: Option<String>,
}

#[derive(Deserialize)]
struct ToClient {
    name: String,
    server_sends: Option<Vec<String>>,
    server_then_closes: Option<bool>,
}

fn vectors() -> Vectors {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/malformed.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Args {
    a: i64,
    b: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Reply {
    c: i64,
}

impl Default for Reply {
    fn default() -> Self {
        Reply { c: -1 }
    }
}

async fn arith() -> Server {
    let mul =
        Method::new::<Serde, _, _, _, _>(
            "Mul",
            |_: Context, args: Args| async move { Ok(Reply { c: args.a * args.b }) },
        );
    Over::Tcp
        .way()
        .server()
        .method("Arith", mul)
        .raw("Arith", "Echo", crate::support::echo)
        .option("max_message_size", "1MiB")
        .option("max_decompressed_size", "1MiB")
        .option("read_timeout", "100ms")
        .start()
        .await
        .unwrap()
}

const VALID: &str =
    "08000010000000000000000100000025000000054172697468000000034d756c000000000000000d7b2241223a322c2242223a337d";

/// What our server does with a case.
#[derive(Debug, PartialEq)]
enum Does {
    /// An answer with this payload, and it goes on.
    Answers,
    /// An error response whose text contains this, and it goes on.
    Refuses(&'static str),
    /// The connection ends without an answer.
    Closes,
    /// It waits for the rest of the frame, and ends the connection when that does not come.
    Waits,
    /// Nothing to answer, and it goes on.
    Nothing,
}

fn expected(name: &str) -> Does {
    let (family, case) = name.split_once('/').unwrap_or((name, ""));
    match (family, case) {
        ("valid", _) | ("gzip", "valid" | "two-members") | ("metadata", "duplicate-key") => Does::Answers,
        ("magic", "second-frame") => Does::Answers,
        ("truncated", _) => Does::Waits,
        (
            "magic" | "total" | "path-length" | "method-length" | "metadata-length" | "payload-length" | "metadata",
            _,
        ) => Does::Closes,
        ("names", "path-not-utf8") => Does::Refuses("can't find service"),
        ("names", _) => Does::Refuses("can't find method"),
        ("compress", "unknown-3-oneway") => Does::Nothing,
        ("compress", "unknown-3-heartbeat") => Does::Answers,
        ("compress", "unknown-2" | "unknown-3" | "unknown-4") => Does::Refuses("does not decompress"),
        ("compress", _) => Does::Refuses("compress"),
        ("codec", "unknown-9-unknown-service") => Does::Refuses("can't find service"),
        ("codec", "msgpack-nil-for-a-time") => Does::Refuses("can't find"),
        ("codec", _) => Does::Refuses("can not find codec for"),
        ("gzip", _) => Does::Refuses("does not decompress"),
        ("huge", _) => Does::Refuses("max_message_size"),
        other => panic!("no expectation for {other:?}"),
    }
}

#[test]
fn a_server_answers_or_closes_and_goes_on() {
    run(async {
        let server = arith().await;
        let way = Over::Tcp.way();
        let at = url(&server);
        let mut seen = 0;
        for case in vectors().to_server {
            let Some(wire) = case.wire.as_deref().map(unhex) else { continue };
            seen += 1;
            let name = case.name.as_str();
            let mut peer = Peer::dial(&way, &at).await;
            peer.send(&wire).await;
            let does = expected(name);
            if matches!(does, Does::Answers | Does::Refuses(_)) {
                let answer = peer.frame().await.unwrap_or_else(|| panic!("{name}: no answer"));
                let text = error_text(&answer);
                match does {
                    Does::Refuses(part) => assert!(text.contains(part), "{name}: {text:?}"),
                    _ => assert_eq!(text, "", "{name}"),
                }
                assert!(answer.header().is_response(), "{name}");
            }
            match does {
                Does::Closes | Does::Waits => assert!(peer.frame().await.is_none(), "{name}"),
                _ if name == "magic/second-frame" => assert!(peer.frame().await.is_none(), "{name}"),
                // The body of a frame that was refused by its length has yet to come.
                _ if name.starts_with("huge/") => {}
                _ => {
                    peer.send(&unhex(VALID)).await;
                    let answer = peer.frame().await.unwrap_or_else(|| panic!("{name}: the next request got no answer"));
                    assert_eq!(answer.payload(), br#"{"C":6}"#, "{name}");
                }
            }
        }
        assert!(seen > 100, "{seen}");
    });
}

#[test]
fn a_bomb_is_refused_by_its_limit() {
    run(async {
        let server = arith().await;
        let mut peer = Peer::dial(&Over::Tcp.way(), &url(&server)).await;
        let compressors = Compressors::default();
        for (number, copies) in [(CompressType::GZIP, 128), (CompressType::ZSTD, 128), (CompressType::LZ4, 1)] {
            let mut small = Vec::new();
            compressors.get(number).unwrap().compress(&vec![0; (128 / copies) << 20], &mut small).unwrap();
            let header = Header::request(SerializeType::RAW, 4).with_compress(number);
            let mut wire = Vec::new();
            let head = rpcx::protocol::Head::new(header, b"Arith", b"Echo");
            rpcx::protocol::encode(&mut wire, &head, &small.repeat(copies)).unwrap();
            peer.send(&wire).await;
            let answer = peer.frame().await.unwrap();
            assert!(error_text(&answer).contains("max_decompressed_size"), "{number}: {}", error_text(&answer));
        }
        peer.send(&unhex(VALID)).await;
        assert_eq!(peer.frame().await.unwrap().payload(), br#"{"C":6}"#);
    });
}

/// What the first of two pending calls must come to.
fn expected_call(name: &str) -> (&'static str, Option<i64>) {
    match name {
        // What looks like a heartbeat or a push completes no call; Go takes the first two for answers.
        "response/heartbeat-bit" | "response/request-heartbeat-oneway" | "push/matching-seq" => ("timeout", None),
        "response/empty-payload" => ("ok", Some(-1)),
        "response/unknown-codec" | "response/undecodable-payload" => ("codec", None),
        name if name.starts_with("response/") => ("ok", Some(6)),
        // Foreign peers forget the status; Go takes these two for successes.
        name if name.starts_with("error/") => ("service", None),
        "broken/unknown-compress" | "broken/corrupt-gzip" => ("protocol", None),
        name if name.starts_with("broken/") => ("protocol", None),
        "closed/after-answer" => ("ok", Some(6)),
        name if name.starts_with("closed/") => ("closed", None),
        "crash/sendraw-error-without-metadata" | "crash/raw-error-payload-for-struct" => ("service", None),
        "crash/push-after-channel-close" => ("timeout", None),
        "crash/nil-for-a-time" => ("ok", None),
        name if name.starts_with("crash/") => ("codec", None),
        other => panic!("no expectation for {other:?}"),
    }
}

#[test]
fn a_client_survives_every_wrong_answer() {
    run(async {
        let way = Over::Tcp.way();
        for case in vectors().to_client {
            let name = case.name.as_str();
            let mut server = RawServer::bind(&way).await;
            let client = way
                .client(server.url())
                .option("serialize_type", "json")
                .option("heartbeat_interval", "0")
                .option("retries", "0")
                .build()
                .unwrap();
            let service = client.service("Arith").unwrap();
            let args = Args { a: 2, b: 3 };
            let sends: Vec<u8> = case.server_sends.iter().flatten().flat_map(|hex| unhex(hex)).collect();
            let closes = case.server_then_closes.unwrap_or(false);
            let (kind, value) = expected_call(name);
            let ends =
                closes || ["broken/magic", "broken/path-length-overruns", "broken/metadata-overruns"].contains(&name);
            // Short only where nothing else ends the call.
            let within = |late: bool| CallOptions::new().timeout(if late { ms(150) } else { LIMIT });
            let (of_first, of_second) = (within(kind == "timeout"), within(!ends && name != "response/out-of-order"));
            let (first, second, _peer) = tokio::join!(
                service.call_with::<_, Reply>("Mul", &args, &of_first),
                service.call_with::<_, Reply>("Mul", &args, &of_second),
                async {
                    let mut peer = server.accept().await;
                    let (zero, one) = (peer.request().await.unwrap(), peer.request().await.unwrap());
                    assert_eq!((zero.header().seq, one.header().seq), (0, 1), "the vectors' numbers");
                    peer.send(&sends).await;
                    (!closes).then_some(peer)
                }
            );
            match &first {
                Ok(answer) => {
                    assert_eq!(kind, "ok", "{name}: {answer:?}");
                    assert!(value.is_none() || value == Some(answer.value.c), "{name}: {answer:?}");
                }
                Err(error) => {
                    assert_eq!(error.kind().as_str(), kind, "{name}: {error:?}");
                    assert!(!error.message().is_empty() || error.is_service(), "{name}");
                    assert_ne!(error.delivery(), Delivery::NotSent, "{name}");
                }
            }
            // The other call never gets what was meant for the first one.
            match second {
                Ok(_) => assert_eq!(name, "response/out-of-order"),
                Err(error) if ends => assert_ne!(error.kind(), ErrorKind::Timeout, "{name}: {error:?}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error:?}"),
            }
        }
    });
}
