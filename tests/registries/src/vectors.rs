//! What Go's programs wrote into the real registries: `tests/vectors/registries.json`.

use serde_json::Value;

/// The part of a registry.
///
/// # Panics
/// When it cannot be read.
pub fn of(registry: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/registries.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("JSON");
    assert!(!all[registry].is_null(), "{registry}: no such vectors");
    all[registry].clone()
}

/// Every list of entries in a part, with when it was taken.
pub fn snapshots(value: &Value) -> Vec<(&str, &[Value])> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found
}

fn collect<'v>(value: &'v Value, found: &mut Vec<(&'v str, &'v [Value])>) {
    match value {
        Value::Object(fields) => match (&value["when"], &value["entries"]) {
            (Value::String(when), Value::Array(entries)) => found.push((when, entries)),
            _ => fields.values().for_each(|field| collect(field, found)),
        },
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// A text of an entry.
///
/// # Panics
/// When it has none of this name.
pub fn text<'v>(entry: &'v Value, field: &str) -> &'v str {
    entry[field].as_str().expect("text")
}
