//! A moment in time as Go's `time.Time` travels: extension −1 in MessagePack, RFC 3339 in JSON.

use super::{RawBytes, rfc3339};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The newtype name by which the MessagePack codec knows a timestamp among byte strings.
pub(super) const MARKER: &str = "$rpcx::codec::timestamp";

/// A moment in time, to the nanosecond, in UTC.
///
/// MessagePack writes it as the timestamp extension in its shortest form (4, 8 or 12 bytes), JSON as an RFC 3339 string.
/// The default is Go's zero time, 0001-01-01T00:00:00Z, which is also what nil and a missing field become.
///
/// ```
/// use rpcx::codec::Timestamp;
/// let moment: Timestamp = "2023-11-15T00:13:20.5+02:00".parse().unwrap();
/// assert_eq!((moment.seconds(), moment.subsec_nanos()), (1_700_000_000, 500_000_000));
/// assert_eq!(moment.to_string(), "2023-11-14T22:13:20.5Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanos: u32,
}

/// A text that is no RFC 3339 date-time, or a moment that the target type can't hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TimestampError(String);

impl Timestamp {
    /// Go's zero time: 0001-01-01T00:00:00Z.
    pub const ZERO: Self = Self { seconds: -62_135_596_800, nanos: 0 };
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self { seconds: 0, nanos: 0 };

    /// The moment so many seconds and nanoseconds after the Unix epoch; `None` from 1,000,000,000 nanoseconds on.
    pub const fn new(seconds: i64, nanos: u32) -> Option<Self> {
        if nanos < 1_000_000_000 { Some(Self { seconds, nanos }) } else { None }
    }

    /// The current time of the system's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Whole seconds since the Unix epoch, negative before it.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after [`seconds`](Self::seconds), below 1,000,000,000.
    pub const fn subsec_nanos(self) -> u32 {
        self.nanos
    }

    /// Seconds and nanoseconds in big-endian order: how this crate's MessagePack codec hands a timestamp to serde.
    pub(super) fn to_parts(self) -> [u8; 12] {
        let mut parts = [0; 12];
        parts[..8].copy_from_slice(&self.seconds.to_be_bytes());
        parts[8..].copy_from_slice(&self.nanos.to_be_bytes());
        parts
    }

    pub(super) fn from_parts(parts: &[u8]) -> Option<Self> {
        let (seconds, nanos) = parts.split_first_chunk::<8>()?;
        Self::new(i64::from_be_bytes(*seconds), u32::from_be_bytes(nanos.try_into().ok()?))
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::ZERO
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self { seconds: seconds(after), nanos: after.subsec_nanos() },
            Err(before) => match before.duration() {
                d if d.subsec_nanos() == 0 => Self { seconds: -seconds(d), nanos: 0 },
                d => Self { seconds: -seconds(d) - 1, nanos: 1_000_000_000 - d.subsec_nanos() },
            },
        }
    }
}

impl TryFrom<Timestamp> for SystemTime {
    type Error = TimestampError;

    /// Fails for moments that the system's clock can't represent.
    fn try_from(time: Timestamp) -> Result<Self, TimestampError> {
        let seconds = Duration::from_secs(time.seconds.unsigned_abs());
        let whole = if time.seconds < 0 { UNIX_EPOCH.checked_sub(seconds) } else { UNIX_EPOCH.checked_add(seconds) };
        whole
            .and_then(|whole| whole.checked_add(Duration::from_nanos(time.nanos.into())))
            .ok_or_else(|| TimestampError(format!("{time} is outside of the range of the system's clock")))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        rfc3339::write(f, self.seconds, self.nanos)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let (seconds, nanos) = rfc3339::parse(text).ok_or_else(|| {
            TimestampError(format!("`{}` is no RFC 3339 time such as 2006-01-02T15:04:05Z", text.escape_debug()))
        })?;
        Ok(Self { seconds, nanos })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_newtype_struct(MARKER, &RawBytes(&self.to_parts()));
        }
        if !rfc3339::RANGE.contains(&self.seconds) {
            return Err(serde::ser::Error::custom(format!("the time {self}: its year is outside of 0 to 9999")));
        }
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            // An option, because null is the zero time.
            deserializer.deserialize_option(TimestampVisitor)
        } else {
            deserializer.deserialize_newtype_struct(MARKER, TimestampVisitor)
        }
    }
}

/// Takes every form, because flattened structs and untagged enums replay values in another form than they came in.
struct TimestampVisitor;

impl<'de> Visitor<'de> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_none<E: de::Error>(self) -> Result<Timestamp, E> {
        Ok(Timestamp::ZERO)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Timestamp, E> {
        Ok(Timestamp::ZERO)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Timestamp, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Timestamp, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Timestamp, E> {
        Timestamp::from_parts(bytes).ok_or_else(|| E::invalid_value(de::Unexpected::Bytes(bytes), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_time_survives_both_ways() {
        for (seconds, nanos) in [(0, 0), (1_700_000_000, 123_456_789), (-1, 999_999_999), (-1, 0), (-62_135_596_800, 0)]
        {
            let time = Timestamp::new(seconds, nanos).unwrap();
            assert_eq!(Timestamp::from(SystemTime::try_from(time).unwrap()), time);
        }
        assert_eq!(Timestamp::new(0, 1_000_000_000), None);
    }

    #[test]
    fn prints_only_the_decimals_that_are_there() {
        let text = |seconds, nanos| Timestamp::new(seconds, nanos).unwrap().to_string();
        assert_eq!(text(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(text(-1, 1), "1969-12-31T23:59:59.000000001Z");
        assert_eq!(text(1_709_164_800, 120_000_000), "2024-02-29T00:00:00.12Z");
        assert_eq!(Timestamp::default().to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(text(253_402_300_800, 0), "+10000-01-01T00:00:00Z");
    }
}
