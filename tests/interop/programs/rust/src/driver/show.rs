//! Answers as JSON: bytes in hex, 64-bit integers beyond 2⁵³ as text, moments in RFC 3339.

use super::Answer;
use rpcx::client::{Push, Response};
use rpcx::codec::msgpack::{self, Integers};
use rpcx::codec::{CodecError, Value as Dynamic};
use rpcx::protocol::metadata::Metadata;
use rpcx::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Instant;

/// The integers that a 64-bit float holds exactly.
const EXACT: i64 = 1 << 53;

/// An answer with `ok`, and with what failed where something did.
pub(super) fn answer(result: Result<Answer>) -> Answer {
    match result {
        Ok(mut answer) => {
            answer.insert("ok".into(), true.into());
            answer
        }
        Err(error) => Answer::from_iter([("ok".into(), false.into()), ("error".into(), failure(&error))]),
    }
}

fn failure(error: &Error) -> Value {
    json!({
        "kind": error.kind().as_str(),
        "code": error.code(),
        "delivery": error.delivery().as_str(),
        "message": error.message(),
        "server": error.server(),
        "attempts": error.attempts(),
    })
}

/// The answer to a call that began then.
pub(super) fn response(result: Result<Response<Value>>, began: Instant) -> Result<Answer> {
    let response = result?;
    Ok(Answer::from_iter([
        ("reply".into(), response.value),
        ("metadata".into(), metadata(&response.metadata)),
        ("server".into(), json!(&*response.server)),
        ("attempts".into(), response.attempts.into()),
        ("ms".into(), (began.elapsed().as_micros() as f64 / 1e3).into()),
    ]))
}

/// A message that a server sent on its own.
pub(super) fn push(push: &Push) -> Value {
    json!({
        "service": push.service(),
        "method": push.method(),
        "metadata": metadata(&push.metadata()),
        "hex": hex(&push.payload()),
    })
}

/// Metadata without the protocol's own keys.
fn metadata(metadata: &Metadata) -> Value {
    let pairs = metadata.iter().filter(|(key, _)| !key.starts_with("__"));
    Value::Object(pairs.map(|(key, value)| (key.to_owned(), value.into())).collect())
}

/// A typed value. MessagePack lies between, because it keeps bytes, moments and text apart.
pub(super) fn value<T: Serialize>(value: &T) -> Result<Value, CodecError> {
    let mut bytes = Vec::new();
    msgpack::encode(value, Integers::KeepWidth, &mut bytes)?;
    Ok(dynamic(msgpack::decode(&bytes)?))
}

fn dynamic(value: Dynamic) -> Value {
    match value {
        Dynamic::Nil => Value::Null,
        Dynamic::Bool(value) => value.into(),
        Dynamic::Int(value) if (-EXACT..=EXACT).contains(&value) => value.into(),
        Dynamic::Int(value) => value.to_string().into(),
        Dynamic::UInt(value) => value.to_string().into(),
        Dynamic::F32(value) => value.into(),
        Dynamic::F64(value) => value.into(),
        Dynamic::Str(text) => text.into(),
        Dynamic::Bytes(bytes) => hex(&bytes).into(),
        Dynamic::Time(time) => time.to_string().into(),
        Dynamic::Array(items) => items.into_iter().map(dynamic).collect(),
        Dynamic::Map(pairs) => {
            let pairs = pairs.into_iter().map(|(key, value)| (key_text(key), dynamic(value)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

/// Keys that are no text are shown as their JSON.
fn key_text(key: Dynamic) -> String {
    match dynamic(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
