//! Wrong input, as it was sent to Go servers and clients: a clear error or a frame, never a panic.

mod common;

use common::{decode_pieces, random_sizes, unhex, vectors};
use rpcx_protocol::{
    CompressError, CompressType, Compressors, DecodeError, Decoded, Decoder, Head, Header, Limits, Pending,
    SerializeType, encode,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    to_server: Vec<ToServer>,
    to_client: Vec<ToClient>,
}

#[derive(Deserialize)]
struct ToServer {
    name: String,
    wire: Option<String>,
    wire_rule: Option<String>,
}

#[derive(Deserialize)]
struct ToClient {
    name: String,
    server_sends: Option<Vec<String>>,
}

/// What a decoder makes of a case: its frames and refusals, and how they end.
#[derive(Debug, PartialEq)]
struct Outcome {
    frames: usize,
    refused: Option<(&'static str, u64)>,
    end: End,
}

#[derive(Debug, PartialEq)]
enum End {
    /// Between two frames.
    Clean,
    /// Inside a frame, which would go on.
    Cut,
    Error(&'static str),
}

fn kind(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::BadMagic(_) => "magic",
        DecodeError::Total { .. } => "total",
        DecodeError::Inner { field: "payload", .. } => "payload",
        DecodeError::Inner { .. } => "inner",
        DecodeError::Metadata { .. } => "metadata",
        DecodeError::NotUtf8 { .. } => "utf-8",
        DecodeError::Limit(_) => "limit",
    }
}

fn outcome(wire: &[u8], limits: Limits, sizes: impl IntoIterator<Item = usize>) -> Outcome {
    let mut decoder = Decoder::new(limits);
    let mut outcome = Outcome { frames: 0, refused: None, end: End::Clean };
    let (mut rest, mut sizes) = (wire, sizes.into_iter());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        rest = after;
        decoder.buffer().extend_from_slice(piece);
        loop {
            match decoder.next() {
                Ok(Some(Decoded::Frame(_))) => outcome.frames += 1,
                Ok(Some(Decoded::Refused(refused))) => outcome.refused = Some((refused.limit, refused.size)),
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    outcome.end = End::Error(kind(&error));
                    return outcome;
                }
            }
        }
    }
    if decoder.is_inside_frame() {
        outcome.end = End::Cut;
    }
    outcome
}

fn expected(name: &str) -> Outcome {
    let (family, case) = name.split_once('/').unwrap_or((name, ""));
    let ends = |frames, end| Outcome { frames, refused: None, end };
    let refused = |size| Outcome { frames: 0, refused: Some((Limits::MESSAGE_SIZE, size)), end: End::Cut };
    match (family, case) {
        ("magic", "second-frame") => ends(1, End::Error("magic")),
        ("magic", _) => ends(0, End::Error("magic")),
        ("truncated", _) => ends(0, End::Cut),
        ("total", "3-more-than-sections" | "3-less-than-sent") => ends(0, End::Error("payload")),
        ("total", _) => ends(0, End::Error("total")),
        ("path-length", _) => ends(0, End::Error("inner")),
        // The word that follows is read as a length one byte off: too long by far.
        ("method-length", "plus-1") => ends(0, End::Error("payload")),
        ("method-length", _) => ends(0, End::Error("inner")),
        ("metadata-length", "plus-1000" | "plus-1000-raw-handler" | "max") => ends(0, End::Error("inner")),
        ("metadata-length", _) => ends(0, End::Error("payload")),
        ("payload-length", _) => ends(0, End::Error("payload")),
        ("metadata", "duplicate-key") => ends(1, End::Clean),
        ("metadata", "not-utf8-key" | "not-utf8-value") => ends(0, End::Error("utf-8")),
        ("metadata", _) => ends(0, End::Error("metadata")),
        ("huge", "total-268435456") => refused(1 << 28),
        ("huge", "total-4294967295") => refused((1 << 32) - 1),
        ("huge", "over-max-message-length") => refused((1 << 20) + 1),
        // What is wrong with these is not the frame.
        ("valid" | "names" | "compress" | "codec" | "gzip", _) => ends(1, End::Clean),
        other => panic!("no expectation for {other:?}"),
    }
}

fn limits(name: &str) -> Limits {
    match name {
        "huge/over-max-message-length" => Limits { max_message_size: 1 << 20, ..Limits::default() },
        _ => Limits::default(),
    }
}

fn to_server() -> impl Iterator<Item = (String, Vec<u8>)> {
    let cases = vectors::<Vectors>("malformed.json").to_server;
    assert!(cases.len() > 100, "{} cases", cases.len());
    cases.into_iter().filter_map(|case| match (&case.wire, case.wire_rule.as_deref()) {
        (Some(hex), None) => Some((case.name, unhex(hex))),
        (None, Some("70000 bytes 00")) => Some((case.name, vec![0; 70_000])),
        // A test of its own, below.
        (None, Some(_)) if case.name == "huge/gzip-bomb" => None,
        other => panic!("{}: {other:?}", case.name),
    })
}

#[test]
fn a_server_gets_an_error_or_a_frame() {
    for (name, wire) in to_server() {
        assert_eq!(outcome(&wire, limits(&name), []), expected(&name), "{name}");
    }
}

#[test]
fn pieces_of_any_size_make_no_difference() {
    for (seed, (name, wire)) in to_server().enumerate() {
        assert_eq!(outcome(&wire, limits(&name), std::iter::repeat(1)), expected(&name), "{name}");
        assert_eq!(outcome(&wire, limits(&name), random_sizes(seed as u64, 30)), expected(&name), "{name}");
    }
}

#[test]
fn of_a_repeated_key_the_last_value_counts() {
    let (_, wire) = to_server().find(|(name, _)| name == "metadata/duplicate-key").unwrap();
    let frame = common::one_frame(&wire, []);
    assert_eq!(frame.metadata_get("k"), Some("2"));
    assert_eq!(frame.metadata().iter().collect::<Vec<_>>(), [("k", "2")]);
}

#[test]
fn names_are_any_bytes() {
    let service = |case| common::one_frame(&to_server().find(|(name, _)| name == case).unwrap().1, []);
    assert_eq!(service("names/path-not-utf8").service(), b"\xff\xfe");
    assert_eq!(service("names/path-not-utf8").service_str(), "\u{fffd}\u{fffd}");
    assert_eq!(service("names/method-with-nul").method(), b"Mul\0");
}

#[test]
fn broken_gzip_is_an_error_of_its_frame_alone() {
    let compressors = Compressors::default();
    let gzip = compressors.get(CompressType::GZIP).unwrap();
    let mut seen = 0;
    for (name, wire) in to_server().filter(|(name, _)| name.starts_with("gzip/")) {
        let frame = common::one_frame(&wire, []);
        let mut out = Vec::new();
        let result = gzip.decompress(frame.payload(), &mut out, 1000);
        if ["gzip/valid", "gzip/two-members"].contains(&name.as_str()) {
            assert_eq!((result, out.as_slice()), (Ok(()), &br#"{"A":2,"B":3}"#[..]), "{name}");
        } else {
            assert!(matches!(result, Err(CompressError::Corrupt(_))), "{name}: {result:?}");
        }
        seen += 1;
    }
    assert_eq!(seen, 12);
}

#[test]
fn a_gzip_bomb_stops_at_the_limit() {
    let compressors = Compressors::default();
    let gzip = compressors.get(CompressType::GZIP).unwrap();
    let mut member = Vec::new();
    gzip.compress(&[0; 1 << 20], &mut member).unwrap();
    let header = Header::request(SerializeType::RAW, 1).with_compress(CompressType::GZIP);
    let mut wire = Vec::new();
    encode(&mut wire, &Head::new(header, b"Arith", b"Echo"), &member.repeat(256)).unwrap();
    let frame = common::one_frame(&wire, []);
    let mut out = Vec::new();
    let limit = 3 << 20;
    assert_eq!(gzip.decompress(frame.payload(), &mut out, limit), Err(CompressError::TooLarge { limit }));
    assert!(out.is_empty() && out.capacity() <= limit);
}

#[test]
fn a_length_field_alone_costs_nothing() {
    for (name, wire) in to_server().filter(|(name, _)| name.starts_with("huge/")) {
        let mut decoder = Decoder::new(Limits { max_message_size: usize::MAX, ..Limits::default() });
        decoder.buffer().extend_from_slice(&wire);
        assert!(decoder.next().unwrap().is_none(), "{name}");
        assert!(decoder.needed() <= 64 << 10 && decoder.buffer().capacity() < 1000, "{name}");
    }
}

/// What a client with the calls 0 and 1 pending sees.
fn client_events(sends: &[Vec<u8>]) -> Vec<String> {
    let mut pending = Pending::<u32, ()>::new(10);
    assert_eq!([pending.begin(0), pending.begin(1)], [Ok(0), Ok(1)]);
    let mut decoder = Decoder::new(Limits::default());
    let mut events = Vec::new();
    for bytes in sends {
        decoder.buffer().extend_from_slice(bytes);
        loop {
            let frame = match decoder.next() {
                Ok(Some(Decoded::Frame(frame))) => frame,
                Ok(Some(other)) => panic!("{other:?}"),
                Ok(None) => break,
                Err(error) => {
                    events.push(format!("broken: {error}"));
                    return events;
                }
            };
            let seq = frame.header().seq;
            events.push(if frame.header().is_push() {
                "push".to_owned()
            } else if let Some(call) = pending.complete(seq) {
                match frame.error() {
                    Some(error) => format!("{call} error: {}", error.text),
                    None => format!("{call} ok: {}", String::from_utf8_lossy(frame.payload()).escape_default()),
                }
            } else {
                format!("{seq} unknown")
            });
        }
    }
    if decoder.is_inside_frame() {
        events.push("cut".to_owned());
    }
    events
}

fn expected_events(name: &str) -> &'static [&'static str] {
    const OK: &[&str] = &[r#"0 ok: {\"C\":6}"#];
    const BOOM: &[&str] = &["0 error: boom"];
    const NO_TEXT: &[&str] = &["0 error: the server answered with an error without a text"];
    match name {
        "response/normal" | "response/other-path" | "response/version-9" | "response/request-type" => OK,
        "response/oneway-bit" | "response/heartbeat-bit" | "response/request-heartbeat-oneway" => OK,
        "response/unknown-codec" | "closed/after-answer" => OK,
        "response/out-of-order" => &[r#"1 ok: {\"C\":6}"#, r#"0 ok: {\"C\":6}"#],
        "response/unknown-seq" => &["99 unknown", r#"0 ok: {\"C\":6}"#],
        "response/duplicate" => &[r#"0 ok: {\"C\":6}"#, "0 unknown"],
        "push/matching-seq" | "crash/push-after-channel-close" => &["push"],
        "response/other-codec" => &[r"0 ok: \u{fffd}\u{fffd}C\u{6}"],
        "response/empty-payload" => &["0 ok: "],
        "response/undecodable-payload" => &["0 ok: {"],
        "error/text" | "error/text-and-reply" | "error/text-and-undecodable-reply" | "error/status-2" => BOOM,
        // Go takes the next two for successes, and the process ends on one of them.
        "error/normal-status-with-text" | "crash/raw-error-payload-for-struct" => BOOM,
        "error/no-metadata" | "error/other-metadata" | "crash/sendraw-error-without-metadata" => NO_TEXT,
        "error/empty-text" => &["0 error: "],
        "broken/magic" => &["broken: wrong magic number 0x09: a frame begins with 0x08"],
        "broken/path-length-overruns" => {
            &["broken: length word of the service path says 1000, but the frame has 15 bytes left for it"]
        }
        "broken/metadata-overruns" => {
            &["broken: metadata block of 9 bytes ends inside the value that begins at byte 5"]
        }
        // Compression is looked at after the frame, per call.
        "broken/unknown-compress" | "broken/corrupt-gzip" => OK,
        "closed/without-answer" => &[],
        "closed/inside-frame" | "closed/inside-header" => &["cut"],
        // What a codec makes of these payloads is its own business.
        "crash/nil-for-a-time" => &[r"0 ok: \u{fffd}\u{fffd}T\u{fffd}"],
        "crash/raw-answer-for-struct" => &["0 ok: x"],
        "crash/thrift-answer-for-struct" => &[r"0 ok: \u{0}"],
        "crash/protobuf-answer-for-struct" => &[r"0 ok: \u{8}\u{1}"],
        other => panic!("no expectation for {other}"),
    }
}

#[test]
fn a_client_sees_each_answer_where_it_belongs() {
    let cases = vectors::<Vectors>("malformed.json").to_client;
    assert!(cases.len() > 30, "{} cases", cases.len());
    for case in cases {
        let sends = case.server_sends.unwrap_or_default().iter().map(|hex| unhex(hex)).collect::<Vec<_>>();
        assert_eq!(client_events(&sends), expected_events(&case.name), "{}", case.name);
        let bytes = sends.concat().iter().map(|byte| vec![*byte]).collect::<Vec<_>>();
        assert_eq!(client_events(&bytes), expected_events(&case.name), "{} by bytes", case.name);
    }
}

#[test]
fn frames_before_the_broken_one_are_delivered() {
    let (_, wire) = to_server().find(|(name, _)| name == "magic/second-frame").unwrap();
    assert_eq!(decode_pieces(&wire, Limits::default(), []).unwrap_err(), DecodeError::BadMagic(9));
    assert_eq!(outcome(&wire, Limits::default(), []).frames, 1);
}
