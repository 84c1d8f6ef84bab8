//! What the serde codecs make of payloads that leave something out, repeat it, or spell it otherwise.
#![cfg(all(feature = "json", feature = "msgpack"))]
#![allow(non_snake_case)]

use bytes::Bytes;
use rpcx::codec::{
    CodecError, CodecSet, Decode, Encode, Int, Raw, Serde, SerdeCompact, Timestamp, Value, json, msgpack, nanos,
};
use rpcx::protocol::SerializeType;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::time::Duration;

const MSGPACK: SerializeType = SerializeType::MSGPACK;
const JSON: SerializeType = SerializeType::JSON;

fn to_msgpack<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    msgpack::encode(value, msgpack::Integers::KeepWidth, &mut out).unwrap();
    out
}

/// Decodes the same document in both formats; both must agree.
fn both<T: DeserializeOwned + PartialEq + Debug>(document: &str) -> Result<T, CodecError> {
    let from_json = json::decode::<T>(document.as_bytes());
    let value: Value = json::decode(document.as_bytes()).unwrap();
    let from_msgpack = msgpack::decode::<T>(&to_msgpack(&value));
    assert_eq!(from_json.is_ok(), from_msgpack.is_ok(), "{document}: {from_json:?}, {from_msgpack:?}");
    if let (Ok(json), Ok(msgpack)) = (&from_json, &from_msgpack) {
        assert_eq!(json, msgpack, "{document}");
    }
    from_json
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    X: i64,
    Y: i64,
}

fn ten() -> i64 {
    10
}

#[derive(Debug, PartialEq, Deserialize)]
struct Defaults {
    Plain: i64,
    #[serde(default = "ten")]
    Ten: i64,
    Text: String,
    List: Vec<Point>,
    Pair: (i64, String),
    Maybe: Option<Point>,
    At: Timestamp,
    Inner: Container,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
struct Container {
    Size: i64,
}

impl Default for Container {
    fn default() -> Self {
        Self { Size: 7 }
    }
}

#[test]
fn a_missing_field_is_zero_unless_it_has_a_default_of_its_own() {
    let lacking = Defaults {
        Plain: 0,
        Ten: 10,
        Text: String::new(),
        List: vec![],
        Pair: (0, String::new()),
        Maybe: None,
        At: Timestamp::ZERO,
        Inner: Container { Size: 7 },
    };
    assert_eq!(both("{}"), Ok(lacking));
    let partly: Defaults = both(r#"{"List":[{"Y":2},{},null],"Maybe":{},"Pair":[1],"Ten":null,"Inner":null}"#).unwrap();
    assert_eq!(partly.List, [Point { X: 0, Y: 2 }, Point { X: 0, Y: 0 }, Point { X: 0, Y: 0 }]);
    assert_eq!((partly.Maybe, partly.Pair), (Some(Point { X: 0, Y: 0 }), (1, String::new())));
    assert_eq!(
        (partly.Ten, partly.Inner),
        (0, Container { Size: 7 }),
        "nil is zero; a struct's own default is its zero"
    );
}

#[test]
fn the_last_of_a_repeated_field_wins_at_every_depth() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        A: Point,
        List: Vec<Point>,
        Rest: i64,
    }
    let outer: Outer =
        both(r#"{"A":{"X":1},"List":[{"X":1,"Y":2,"X":3},{"Y":1,"Y":4}],"A":{"Y":5,"other":[{}],"Y":6},"Rest":9}"#)
            .unwrap();
    let list = vec![Point { X: 3, Y: 2 }, Point { X: 0, Y: 4 }];
    assert_eq!(outer, Outer { A: Point { X: 0, Y: 6 }, List: list, Rest: 9 });
    assert_eq!(both(r#"{"a":1,"b":2,"a":3}"#), Ok(BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 2)])));
    // The value that loses may be of any type, as it is never read.
    assert_eq!(both(r#"{"X":1,"X":2,"Y":3}"#), Ok(Point { X: 2, Y: 3 }));
}

#[test]
fn json_names_match_in_any_letter_case_and_msgpack_names_exactly() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Names {
        id: i64,
        ID: i64,
        Größe: i64,
    }
    let names: Names = json::decode("{\"ID\":1,\"Id\":2,\"GRÖßE\":3,\"GRÖSSE\":8,\"\\u0069d\":4}".as_bytes()).unwrap();
    // `Id` belongs to the first field that it matches; a ß is no SS.
    assert_eq!(names, Names { id: 4, ID: 1, Größe: 3 });
    assert_eq!(json::decode(b"{\"x\":1,\"Y\":2,\"y\":3}"), Ok(Point { X: 1, Y: 3 }));
    assert_eq!(msgpack::decode(b"\x82\xa1x\x01\xa1Y\x02"), Ok(Point { X: 0, Y: 2 }));
}

#[test]
fn an_alias_is_as_good_as_the_name() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Aliased {
        #[serde(alias = "old")]
        new: i64,
        other: i64,
    }
    assert_eq!(both("{}"), Ok(Aliased { new: 0, other: 0 }), "both fields are known to have no default now");
    assert_eq!(both(r#"{"old":5}"#), Ok(Aliased { new: 5, other: 0 }));
    assert_eq!(both(r#"{"new":6,"other":1}"#), Ok(Aliased { new: 6, other: 1 }));
}

#[test]
fn a_field_that_can_not_be_zero_is_an_error() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Colour {
        Red,
        Mixed(u8, u8),
        Named { name: String },
        Wrapped(Point),
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Painted {
        Colour: Colour,
        #[serde(default)]
        Second: Option<Colour>,
    }
    for document in ["{}", r#"{"Colour":null}"#] {
        let error = both::<Painted>(document).unwrap_err().to_string();
        assert!(error.contains("Colour") || error.contains("line 1"), "{error}");
    }
    let values = [
        Painted { Colour: Colour::Red, Second: None },
        Painted { Colour: Colour::Mixed(1, 2), Second: Some(Colour::Red) },
        Painted { Colour: Colour::Named { name: "x".into() }, Second: Some(Colour::Wrapped(Point { X: 1, Y: 2 })) },
    ];
    for value in values {
        assert_eq!(msgpack::decode::<Painted>(&to_msgpack(&value)).as_ref(), Ok(&value));
        let mut text = Vec::new();
        json::encode(&value, &mut text).unwrap();
        assert_eq!(both::<Painted>(std::str::from_utf8(&text).unwrap()), Ok(value));
    }
    assert_eq!(
        both(r#"{"Colour":{"Wrapped":{}}}"#),
        Ok(Painted { Colour: Colour::Wrapped(Point { X: 0, Y: 0 }), Second: None })
    );
    assert!(both::<Colour>(r#"{"Mixed":[1,2,3]}"#).is_err());
    assert!(both::<Colour>(r#"{"Blue":1}"#).is_err());
}

#[test]
fn replayed_values_keep_their_meaning() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Any {
        Time { at: Timestamp },
        Text(String),
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Stamp {
        at: Timestamp,
        nanos: i64,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        stamp: Stamp,
        any: Any,
    }
    let at = Timestamp::new(1_700_000_000, 5).unwrap();
    let flat = Flat { stamp: Stamp { at, nanos: 1 }, any: Any::Time { at } };
    assert_eq!(msgpack::decode(&to_msgpack(&flat)), Ok(flat));
    let text = r#"{"at":"2023-11-14T22:13:20.000000005Z","nanos":1,"any":{"at":"2023-11-14T22:13:20.000000005Z"}}"#;
    let value: Flat = json::decode(text.as_bytes()).unwrap();
    assert_eq!(value, Flat { stamp: Stamp { at, nanos: 1 }, any: Any::Time { at } });
}

#[test]
fn errors_name_the_field_and_the_place() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        List: Vec<Point>,
    }
    let document = r#"{"List":[{"X":1},{"X":1,"Y":"text"}]}"#;
    let error = json::decode::<Outer>(document.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        error,
        "can't decode the json payload: `List[1].Y`: invalid type: string \"text\", expected i64 at line 1 column 34"
    );
    let value: Value = json::decode(document.as_bytes()).unwrap();
    let error = msgpack::decode::<Outer>(&to_msgpack(&value)).unwrap_err().to_string();
    assert_eq!(error, "can't decode the msgpack payload: `List[1].Y`: expected i64, found a string at byte 33");
    let error = msgpack::decode::<Point>(b"\x82\xa1X\x05\xa1Y\xd3\0").unwrap_err().to_string();
    assert_eq!(error, "can't decode the msgpack payload: `Y`: unexpected end: 8 bytes needed, 1 left at byte 7");
    for (payload, text) in
        [(&b""[..], "unexpected end"), (b"\x91\x05", "invalid length 1"), (b"\x93\x01\x02\x03", "1 elements more")]
    {
        let error = msgpack::decode::<Point>(payload).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert!(json::decode::<Point>(b"").unwrap_err().to_string().contains("EOF"));
    let long = format!(r#"{{"{}":{{"X":"text"}}}}"#, "k".repeat(100_000));
    let error = json::decode::<HashMap<String, Point>>(long.as_bytes()).unwrap_err().to_string();
    assert!(error.len() < 1_000, "{} bytes", error.len());
}

#[test]
fn no_nesting_exhausts_the_stack() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Node {
        Next: Option<Box<Node>>,
        Size: i64,
    }
    #[derive(Debug, Deserialize)]
    struct Endless {
        #[allow(dead_code)]
        Next: Box<Endless>,
    }
    let nested = |levels: usize, size: &str| {
        format!("{}null{}", r#"{"Next":"#.repeat(levels), format!("{size}}}").repeat(levels))
    };
    // Repeated fields make every value be read on its own.
    for size in ["", r#","Size":1"#, r#","Size":1,"Size":2"#] {
        json::decode::<Node>(nested(100, size).as_bytes()).unwrap();
        json::decode::<Node>(nested(10_000, size).as_bytes()).unwrap_err();
        let document: Value = json::decode(nested(100, size).as_bytes()).unwrap();
        msgpack::decode::<Node>(&to_msgpack(&document)).unwrap();
    }
    // Both formats go as deep, or a value could not be handed on in the other one.
    for (levels, well) in [(127, true), (128, true), (129, false)] {
        let (arrays, text) = (vec![0x91; levels - 1], "[".repeat(levels) + &"]".repeat(levels));
        let found = msgpack::decode::<Value>(&[arrays, vec![0x90]].concat());
        assert_eq!(found.is_ok(), well, "{levels} levels of MessagePack: {found:?}");
        let found = json::decode::<Value>(text.as_bytes());
        assert_eq!(found.is_ok(), well, "{levels} levels of JSON: {found:?}");
        let maps = r#"{"a":"#.repeat(levels) + "1" + &"}".repeat(levels);
        assert_eq!(json::decode::<Value>(maps.as_bytes()).is_ok(), well, "{levels} levels of objects");
    }
    let head = b"\x83\xa4Size\x01\xa4Size\x02\xa4Next";
    let error = msgpack::decode::<Node>(&[head.repeat(10_000), vec![0xc0]].concat()).unwrap_err().to_string();
    assert!(error.contains("more than 128 levels"), "{error}");
    // A type that no value can have must not make us build one for ever.
    for document in ["{}", "null"] {
        let error = both::<EndlessValue>(document).unwrap_err().to_string();
        assert!(error.contains("more than 128 levels"), "{error}");
    }
    #[derive(Debug, Deserialize)]
    struct EndlessValue(#[allow(dead_code)] Endless);
    impl PartialEq for EndlessValue {
        fn eq(&self, _: &Self) -> bool {
            false
        }
    }
}

#[test]
fn nothing_is_as_good_as_an_empty_struct() {
    for document in ["null", "{}", "[]"] {
        assert_eq!(both(document), Ok(()));
    }
    for document in ["0", "[1]", r#"{"A":1}"#, "\"\""] {
        assert!(both::<()>(document).is_err(), "{document}");
    }
    assert_eq!(both("null"), Ok(Point { X: 0, Y: 0 }));
}

#[test]
fn integers_and_bytes_take_the_forms_that_go_takes() {
    let mut compact = Vec::new();
    SerdeCompact::encode(MSGPACK, &(5_i64, -200_i32, u64::MAX, -1_i8), &mut compact).unwrap();
    assert_eq!(compact, b"\x94\x05\xd1\xff\x38\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_eq!(to_msgpack(&(Int(5), 5_i16)), b"\x92\x05\xd1\x00\x05");
    assert_eq!(to_msgpack(&(5_u128, i128::from(i64::MIN))), b"\x92\xcf\0\0\0\0\0\0\0\x05\xd3\x80\0\0\0\0\0\0\0");
    assert!(msgpack::encode(&u128::MAX, msgpack::Integers::KeepWidth, &mut Vec::new()).is_err());

    assert_eq!(json::decode(b"\"AQI=\""), Ok(vec![1_u8, 2]));
    assert_eq!(json::decode(b"\"AQI=\""), Ok([1_u8, 2, 0]));
    assert_eq!(json::decode(b"[1,null,2]"), Ok(serde_bytes::ByteBuf::from(vec![1, 0, 2])));
    // Go doesn't care for line ends and unused bits.
    assert_eq!(json::decode(br#""YW\r\nJj""#), Ok(b"abc".to_vec()));
    assert_eq!(json::decode(b"\"YWK=\""), Ok(b"ab".to_vec()));
    assert!(json::decode::<[u8; 1]>(b"\"AQI=\"").is_err());
    assert!(json::decode::<Vec<i32>>(b"\"AQI=\"").is_err(), "only bytes are bytes");
    assert!(msgpack::decode::<Vec<i32>>(b"\xc4\x01\x05").is_err(), "only bytes are bytes");
    assert_eq!(msgpack::decode(b"\xc4\x01\x05"), Ok([5_u8, 0]));
    assert!(msgpack::decode::<[u8; 1]>(b"\xc4\x02\x05\x05").is_err());
    assert_eq!(json::decode(b"[1]"), Ok([1_i64, 0]));
    assert!(both::<[i64; 1]>("[1,2]").is_err());
    assert_eq!(json::decode(b"{\"1\":2,\"-1\":3}"), Ok(BTreeMap::from([(1_i8, 2), (-1, 3)])));
}

#[test]
fn durations_are_nanoseconds() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Lease {
        #[serde(with = "nanos")]
        Ttl: Duration,
    }
    assert_eq!(to_msgpack(&Lease { Ttl: Duration::from_nanos(1) }), b"\x81\xa3Ttl\xd3\0\0\0\0\0\0\0\x01");
    assert_eq!(both(r#"{"Ttl":1500000000}"#), Ok(Lease { Ttl: Duration::from_millis(1500) }));
    assert_eq!(both("{}"), Ok(Lease { Ttl: Duration::ZERO }));
    assert!(both::<Lease>(r#"{"Ttl":-1}"#).unwrap_err().to_string().contains("negative duration"));
    assert!(json::encode(&Lease { Ttl: Duration::MAX }, &mut Vec::new()).is_err());
}

#[test]
fn times_outside_of_a_calendar_are_refused() {
    let far = Timestamp::new(253_402_300_800, 0).unwrap();
    assert!(json::encode(&far, &mut Vec::new()).unwrap_err().to_string().contains("+10000-01-01"));
    assert_eq!(msgpack::decode(&to_msgpack(&far)), Ok(far));
    assert!(json::decode::<Timestamp>(b"\"2023-02-29T00:00:00Z\"").is_err());
    // A billion nanoseconds, in the 8-byte and the 12-byte form; a length that is neither; no time at all.
    for wrong in [
        &b"\xd7\xff\xee\x6b\x28\0\0\0\0\0"[..],
        b"\xc7\x0c\xff\x3b\x9a\xca\0\0\0\0\0\0\0\0\0",
        b"\xd5\xff\0\0",
        b"\xc3",
    ] {
        assert!(msgpack::decode::<Timestamp>(wrong).is_err(), "{wrong:x?}");
    }
    assert!(msgpack::decode::<Value>(b"\xd5\xff\0\0").is_err());
}

/// Numbers as decimal text, under a number that is free.
struct Text;

const TEXT: SerializeType = SerializeType::new(5).unwrap();

impl CodecSet for Text {
    const DEFAULT: SerializeType = TEXT;

    fn supports(serialize: SerializeType) -> bool {
        serialize == TEXT
    }
}

impl Encode<i64> for Text {
    fn encode(serialize: SerializeType, value: &i64, out: &mut Vec<u8>) -> Result<(), CodecError> {
        CodecError::check::<Self>(serialize)?;
        out.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }
}

impl Decode<i64> for Text {
    fn decode(serialize: SerializeType, payload: &Bytes) -> Result<i64, CodecError> {
        CodecError::check::<Self>(serialize)?;
        let text = std::str::from_utf8(payload).map_err(|error| CodecError::Decode(error.to_string()))?;
        text.parse().map_err(|_| CodecError::Decode(format!("`{text}` is no integer")))
    }
}

#[test]
fn a_tuple_has_the_formats_of_its_members() {
    type Both = (Text, Serde);
    assert_eq!(Both::DEFAULT, TEXT);
    assert_eq!(<(Serde, Text)>::DEFAULT, MSGPACK);
    for (serialize, payload) in [(TEXT, &b"-7"[..]), (MSGPACK, b"\xd3\xff\xff\xff\xff\xff\xff\xff\xf9"), (JSON, b"-7")]
    {
        let mut out = Vec::new();
        Both::encode(serialize, &-7, &mut out).unwrap();
        assert_eq!(out, payload);
        assert_eq!(Both::decode(serialize, &out.into()), Ok(-7_i64));
    }
    let error = Both::encode(SerializeType::RAW, &-7, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "serialize type raw is not supported here, only json, msgpack, 5");
    let error = <(Text, Serde, SerdeCompact) as Decode<i64>>::decode(SerializeType::THRIFT, &Bytes::new()).unwrap_err();
    assert_eq!(error, CodecError::unsupported::<Both>(SerializeType::THRIFT));
}

#[test]
fn raw_payloads_are_shared_or_copied() {
    let payload = Bytes::from_static(b"\0\xff");
    let shared: Bytes = Raw::decode(SerializeType::RAW, &payload).unwrap();
    assert_eq!(shared.as_ptr(), payload.as_ptr());
    assert_eq!(Raw::decode(SerializeType::RAW, &payload), Ok(vec![0_u8, 255]));
    let mut out = vec![1];
    Raw::encode(SerializeType::RAW, &payload, &mut out).unwrap();
    Raw::encode(SerializeType::RAW, &vec![2_u8], &mut out).unwrap();
    Raw::encode(SerializeType::RAW, &[3_u8][..], &mut out).unwrap();
    assert_eq!(out, [1, 0, 255, 2, 3]);
}
