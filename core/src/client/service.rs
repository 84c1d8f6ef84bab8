//! A service as its callers see it: typed calls over the one raw path.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use rpcx_protocol::header::SerializeType;

use super::core::ClientCore;
use super::method::{Method, Response};
use super::options::CallOptions;
use super::routes::Routes;
#[cfg(feature = "protobuf")]
use crate::codec::Protobuf;
use crate::codec::{CodecError, CodecSet, Decode, Encode, Raw, Serde};
use crate::error::{Error, Reason, Result};

/// A service of a client; what Go calls an XClient. Cheap to clone, to be kept and shared.
///
/// `C` says which formats arguments and replies have: [`Serde`] (MessagePack and JSON) unless chosen with
/// [`protobuf`](Service::protobuf), [`raw`](Service::raw) or [`codecs`](Service::codecs).
///
/// ```no_run
/// # async fn example() -> rpcx::Result<()> {
/// use rpcx::Client;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Args { a: i64, b: i64 }
///
/// #[derive(Deserialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Product { c: i64 }
///
/// let client = Client::new("tcp@127.0.0.1:8972")?;
/// let product: Product = client.service("Arith")?.call("Mul", &Args { a: 6, b: 7 }).await?;
/// assert_eq!(product.c, 42);
/// # Ok(())
/// # }
/// ```
pub struct Service<C = Serde> {
    pub(super) client: Arc<ClientCore>,
    pub(super) routes: Arc<Routes>,
    marker: PhantomData<fn() -> C>,
}

impl<C> Clone for Service<C> {
    fn clone(&self) -> Self {
        Service { client: self.client.clone(), routes: self.routes.clone(), marker: PhantomData }
    }
}

impl<C> std::fmt::Debug for Service<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("name", self.routes.service()).finish_non_exhaustive()
    }
}

impl<C: CodecSet> Service<C> {
    pub(super) fn new(client: Arc<ClientCore>, routes: Arc<Routes>) -> Service<C> {
        Service { client, routes, marker: PhantomData }
    }

    /// The same service with other formats.
    pub fn codecs<D: CodecSet>(&self) -> Service<D> {
        Service::new(self.client.clone(), self.routes.clone())
    }

    /// The same service with Protocol Buffers messages as arguments and replies.
    #[cfg(feature = "protobuf")]
    pub fn protobuf(&self) -> Service<Protobuf> {
        self.codecs()
    }

    /// The same service with bytes as arguments and replies.
    pub fn raw(&self) -> Service<Raw> {
        self.codecs()
    }

    /// The service path.
    pub fn name(&self) -> &str {
        self.routes.service()
    }

    /// A method to be called often: its name is looked up once.
    ///
    /// # Errors
    /// `config` for an empty name.
    pub fn method(&self, name: &str) -> Result<Method<C>> {
        Ok(Method { service: self.clone(), info: self.routes.method(&self.client, name)? })
    }

    /// Calls a method and waits for its reply.
    ///
    /// Dropping the future cancels the call. Cancelled, timed out or failed: the error's [`delivery`](Error::delivery) says
    /// whether the handler may have run.
    ///
    /// # Errors
    /// Every kind of ERRORS.md.
    pub async fn call<A, R>(&self, method: &str, args: &A) -> Result<R>
    where
        A: Sync + ?Sized,
        C: Encode<A> + Decode<R>,
    {
        self.method(method)?.call(args).await
    }

    /// [`call`](Self::call) with options, and with everything that came beside the reply.
    pub async fn call_with<A, R>(&self, method: &str, args: &A, options: &CallOptions) -> Result<Response<R>>
    where
        A: Sync + ?Sized,
        C: Encode<A> + Decode<R>,
    {
        self.method(method)?.call_with(args, options).await
    }

    /// Sends a request that is never answered. Returns when it is handed to the connection.
    ///
    /// # Errors
    /// What keeps it from being sent; never what became of it.
    pub async fn oneway<A>(&self, method: &str, args: &A, options: &CallOptions) -> Result<()>
    where
        A: Sync + ?Sized,
        C: Encode<A>,
    {
        self.method(method)?.oneway(args, options).await
    }

    /// Sends a request that is never answered, without waiting even for a connection: one that is not there yet is made in
    /// the background, and a failure to make it is only logged.
    ///
    /// # Errors
    /// Arguments that cannot be encoded, or no server to send to.
    pub fn oneshot<A>(&self, method: &str, args: &A, options: &CallOptions) -> Result<()>
    where
        A: Sync + ?Sized,
        C: Encode<A>,
    {
        self.client.check_open()?;
        let begun = self.client.begun.enter();
        let method = self.method(method)?;
        let serialize = method.serialize_type(options);
        let mut payload = Vec::new();
        C::encode(serialize, args, &mut payload)
            .map_err(|error| Error::new(Reason::CodecEncode, format!("the arguments could not be encoded: {error}")))?;
        let mut options = options.clone().serialize_type(serialize);
        if let Some(parent) = options.lineage() {
            // The task is none of the handler's in which this call is made.
            let parent = parent.into_owned();
            options = options.parent(parent);
        }
        let shard = crate::shard::Shard::current()?;
        let method: Method<AnyBytes> = Method { service: self.codecs(), info: method.info };
        shard.spawn(async move {
            let _begun = begun;
            if let Err(error) = method.send_oneway(&payload[..], &options).await {
                tracing::warn!(target: "rpcx::client", method = &*method.info.name, %error, "a oneshot request was not sent");
            }
        });
        Ok(())
    }
}

/// Payload bytes under every serialize type: what the raw path and the interceptors move.
pub struct AnyBytes;

impl CodecSet for AnyBytes {
    const DEFAULT: SerializeType = SerializeType::RAW;

    fn supports(_serialize: SerializeType) -> bool {
        true
    }
}

impl Encode<[u8]> for AnyBytes {
    fn encode(_t: SerializeType, value: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(value);
        Ok(())
    }
}

impl Encode<Bytes> for AnyBytes {
    fn encode(_t: SerializeType, value: &Bytes, out: &mut Vec<u8>) -> Result<(), CodecError> {
        out.extend_from_slice(value);
        Ok(())
    }
}

impl Decode<Bytes> for AnyBytes {
    fn decode(_t: SerializeType, payload: &Bytes) -> Result<Bytes, CodecError> {
        Ok(payload.clone())
    }
}
