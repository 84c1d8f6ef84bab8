//! What is written over a node's metadata when it is refreshed.

use std::collections::BTreeMap;

/// The metadata that a server writes over those it read back: the pairs that were there, an operator's included, and `extra`
/// in place of any of the same key; as Go's rpcx writes them. Sorted by key, values of one key in their order; what cannot be
/// read as a pair (a `;`, a broken `%` escape) is lost, and a key without a value gets an empty one.
///
/// ```
/// use rpcx::discovery::refreshed;
///
/// let extra = [("calls", "0.00"), ("connections", "0.02")];
/// assert_eq!(refreshed("weight=7&group=g1", extra), "calls=0.00&connections=0.02&group=g1&weight=7");
/// assert_eq!(refreshed("k=a b", []), "k=a+b");
/// ```
pub fn refreshed<'a>(text: &str, extra: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut pairs: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';')) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let (Some(key), Some(value)) = (unescape(key), unescape(value)) {
            pairs.entry(key).or_default().push(value);
        }
    }
    for (key, value) in extra {
        pairs.insert(key.into(), vec![value.into()]);
    }
    let mut out = String::with_capacity(text.len());
    for (key, values) in &pairs {
        for value in values {
            if !out.is_empty() {
                out.push('&');
            }
            escape(key, &mut out);
            out.push('=');
            escape(value, &mut out);
        }
    }
    out
}

/// `+` is a space, `%41` an `A`; a broken escape is `None`. Bytes stay what they are, UTF-8 or not.
pub(super) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    Some(out)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn escape(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(*byte)),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::NodeMetadata;
    use proptest::prelude::*;

    #[test]
    fn go_writes_the_same() {
        for (read, extra, written) in [
            (
                "weight=7&group=g1",
                &[("calls", "0.00"), ("connections", "0.02")][..],
                "calls=0.00&connections=0.02&group=g1&weight=7",
            ),
            ("state=inactive&weight=7", &[], "state=inactive&weight=7"),
            ("", &[], ""),
            ("group=b&group=a", &[], "group=b&group=a"),
            ("a=1;b=2&c=3", &[], "c=3"),
            ("x=%zz&y=1", &[], "y=1"),
            ("k=a b", &[], "k=a+b"),
            ("foo", &[], "foo="),
            ("{\"a\":1}", &[], "%7B%22a%22%3A1%7D="),
            ("k=a b/c~d_é*", &[], "k=a+b%2Fc~d_%C3%A9%2A"),
            ("calls=9.00&calls=8.00&a=%ff", &[("calls", "1.00")], "a=%FF&calls=1.00"),
            ("=1&&", &[], "=1"),
        ] {
            assert_eq!(refreshed(read, extra.iter().copied()), written, "{read}");
        }
    }

    proptest! {
        #[test]
        fn what_is_well_formed_keeps_its_values(text in "[a-c]=[a-c%+ é]{0,4}(&[a-c]=[a-z /&=~é*]{0,4}){0,4}") {
            let before = NodeMetadata::new(&text);
            prop_assume!(before.is_well_formed());
            let after = NodeMetadata::new(&refreshed(&text, []));
            for (key, _) in before.pairs() {
                prop_assert_eq!(before.get_all(key).collect::<Vec<_>>(), after.get_all(key).collect::<Vec<_>>());
            }
            prop_assert_eq!(before.pairs().count(), after.pairs().count());
            prop_assert_eq!(refreshed(after.as_str(), []), after.as_str(), "again changes nothing");
        }
    }
}
