//! Text that Go would repair while reading: bytes that are no UTF-8 and halves of surrogate pairs become U+FFFD.

use std::borrow::Cow;

/// The payload as text that `serde_json` takes; borrowed if there was nothing to repair.
pub(super) fn repair(payload: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(payload) {
        Ok(text) => repair_escapes(text).map_or(Cow::Borrowed(text), Cow::Owned),
        Err(_) => {
            let text = replace_invalid(payload);
            Cow::Owned(repair_escapes(&text).unwrap_or(text))
        }
    }
}

/// One U+FFFD for every wrong byte, as Go counts them.
fn replace_invalid(payload: &[u8]) -> String {
    let mut text = String::with_capacity(payload.len());
    for chunk in payload.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// Replaces escapes of lone surrogates; `None` if there are none.
fn repair_escapes(text: &str) -> Option<String> {
    let mut repaired = String::new();
    let (mut copied, mut position) = (0, 0);
    while let Some(found) = text[position..].find('\\') {
        let start = position + found;
        position = match surrogate(text, start) {
            None => {
                // The escaped character may itself be a backslash.
                start + 1 + text[start + 1..].chars().next().map_or(0, char::len_utf8)
            }
            Some(0xd800..=0xdbff) if matches!(surrogate(text, start + 6), Some(0xdc00..=0xdfff)) => start + 12,
            Some(_) => {
                repaired.push_str(&text[copied..start]);
                repaired.push_str("\\ufffd");
                copied = start + 6;
                copied
            }
        };
    }
    if copied == 0 {
        return None;
    }
    repaired.push_str(&text[copied..]);
    Some(repaired)
}

/// The surrogate whose escape is at `start`.
fn surrogate(text: &str, start: usize) -> Option<u32> {
    let digits = text.get(start..start + 6)?.strip_prefix("\\u")?;
    // `from_str_radix` would take a sign.
    let code = digits.bytes().all(|c| c.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())??;
    (0xd800..=0xdfff).contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repairs_what_is_broken_and_nothing_else() {
        let same =
            ["", "\"a\"", r#""\ud83e\udd80""#, r#""\\ud800""#, r#""\u00e9""#, "\"\\", "\"\\\u{e9}\"", r#""\u+d80""#];
        for text in same {
            assert!(matches!(repair(text.as_bytes()), Cow::Borrowed(same) if same == text), "{text}");
        }
        assert_eq!(repair(br#""\ud800""#), r#""\ufffd""#);
        assert_eq!(repair(br#""a\udc00b\ud83e\udd80\ud83e""#), r#""a\ufffdb\ud83e\udd80\ufffd""#);
        assert_eq!(repair(br#""\ud800\ud800\udc00""#), r#""\ufffd\ud800\udc00""#);
        assert_eq!(repair(b"\"\xff\""), "\"\u{fffd}\"");
        assert_eq!(repair(b"\"\xe4\xbd\\ud800\""), "\"\u{fffd}\u{fffd}\\ufffd\"");
    }
}
