//! `#[serde(with = "rpcx::codec::nanos")]`: a [`Duration`] as Go's `time.Duration`, a signed 64-bit number of nanoseconds.
//!
//! ```
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Lease {
//!     #[serde(with = "rpcx::codec::nanos")]
//!     Ttl: std::time::Duration,
//! }
//! # #[cfg(feature = "json")] {
//! let mut json = Vec::new();
//! rpcx::codec::json::encode(&Lease { Ttl: std::time::Duration::from_millis(1) }, &mut json).unwrap();
//! assert_eq!(json, br#"{"Ttl":1000000}"#);
//! # }
//! ```
//!
//! Negative numbers are refused when reading; a field that may hold them is an `i64`.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// Writes the nanoseconds.
///
/// # Errors
///
/// For more than `i64::MAX` nanoseconds, about 292 years.
pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let nanos = i64::try_from(value.as_nanos())
        .map_err(|_| S::Error::custom(format!("the duration {value:?}: more nanoseconds than an int64 holds")))?;
    nanos.serialize(serializer)
}

/// Reads the nanoseconds.
///
/// # Errors
///
/// For anything but an integer that isn't negative.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let nanos = i64::deserialize(deserializer)?;
    u64::try_from(nanos)
        .map(Duration::from_nanos)
        .map_err(|_| D::Error::custom(format!("negative duration: {nanos} ns")))
}
