//! Calls to every server of a service at once: broadcast, fork, inform.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::Guard;
use rpcx_protocol::header::SerializeType;

use super::answer::Answer;
use super::call::{PayloadFn, Target};
use super::method::{Method, Response, decode_answer, decode_reply};
use super::options::{CallOptions, Plan};
use super::routes::Routes;
use super::table::Table;
use crate::codec::{Decode, Encode};
use crate::connection::buffers;
use crate::error::{Error, Reason, Result};
use crate::interceptor::{BoxFuture, Call, Endpoint as ChainEnd, Reply};

type Running<'a> = Pin<Box<dyn Future<Output = Result<Outcome<'a>>> + Send + 'a>>;

/// What one server answered.
pub(super) enum Outcome<'a> {
    /// To a client without interceptors.
    Answer(Answer<'a>),
    /// What interceptors made of it.
    Reply { reply: Reply, serialize: SerializeType, server: Arc<str> },
}

impl Outcome<'_> {
    pub(super) fn decode<C: Decode<R>, R>(self) -> Result<Response<R>> {
        match self {
            Outcome::Answer(answer) => decode_answer::<C, R>(answer),
            Outcome::Reply { reply, serialize, server } => decode_reply::<C, R>(serialize, reply, server),
        }
    }
}

/// The call to one of the servers; the inner end of a chain.
struct ToOne<'r, 'p> {
    target: Target<'r>,
    plan: &'p Plan<'p>,
    routes: &'r Routes,
    table: Arc<Table>,
    /// The server's place among all of the table.
    index: usize,
}

impl<'r> ToOne<'r, '_> {
    fn address(&self) -> &Arc<str> {
        &self.table.servers()[self.index].endpoint.address
    }

    async fn call(&self, plan: &Plan<'_>, payload: PayloadFn<'_>) -> Result<Answer<'r>> {
        let target = self.target;
        let mut frame = buffers::take_scratch();
        target.method.recorder.began();
        let encoded = target
            .encode(&mut frame, plan, payload, plan.now)
            .and_then(|start| target.compress(&mut frame, start, plan));
        let result = match encoded.and_then(|()| self.table.given(self.routes, self.index, plan.now)) {
            Ok(selected) => target.exchange(plan, selected, frame, 1, plan.now).await,
            Err(error) => Err(error),
        };
        target.ended(self.address(), result.as_ref().err(), plan.now.elapsed());
        result.map_err(|error| error.with_attempts(1))
    }
}

impl ChainEnd for ToOne<'_, '_> {
    fn call<'a>(&'a self, call: &'a mut Call) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async move {
            let plan = self.plan.with_call(call);
            let payload = |out: &mut Vec<u8>| {
                out.extend_from_slice(&call.payload);
                Ok(())
            };
            let answer = self.call(&plan, &payload).await?;
            let metadata = answer.opened.frame.metadata();
            Ok(Reply { metadata, payload: answer.opened.into_payload().1 })
        })
    }
}

enum One<'a> {
    Running(Running<'a>),
    Done(Option<Result<Outcome<'a>>>),
}

/// One call for each server, under way side by side in the calling task. Dropping it cancels those that still run.
pub(super) struct Answers<'a> {
    calls: Vec<(Arc<str>, One<'a>)>,
}

impl<'a> Answers<'a> {
    pub(super) async fn start<C, A>(method: &'a Method<C>, args: &'a A, options: &'a CallOptions) -> Result<Answers<'a>>
    where
        A: Sync + ?Sized,
        C: Encode<A>,
    {
        let client = &method.service.client;
        client.check_open()?;
        let _begun = client.begun.enter();
        let serialize = method.serialize_type(options);
        let inherited = options.inherited(client);
        let plan = Plan::new(client, options, inherited.as_ref(), serialize, false);
        let routes = &method.service.routes;
        let table = Guard::into_inner(routes.known(client, plan.deadline, plan.now).await?);
        if table.servers().is_empty() {
            return Err(Error::new(
                Reason::NoServerEmpty,
                format!("no server offers the service {}", method.service.name()),
            ));
        }
        let mut calls: Vec<(Arc<str>, One<'a>)> = Vec::with_capacity(table.servers().len());
        for (index, server) in table.servers().iter().enumerate() {
            let address = server.endpoint.address.clone();
            let table = table.clone();
            let (begun, inherited) = (client.begun.enter(), inherited.clone());
            let call: Running<'a> = Box::pin(async move {
                let _begun = begun;
                let plan = Plan::new(client, options, inherited.as_ref(), serialize, false);
                let payload = |out: &mut Vec<u8>| C::encode(serialize, args, out);
                let end = ToOne { target: method.target(), plan: &plan, routes, table, index };
                if client.interceptors.is_empty() {
                    return end.call(&plan, &payload).await.map(Outcome::Answer);
                }
                let server = end.address().clone();
                let reply = method.chain(&plan, &payload, &server, &end).await?;
                Ok(Outcome::Reply { reply, serialize, server })
            });
            calls.push((address, One::Running(call)));
        }
        calls.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Answers { calls })
    }

    /// Polls every call that still runs; tells whether all are done.
    fn poll_all(&mut self, cx: &mut Context<'_>) -> bool {
        let mut all = true;
        for (_, one) in &mut self.calls {
            if let One::Running(call) = one {
                match call.as_mut().poll(cx) {
                    Poll::Ready(result) => *one = One::Done(Some(result)),
                    Poll::Pending => all = false,
                }
            }
        }
        all
    }

    /// What every server answered.
    pub(super) async fn all(mut self) -> Vec<(Arc<str>, Result<Outcome<'a>>)> {
        poll_fn(|cx| if self.poll_all(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
        let calls = std::mem::take(&mut self.calls).into_iter();
        calls
            .filter_map(|(address, one)| match one {
                One::Done(Some(result)) => Some((address, result)),
                _ => None,
            })
            .collect()
    }

    /// The first good answer; the last failure when there is none.
    pub(super) async fn first_good(mut self) -> Result<Outcome<'a>> {
        let mut last = None;
        poll_fn(|cx| {
            let all = self.poll_all(cx);
            for (_, one) in &mut self.calls {
                if let One::Done(slot) = one
                    && let Some(result) = slot.take()
                {
                    let good = result.is_ok();
                    last = Some(result);
                    if good {
                        return Poll::Ready(());
                    }
                }
            }
            if all { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        last.unwrap_or_else(|| Err(Error::new(Reason::NoServerEmpty, "no server offers the service")))
    }
}
