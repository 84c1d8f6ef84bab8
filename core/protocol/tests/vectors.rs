//! Every frame that was captured from Go's rpcx decodes to the stated values and is encoded to the same bytes.

mod common;

use std::collections::BTreeMap;

use common::{one_frame, random_sizes, unhex, vectors};
use rpcx_protocol::{
    CompressType, Compressors, EncodeError, Frame, Head, Header, Metadata, SerializeType, Status, encode, encode_head,
    encode_with,
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
struct Exchange {
    name: String,
    client_to_server: Vec<Case>,
    server_to_client: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    name: String,
    kind: String,
    header: Fields,
    service: String,
    method: String,
    metadata: BTreeMap<String, String>,
    metadata_order: Option<Vec<String>>,
    payload: Option<String>,
    payload_rule: Option<PayloadRule>,
    wire: Option<String>,
    wire_sha256: Option<String>,
    wire_len: usize,
}

#[derive(Deserialize)]
struct Fields {
    version: u8,
    r#type: String,
    heartbeat: bool,
    oneway: bool,
    compress: u8,
    status: u8,
    serialize: u8,
    seq: String,
}

#[derive(Deserialize)]
struct PayloadRule {
    pattern: String,
    len: usize,
    sha256: String,
}

impl Case {
    fn header(&self) -> Header {
        let Fields { version, heartbeat, oneway, compress, status, serialize, .. } = self.header;
        let header = Header::request(SerializeType::new(serialize).unwrap(), self.header.seq.parse().unwrap())
            .with_version(version)
            .with_heartbeat(heartbeat)
            .with_oneway(oneway)
            .with_compress(CompressType::new(compress).unwrap())
            .with_status(Status::new(status).unwrap());
        if self.header.r#type == "response" { header.as_response() } else { header }
    }

    /// After decompression.
    fn payload(&self) -> Vec<u8> {
        let Some(rule) = &self.payload_rule else { return unhex(self.payload.as_ref().unwrap()) };
        assert_eq!(rule.pattern, "byte i is i mod 251");
        let payload = (0..rule.len).map(|i| (i % 251) as u8).collect::<Vec<_>>();
        assert_eq!(sha256(&payload), rule.sha256);
        payload
    }

    /// In the order of the capture, so that the bytes can be compared.
    fn metadata(&self) -> Metadata {
        match &self.metadata_order {
            Some(order) => order.iter().map(|key| (key, &self.metadata[key])).collect(),
            None => self.metadata.iter().collect(),
        }
    }

    /// Whether the bytes of the payload are one of many possible encodings.
    fn is_gzip(&self) -> bool {
        self.header.compress == CompressType::GZIP.get()
    }

    fn head<'a>(&'a self, metadata: &'a Metadata) -> Head<'a> {
        let (service, method) = (self.service.as_bytes(), self.method.as_bytes());
        Head { header: self.header(), service, method, metadata, extra: &[] }
    }

    /// The frame's bytes: captured, or built from the rule.
    fn wire(&self) -> Vec<u8> {
        match &self.wire {
            Some(hex) => unhex(hex),
            None => {
                let mut wire = Vec::new();
                encode(&mut wire, &self.head(&self.metadata()), &self.payload()).unwrap();
                assert_eq!(Some(sha256(&wire)), self.wire_sha256, "{}", self.name);
                wire
            }
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn all_cases() -> Vec<Case> {
    let vectors = vectors::<Vectors>("frames.json");
    let mut cases = vectors.cases;
    for Exchange { name, client_to_server, server_to_client } in vectors.exchanges {
        for (index, mut case) in client_to_server.into_iter().chain(server_to_client).enumerate() {
            case.name = format!("{name} #{index}");
            cases.push(case);
        }
    }
    assert!(cases.len() > 200, "{} cases", cases.len());
    cases
}

fn check(case: &Case, frame: &Frame) {
    let name = &case.name;
    assert_eq!(*frame.header(), case.header(), "{name}");
    assert_eq!(frame.service(), case.service.as_bytes(), "{name}");
    assert_eq!(frame.method(), case.method.as_bytes(), "{name}");
    assert_eq!(frame.metadata(), case.metadata.iter().collect(), "{name}");
    assert_eq!(frame.metadata().len(), case.metadata.len(), "{name}");
    for (key, value) in &case.metadata {
        assert_eq!(frame.metadata_get(key), Some(value.as_str()), "{name}");
    }
    let payload = case.payload();
    if case.is_gzip() {
        let mut plain = Vec::new();
        let compressors = Compressors::default();
        let gzip = compressors.get(CompressType::GZIP).unwrap();
        gzip.decompress(frame.payload(), &mut plain, payload.len()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(plain == payload, "{name}");
    } else {
        assert!(frame.payload() == payload, "{name}");
    }
    let (header, kind) = (frame.header(), case.kind.as_str());
    let (heartbeat, response) = (header.is_heartbeat(), header.is_response());
    assert_eq!(heartbeat, kind.starts_with("heartbeat"), "{name}");
    match kind {
        "request" | "heartbeat" => assert!(!response && !header.is_push(), "{name}"),
        "oneway" | "push" => assert!(header.is_push() && header.is_oneway(), "{name}"),
        "response" | "heartbeat_echo" => assert!(response && !header.is_push(), "{name}"),
        "error_response" => assert!(response && frame.error().is_some(), "{name}"),
        other => panic!("{name}: {other}"),
    }
}

#[test]
fn captured_frames_decode_to_the_stated_values() {
    for case in all_cases() {
        let wire = case.wire();
        assert_eq!(wire.len(), case.wire_len, "{}", case.name);
        check(&case, &one_frame(&wire, []));
    }
}

#[test]
fn captured_frames_decode_from_any_pieces() {
    for (seed, case) in all_cases().iter().enumerate() {
        let wire = case.wire();
        check(case, &one_frame(&wire, random_sizes(seed as u64, wire.len().min(4096))));
        if wire.len() < 10_000 {
            check(case, &one_frame(&wire, std::iter::repeat(1)));
            check(case, &one_frame(&wire, random_sizes(seed as u64, 20)));
        }
    }
}

#[test]
fn captured_frames_are_encoded_to_the_same_bytes() {
    for case in all_cases() {
        let (name, mut wire, metadata) = (&case.name, case.wire(), case.metadata());
        wire[3] &= 0xf0; // Go copies a request's reserved bits into its answer; they are ignored and written as 0.
        let head = case.head(&metadata);
        let payload = if case.is_gzip() { one_frame(&wire, []).payload().to_vec() } else { case.payload() };

        let mut whole = Vec::new();
        encode(&mut whole, &head, &payload).unwrap();
        assert!(whole == wire, "{name}: encode");
        assert_eq!(head.wire_len(payload.len()), wire.len(), "{name}");

        let mut apart = Vec::new();
        encode_head(&mut apart, &head, payload.len()).unwrap();
        apart.extend_from_slice(&payload);
        assert!(apart == wire, "{name}: encode_head");

        let mut written = Vec::new();
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(&payload);
            Ok::<_, EncodeError>(())
        };
        encode_with(&mut written, &head, write).unwrap();
        assert!(written == wire, "{name}: encode_with");

        // The library's own keys, sent beside the caller's, give the same bytes as one map.
        let pairs = metadata.iter().collect::<Vec<_>>();
        let mut extra = Vec::new();
        encode(&mut extra, &Head { metadata: Metadata::empty(), extra: &pairs, ..head }, &payload).unwrap();
        assert!(extra == wire, "{name}: extra");
    }
}

#[test]
fn gzip_payloads_survive_our_own_compressor() {
    let compressors = Compressors::default();
    let gzip = compressors.get(CompressType::GZIP).unwrap();
    for case in all_cases().iter().filter(|case| case.is_gzip()) {
        let metadata = case.metadata();
        let mut wire = Vec::new();
        encode_with(&mut wire, &case.head(&metadata), |out| {
            gzip.compress(&case.payload(), out).unwrap();
            Ok::<_, EncodeError>(())
        })
        .unwrap();
        check(case, &one_frame(&wire, []));
    }
}

#[test]
fn one_stream_of_all_frames_falls_into_its_frames() {
    let cases = all_cases();
    let wires = cases.iter().map(Case::wire).collect::<Vec<_>>();
    let stream = wires.concat();
    let found = common::decode_pieces(&stream, Default::default(), random_sizes(1, 5000)).unwrap();
    assert_eq!(found.len(), cases.len());
    for (case, decoded) in cases.iter().zip(found) {
        let rpcx_protocol::Decoded::Frame(frame) = decoded else { panic!("{}: {decoded:?}", case.name) };
        check(case, &frame);
    }
}
