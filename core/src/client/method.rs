//! A method as its callers see it: every form of call, typed over the one raw path.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rpcx_protocol::header::SerializeType;
use rpcx_protocol::metadata::Metadata;

use super::answer::{Answer, zero_value};
use super::call::{PayloadFn, Target};
use super::fan_out::{self, Outcome};
use super::options::{CallOptions, NO_OPTIONS, Plan};
use super::request::restate_time_left;
use super::routes::MethodInfo;
use super::service::Service;
use crate::codec::{CodecError, CodecSet, Decode, Encode, Serde};
use crate::connection::buffers;
use crate::error::{Delivery, Error, Reason, Result};
use crate::interceptor::{BoxFuture, Call, Endpoint as ChainEnd, Next, Parent, Reply, Timing};

/// A reply with what came beside it.
#[derive(Clone, Debug)]
pub struct Response<R> {
    /// The decoded reply.
    pub value: R,
    /// The response metadata.
    pub metadata: Metadata,
    /// The address of the server that answered, as in the discovery.
    pub server: Arc<str>,
    /// How many attempts it took, failed dials included.
    pub attempts: u32,
}

/// One method of a service, looked up once.
pub struct Method<C = Serde> {
    pub(super) service: Service<C>,
    pub(super) info: Arc<MethodInfo>,
}

impl<C> Clone for Method<C> {
    fn clone(&self) -> Self {
        Method { service: self.service.clone(), info: self.info.clone() }
    }
}

impl<C> std::fmt::Debug for Method<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let service = self.service.routes.service();
        f.debug_struct("Method").field("service", service).field("name", &self.info.name).finish_non_exhaustive()
    }
}

impl<C: CodecSet> Method<C> {
    /// The method's name.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    pub(super) fn target(&self) -> Target<'_> {
        Target { client: &self.service.client, routes: &self.service.routes, method: &self.info }
    }

    pub(super) fn serialize_type(&self, options: &CallOptions) -> SerializeType {
        options.format(&self.service.client, C::DEFAULT, C::supports)
    }

    /// See [`Service::call`].
    pub async fn call<A, R>(&self, args: &A) -> Result<R>
    where
        A: Sync + ?Sized,
        C: Encode<A> + Decode<R>,
    {
        let client = &*self.service.client;
        if !client.interceptors.is_empty() || Parent::is_inside() {
            return Ok(self.call_with(args, &NO_OPTIONS).await?.value);
        }
        client.check_open()?;
        let serialize = self.serialize_type(&NO_OPTIONS);
        let plan = Plan::new(client, &NO_OPTIONS, None, serialize, false);
        let answer = self.target().run(&plan, &|out: &mut Vec<u8>| C::encode(serialize, args, out)).await?;
        let Answer { opened, selected, attempts } = answer;
        let (serialize, payload) = opened.into_payload();
        decode_payload::<C, R>(serialize, &payload)
            .map_err(|error| undecodable(&error, selected.address().clone(), attempts))
    }

    /// See [`Service::call_with`].
    pub async fn call_with<A, R>(&self, args: &A, options: &CallOptions) -> Result<Response<R>>
    where
        A: Sync + ?Sized,
        C: Encode<A> + Decode<R>,
    {
        self.service.client.check_open()?;
        let inherited = options.inherited(&self.service.client);
        let serialize = self.serialize_type(options);
        let plan = Plan::new(&self.service.client, options, inherited.as_ref(), serialize, false);
        let payload = |out: &mut Vec<u8>| C::encode(serialize, args, out);
        if self.service.client.interceptors.is_empty() {
            let answer = self.target().run(&plan, &payload).await?;
            return decode_answer::<C, R>(answer);
        }
        let reply = self.through_chain(&plan, &payload).await?;
        decode_reply::<C, R>(serialize, reply, "".into())
    }

    /// See [`Service::oneway`].
    pub async fn oneway<A>(&self, args: &A, options: &CallOptions) -> Result<()>
    where
        A: Sync + ?Sized,
        C: Encode<A>,
    {
        self.service.client.check_open()?;
        self.send_oneway(args, options).await
    }

    /// [`oneway`](Self::oneway) of a client that may have been closed since the call began.
    pub(super) async fn send_oneway<A>(&self, args: &A, options: &CallOptions) -> Result<()>
    where
        A: Sync + ?Sized,
        C: Encode<A>,
    {
        let inherited = options.inherited(&self.service.client);
        let serialize = self.serialize_type(options);
        let plan = Plan::new(&self.service.client, options, inherited.as_ref(), serialize, true);
        let payload = |out: &mut Vec<u8>| C::encode(serialize, args, out);
        if self.service.client.interceptors.is_empty() {
            return self.target().send(&plan, &payload).await;
        }
        self.through_chain(&plan, &payload).await.map(drop)
    }

    /// Calls every server of the service; all must succeed. The first reply is returned.
    ///
    /// # Errors
    /// The first failure, once every server has answered or failed.
    pub async fn broadcast<A, R>(&self, args: &A, options: &CallOptions) -> Result<Response<R>>
    where
        A: Sync + ?Sized,
        C: Encode<A> + Decode<R>,
    {
        let mut first = None;
        for (_, result) in self.inform(args, options).await? {
            let response = result?;
            first.get_or_insert(response);
        }
        first.ok_or_else(|| Error::new(Reason::NoServerEmpty, "no server offers the service"))
    }

    /// Calls every server of the service; the first success wins and cancels the others.
    ///
    /// # Errors
    /// The last failure when all failed.
    pub async fn fork<A, R>(&self, args: &A, options: &CallOptions) -> Result<Response<R>>
    where
        A: Sync + ?Sized,
        C: Encode<A> + Decode<R>,
    {
        let answers = fan_out::Answers::start::<C, A>(self, args, options).await?;
        answers.first_good().await?.decode::<C, R>()
    }

    /// Calls every server of the service and returns what each of them answered, sorted by address.
    ///
    /// # Errors
    /// `no_server` when there is none.
    pub async fn inform<A, R>(&self, args: &A, options: &CallOptions) -> Result<Vec<(Arc<str>, Result<Response<R>>)>>
    where
        A: Sync + ?Sized,
        C: Encode<A> + Decode<R>,
    {
        let answers = fan_out::Answers::start::<C, A>(self, args, options).await?;
        let answers = answers.all().await;
        Ok(answers.into_iter().map(|(at, answer)| (at, answer.and_then(Outcome::decode::<C, R>))).collect())
    }

    async fn through_chain(&self, plan: &Plan<'_>, payload: PayloadFn<'_>) -> Result<Reply> {
        let end = Send { target: self.target(), plan };
        self.chain(plan, payload, "", &end).await
    }

    /// Hands a call to the interceptors; `end` makes it, to the server at `peer` if that is known.
    pub(super) async fn chain(
        &self,
        plan: &Plan<'_>,
        payload: PayloadFn<'_>,
        peer: &str,
        end: &dyn ChainEnd,
    ) -> Result<Reply> {
        let mut bytes = Vec::new();
        payload(&mut bytes)
            .map_err(|error| Error::new(Reason::CodecEncode, format!("the arguments could not be encoded: {error}")))?;
        let mut call = Call {
            service: self.service.name().to_owned(),
            method: self.name().to_owned(),
            metadata: plan.metadata.clone(),
            payload: Bytes::from(bytes),
            serialize_type: plan.serialize_type,
            deadline: plan.deadline,
            peer: peer.to_owned(),
            oneway: plan.oneway,
        };
        // An interceptor may wait before it goes on.
        let _begun = self.service.client.begun.enter();
        Next::new(&self.service.client.interceptors, end).run(&mut call).await
    }
}

/// The inner end of a client's chain: the call with its retries.
struct Send<'a> {
    target: Target<'a>,
    plan: &'a Plan<'a>,
}

impl ChainEnd for Send<'_> {
    fn call<'a>(&'a self, call: &'a mut Call) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async move {
            let plan = self.plan.with_call(call);
            let payload = |out: &mut Vec<u8>| {
                out.extend_from_slice(&call.payload);
                Ok(())
            };
            if call.oneway {
                self.target.send(&plan, &payload).await?;
                return Ok(Reply::default());
            }
            let answer = self.target.run(&plan, &payload).await?;
            let metadata = answer.opened.frame.metadata();
            Ok(Reply { metadata, payload: answer.opened.into_payload().1 })
        })
    }
}

pub(super) fn decode_answer<C: Decode<R>, R>(answer: Answer<'_>) -> Result<Response<R>> {
    let Answer { opened, selected, attempts } = answer;
    let server = selected.address().clone();
    let metadata = opened.frame.metadata();
    let (serialize, payload) = opened.into_payload();
    match decode_payload::<C, R>(serialize, &payload) {
        Ok(value) => Ok(Response { value, metadata, server, attempts }),
        Err(error) => Err(undecodable(&error, server, attempts)),
    }
}

pub(super) fn decode_reply<C: Decode<R>, R>(
    serialize: SerializeType,
    reply: Reply,
    server: Arc<str>,
) -> Result<Response<R>> {
    match decode_payload::<C, R>(serialize, &reply.payload) {
        Ok(value) => Ok(Response { value, metadata: reply.metadata, server, attempts: 1 }),
        Err(error) => Err(undecodable(&error, server, 1)),
    }
}

/// The value of an answer. Written where the caller finds it: a large reply is not copied on its way through here.
#[inline(always)]
fn decode_payload<C: Decode<R>, R>(serialize: SerializeType, payload: &Bytes) -> Result<R, CodecError> {
    let mut decoded = C::decode(serialize, payload);
    if decoded.is_err() && payload.is_empty() {
        // Go sends no payload for a nil reply. Codecs for which that is a value of its own, bytes say, have taken it already.
        decoded = C::decode(serialize, &Bytes::from_static(zero_value(serialize)));
    }
    decoded
}

#[cold]
fn undecodable(error: &CodecError, server: Arc<str>, attempts: u32) -> Error {
    Error::new(Reason::CodecDecode, format!("the answer could not be decoded: {error}"))
        .with_delivery(Delivery::Answered)
        .with_server(server)
        .with_attempts(attempts)
}

impl Target<'_> {
    /// Sends a request that is never answered.
    pub(super) async fn send(&self, plan: &Plan<'_>, payload: PayloadFn<'_>) -> Result<()> {
        let now = plan.now;
        let mut frame = buffers::take_scratch();
        let chosen = match self.encode(&mut frame, plan, payload, now) {
            Ok(start) => self.select(plan, &frame[start..], &[], now).await.map(|selected| (start, selected)),
            Err(error) => Err(error),
        };
        let chosen = chosen.and_then(|(start, selected)| {
            self.compress(&mut frame, start, plan)?;
            Ok(selected)
        });
        let sent = match chosen {
            Ok(mut selected) => match selected.endpoint().ready() {
                // Nobody answers: a request that left says nothing about the server.
                Some(caller) => caller.send_oneway(frame),
                None => {
                    let _begun = self.client.begun.enter();
                    match selected.endpoint().connect(plan.deadline).await {
                        Ok(caller) => {
                            restate_time_left(&mut frame, plan, now);
                            caller.send_oneway(frame)
                        }
                        Err(error) => {
                            selected.ended(Err(&error), now);
                            Err(error)
                        }
                    }
                }
            },
            Err(error) => Err(error),
        };
        self.method.recorder.began();
        self.ended("", sent.as_ref().err(), now.elapsed());
        sent
    }

    /// A call, or its part for the one server at `peer`, is over.
    #[inline]
    pub(super) fn ended(&self, peer: &str, error: Option<&Error>, elapsed: Duration) {
        self.method.recorder.ended(error.map(Error::reason), elapsed);
        if let Some(slow) = &self.client.slow_calls
            && slow.is_slow(elapsed)
        {
            slow.log(&Timing { service: self.routes.service(), method: &self.method.name, peer, elapsed, error });
        }
    }
}
