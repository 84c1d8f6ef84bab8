//! `protobuf`: a message written by hand for the `prost` crate against the bytes of Go's generated code.

use super::{VECTORS, hex, unhex};
use rpcx::codec::{Decode, Encode, Protobuf};
use rpcx::protocol::SerializeType;
use std::collections::HashMap;

const PROTOBUF: SerializeType = SerializeType::PROTOBUF;

#[derive(Clone, PartialEq, prost::Message)]
struct Inner {
    #[prost(int32, tag = "1")]
    id: i32,
    #[prost(string, tag = "2")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Pick {
    #[prost(string, tag = "21")]
    Ps(String),
    #[prost(int64, tag = "22")]
    Pi(i64),
}

#[derive(Clone, PartialEq, prost::Message)]
struct All {
    #[prost(double, tag = "1")]
    double: f64,
    #[prost(float, tag = "2")]
    float: f32,
    #[prost(int32, tag = "3")]
    int32: i32,
    #[prost(int64, tag = "4")]
    int64: i64,
    #[prost(uint32, tag = "5")]
    uint32: u32,
    #[prost(uint64, tag = "6")]
    uint64: u64,
    #[prost(sint32, tag = "7")]
    sint32: i32,
    #[prost(sint64, tag = "8")]
    sint64: i64,
    #[prost(fixed32, tag = "9")]
    fixed32: u32,
    #[prost(fixed64, tag = "10")]
    fixed64: u64,
    #[prost(sfixed32, tag = "11")]
    sfixed32: i32,
    #[prost(sfixed64, tag = "12")]
    sfixed64: i64,
    #[prost(bool, tag = "13")]
    bool: bool,
    #[prost(string, tag = "14")]
    string: String,
    #[prost(bytes = "vec", tag = "15")]
    bytes: Vec<u8>,
    #[prost(int32, tag = "16")]
    color: i32,
    #[prost(message, optional, tag = "17")]
    inner: Option<Inner>,
    #[prost(int32, repeated, tag = "18")]
    packed: Vec<i32>,
    #[prost(string, repeated, tag = "19")]
    strings: Vec<String>,
    #[prost(map = "string, int64", tag = "20")]
    map: HashMap<String, i64>,
    #[prost(oneof = "Pick", tags = "21, 22")]
    pick: Option<Pick>,
    #[prost(int32, optional, tag = "23")]
    opt: Option<i32>,
    #[prost(message, repeated, tag = "24")]
    inners: Vec<Inner>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Args {
    #[prost(int64, tag = "1")]
    a: i64,
    #[prost(int64, tag = "2")]
    b: i64,
}

fn message(name: &str) -> All {
    let one = All {
        double: 1.0,
        float: 1.0,
        int32: 1,
        int64: 1,
        uint32: 1,
        uint64: 1,
        sint32: 1,
        sint64: 1,
        fixed32: 1,
        fixed64: 1,
        sfixed32: 1,
        sfixed64: 1,
        bool: true,
        string: "a".into(),
        bytes: vec![1],
        color: 1,
        ..All::default()
    };
    match name {
        "zero" => All::default(),
        "ones" => one,
        "minus-one" => All {
            double: -1.0,
            float: -1.0,
            int32: -1,
            int64: -1,
            sint32: -1,
            sint64: -1,
            sfixed32: -1,
            sfixed64: -1,
            color: -1,
            ..All::default()
        },
        "min" => All {
            int32: i32::MIN,
            int64: i64::MIN,
            sint32: i32::MIN,
            sint64: i64::MIN,
            sfixed32: i32::MIN,
            sfixed64: i64::MIN,
            ..All::default()
        },
        "max" => All {
            double: f64::MAX,
            float: f32::MAX,
            int32: i32::MAX,
            int64: i64::MAX,
            uint32: u32::MAX,
            uint64: u64::MAX,
            sint32: i32::MAX,
            sint64: i64::MAX,
            fixed32: u32::MAX,
            fixed64: u64::MAX,
            sfixed32: i32::MAX,
            sfixed64: i64::MAX,
            ..All::default()
        },
        "composite" => All {
            string: "größe 🦀".into(),
            bytes: vec![0, 255],
            inner: Some(Inner { id: 5, name: "in".into() }),
            packed: vec![1, -1, 300],
            strings: vec!["a".into(), String::new()],
            map: HashMap::from([("k".into(), 5)]),
            pick: Some(Pick::Pi(9)),
            opt: Some(0),
            inners: vec![Inner { id: 1, name: String::new() }, Inner::default()],
            ..All::default()
        },
        "oneof-string" => All { pick: Some(Pick::Ps(String::new())), ..All::default() },
        other => panic!("unknown case {other}"),
    }
}

#[test]
fn every_message_has_gos_bytes() {
    for case in &VECTORS.protobuf {
        match (case.name.as_str(), &case.protobuf) {
            // What is no message does not compile here; garbage and unknown fields have a test of their own.
            ("not-a-message" | "decode-not-a-message" | "decode-garbage", None) | ("decode-unknown-field", Some(_)) => {
            }
            (name, Some(payload)) => {
                let expected = message(name);
                let mut encoded = Vec::new();
                Protobuf::encode(PROTOBUF, &expected, &mut encoded).unwrap();
                // Go writes a oneof after all other fields, prost at its number.
                let ours = if name == "composite" {
                    hex(&encoded).replace("b00109b80100", "b80100") + "b00109"
                } else {
                    hex(&encoded)
                };
                assert_eq!(ours, *payload, "{name}");
                let decoded: All = Protobuf::decode(PROTOBUF, &unhex(payload).into()).unwrap();
                assert_eq!(decoded, expected, "{name}");
            }
            (name, None) => panic!("{name} has no payload"),
        }
    }
}

#[test]
fn unknown_fields_are_skipped_and_garbage_is_refused() {
    let case = VECTORS.protobuf.iter().find(|case| case.name == "decode-unknown-field").unwrap();
    let payload = unhex(case.protobuf.as_ref().unwrap()).into();
    assert_eq!(Protobuf::decode(PROTOBUF, &payload), Ok(Args { a: 10, b: 20 }));
    for garbage in ["ff", "0a05", "0aff", "08"] {
        let result: Result<Args, _> = Protobuf::decode(PROTOBUF, &unhex(garbage).into());
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("can't decode the protobuf payload: "), "{error}");
    }
}
