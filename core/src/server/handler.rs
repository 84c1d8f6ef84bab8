//! Handlers behind one face: typed functions, raw functions, plain (blocking) ones.
//!
//! A handler makes a [`Running`]: one allocation that holds the future, is polled in place and, when it waits, moves to a task
//! of its own. It encodes its answer itself, straight into the connection's buffer.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use pin_project_lite::pin_project;
use rpcx_protocol::header::SerializeType;

use super::context::{Context, Inner};
use super::reply::ReplyWriter;
use crate::codec::{Decode, Encode};
use crate::error::{Error, Reason, Result};

/// A call that has begun.
pub(crate) trait Running: Send {
    /// Goes on with the call; when it is done its answer is in `reply`.
    fn poll_reply(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        call: &Inner,
        reply: &mut ReplyWriter<'_>,
    ) -> Poll<()>;
}

pub(crate) type BoxRunning = Pin<Box<dyn Running>>;

/// One method of a service, whatever it is made of.
pub(crate) trait Handler: Send + Sync {
    /// Payloads of this serialize type can be decoded.
    fn supports(&self, serialize: SerializeType) -> bool;
    /// Begins a call.
    fn call(&self, context: Context) -> BoxRunning;
    /// Must not run on a connection's thread.
    fn is_blocking(&self) -> bool {
        false
    }
    /// A handler for the use of one connection, which counts references of its own instead of sharing a contended one.
    fn localize(&self) -> Option<Arc<dyn Handler>> {
        None
    }
}

pin_project! {
    struct Typed<F, C, R> {
        #[pin]
        future: F,
        marker: PhantomData<fn() -> (C, R)>,
    }
}

impl<F, C, R> Running for Typed<F, C, R>
where
    F: Future<Output = Result<R>> + Send,
    C: Encode<R>,
{
    fn poll_reply(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        call: &Inner,
        reply: &mut ReplyWriter<'_>,
    ) -> Poll<()> {
        let result = ready!(self.project().future.poll(cx));
        reply.typed::<C, R>(call, result);
        Poll::Ready(())
    }
}

/// The types that a handler is made for, without having any of them.
type Types<C, A, R> = PhantomData<fn() -> (C, A, R)>;

/// A service object whose outer count of references belongs to one connection: handlers that count on several shards do
/// not contend for one counter.
pub type Shared<T> = Arc<Local<T>>;

/// What a [`Shared`] points to: the object itself.
#[derive(Debug)]
pub struct Local<T>(Arc<T>);

impl<T> std::ops::Deref for Local<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Decodes the payload of a call, with an error that tells the caller what does not fit.
fn decode<C: Decode<A>, A>(call: &Inner) -> Result<A> {
    C::decode(call.frame.header().serialize(), &call.payload)
        .map_err(|error| Error::new(Reason::CodecDecode, error.to_string()))
}

/// `Fn(Context, Args) -> Future<Result<Reply>>` in the formats of `C`.
pub(super) struct Function<C, A, R, F> {
    function: F,
    marker: Types<C, A, R>,
}

impl<C, A, R, F> Function<C, A, R, F> {
    pub(super) fn new(function: F) -> Self {
        Function { function, marker: PhantomData }
    }
}

impl<C, A, R, F, Fut> Handler for Function<C, A, R, F>
where
    C: Decode<A> + Encode<R>,
    A: 'static,
    R: 'static,
    F: Fn(Context, A) -> Fut + Send + Sync,
    Fut: Future<Output = Result<R>> + Send + 'static,
{
    fn supports(&self, serialize: SerializeType) -> bool {
        C::supports(serialize)
    }

    fn call(&self, context: Context) -> BoxRunning {
        match decode::<C, A>(&context.inner) {
            Ok(args) => {
                let future = (self.function)(context, args);
                Box::pin(Typed { future, marker: PhantomData::<fn() -> (C, R)> })
            }
            Err(error) => Box::pin(Failed(error)),
        }
    }
}

/// A method of a service object: the object is shared, its reference count is each connection's own.
pub(super) struct ServiceMethod<T, C, A, R, F> {
    service: Shared<T>,
    function: F,
    marker: Types<C, A, R>,
}

impl<T, C, A, R, F> ServiceMethod<T, C, A, R, F> {
    pub(super) fn new(service: Arc<T>, function: F) -> Self {
        ServiceMethod { service: Arc::new(Local(service)), function, marker: PhantomData }
    }
}

impl<T, C, A, R, F, Fut> Handler for ServiceMethod<T, C, A, R, F>
where
    T: Send + Sync + 'static,
    C: Decode<A> + Encode<R>,
    A: 'static,
    R: 'static,
    F: Fn(Shared<T>, Context, A) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<R>> + Send + 'static,
{
    fn supports(&self, serialize: SerializeType) -> bool {
        C::supports(serialize)
    }

    fn call(&self, context: Context) -> BoxRunning {
        match decode::<C, A>(&context.inner) {
            Ok(args) => {
                let future = (self.function)(self.service.clone(), context, args);
                Box::pin(Typed { future, marker: PhantomData::<fn() -> (C, R)> })
            }
            Err(error) => Box::pin(Failed(error)),
        }
    }

    fn localize(&self) -> Option<Arc<dyn Handler>> {
        Some(Arc::new(Self::new(self.service.0.clone(), self.function.clone())))
    }
}

/// `Fn(Context, Bytes) -> Future<Result<Bytes>>` for every serialize type: the payload is neither decoded nor encoded.
pub(super) struct RawFunction<F> {
    pub(super) function: F,
}

pin_project! {
    struct RawRunning<F> {
        #[pin]
        future: F,
    }
}

impl<F> Running for RawRunning<F>
where
    F: Future<Output = Result<Bytes>> + Send,
{
    fn poll_reply(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        call: &Inner,
        reply: &mut ReplyWriter<'_>,
    ) -> Poll<()> {
        let result = ready!(self.project().future.poll(cx));
        reply.raw(call, result);
        Poll::Ready(())
    }
}

impl<F, Fut> Handler for RawFunction<F>
where
    F: Fn(Context, Bytes) -> Fut + Send + Sync,
    Fut: Future<Output = Result<Bytes>> + Send + 'static,
{
    fn supports(&self, _serialize: SerializeType) -> bool {
        true
    }

    fn call(&self, context: Context) -> BoxRunning {
        let payload = context.inner.payload.clone();
        Box::pin(RawRunning { future: (self.function)(context, payload) })
    }
}

/// `Fn(Context, Args) -> Result<Reply>` that may block: it runs on the pool of plain handlers.
pub(super) struct Blocking<C, A, R, F> {
    function: Arc<F>,
    marker: Types<C, A, R>,
}

impl<C, A, R, F> Blocking<C, A, R, F> {
    pub(super) fn new(function: F) -> Self {
        Blocking { function: Arc::new(function), marker: PhantomData }
    }
}

impl<C, A, R, F> Handler for Blocking<C, A, R, F>
where
    C: Decode<A> + Encode<R>,
    A: Send + 'static,
    R: Send + 'static,
    F: Fn(Context, A) -> Result<R> + Send + Sync + 'static,
{
    fn supports(&self, serialize: SerializeType) -> bool {
        C::supports(serialize)
    }

    fn call(&self, context: Context) -> BoxRunning {
        match decode::<C, A>(&context.inner) {
            Ok(args) => {
                let function = self.function.clone();
                let workers = context.inner.session.workers();
                let call = context.inner.clone();
                let future = workers.run(move || call.poll_within(|| function(context, args)));
                Box::pin(Typed { future, marker: PhantomData::<fn() -> (C, R)> })
            }
            Err(error) => Box::pin(Failed(error)),
        }
    }

    fn is_blocking(&self) -> bool {
        true
    }
}

/// A call that failed before its handler ran.
pub(super) struct Failed(pub(super) Error);

impl Running for Failed {
    fn poll_reply(
        self: Pin<&mut Self>,
        _cx: &mut TaskContext<'_>,
        call: &Inner,
        reply: &mut ReplyWriter<'_>,
    ) -> Poll<()> {
        reply.failure(call, &self.0);
        Poll::Ready(())
    }
}
