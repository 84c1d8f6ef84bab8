//! The types of the methods that are known here. All others take any value.

use super::call::{CallCommand, Payload, ReplyAs};
use super::form::{AsDigest, AsHex, AsValue, Form, Prepared, Ready};
use super::read;
use crate::arith::{self, ArithArgs, ArithReply};
use crate::messages::*;
use bytes::Bytes;
use rpcx::Result;
use rpcx::client::{AnyBytes, CallOptions, Service};
use rpcx::codec::{CodecSet, Decode, Encode, Serde, Value};
use rpcx::protocol::SerializeType;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Gives a call its types.
pub(super) fn prepare(
    service: Service,
    call: &CallCommand,
    codec: SerializeType,
    payload: Payload,
    options: CallOptions,
) -> Result<Box<dyn Prepared>> {
    let method = call.method.as_str();
    // Formats that need a type have it in any case.
    let typed = call.typed || !Serde::supports(codec);
    let known = if typed { call.service.as_str() } else { "" };
    let call = Call { service, method, payload, options, reply: call.reply };
    match (known, method) {
        ("Arith", "Mul" | "Add" | "Div") | ("Alias", "Times") => call.typed::<arith::Codecs, ArithArgs, ArithReply>(),
        ("Arith", "Say") | ("Fn", "Greet") => call.typed::<Serde, String, String>(),
        ("Echo", "Types") => call.typed::<Serde, Types, Types>(),
        ("Echo", "Meta") => call.typed::<Serde, Nothing, Nothing>(),
        ("Test", "Sleep" | "Block") => call.typed::<Serde, SleepArgs, SleepReply>(),
        ("Test", "Fail" | "Panic") => call.typed::<Serde, TextArgs, Nothing>(),
        ("Test", "Size") => call.typed::<Serde, SizeArgs, SizeReply>(),
        ("Test", "Count") => call.typed::<Serde, CountArgs, CountReply>(),
        ("Test", "Deadline") => call.typed::<Serde, Nothing, MsReply>(),
        ("Test", "Peer") => call.typed::<Serde, Nothing, PeerReply>(),
        ("Test", "Nested") => call.typed::<Serde, NestedArgs, MsReply>(),
        ("Test", "Push") => call.typed::<Serde, PushArgs, Nothing>(),
        ("Test", "Close") => call.typed::<Serde, Nothing, Nothing>(),
        _ => call.typed::<Serde, Value, Value>(),
    }
}

struct Call<'a> {
    service: Service,
    method: &'a str,
    payload: Payload,
    options: CallOptions,
    reply: ReplyAs,
}

impl Call<'_> {
    /// Arguments `A` and reply `R` in the formats of `C`.
    fn typed<C, A, R>(mut self) -> Result<Box<dyn Prepared>>
    where
        C: Encode<A> + Decode<R>,
        A: DeserializeOwned + Default + Send + Sync + 'static,
        R: Serialize + 'static,
    {
        match std::mem::replace(&mut self.payload, Payload::Bytes(Bytes::new())) {
            Payload::Args(serde_json::Value::Null) => self.shown::<C, A, AsValue<C, R>>(A::default()),
            Payload::Args(args) => self.shown::<C, A, AsValue<C, R>>(read::args(&args)?),
            Payload::Bytes(bytes) => self.shown::<AnyBytes, Bytes, AsValue<C, R>>(bytes),
        }
    }

    /// The reply as the command wants to see it.
    fn shown<E, A, V>(self, args: A) -> Result<Box<dyn Prepared>>
    where
        E: Encode<A>,
        A: Send + Sync + 'static,
        V: super::form::Show,
    {
        match self.reply {
            ReplyAs::Value => self.ready::<Form<E, V>, A>(args),
            ReplyAs::Hex => self.ready::<Form<E, AsHex>, A>(args),
            ReplyAs::Digest => self.ready::<Form<E, AsDigest>, A>(args),
        }
    }

    fn ready<F, A>(self, args: A) -> Result<Box<dyn Prepared>>
    where
        F: Encode<A> + Decode<serde_json::Value>,
        A: Send + Sync + 'static,
    {
        let service = self.service.codecs::<F>();
        let method = service.method(self.method)?;
        Ok(Box::new(Ready { service, method, args, options: self.options }))
    }
}
