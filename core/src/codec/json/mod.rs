//! JSON as Go's rpcx (encoding/json) reads and writes it.
//!
//! **Written**: as `serde_json` does, but bytes (`serde_bytes`) are base64, `<`, `>`, `&`, U+2028 and U+2029 are escaped,
//! floats have Go's format, and infinity and NaN are an error. No newline follows.
//!
//! **Read**: field names in any letter case, unknown names, the last of a repeated field, null or a missing field for the
//! zero value of every type but an enum (or for its `#[serde(default)]`, if it is missing), base64 or an array of numbers
//! for bytes, U+FFFD for what is no UTF-8. Text after the value is ignored. An array is no struct. A flattened struct
//! (`#[serde(flatten)]`) is read by serde's own rules and needs `#[serde(default)]` for fields that may be missing.
//!
//! An array that is too long for its type is refused, where Go drops the rest. Values may be nested
//! [`MAX_DEPTH`](super::MAX_DEPTH) levels deep.

mod access;
mod de;
mod fields;
mod format;
mod ser;
mod text;

use super::CodecError;
use super::pass::Pass;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Appends the JSON form of `value` to `out`.
///
/// # Errors
///
/// [`CodecError::Encode`] for infinity and NaN, for a map key that is neither text nor number, for a time outside of the
/// years 0 to 9999, and if the value's own `Serialize` fails. `out` is unchanged then.
pub fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let start = out.len();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, format::GoFormatter);
    value.serialize(ser::Strict(&mut serializer)).map_err(|error| {
        out.truncate(start);
        CodecError::Encode(format!("{} as json: {error}", std::any::type_name::<T>()))
    })
}

/// The value at the start of a JSON payload.
///
/// # Errors
///
/// [`CodecError::Decode`], with the field, the line and the column, if the payload isn't a `T`.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, CodecError> {
    let text = text::repair(payload);
    Pass::run(true, |pass| {
        let mut inner = serde_json::Deserializer::from_str(&text);
        // The pass counts, as it does for MessagePack: what one format holds, the other can read too.
        inner.disable_recursion_limit();
        T::deserialize(de::Lenient { inner: &mut inner, pass })
    })
    .map_err(|fault| CodecError::Decode(format!("the json payload: {fault}")))
}
