//! Targets over the payload codecs: arbitrary bytes as values of every shape. What is read can be written, and what was
//! written reads back as the same bytes (bytes are compared, because NaN differs from itself).

mod messages;

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use rpcx::codec::{CodecSet, Decode, Encode, Int, Protobuf, Thrift, Timestamp, Uint, Value, json, msgpack};
use rpcx::protocol::SerializeType;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use self::messages::{Message, Struct};

#[derive(Debug, Serialize, Deserialize)]
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
    array: [i16; 3],
    map: BTreeMap<String, Value>,
    numbered: BTreeMap<i32, u16>,
    maybe: Option<Box<Everything>>,
    kind: Option<Kind>,
    #[serde(flatten)]
    rest: Flattened,
}

#[derive(Debug, Serialize, Deserialize)]
struct Flattened {
    x: Int,
    when: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
enum Kind {
    Unit,
    New(i64),
    Tuple(bool, String),
    Struct { side: f64 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(i64),
    Text(String),
    Pair { a: Timestamp, b: Option<Box<Either>> },
    Many(Vec<Either>),
}

/// Payloads: the first byte chooses the codec.
///
/// # Panics
/// When what was read can't be written, or does not read back as it was.
pub fn payloads(data: &[u8]) {
    let Some((&codec, payload)) = data.split_first() else { return };
    match codec % 4 {
        0 => msgpack_payload(payload),
        1 => json_payload(payload),
        2 => generated::<Thrift, Struct>(payload),
        _ => generated::<Protobuf, Message>(payload),
    }
}

fn msgpack_payload(payload: &[u8]) {
    if let Some(value) = from_msgpack::<Value>(payload) {
        msgpack::decode::<IgnoredAny>(payload).expect("a value can be skipped");
        let mut text = Vec::new();
        match json::encode(&value, &mut text) {
            Ok(()) => drop(json::decode::<Value>(&text).expect("our own JSON")),
            Err(_) => assert!(text.is_empty(), "JSON has no form for it, and nothing was written"),
        }
    }
    from_msgpack::<Everything>(payload);
    from_msgpack::<Vec<Everything>>(payload);
    from_msgpack::<Either>(payload);
    from_msgpack::<(Timestamp, [u8; 4], Option<Kind>, Option<ByteBuf>)>(payload);
    from_msgpack::<BTreeMap<Int, Vec<Uint>>>(payload);
    from_msgpack::<Vec<Vec<()>>>(payload);
    from_msgpack::<u128>(payload);
}

/// Reads a `T`, and writes and reads it again in both widths of integers.
fn from_msgpack<T: Serialize + DeserializeOwned + Debug>(payload: &[u8]) -> Option<T> {
    let value = msgpack::decode::<T>(payload).ok()?;
    for integers in [msgpack::Integers::KeepWidth, msgpack::Integers::Shortest] {
        let write = |value: &T| {
            let mut out = Vec::new();
            msgpack::encode(value, integers, &mut out).expect("it was read");
            out
        };
        let written = write(&value);
        let again = msgpack::decode::<T>(&written).unwrap_or_else(|error| panic!("{error}: {value:?}"));
        assert_eq!(write(&again), written, "{value:?}");
    }
    Some(value)
}

fn json_payload(payload: &[u8]) {
    let value = from_json::<Value>(payload);
    if let Ok(strict) =
        serde_json::from_slice::<IgnoredAny>(payload).and(serde_json::from_slice::<serde_json::Value>(payload))
    {
        assert!(value.is_some(), "{strict:?} is JSON");
    }
    if let Some(value) = value {
        json::decode::<IgnoredAny>(payload).expect("a value can be skipped");
        let mut wide = Vec::new();
        msgpack::encode(&value, msgpack::Integers::KeepWidth, &mut wide).expect("MessagePack holds whatever JSON does");
        assert_eq!(msgpack::decode::<Value>(&wide).expect("our own MessagePack"), value);
    }
    from_json::<Everything>(payload);
    from_json::<Vec<Everything>>(payload);
    from_json::<Either>(payload);
    from_json::<(Timestamp, [u8; 4], Option<Kind>, Option<ByteBuf>)>(payload);
    from_json::<BTreeMap<Int, Vec<Uint>>>(payload);
    from_json::<Vec<Vec<()>>>(payload);
    from_json::<u128>(payload);
}

/// Reads a `T`, and writes and reads it again.
fn from_json<T: Serialize + DeserializeOwned + Debug>(payload: &[u8]) -> Option<T> {
    let value = json::decode::<T>(payload).ok()?;
    let write = |value: &T| {
        let mut out = Vec::new();
        json::encode(value, &mut out).expect("it was read");
        out
    };
    let written = write(&value);
    let again = json::decode::<T>(&written).unwrap_or_else(|error| panic!("{error}: {value:?}"));
    assert_eq!(write(&again), written, "{value:?}");
    serde_json::from_slice::<IgnoredAny>(&written).expect("JSON");
    Some(value)
}

/// Reads a message of the codec `C`, and writes and reads it again.
fn generated<C, T>(payload: &[u8])
where
    C: CodecSet + Encode<T> + Decode<T>,
    T: Debug,
{
    let format: SerializeType = C::DEFAULT;
    let Ok(value) = C::decode(format, &Bytes::copy_from_slice(payload)) else { return };
    let write = |value: &T| {
        let mut out = Vec::new();
        C::encode(format, value, &mut out).expect("it was read");
        out
    };
    let written = write(&value);
    let again = C::decode(format, &Bytes::from(written.clone())).unwrap_or_else(|error| panic!("{error}: {value:?}"));
    assert_eq!(write(&again), written, "{value:?}");
}
