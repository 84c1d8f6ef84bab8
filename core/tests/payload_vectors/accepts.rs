//! `msgpack_accepts` and `json_accepts`: each input into many types. What Go takes is taken, and gives the same value, but
//! for the cases of [`DEVIATIONS`], each with its reason.

use super::types::*;
use super::{VECTORS, hex, unhex};
use rpcx::codec::{Decode, Int, Serde, Timestamp, Value};
use rpcx::protocol::SerializeType;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Inputs and types for which we differ from Go, what we do, and why.
#[rustfmt::skip]
const DEVIATIONS: &[(&str, &[&str], Ours, &str)] = &[
    ("negative fixint -1", &["uint", "uint8", "uint16", "uint32", "uint64"], Refuse, CUT),
    ("int8 -5", &["uint", "uint8", "uint16", "uint32", "uint64"], Refuse, CUT),
    ("int16 -5", &["uint", "uint8", "uint16", "uint32", "uint64"], Refuse, CUT),
    ("int32 -5", &["uint", "uint8", "uint16", "uint32", "uint64"], Refuse, CUT),
    ("int64 -5", &["uint", "uint8", "uint16", "uint32", "uint64"], Refuse, CUT),
    ("uint8 200", &["int8"], Refuse, CUT),
    ("uint16 300", &["int8", "uint8"], Refuse, CUT),
    ("int16 300", &["int8", "uint8"], Refuse, CUT),
    ("uint32 max", &["int8", "int16", "int32", "uint8", "uint16"], Refuse, CUT),
    ("int64 2^40", &["int8", "int16", "int32", "uint8", "uint16", "uint32"], Refuse, CUT),
    ("uint64 max", &["int", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"], Refuse, CUT),
    ("uint64 max", &["float32"], Take("18446744000000000000"), "Go takes it for -1"),
    ("uint64 max", &["float64"], Take("18446744073709552000"), "Go takes it for -1"),
    ("float64 1.5", &["float32"], Take("1.5"), "languages without float32 write doubles; nothing is lost"),
    ("float64 3.0", &["float32"], Take("3"), "languages without float32 write doubles; nothing is lost"),
    ("nil", &["time.Time"], Take("0001-01-01T00:00:00Z"), "nil is the zero value of every type"),
    ("array16 [5,6]", &["time.Time"], Take("1970-01-01T00:00:05.000000006Z"), "the size of a head means nothing"),
    ("array32 [5,6]", &["time.Time"], Take("1970-01-01T00:00:05.000000006Z"), "the size of a head means nothing"),
    ("fixstr not UTF-8", &["string", "interface{}"], Refuse, "a Rust string is UTF-8; `Bytes` takes it"),
    ("map with bin key ID", &["interface{}"], Take("map[string]interface {} map[bytes 4944:5]"), "a key is any value"),
    ("map with int key", &["interface{}"], Take("map[string]interface {} map[1:5]"), "a key is any value"),
    ("18446744073709551616", &["interface{}"], Take("float64 18446744073709552000"), "no integer type holds it"),
];

const CUT: &str = "Go cuts an integer that doesn't fit without a word; a wrong number is worse than an error";

use Ours::{Refuse, Take};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ours {
    Refuse,
    Take(&'static str),
}

/// What a payload becomes as the named Go type, in the words of the vectors.
fn decode(serialize: SerializeType, go_type: &str, payload: &[u8]) -> Result<String, String> {
    fn typed<T: DeserializeOwned>(
        serialize: SerializeType,
        payload: &[u8],
        show: impl Fn(T) -> String,
    ) -> Result<String, String> {
        Serde::decode(serialize, &payload.to_vec().into()).map(show).map_err(|error| error.to_string())
    }
    fn plain<T: DeserializeOwned + Display>(serialize: SerializeType, payload: &[u8]) -> Result<String, String> {
        typed(serialize, payload, |value: T| value.to_string())
    }
    let show_inner = |Inner { ID, Name }: Inner| format!("{{ID:{ID} Name:{Name}}}");
    match go_type {
        "int" | "int64" => plain::<i64>(serialize, payload),
        "int8" => plain::<i8>(serialize, payload),
        "int16" => plain::<i16>(serialize, payload),
        "int32" => plain::<i32>(serialize, payload),
        "uint" | "uint64" => plain::<u64>(serialize, payload),
        "uint8" => plain::<u8>(serialize, payload),
        "uint16" => plain::<u16>(serialize, payload),
        "uint32" => plain::<u32>(serialize, payload),
        "float32" => plain::<f32>(serialize, payload),
        "float64" => plain::<f64>(serialize, payload),
        "bool" => plain::<bool>(serialize, payload),
        "string" => typed(serialize, payload, |text: String| quoted(&text)),
        "[]byte" => typed(serialize, payload, |bytes: Option<ByteBuf>| bytes.map_or("nil".into(), |b| shown_bytes(&b))),
        "[]int32" => typed(serialize, payload, |list: Option<Vec<i32>>| list.map_or("nil".into(), |l| shown_list(&l))),
        "[2]int32" => typed(serialize, payload, |list: [i32; 2]| shown_list(&list)),
        "map[string]int" => typed(serialize, payload, |map: Option<BTreeMap<String, i64>>| {
            map.map_or("nil".into(), |map| format!("map[{}]", shown_pairs(map)))
        }),
        "Inner" => typed(serialize, payload, show_inner),
        "*Inner" => typed(serialize, payload, |inner: Option<Inner>| inner.map_or("nil".into(), show_inner)),
        "time.Time" => plain::<Timestamp>(serialize, payload),
        "interface{}" => typed(serialize, payload, |value: Value| shown_with_type(&value)),
        other => panic!("unknown type {other}"),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\u{fffd}', "\\ufffd"))
}

fn shown_bytes(bytes: &[u8]) -> String {
    format!("bytes {}", hex(bytes))
}

fn shown_list<T: Display>(list: &[T]) -> String {
    format!("[{}]", list.iter().map(T::to_string).collect::<Vec<_>>().join(" "))
}

fn shown_pairs<T: Display>(map: BTreeMap<String, T>) -> String {
    map.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(" ")
}

fn shown_with_type(value: &Value) -> String {
    match value {
        Value::Nil => "nil".into(),
        Value::Bool(value) => format!("bool {value}"),
        Value::F32(value) => format!("float32 {value}"),
        Value::F64(value) => format!("float64 {value}"),
        Value::Str(text) => quoted(text),
        Value::Bytes(bytes) => shown_bytes(bytes),
        Value::Array(_) => format!("[]interface {{}} {}", shown(value)),
        Value::Map(_) => format!("map[string]interface {{}} {}", shown(value)),
        other => shown(other),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Nil => "<nil>".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::F32(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        Value::Str(text) => text.clone(),
        Value::Bytes(bytes) => shown_bytes(bytes),
        Value::Array(list) => shown_list(&list.iter().map(shown).collect::<Vec<_>>()),
        // Of a repeated key Go's map holds the last value.
        Value::Map(pairs) => format!("map[{}]", shown_pairs(pairs.iter().map(|(k, v)| (shown(k), shown(v))).collect())),
        Value::Time(time) => time.to_string(),
    }
}

/// Go's value, with what we can't tell apart made the same.
fn normal(go_type: &str, text: &str) -> String {
    let float = |text: &str| text.parse::<f64>().unwrap().to_string();
    match go_type {
        "float32" => text.parse::<f32>().unwrap().to_string(),
        "float64" => float(text),
        "interface{}" => match text.split_once(' ') {
            // The width of an integer is no part of a `Value`.
            Some((kind, number)) if kind.starts_with("int") && !kind.starts_with("interface") => number.into(),
            Some((kind, number)) if kind.starts_with("uint") => number.into(),
            Some(("json.Number", number)) if number.contains(['.', 'e']) => format!("float64 {}", float(number)),
            Some(("json.Number", number)) => number.into(),
            _ => text.into(),
        },
        _ => text.into(),
    }
}

/// Compares one input with what Go does; `met` are the deviations that occurred.
fn compare(
    serialize: SerializeType,
    input: &str,
    payload: &[u8],
    go: &BTreeMap<String, String>,
    met: &mut BTreeSet<usize>,
    failures: &mut Vec<String>,
) {
    for (go_type, outcome) in go {
        let ours = decode(serialize, go_type, payload);
        let deviation =
            DEVIATIONS.iter().position(|(name, types, ..)| *name == input && types.contains(&go_type.as_str()));
        let expected = match (deviation, outcome.strip_prefix("ok: ")) {
            (Some(index), _) => {
                met.insert(index);
                match DEVIATIONS[index].2 {
                    Refuse => None,
                    Take(text) => Some(text.to_owned()),
                }
            }
            (None, Some(text)) => Some(normal(go_type, text)),
            (None, None) => None,
        };
        let same = match (&ours, &expected) {
            (Ok(ours), Some(expected)) => ours == expected,
            (Err(error), None) => error.starts_with("can't decode the "),
            _ => false,
        };
        if !same {
            failures.push(format!(
                "{serialize} {input} as {go_type}: ours {ours:?}, expected {expected:?}, Go {outcome:?}"
            ));
        }
    }
}

#[test]
fn what_go_takes_is_taken() {
    let (mut met, mut failures) = (BTreeSet::new(), Vec::new());
    let typed = VECTORS.msgpack_accepts.iter().filter(|case| !case.name.starts_with("field: "));
    for case in typed {
        let Some(payload) = &case.msgpack else { continue };
        compare(SerializeType::MSGPACK, &case.name, &unhex(payload), &case.go_decodes_into, &mut met, &mut failures);
    }
    for case in &VECTORS.json_accepts {
        let payload = unhex(&case.json_hex);
        let name = String::from_utf8_lossy(&payload).into_owned();
        compare(SerializeType::JSON, &name, &payload, &case.go_decodes_into, &mut met, &mut failures);
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
    for (index, deviation) in DEVIATIONS.iter().enumerate() {
        assert!(met.contains(&index), "no case for {deviation:?}");
    }
}

#[test]
fn nil_in_the_fields_of_a_struct_is_zero() {
    let zero_time = Timestamp::default();
    for case in VECTORS.msgpack_accepts.iter().filter(|case| case.name.starts_with("field: ")) {
        let payload = unhex(case.msgpack.as_ref().unwrap());
        let ours: Result<Filled, _> = Serde::decode(SerializeType::MSGPACK, &payload.into());
        let expected = match case.name.as_str() {
            "field: 0 for a *time.Time field" => {
                let error = ours.unwrap_err().to_string();
                assert!(error.contains("`PT`: expected a time, found the integer 5 at byte 4"), "{error}");
                continue;
            }
            // Go panics here; the zero time is what it means everywhere else.
            "field: nil inside []time.Time" => Filled { L: vec![zero_time], ..Filled::default() },
            "field: nil inside map[string]time.Time" => {
                Filled { M: BTreeMap::from([("a".to_owned(), zero_time)]), ..Filled::default() }
            }
            // Go decodes into a filled value; ours begins with zero, so everything is zero.
            _ => Filled::default(),
        };
        assert_eq!(ours.unwrap(), expected, "{}", case.name);
    }
}

#[test]
fn a_new_value_is_made_where_go_fills_an_old_one() {
    for case in &VECTORS.decode_into_filled_value {
        let (serialize, payload) = match case.codec.as_str() {
            "msgpack" => (SerializeType::MSGPACK, unhex(&case.input)),
            _ => (SerializeType::JSON, case.input.clone().into_bytes()),
        };
        let ours: Nilable = Serde::decode(serialize, &payload.into()).unwrap();
        let expected = Nilable {
            P: Some(Box::new(inner(9, ""))),
            M: Some(BTreeMap::from([("new".to_owned(), Int(2))])),
            ..Nilable::default()
        };
        assert_eq!(ours, expected, "{}", case.codec);
    }
}

#[test]
fn nesting_ends_before_the_stack_does() {
    let case = VECTORS.msgpack_accepts.iter().find(|case| case.msgpack.is_none()).unwrap();
    assert_eq!(case.name, "100000 nested arrays (rule: 91 repeated 100000 times, then c0)");
    let nested = |levels: usize| [vec![0x91; levels], vec![0xc0]].concat();
    let error = decode(SerializeType::MSGPACK, "interface{}", &nested(100_000)).unwrap_err();
    assert!(error.contains("more than 128 levels of nesting"), "{error}");
    assert!(decode(SerializeType::MSGPACK, "interface{}", &nested(129)).is_err());
    decode(SerializeType::MSGPACK, "interface{}", &nested(128)).unwrap();

    let nested = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat().into_bytes();
    let error = decode(SerializeType::JSON, "interface{}", &nested(100_000)).unwrap_err();
    assert!(error.contains("more than 128 levels of nesting"), "{error}");
    decode(SerializeType::JSON, "interface{}", &nested(129)).unwrap_err();
    decode(SerializeType::JSON, "interface{}", &nested(128)).unwrap();
}
