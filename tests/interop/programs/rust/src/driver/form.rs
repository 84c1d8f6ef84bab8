//! A codec set of the driver's own: arguments are encoded by one set, and the reply becomes JSON, as the driver shows it.

use super::show;
use bytes::Bytes;
use rpcx::Result;
use rpcx::client::{Batch, CallOptions, Method, Response, Service};
use rpcx::codec::{CodecError, CodecSet, Decode, Encode};
use rpcx::interceptor::BoxFuture;
use rpcx::protocol::SerializeType;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::marker::PhantomData;
use std::sync::Arc;

/// What a reply's payload is shown as.
pub(super) trait Show: Send + Sync + 'static {
    /// As of the codec set: whether an empty reply is shown as the zero value of its type.
    const EMPTY_IS_ZERO: bool = false;

    fn show(serialize: SerializeType, payload: &Bytes) -> Result<Value, CodecError>;
}

/// The decoded reply. In a format that the method's types do not have, raw for instance, the bytes.
pub(super) struct AsValue<C, R>(PhantomData<fn() -> (C, R)>);

impl<C: Decode<R>, R: Serialize + 'static> Show for AsValue<C, R> {
    const EMPTY_IS_ZERO: bool = true;

    fn show(serialize: SerializeType, payload: &Bytes) -> Result<Value, CodecError> {
        if !C::supports(serialize) {
            return AsHex::show(serialize, payload);
        }
        show::value(&C::decode(serialize, payload)?)
    }
}

/// The payload as it came.
pub(super) struct AsHex;

impl Show for AsHex {
    fn show(_serialize: SerializeType, payload: &Bytes) -> Result<Value, CodecError> {
        Ok(show::hex(payload).into())
    }
}

/// Size and hash of the payload as it came.
pub(super) struct AsDigest;

impl Show for AsDigest {
    fn show(_serialize: SerializeType, payload: &Bytes) -> Result<Value, CodecError> {
        Ok(json!({"bytes": payload.len(), "sha256": show::hex(&Sha256::digest(payload))}))
    }
}

/// Arguments as `A` encodes them, replies as `S` shows them.
pub(super) struct Form<A, S>(PhantomData<fn() -> (A, S)>);

impl<A: CodecSet, S: Show> CodecSet for Form<A, S> {
    const DEFAULT: SerializeType = A::DEFAULT;
    const EMPTY_IS_ZERO: bool = S::EMPTY_IS_ZERO;

    fn supports(serialize: SerializeType) -> bool {
        A::supports(serialize)
    }
}

impl<T: ?Sized, A: Encode<T>, S: Show> Encode<T> for Form<A, S> {
    fn encode(serialize: SerializeType, value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
        A::encode(serialize, value, out)
    }
}

impl<A: CodecSet, S: Show> Decode<Value> for Form<A, S> {
    fn decode(serialize: SerializeType, payload: &Bytes) -> Result<Value, CodecError> {
        S::show(serialize, payload)
    }
}

/// What each server answered, by address.
type FromEach = Vec<(Arc<str>, Result<Response<Value>>)>;

/// A call whose types are settled, to be made in any of the ways that there are.
pub(super) trait Prepared: Send + Sync {
    fn call(&self) -> BoxFuture<'_, Result<Response<Value>>>;
    fn oneway(&self) -> BoxFuture<'_, Result<()>>;
    fn oneshot(&self) -> Result<()>;
    fn broadcast(&self) -> BoxFuture<'_, Result<Response<Value>>>;
    fn fork(&self) -> BoxFuture<'_, Result<Response<Value>>>;
    fn inform(&self) -> BoxFuture<'_, Result<FromEach>>;
    fn add_to(self: Box<Self>, batch: &mut Batch<'static, Value>);
}

pub(super) struct Ready<C, A> {
    pub(super) service: Service<C>,
    pub(super) method: Method<C>,
    pub(super) args: A,
    pub(super) options: CallOptions,
}

impl<C, A> Prepared for Ready<C, A>
where
    C: Encode<A> + Decode<Value>,
    A: Send + Sync + 'static,
{
    fn call(&self) -> BoxFuture<'_, Result<Response<Value>>> {
        Box::pin(self.method.call_with(&self.args, &self.options))
    }

    fn oneway(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.method.oneway(&self.args, &self.options))
    }

    fn oneshot(&self) -> Result<()> {
        self.service.oneshot(self.method.name(), &self.args, &self.options)
    }

    fn broadcast(&self) -> BoxFuture<'_, Result<Response<Value>>> {
        Box::pin(self.method.broadcast(&self.args, &self.options))
    }

    fn fork(&self) -> BoxFuture<'_, Result<Response<Value>>> {
        Box::pin(self.method.fork(&self.args, &self.options))
    }

    fn inform(&self) -> BoxFuture<'_, Result<FromEach>> {
        Box::pin(self.method.inform(&self.args, &self.options))
    }

    fn add_to(self: Box<Self>, batch: &mut Batch<'static, Value>) {
        batch.add(&self.method, self.args, self.options);
    }
}
