//! `encode`: the same value gives the bytes that Go wrote, and these bytes give the value back.

use super::types::*;
use super::{EncodeCase, VECTORS, hex, unhex};
use bytes::Bytes;
use rpcx::codec::{Decode, Encode, Int, Serde, Timestamp, Uint, Value};
use rpcx::protocol::SerializeType;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::{ByteArray, ByteBuf};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;

const MSGPACK: SerializeType = SerializeType::MSGPACK;
const JSON: SerializeType = SerializeType::JSON;

/// Go values that have no counterpart, or another form by nature.
const NOT_IN_RUST: [(&str, &str); 3] = [
    ("unsupported/chan", "a channel can't be serialized, so such a type does not compile"),
    ("unsupported/func", "a function can't be serialized, so such a type does not compile"),
    ("unsupported/complex", "serde has no complex numbers"),
];

/// The cases, and which of them were checked in which format.
struct Cases {
    by_name: HashMap<&'static str, &'static EncodeCase>,
    checked: BTreeSet<(&'static str, &'static str)>,
}

impl Cases {
    fn get(&mut self, name: &str, format: &'static str) -> &'static EncodeCase {
        let case = *self.by_name.get(name).unwrap_or_else(|| panic!("no case {name}"));
        self.checked.insert((&case.name, format));
        case
    }

    /// Encodes and decodes in both formats; the JSON text is Go's to the byte.
    fn both<T: Serialize + DeserializeOwned + PartialEq + Debug>(&mut self, name: &str, value: T) {
        self.msgpack(name, &value);
        self.json(name, &value);
    }

    fn msgpack<T: Serialize + DeserializeOwned + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        self.msgpack_encodes(name, value);
        self.msgpack_decodes(name, value);
    }

    fn msgpack_encodes<T: Serialize>(&mut self, name: &str, value: &T) {
        let case = self.get(name, "msgpack");
        let mut encoded = Vec::new();
        Serde::encode(MSGPACK, value, &mut encoded).unwrap();
        assert_eq!(hex(&encoded), *case.msgpack.as_ref().unwrap(), "{name}");
    }

    fn msgpack_decodes<T: DeserializeOwned + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        let payload = unhex(self.get(name, "msgpack").msgpack.as_ref().unwrap());
        let decoded: T = Serde::decode(MSGPACK, &payload.into()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded, *value, "{name}");
    }

    /// Only the first bytes are recorded. The JSON form was not.
    fn msgpack_begins<T: Serialize + DeserializeOwned + PartialEq + Debug>(
        &mut self,
        name: &str,
        value: &T,
        len: usize,
    ) {
        let case = self.get(name, "msgpack");
        assert!(case.note.as_ref().is_some_and(|note| note.contains("first")) && case.json.is_none());
        let mut encoded = Vec::new();
        Serde::encode(MSGPACK, value, &mut encoded).unwrap();
        let start = unhex(case.msgpack.as_ref().unwrap());
        assert_eq!(hex(&encoded[..len]), hex(&start[..len]), "{name}");
        let decoded: T = Serde::decode(MSGPACK, &encoded.into()).unwrap();
        assert_eq!(decoded, *value, "{name}");
    }

    fn json<T: Serialize + DeserializeOwned + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        self.json_encodes(name, value);
        self.json_decodes(name, value);
    }

    fn json_encodes<T: Serialize>(&mut self, name: &str, value: &T) {
        let case = self.get(name, "json");
        assert_eq!(json(value), *case.json.as_ref().unwrap(), "{name}");
    }

    fn json_decodes<T: DeserializeOwned + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        let text = self.get(name, "json").json.clone().unwrap();
        let decoded: T = Serde::decode(JSON, &text.into()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded, *value, "{name}");
    }

    /// Another text for the same value.
    fn json_equal<T: Serialize>(&mut self, name: &str, value: &T) {
        let case = self.get(name, "json");
        let (ours, go) = (json(value), case.json.as_ref().unwrap());
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(&ours), parse(go), "{name}");
        assert_ne!(ours, *go, "{name}: compare the bytes");
    }

    fn json_fails<T: Serialize>(&mut self, name: &str, value: &T) {
        let case = self.get(name, "json");
        assert!(case.json.is_none());
        let mut out = Vec::new();
        let error = Serde::encode(JSON, value, &mut out).unwrap_err().to_string();
        assert!(error.contains("field `A`") && out.is_empty(), "{name}: {error}");
    }
}

fn json<T: Serialize>(value: &T) -> String {
    let mut encoded = Vec::new();
    Serde::encode(JSON, value, &mut encoded).unwrap();
    String::from_utf8(encoded).unwrap()
}

fn map<T>(value: T) -> BTreeMap<String, T> {
    BTreeMap::from([("a".to_owned(), value)])
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn every_value_has_gos_bytes() {
    let by_name = VECTORS.encode.iter().map(|case| (case.name.as_str(), case)).collect();
    let mut cases = Cases { by_name, checked: BTreeSet::new() };
    integers(&mut cases);
    containers(&mut cases);
    scalars(&mut cases);
    sizes(&mut cases);
    structs(&mut cases);
    times(&mut cases);

    for case in &VECTORS.encode {
        if let Some((_, reason)) = NOT_IN_RUST.iter().find(|(name, _)| *name == case.name) {
            assert!(case.msgpack.is_none() && case.json.is_none(), "{}: {reason}", case.name);
            continue;
        }
        assert!(cases.checked.contains(&(&case.name, "msgpack")), "{} in msgpack is not checked", case.name);
        // A JSON form is missing where only the first bytes were recorded.
        let json = case.json.is_some() || !case.note.as_ref().is_some_and(|note| note.contains("first"));
        assert_eq!(cases.checked.contains(&(&case.name, "json")), json, "{} in json", case.name);
    }
}

fn integers(cases: &mut Cases) {
    let all = |n: i8, u: u8| Ints {
        I: Int(n.into()),
        I8: n,
        I16: n.into(),
        I32: n.into(),
        I64: n.into(),
        U: Uint(u.into()),
        U8: u,
        U16: u.into(),
        U32: u.into(),
        U64: u.into(),
    };
    cases.both("ints/zero", all(0, 0));
    cases.both("ints/minus-one", all(-1, 0));
    cases.both("ints/one", all(1, 1));
    cases.both("ints/127", all(127, 127));
    cases.both(
        "ints/min",
        Ints { I: Int(i64::MIN), I8: i8::MIN, I16: i16::MIN, I32: i32::MIN, I64: i64::MIN, ..all(0, 0) },
    );
    cases.both(
        "ints/max",
        Ints {
            I: Int(i64::MAX),
            I8: i8::MAX,
            I16: i16::MAX,
            I32: i32::MAX,
            I64: i64::MAX,
            U: Uint(u64::MAX),
            U8: u8::MAX,
            U16: u16::MAX,
            U32: u32::MAX,
            U64: u64::MAX,
        },
    );
    for case in &VECTORS.encode {
        if let Some(value) = case.name.strip_prefix("int-field/") {
            cases.both(&case.name, FieldI { I: Int(value.parse().unwrap()) });
        }
        if let Some(value) = case.name.strip_prefix("uint-field/") {
            cases.both(&case.name, FieldU { U: Uint(value.parse().unwrap()) });
        }
    }
    cases.both("int/toplevel", Int(5));
    cases.both("int/toplevel-pointer", Some(Int(5)));
    cases.both("int64/toplevel", 5_i64);
    cases.both("int64/toplevel-pointer", Some(5_i64));
    cases.both("int8/toplevel", 5_i8);
    cases.both("int16/toplevel", 5_i16);
    cases.both("int32/toplevel", 5_i32);
    cases.both("uint/toplevel", Uint(5));
    cases.both("uint8/toplevel", 5_u8);
    cases.both("uint16/toplevel", 5_u16);
    cases.both("uint32/toplevel", 5_u32);
    cases.both("uint64/toplevel", 5_u64);
    cases.both("map-int/int", map(Int(5)));
    cases.both("map-int/int64", map(5_i64));
    cases.both("map-int/int32", map(5_i32));
    cases.both("map-int/uint8", map(5_u8));
    cases.both("map-int/uint64", map(5_u64));
    cases.both("map-any/int", map(Int(5)));
    cases.both("map-any/int64", map(5_i64));
    cases.both("map-any/int32", map(5_i32));
    cases.both("map-any/uint8", map(5_u8));
    cases.both("map-any/uint", map(Uint(5)));
    cases.both("iface/int", FieldV { V: Int(5) });
    cases.both("iface/int64", FieldV { V: Value::Int(5) });
    cases.both("iface/int32", FieldV { V: 5_i32 });
    cases.both("iface/uint8", FieldV { V: 5_u8 });
    cases.both("iface/uint64", FieldV { V: 5_u64 });
    cases.both("named-int", FieldC { C: Int(5) });
}

fn containers(cases: &mut Cases) {
    cases.both("slice/int", vec![Int(1), Int(-1), Int(300)]);
    cases.both("slice/int64", vec![1_i64, -1, 300]);
    cases.both("slice/int32", vec![1_i32, -1, 300]);
    cases.both("slice/int16", vec![1_i16, -1, 300]);
    cases.both("slice/int8", vec![1_i8, -1]);
    cases.both("slice/uint8-is-bytes", bytes(&[1, 255]));
    // Serde calls a Vec<u8> a list, but reads it from bytes too.
    cases.msgpack_decodes("slice/uint8-is-bytes", &vec![1_u8, 255]);
    cases.json_decodes("slice/uint8-is-bytes", &vec![1_u8, 255]);
    cases.both("slice/uint16", vec![1_u16, 300]);
    cases.both("slice/uint32", vec![1_u32, 300]);
    cases.both("slice/uint64", vec![1_u64, 300]);
    cases.both("slice/string", strings(&["a", ""]));
    cases.both("slice/bool", vec![true, false]);
    cases.both("slice/float64", vec![1.5, 0.0]);
    // Go's array of bytes is bytes in MessagePack and a list in JSON.
    cases.msgpack("array/byte-3", &ByteArray::new([1, 2, 3]));
    cases.msgpack_decodes("array/byte-3", &[1_u8, 2, 3]);
    cases.json("array/byte-3", &[1_u8, 2, 3]);
    cases.json_decodes("array/byte-3", &ByteArray::new([1, 2, 3]));
    cases.both("map-any/float32", map(1.5_f32));
    cases.both("map-any/nil", map(Value::Nil));
    cases.both("iface/string", FieldV { V: Value::from("s") });
    cases.msgpack("iface/bytes", &FieldV { V: Value::Bytes(b"b".to_vec()) });
    cases.json("iface/bytes", &FieldV { V: bytes(b"b") });
    cases.both("iface/nil", FieldV { V: Value::Nil });
    cases.both("iface/struct", FieldV { V: inner(1, "x") });
    cases.both(
        "maps/one-entry-each",
        Maps {
            MSI: map(Int(300)),
            MSA: map(Int(300)),
            MIS: BTreeMap::from([(Int(7), "x".to_owned())]),
            MSS: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        },
    );
    cases.both("maps/int-keys", BTreeMap::from([(7_i64, "x".to_owned())]));

    let mixed = (Int(1), 1_i64, 1_u8, 1.5_f64, 1.5_f32, "s", bytes(b"b"), true, ());
    cases.msgpack_encodes("slice/any", &mixed);
    cases.json_encodes("slice/any", &mixed);
    let (one, float) = (Value::Int(1), Value::F64(1.5));
    let mut list =
        vec![one.clone(), one.clone(), one, float.clone(), Value::F32(1.5), "s".into(), b"b".to_vec().into()];
    list.extend([true.into(), Value::Nil]);
    cases.msgpack_decodes("slice/any", &Value::Array(list.clone()));
    list[4] = float;
    list[6] = "Yg==".into();
    cases.json_decodes("slice/any", &Value::Array(list));
}

fn scalars(cases: &mut Cases) {
    cases.both("scalars/zero", Scalars::default());
    let values = Scalars { F32: 1.5, F64: -2.25, B: true, S: "ascii".to_owned(), Bin: Some(bytes(&[0, 255])) };
    cases.both("scalars/values", values);
    cases.both(
        "scalars/unicode",
        Scalars { S: "größe 鍵 🦀\0".to_owned(), Bin: Some(bytes(b"")), ..Scalars::default() },
    );
    cases.both("scalars/float-whole", Scalars { F32: 3.0, F64: 3.0, ..Scalars::default() });
    cases.both("scalars/float-extremes", Scalars { F32: f32::MAX, F64: 5e-324, ..Scalars::default() });

    let infinite = FloatAB { A: f64::INFINITY, B: f64::NEG_INFINITY };
    cases.msgpack("scalars/inf", &infinite);
    cases.json_fails("scalars/inf", &infinite);
    // Go's NaN has a payload of its own.
    let nan = FloatA { A: f64::from_bits(0x7ff8_0000_0000_0001) };
    cases.msgpack_encodes("scalars/nan", &nan);
    let decoded: FloatA = Serde::decode(MSGPACK, &Bytes::from_static(b"\x81\xa1A\xcb\x7f\xf8\0\0\0\0\0\x01")).unwrap();
    assert!(decoded.A.is_nan());
    cases.json_fails("scalars/nan", &nan);

    // A Rust string is UTF-8, so what Go writes here can only be read, as bytes.
    cases.msgpack_decodes("string/invalid-utf8", &map_s(bytes(b"a\xffb")));
    cases.json_decodes("string/invalid-utf8", &FieldS { S: "a\u{fffd}b".to_owned() });
    cases.json_equal("string/invalid-utf8", &FieldS { S: "a\u{fffd}b".to_owned() });
    cases.both("json/html-characters", FieldS { S: "<a&b>\u{2028}".to_owned() });
}

fn map_s(value: ByteBuf) -> BTreeMap<String, ByteBuf> {
    BTreeMap::from([("S".to_owned(), value)])
}

fn sizes(cases: &mut Cases) {
    for len in [31, 32, 255, 256, 65_535, 65_536] {
        cases.msgpack_begins(&format!("string/len-{len}"), &"s".repeat(len), 6);
        cases.msgpack_begins(&format!("bytes/len-{len}"), &ByteBuf::from(vec![b's'; len]), 6);
    }
    for (len, head) in [(15, 1), (16, 3), (65_535, 3), (65_536, 5)] {
        cases.msgpack_begins(&format!("slice/len-{len}"), &vec![Int(0); len], 6);
        // Go's maps have no order, so only the head is the same.
        let entries: BTreeMap<Int, Int> = (0..len as i64).map(|i| (Int(i), Int(0))).collect();
        cases.msgpack_begins(&format!("map/len-{len}"), &entries, head);
    }
}

fn structs(cases: &mut Cases) {
    cases.both("nil/all", Nilable::default());
    cases.both(
        "nil/empty",
        Nilable { S: Some(vec![]), B: Some(bytes(b"")), M: Some(BTreeMap::new()), ..Nilable::default() },
    );
    cases.both(
        "nil/set",
        Nilable {
            P: Some(Box::new(inner(1, "x"))),
            PI: Some(7),
            S: Some(vec![1]),
            B: Some(bytes(b"b")),
            M: Some(BTreeMap::from([("k".to_owned(), Int(1))])),
            A: "v".into(),
        },
    );
    cases.both("nil/toplevel-pointer", None::<Inner>);
    cases.both("nil/toplevel-interface", ());
    cases.both(
        "nested/values",
        Nested {
            In: inner(1, "a"),
            Ptr: Some(Box::new(inner(2, "b"))),
            L: Some(vec![inner(3, "c")]),
            LP: Some(vec![Some(inner(4, "d")), None]),
            Arr: [1, 2, 3],
        },
    );
    cases.both("nested/zero", Nested::default());
    cases.both("pointer/struct", Some(Box::new(inner(1, "a"))));
    cases.both("slice/structs", vec![inner(1, "a"), inner(2, "b")]);

    let base = Base { BaseID: 1, Shared: "s".to_owned() };
    let embedded = Embedded { Base: base.clone(), X: Int(2) };
    cases.both("embedded/plain", embedded.clone());
    cases.both("embedded/pointer", embedded.clone());
    cases.both("embedded/inline-tag", embedded.clone());
    cases.msgpack("embedded/nil-pointer", &EmbeddedNil { X: Int(2), ..EmbeddedNil::default() });
    cases.json("embedded/nil-pointer", &EmbeddedNilJson { Base: None, X: Int(2) });
    cases.msgpack("embedded/named-tag", &embedded);
    cases.json("embedded/named-tag", &EmbeddedNamedJson { base, X: Int(2) });
    let shadowed = Shadowed { BaseID: 1, Shared: "outer".to_owned() };
    let both = Base { BaseID: 1, Shared: "inner".to_owned() };
    cases.msgpack_encodes("embedded/shadowed-field", &EmbeddedShadow { Base: both, Shared: "outer".to_owned() });
    cases.msgpack_decodes("embedded/shadowed-field", &shadowed);
    cases.json("embedded/shadowed-field", &shadowed);

    cases.msgpack("tags/zero", &Tagged::default());
    cases.json("tags/zero", &TaggedJson { f: "0".to_owned(), ..TaggedJson::default() });
    let text = str::to_owned;
    cases.msgpack("tags/set", &Tagged { a: Int(1), B: text("b"), c: text("c"), E: Int(5), F: 6 });
    cases.json("tags/set", &TaggedJson { aa: Int(1), b: text("b"), C: text("c"), E: Int(5), f: text("6") });
    cases.msgpack("tags/as-array", &AsArray(Int(1), text("x")));
    cases.json("tags/as-array", &AsArrayJson { A: Int(1), B: text("x") });
}

fn times(cases: &mut Cases) {
    let utc = [
        ("time/32-bit", "2023-11-14T22:13:20Z"),
        ("time/32-bit-max", "2106-02-07T06:28:15Z"),
        ("time/epoch", "1970-01-01T00:00:00Z"),
        ("time/64-bit-nanos", "2023-11-14T22:13:20.123456789Z"),
        ("time/64-bit-2106", "2106-02-07T06:28:16Z"),
        ("time/64-bit-max", "2514-05-30T01:53:03.999999999Z"),
        ("time/96-bit-future", "2514-05-30T01:53:04Z"),
        ("time/96-bit-past", "1969-12-31T23:59:59Z"),
        ("time/zero", "0001-01-01T00:00:00Z"),
    ];
    for (name, time) in utc {
        cases.both(name, Times { T: time.parse().unwrap(), D: 1_500_000_000 });
    }
    cases.both("time/toplevel", Timestamp::new(1_700_000_000, 0).unwrap());
    // We write UTC; it is the same moment.
    let zone = Times { T: Timestamp::new(1_700_000_000, 0).unwrap(), D: 1_500_000_000 };
    cases.msgpack("time/zone", &zone);
    cases.json_decodes("time/zone", &zone);
    assert_eq!(json(&zone), r#"{"T":"2023-11-14T22:13:20Z","D":1500000000}"#);
    cases.both("duration/negative", FieldD { D: -1_000_000_000 });
}
