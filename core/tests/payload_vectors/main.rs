//! Every case of `tests/vectors/payloads.json`, which Go's rpcx wrote, against our codecs.
#![cfg(all(feature = "json", feature = "msgpack"))]

mod accepts;
mod encode;
#[cfg(feature = "protobuf")]
mod protobuf;
#[cfg(feature = "thrift")]
mod thrift;
mod types;

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The file, as far as the tests use it.
#[derive(Deserialize)]
struct Vectors {
    encode: Vec<EncodeCase>,
    #[cfg_attr(not(feature = "protobuf"), allow(dead_code))]
    protobuf: Vec<Case>,
    #[cfg_attr(not(feature = "thrift"), allow(dead_code))]
    thrift: Vec<Case>,
    msgpack_accepts: Vec<MsgpackInput>,
    json_accepts: Vec<JsonInput>,
    decode_into_filled_value: Vec<FilledCase>,
}

/// A Go value and its encodings.
#[derive(Deserialize)]
struct EncodeCase {
    name: String,
    msgpack: Option<String>,
    json: Option<String>,
    note: Option<String>,
}

/// A case of the formats that need a message type.
#[derive(Deserialize)]
struct Case {
    #[cfg_attr(not(any(feature = "protobuf", feature = "thrift")), allow(dead_code))]
    name: String,
    #[cfg(feature = "protobuf")]
    protobuf: Option<String>,
    #[cfg(feature = "thrift")]
    thrift: Option<String>,
}

#[derive(Deserialize)]
struct MsgpackInput {
    name: String,
    /// Absent where `name` states a rule instead.
    msgpack: Option<String>,
    go_decodes_into: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct JsonInput {
    json_hex: String,
    go_decodes_into: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct FilledCase {
    codec: String,
    input: String,
}

static VECTORS: LazyLock<Vectors> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/payloads.json");
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
});

fn unhex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0, "{text}");
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
