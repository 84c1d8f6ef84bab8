//! What Go's programs write under a key: the key, the value and a number, as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// What is written under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrapped {
    /// The key without the slash that Go's library puts in front.
    pub(crate) key: String,
    pub(crate) text: String,
    /// Of Go's programs the nanoseconds of the time of writing, of ours who wrote it.
    pub(crate) index: u64,
}

/// The key under which Redis has what Go's programs call by this one: they put a slash in front of whatever there is.
pub(crate) fn stored(key: &str) -> String {
    format!("/{key}")
}

/// What Go would write, byte for byte.
pub(crate) fn wrap(key: &str, text: &str, index: u64) -> String {
    let key = Value::from(key).to_string();
    let mut quoted = String::with_capacity(key.len());
    for letter in key.chars() {
        match letter {
            // What Go escapes beyond what JSON asks for.
            '&' | '<' | '>' | '\u{2028}' | '\u{2029}' => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
            other => quoted.push(other),
        }
    }
    format!("{{\"Key\":{quoted},\"Value\":\"{}\",\"LastIndex\":{index}}}", STANDARD.encode(text))
}

/// Reads what Go would read: names in any case, further fields passed over. What is no such text is none.
pub(crate) fn unwrap(raw: &[u8]) -> Option<Wrapped> {
    let fields: Map<String, Value> = serde_json::from_slice(raw).ok()?;
    let field =
        |wanted: &str| fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => None,
    };
    let encoded = text(field("Value"))?.replace(['\r', '\n'], "");
    let bytes = STANDARD.decode(encoded).ok()?;
    let index = field("LastIndex").and_then(Value::as_u64).unwrap_or_default();
    Some(Wrapped { key: text(field("Key"))?, text: String::from_utf8_lossy(&bytes).into_owned(), index })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn go_writes_the_same() {
        for (key, text, index, written) in [
            (
                "/rpcx_test",
                "rpcx_path",
                123_456_789,
                r#"{"Key":"/rpcx_test","Value":"cnBjeF9wYXRo","LastIndex":123456789}"#,
            ),
            ("/b/A/tcp@h:1", "weight=7", 5, r#"{"Key":"/b/A/tcp@h:1","Value":"d2VpZ2h0PTc=","LastIndex":5}"#),
            ("b/A/tcp@h:1", "", 0, r#"{"Key":"b/A/tcp@h:1","Value":"","LastIndex":0}"#),
            (
                "b/<é&>\"\\\u{2028}\t\u{1}/tcp@h:1",
                "é",
                1,
                r#"{"Key":"b/\u003cé\u0026\u003e\"\\\u2028\t\u0001/tcp@h:1","Value":"w6k=","LastIndex":1}"#,
            ),
        ] {
            assert_eq!(wrap(key, text, index), written);
            assert_eq!(unwrap(written.as_bytes()), Some(Wrapped { key: key.into(), text: text.into(), index }));
        }
        assert_eq!((stored("/rpcx_test"), stored("rpcx_test")), ("//rpcx_test".to_owned(), "/rpcx_test".to_owned()));
    }

    #[test]
    fn what_go_reads_is_read_and_the_rest_is_none() {
        let read = |text: &str| unwrap(text.as_bytes()).map(|value| (value.key, value.text, value.index));
        let some = |key: &str, text: &str, index| Some((key.to_owned(), text.to_owned(), index));
        assert_eq!(read(r#"{"lastindex":7,"VALUE":"YQ==","key":"k","more":[1]}"#), some("k", "a", 7));
        assert_eq!(read(" {\"Key\":\"k\",\"Value\":null} "), some("k", "", 0));
        assert_eq!(read(r#"{"Key":"k","Value":"Y\nQ==","LastIndex":-1}"#), some("k", "a", 0));
        assert_eq!(read("{}"), some("", "", 0));
        for text in ["", "weight=7", "null", "[]", "{", r#"{"Key":1}"#, r#"{"Key":"k","Value":"a"}"#, "\u{1}"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(unwrap(&[0xff, 0xfe]), None);
        assert_eq!(unwrap("[".repeat(100_000).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn anything_comes_back(key in ".{0,40}", text in ".{0,40}", index in 0..1_u64 << 52) {
            let raw = wrap(&key, &text, index);
            prop_assert_eq!(unwrap(raw.as_bytes()), Some(Wrapped { key, text, index }));
        }

        #[test]
        fn any_bytes_are_read_or_refused(raw in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = unwrap(&raw);
        }
    }
}
