//! Codecs under arbitrary values and arbitrary bytes.
#![cfg(all(feature = "json", feature = "msgpack"))]

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use rpcx::codec::{Int, Timestamp, Uint, Value, json, msgpack};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Everything {
    bool: bool,
    i8: i8,
    i16: i16,
    i32: i32,
    i64: i64,
    u8: u8,
    u16: u16,
    u32: u32,
    u64: u64,
    int: Int,
    uint: Uint,
    f32: f32,
    f64: f64,
    char: char,
    text: String,
    bytes: ByteBuf,
    time: Timestamp,
    list: Vec<i64>,
    pair: (u8, String),
    map: BTreeMap<String, i64>,
    numbered: BTreeMap<i32, u16>,
    maybe: Option<Box<Everything>>,
    kind: Option<Kind>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    New(i64),
    Tuple(bool, String),
    Struct { side: f64 },
}

fn time() -> impl Strategy<Value = Timestamp> {
    // The years that RFC 3339 has.
    (-62_167_219_200..=253_402_300_799_i64, 0..1_000_000_000_u32).prop_map(|(s, n)| Timestamp::new(s, n).unwrap())
}

fn finite32() -> impl Strategy<Value = f32> {
    any::<f32>().prop_filter("JSON has only finite numbers", |value| value.is_finite())
}

fn finite64() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("JSON has only finite numbers", |value| value.is_finite())
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unit),
        any::<i64>().prop_map(Kind::New),
        (any::<bool>(), any::<String>()).prop_map(|(flag, text)| Kind::Tuple(flag, text)),
        finite64().prop_map(|side| Kind::Struct { side }),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let integers = any::<(i8, i16, i32, i64, u8, u16, u32, u64)>();
    let texts = (any::<char>(), any::<String>(), vec(any::<u8>(), 0..300), time(), finite32(), finite64());
    let containers = (
        vec(any::<i64>(), 0..20),
        any::<(u8, String)>(),
        btree_map(any::<String>(), any::<i64>(), 0..20),
        btree_map(any::<i32>(), any::<u16>(), 0..4),
        proptest::option::of(kind()),
    );
    let flat = (any::<bool>(), integers, texts, containers).prop_map(|(bool, integers, texts, containers)| {
        let (i8, i16, i32, i64, u8, u16, u32, u64) = integers;
        let (char, text, bytes, time, f32, f64) = texts;
        let (list, pair, map, numbered, kind) = containers;
        let (int, uint, bytes) = (Int(i64), Uint(u64), ByteBuf::from(bytes));
        Everything {
            bool,
            i8,
            i16,
            i32,
            i64,
            u8,
            u16,
            u32,
            u64,
            int,
            uint,
            f32,
            f64,
            char,
            text,
            bytes,
            time,
            list,
            pair,
            map,
            numbered,
            maybe: None,
            kind,
        }
    });
    flat.prop_recursive(3, 4, 1, |inner| {
        inner.prop_map(|inner| Everything { maybe: Some(Box::new(inner.clone())), ..inner })
    })
}

/// Values that MessagePack tells apart.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (i64::MAX as u64 + 1..=u64::MAX).prop_map(Value::UInt),
        finite32().prop_map(Value::F32),
        finite64().prop_map(Value::F64),
        any::<String>().prop_map(Value::Str),
        vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        (any::<i64>(), 0..1_000_000_000_u32).prop_map(|(s, n)| Value::Time(Timestamp::new(s, n).unwrap())),
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::Array),
            vec((inner.clone(), inner), 0..20).prop_map(Value::Map),
        ]
    })
}

fn to_msgpack<T: Serialize>(value: &T, integers: msgpack::Integers) -> Vec<u8> {
    let mut out = Vec::new();
    msgpack::encode(value, integers, &mut out).unwrap();
    out
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    json::encode(value, &mut out).unwrap();
    out
}

fn without_bytes(value: Everything) -> Everything {
    let maybe = value.maybe.map(|inner| Box::new(without_bytes(*inner)));
    Everything { bytes: ByteBuf::new(), maybe, ..value }
}

/// Decodes into types of every shape. What comes out must be writable again, whatever went in.
fn decode_all(payload: &[u8]) {
    fn one<T: Serialize + DeserializeOwned>(payload: &[u8]) {
        for value in [msgpack::decode::<T>(payload), json::decode::<T>(payload)].into_iter().flatten() {
            to_msgpack(&value, msgpack::Integers::KeepWidth);
        }
    }
    one::<Value>(payload);
    one::<Everything>(payload);
    one::<Vec<Everything>>(payload);
    one::<BTreeMap<String, Value>>(payload);
    one::<(Timestamp, [u8; 4], Option<Kind>)>(payload);
    one::<Vec<Vec<()>>>(payload);
    one::<ByteBuf>(payload);
    one::<u128>(payload);
}

proptest! {
    #[test]
    fn values_survive_both_formats(value in everything()) {
        let shortest = to_msgpack(&value, msgpack::Integers::Shortest);
        let wide = to_msgpack(&value, msgpack::Integers::KeepWidth);
        prop_assert!(shortest.len() <= wide.len());
        for payload in [shortest, wide] {
            prop_assert_eq!(&msgpack::decode::<Everything>(&payload).unwrap(), &value);
        }
        let text = to_json(&value);
        prop_assert_eq!(&json::decode::<Everything>(&text).unwrap(), &value);
    }

    #[test]
    fn dynamic_values_survive_msgpack(value in value()) {
        for integers in [msgpack::Integers::Shortest, msgpack::Integers::KeepWidth] {
            prop_assert_eq!(&msgpack::decode::<Value>(&to_msgpack(&value, integers)).unwrap(), &value);
        }
    }

    /// What we write is what serde_json reads, and the other way round; but for bytes, which are a list of numbers there.
    #[test]
    fn json_is_json(value in everything()) {
        let value = without_bytes(value);
        prop_assert_eq!(&serde_json::from_slice::<Everything>(&to_json(&value)).unwrap(), &value);
        prop_assert_eq!(&json::decode::<Everything>(&serde_json::to_vec(&value).unwrap()).unwrap(), &value);
    }

    /// However many fields are left out, whatever their order: they are zero, and the others are there.
    #[test]
    fn fields_that_are_left_out_are_zero(value in everything(), keep in vec(any::<bool>(), 23), seed in any::<usize>()) {
        let full = msgpack::decode::<Value>(&to_msgpack(&value, msgpack::Integers::KeepWidth)).unwrap();
        let Value::Map(pairs) = full else { panic!("a struct is a map") };
        prop_assert_eq!(pairs.len(), keep.len());
        let zero = msgpack::decode::<Value>(&to_msgpack(&Everything::default(), msgpack::Integers::KeepWidth)).unwrap();
        let Value::Map(zeros) = zero else { panic!("a struct is a map") };
        let mut sent: Vec<_> = pairs.iter().cloned().zip(&keep).filter(|(_, keep)| **keep).map(|(pair, _)| pair).collect();
        if !sent.is_empty() {
            let middle = seed % sent.len();
            sent.rotate_left(middle);
        }
        let expected = pairs.into_iter().zip(zeros).zip(&keep).map(|((pair, zero), keep)| if *keep { pair } else { zero });
        let expected = to_msgpack(&Value::Map(expected.collect()), msgpack::Integers::KeepWidth);
        let expected: Everything = msgpack::decode(&expected).unwrap();
        let sent = to_msgpack(&Value::Map(sent), msgpack::Integers::KeepWidth);
        prop_assert_eq!(msgpack::decode::<Everything>(&sent).unwrap(), expected);
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_read(payload in vec(any::<u8>(), 0..200)) {
        decode_all(&payload);
    }

    #[test]
    fn arbitrary_text_is_refused_or_read(payload in r#"([\[\]{}:,"\\0-9eE+. ntrufalsd-]|"[a-zA-Z0-9]*"|\\ud8[0-9a-f]{2}|i8|bytes|time){0,60}"#) {
        decode_all(payload.as_bytes());
    }

    /// A valid payload with bytes replaced, or cut off.
    #[test]
    fn damaged_payloads_are_refused_or_read(
        value in everything(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        end in any::<prop::sample::Index>(),
    ) {
        for mut payload in [to_msgpack(&value, msgpack::Integers::Shortest), to_json(&value)] {
            for (at, byte) in &damage {
                let at = at.index(payload.len());
                payload[at] = *byte;
            }
            decode_all(&payload);
            payload.truncate(end.index(payload.len()));
            decode_all(&payload);
        }
    }

    /// No proper prefix of a payload is a value.
    #[test]
    fn truncated_payloads_are_refused(value in everything(), end in any::<prop::sample::Index>()) {
        let payload = to_msgpack(&value, msgpack::Integers::KeepWidth);
        let error = msgpack::decode::<Everything>(&payload[..end.index(payload.len())]).unwrap_err().to_string();
        prop_assert!(error.contains("unexpected end"), "{}", error);
        let text = to_json(&value);
        prop_assert!(json::decode::<Everything>(&text[..end.index(text.len())]).is_err());
    }
}
