//! What a TXT record says: one character string with a list of services, as Go's rpcx writes it.

use serde::Deserialize;
use std::fmt::Write;

/// The longest character string of DNS.
pub(crate) const LONGEST: usize = 255;

/// What of a TXT record is read; whoever says more has written no list of services.
const MOST_READ: usize = 4096;

/// One service of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) service: String,
    pub(crate) address: String,
    pub(crate) metadata: String,
}

/// A member of the list. Go leaves out what is empty.
#[derive(Deserialize)]
struct Member {
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    meta: Option<String>,
    #[serde(default)]
    service_address: Option<String>,
}

impl Entry {
    /// The character string with this service alone. None if it is too long in every form.
    pub(crate) fn text(&self) -> Option<Vec<u8>> {
        let as_go = escape(&self.json(true), |byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
        // Go reads it with less of it escaped, too: but for what its query-unescape means something by, and what its DNS
        // library shows with a backslash.
        let short = |byte: u8| (b'!'..=b'~').contains(&byte) && !b"%+\"\\".contains(&byte);
        Some(as_go)
            .filter(|text| text.len() <= LONGEST)
            .or_else(|| Some(escape(&self.json(false), short)))
            .filter(|text| text.len() <= LONGEST)
    }

    /// The list as JSON. Nothing that is empty is left out: Go's clients decode all lists into the same one, where a member
    /// inherits what it lacks.
    fn json(&self, as_go: bool) -> String {
        let quoted = |text: &str| {
            let text = serde_json::Value::from(text).to_string();
            match as_go {
                false => text,
                true => text
                    .replace('&', "\\u0026")
                    .replace('<', "\\u003c")
                    .replace('>', "\\u003e")
                    .replace('\u{2028}', "\\u2028")
                    .replace('\u{2029}', "\\u2029"),
            }
        };
        format!(
            r#"[{{"service":{},"meta":{},"service_address":{}}}]"#,
            quoted(&self.service),
            quoted(&self.metadata),
            quoted(&self.address)
        )
    }
}

/// The services in the character strings of a record. None if it holds no list at all; an empty list is one.
pub(crate) fn read<'a>(strings: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<Entry>> {
    let mut found: Option<Vec<Entry>> = None;
    let mut left = MOST_READ;
    for string in strings {
        left = left.checked_sub(string.len())?;
        let Some(json) = unescape(string) else { continue };
        let Ok(members) = serde_json::from_str::<Vec<Member>>(&String::from_utf8_lossy(&json)) else { continue };
        let entries = members.into_iter().filter_map(|member| {
            let named = |text: Option<String>| text.filter(|text| !text.is_empty());
            Some(Entry {
                service: named(member.service)?,
                address: named(member.service_address)?,
                metadata: member.meta.unwrap_or_default(),
            })
        });
        found.get_or_insert_default().extend(entries);
    }
    found
}

/// As Go's `url.QueryEscape`, but for what may stay.
fn escape(text: &str, stays: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            byte if stays(byte) => out.push(char::from(byte)),
            byte => {
                // Writing to text cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out.into_bytes()
}

/// As Go's `url.QueryUnescape`.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => digit(bytes.next())? << 4 | digit(bytes.next())?,
            other => *other,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(service: &str, address: &str, metadata: &str) -> Entry {
        Entry { service: service.into(), address: address.into(), metadata: metadata.into() }
    }

    fn text(entry: &Entry) -> String {
        String::from_utf8(entry.text().expect("it fits")).expect("ASCII")
    }

    #[test]
    fn the_text_is_that_of_go() {
        assert_eq!(
            text(&entry("Arith", "tcp@127.0.0.1:8972", "weight=7&group=g1")),
            "%5B%7B%22service%22%3A%22Arith%22%2C%22meta%22%3A%22weight%3D7%5Cu0026group%3Dg1%22%2C%22service_address%22%3A%22tcp%40127.0.0.1%3A8972%22%7D%5D"
        );
        assert_eq!(
            text(&entry("S p", "tcp@h:1", "")),
            "%5B%7B%22service%22%3A%22S+p%22%2C%22meta%22%3A%22%22%2C%22service_address%22%3A%22tcp%40h%3A1%22%7D%5D"
        );
    }

    #[test]
    fn what_is_too_long_as_go_writes_it_is_written_shorter() {
        let long = "a=1&".repeat(20);
        let written = text(&entry("Arith", "tcp@127.0.0.1:8972", &long));
        assert!(written.starts_with("[{%22service%22:%22Arith%22,%22meta%22:%22a=1&a=1&"), "{written}");
        let escapes = text(&entry("A%+\"\\é", "tcp@127.0.0.1:8972", &long));
        assert!(escapes.starts_with("[{%22service%22:%22A%25%2B%5C%22%5C%5C%C3%A9%22,"), "{escapes}");
        assert_eq!(entry("Arith", "tcp@127.0.0.1:8972", &"x".repeat(200)).text(), None);
    }

    #[test]
    fn what_go_writes_is_read() {
        let lists = |strings: &[&str]| read(strings.iter().map(|string| string.as_bytes()));
        let two = "%5B%7B%22service%22%3A%22Arith%22%2C%22meta%22%3A%22weight%3D7%22%2C%22service_address%22%3A%22tcp%40h%3A1%22%7D%2C%7B%22service%22%3A%22Arith2%22%2C%22service_address%22%3A%22tcp%40h%3A1%22%7D%5D";
        let expected = vec![entry("Arith", "tcp@h:1", "weight=7"), entry("Arith2", "tcp@h:1", "")];
        assert_eq!(lists(&[two]), Some(expected.clone()));
        assert_eq!(lists(&["", "x=y", two]), Some(expected));
        assert_eq!(lists(&["%5B%5D"]), Some(vec![]));
        let odd = r#"[{"service":"","service_address":"a"},{"service":"A","meta":null,"service_address":null},{"x":[]},{"service":"A","service_address":"b"}]"#;
        assert_eq!(lists(&[odd]), Some(vec![entry("A", "b", "")]));
        for nothing in [&[][..], &[""], &["x=y"], &["%5"], &["%5B%zz"], &["{}"], &["[1]"], &["null"]] {
            assert_eq!(lists(nothing), None, "{nothing:?}");
        }
        assert_eq!(read([&b"[]"[..], &[b' '; MOST_READ]]), None, "too much");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(service in ".{1,12}", address in ".{1,24}", metadata in ".{0,60}") {
            let entry = Entry { service, address, metadata };
            if let Some(text) = entry.text() {
                prop_assert!(text.len() <= LONGEST);
                // No byte that Go's DNS library shows otherwise.
                prop_assert!(text.iter().all(|byte| (b' '..=b'~').contains(byte) && !b"\"\\".contains(byte)));
                prop_assert_eq!(read([&text[..]]), Some(vec![entry]));
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read([&bytes[..]]);
        }
    }
}
