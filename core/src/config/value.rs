//! Option values as text: how each type is read, written and bounded.
//!
//! In the tables a `usize` is a size in bytes and a `u32` a count; a [`Duration`] of zero means off or none where its
//! range says so. `500ms`, `15s`, `2m` are durations (a bare number: milliseconds), `64MiB`, `16KiB` sizes (a bare
//! number: bytes); lists are separated by commas.

use super::item::ListItem;
use bytes::Bytes;
use rpcx_protocol::{CompressType, SerializeType};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A type that an option can have.
pub(crate) trait OptionValue: Sized {
    /// The type's name in documents.
    const TYPE: &'static str;

    /// Reads it; the error says what was expected, as the end of "… is no good: ".
    fn parse(text: &str) -> Result<Self, String>;

    /// What it is now.
    fn value(&self) -> Value;

    /// The values of a type that has only a few; else nothing.
    fn choices() -> &'static [&'static str] {
        &[]
    }
}

/// The present value of an option.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing is set.
    Unset,
    /// `true` or `false`.
    Boolean(bool),
    /// A count.
    Integer(u64),
    /// A number with a fraction.
    Number(f64),
    /// Text, and everything whose text has units: durations and sizes.
    Text(String),
    /// Texts.
    List(Vec<String>),
    /// Something that is set and shown to nobody.
    Secret,
}

/// The text that `set` would read to give this value; `***` for a secret, nothing for an unset one.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset => Ok(()),
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => f.write_str(value),
            Self::List(values) => f.write_str(&values.join(",")),
            Self::Secret => f.write_str("***"),
        }
    }
}

impl OptionValue for bool {
    const TYPE: &'static str = "boolean";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected true or false".to_owned())
    }

    fn value(&self) -> Value {
        Value::Boolean(*self)
    }
}

impl OptionValue for u32 {
    const TYPE: &'static str = "integer";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u32::MAX))
    }

    fn value(&self) -> Value {
        Value::Integer(u64::from(*self))
    }
}

impl OptionValue for f64 {
    const TYPE: &'static str = "number";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| "expected a number".to_owned())
    }

    fn value(&self) -> Value {
        Value::Number(*self)
    }
}

const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A size in bytes.
impl OptionValue for usize {
    const TYPE: &'static str = "size";

    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let unit = match unit {
            "" | "B" => Some(1),
            _ => SIZES.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes),
        };
        let bytes = unit.and_then(|unit| number.parse::<u64>().ok()?.checked_mul(unit));
        bytes
            .and_then(|bytes| usize::try_from(bytes).ok())
            .ok_or_else(|| "expected a size such as 64MiB, 16KiB or a number of bytes".to_owned())
    }

    fn value(&self) -> Value {
        let bytes = *self as u64;
        let unit = SIZES.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
        Value::Text(match unit {
            Some((name, unit)) => format!("{}{name}", bytes / unit),
            None => bytes.to_string(),
        })
    }
}

const TIMES: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl OptionValue for Duration {
    const TYPE: &'static str = "duration";

    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text);
        let unit = if unit.is_empty() { "ms" } else { unit };
        let unit = TIMES.iter().find(|(name, _)| *name == unit).map(|(_, nanos)| *nanos);
        unit.and_then(|unit| decimal(number, unit))
            .ok_or_else(|| "expected a duration such as 500ms, 15s, 2m or a number of milliseconds".to_owned())
    }

    fn value(&self) -> Value {
        let nanos = self.as_nanos();
        let unit = TIMES.iter().find(|(_, unit)| nanos >= *unit && nanos.is_multiple_of(*unit));
        Value::Text(match unit {
            Some((name, unit)) => format!("{}{name}", nanos / unit),
            None => "0".to_owned(),
        })
    }
}

/// Splits `64MiB` into `64` and `MiB`.
fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// `number` units of so many nanoseconds, with up to nine decimals read exactly.
fn decimal(number: &str, unit: u128) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 9 || (fraction.is_empty() && number.ends_with('.')) {
        return None;
    }
    let mut nanos = u128::from(whole.parse::<u64>().ok()?).checked_mul(unit)?;
    if !fraction.is_empty() {
        nanos += u128::from(fraction.parse::<u64>().ok()?) * unit / 10_u128.pow(fraction.len() as u32);
    }
    Some(Duration::new(u64::try_from(nanos / 1_000_000_000).ok()?, (nanos % 1_000_000_000) as u32))
}

impl OptionValue for String {
    const TYPE: &'static str = "text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn value(&self) -> Value {
        Value::Text(self.clone())
    }
}

/// The text's bytes; what is not UTF-8 can be set in code only.
impl OptionValue for Bytes {
    const TYPE: &'static str = "text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn value(&self) -> Value {
        Value::Text(String::from_utf8_lossy(self).into_owned())
    }
}

impl OptionValue for PathBuf {
    const TYPE: &'static str = "path";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(PathBuf::from(text))
    }

    fn value(&self) -> Value {
        Value::Text(self.display().to_string())
    }
}

impl<T: ListItem> OptionValue for Vec<T> {
    const TYPE: &'static str = "list";

    fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(T::parse_item).collect()
    }

    fn value(&self) -> Value {
        Value::List(self.iter().map(T::text).collect())
    }
}

/// Empty text unsets it.
impl<T: OptionValue> OptionValue for Option<T> {
    const TYPE: &'static str = T::TYPE;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }

    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Unset, T::value)
    }

    fn choices() -> &'static [&'static str] {
        T::choices()
    }
}

impl OptionValue for SerializeType {
    const TYPE: &'static str = "choice";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("expected one of {}", Self::choices().join(", ")))
    }

    fn value(&self) -> Value {
        Value::Text(self.to_string())
    }

    fn choices() -> &'static [&'static str] {
        &["raw", "json", "protobuf", "msgpack", "thrift", "5", "6", "…", "15"]
    }
}

impl OptionValue for CompressType {
    const TYPE: &'static str = "choice";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("expected one of {}", Self::choices().join(", ")))
    }

    fn value(&self) -> Value {
        Value::Text(self.to_string())
    }

    fn choices() -> &'static [&'static str] {
        &["none", "gzip", "snappy", "zstd", "lz4", "5", "6", "7"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn duration(text: &str) -> Option<Duration> {
        Duration::parse(text).ok()
    }

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, expected) in [
            ("500ms", Duration::from_millis(500)),
            ("15s", Duration::from_secs(15)),
            ("2m", Duration::from_secs(120)),
            ("1h", Duration::from_secs(3600)),
            ("1d", Duration::from_secs(86_400)),
            ("50us", Duration::from_micros(50)),
            ("7ns", Duration::from_nanos(7)),
            ("250", Duration::from_millis(250)),
            ("0", Duration::ZERO),
            ("1.5s", Duration::from_millis(1500)),
            ("0.25", Duration::from_micros(250)),
            (" 3 s ", Duration::from_secs(3)),
        ] {
            assert_eq!(duration(text), Some(expected), "{text}");
        }
        for text in [
            "",
            "s",
            "-1s",
            "1x",
            "1.s",
            ".5s",
            "1..5s",
            "1e3",
            "1 2s",
            "inf",
            "99999999999999999999d",
            "1S",
            "1.0000000001s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, expected) in [("64MiB", 64 << 20), ("16KiB", 16 << 10), ("1GiB", 1 << 30), ("1000", 1000), ("5B", 5)]
        {
            assert_eq!(usize::parse(text), Ok(expected), "{text}");
        }
        for text in ["", "MiB", "-1", "1MB", "1mib", "1.5MiB", "99999999999GiB"] {
            assert!(usize::parse(text).is_err(), "{text}");
        }
        assert_eq!((64_usize << 20).value().to_string(), "64MiB");
        assert_eq!(1025_usize.value().to_string(), "1025");
    }

    #[test]
    fn an_optional_value_is_unset_by_empty_text() {
        assert_eq!(Option::<f64>::parse(""), Ok(None));
        assert_eq!(Option::<f64>::parse("51.5"), Ok(Some(51.5)));
        assert_eq!(None::<f64>.value(), Value::Unset);
        assert!(f64::parse("NaN").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            nanos in any::<u64>(),
            size in any::<u32>(),
            list in proptest::collection::vec("[a-z]{1,5}", 0..4),
        ) {
            let time = Duration::from_nanos(nanos);
            prop_assert_eq!(Duration::parse(&time.value().to_string()), Ok(time));
            let size = size as usize;
            prop_assert_eq!(usize::parse(&size.value().to_string()), Ok(size));
            prop_assert_eq!(Vec::<String>::parse(&list.value().to_string()), Ok(list));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Duration::parse(&text);
            let _ = usize::parse(&text);
            let _ = f64::parse(&text);
        }
    }
}
