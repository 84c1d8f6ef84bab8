//! What a command says of one call: read and checked here, made into a call of the library by `methods`.

use super::clients::Named;
use super::fields::Fields;
use super::form::Prepared;
use super::{methods, misuse, options, read};
use crate::messages::pattern;
use bytes::Bytes;
use rpcx::Result;
use rpcx::client::{CallOptions, Service};
use rpcx::protocol::metadata::Metadata;
use rpcx::protocol::{CompressType, SerializeType};
use serde_json::{Map, Value};

/// What the reply is shown as.
#[derive(Clone, Copy)]
pub(super) enum ReplyAs {
    Value,
    Hex,
    Digest,
}

/// What is sent.
#[derive(Clone)]
pub(super) enum Payload {
    /// To be encoded.
    Args(Value),
    /// The payload itself.
    Bytes(Bytes),
}

/// A call as a command describes it.
#[derive(Clone)]
pub(super) struct CallCommand {
    pub(super) service: String,
    pub(super) method: String,
    codec: Option<SerializeType>,
    /// Nothing: no arguments were given.
    pub(super) payload: Option<Payload>,
    options: CallOptions,
    pub(super) reply: ReplyAs,
    /// Whether MessagePack and JSON are made from the method's own types.
    pub(super) typed: bool,
}

impl CallCommand {
    pub(super) fn read(fields: &mut Fields) -> Result<CallCommand> {
        let (service, method) = (fields.text("service")?, fields.text("method")?);
        let payload = payload(fields)?;
        let codec = number::<SerializeType>(fields, "codec")?;
        let compress = number::<CompressType>(fields, "compress")?;
        let given = fields.object("options")?;
        let mut call_options = call_options(&given)?.all_metadata(metadata(&fields.object("metadata")?)?);
        if let Some(compress) = compress {
            call_options = call_options.compress_type(compress);
        }
        let reply = match fields.optional_text("reply")?.as_deref() {
            None | Some("value") => ReplyAs::Value,
            Some("hex") => ReplyAs::Hex,
            Some("digest") => ReplyAs::Digest,
            Some(other) => return Err(misuse(format!("reply: {other:?} is none of value, hex, digest"))),
        };
        let typed = fields.flag("typed", true)?;
        let by_option = || given.get("serialize_type").and_then(|name| name.as_str()?.parse().ok());
        Ok(CallCommand {
            service,
            method,
            codec: codec.or_else(by_option),
            payload,
            options: call_options,
            reply,
            typed,
        })
    }

    /// Looks the method up and encodes nothing yet; arguments that do not fit are refused.
    pub(super) fn prepare(self, client: &Named) -> Result<Box<dyn Prepared>> {
        let service = client.client.service(&self.service)?;
        self.prepare_on(client, service)
    }

    /// As [`prepare`](Self::prepare), for many calls of one service.
    pub(super) fn prepare_on(mut self, client: &Named, service: Service) -> Result<Box<dyn Prepared>> {
        let codec = self.codec.unwrap_or(client.serialize_type);
        let payload = match self.payload.take() {
            Some(Payload::Args(_)) if codec == SerializeType::RAW => {
                return Err(misuse("args: the codec raw takes hex or size"));
            }
            None if codec == SerializeType::RAW => Payload::Bytes(Bytes::new()),
            None => Payload::Args(Value::Null),
            Some(payload) => payload,
        };
        let options = std::mem::take(&mut self.options).serialize_type(codec);
        methods::prepare(service, &self, codec, payload, options)
    }
}

/// `args`, `hex` or `size`, or none of them.
fn payload(fields: &mut Fields) -> Result<Option<Payload>> {
    let args = fields.take("args").map(Payload::Args);
    let hex = match fields.optional_text("hex")? {
        Some(text) => {
            let bytes = read::hex(&text).ok_or_else(|| misuse(format!("hex: {text:?} is no hexadecimal text")))?;
            Some(Payload::Bytes(bytes.into()))
        }
        None => None,
    };
    let size = fields.count("size")?.map(|size| Payload::Bytes(pattern(size).into()));
    match (args, hex, size) {
        (payload, None, None) | (None, payload, None) | (None, None, payload) => Ok(payload),
        _ => Err(misuse("args, hex and size exclude each other")),
    }
}

/// A codec or compressor by its name.
fn number<T: std::str::FromStr>(fields: &mut Fields, field: &str) -> Result<Option<T>>
where
    T::Err: std::fmt::Display,
{
    let Some(name) = fields.optional_text(field)? else { return Ok(None) };
    name.parse().map(Some).map_err(|error| misuse(format!("{field}: {error}")))
}

fn call_options(given: &Map<String, Value>) -> Result<CallOptions> {
    given.iter().try_fold(CallOptions::new(), |all, (name, value)| all.set(name, &options::text(name, value)?))
}

fn metadata(given: &Map<String, Value>) -> Result<Metadata> {
    let mut metadata = Metadata::new();
    for (key, value) in given {
        let text = value.as_str().ok_or_else(|| misuse(format!("metadata: {key}: {value} is no text")))?;
        metadata.insert(key, text);
    }
    Ok(metadata)
}
