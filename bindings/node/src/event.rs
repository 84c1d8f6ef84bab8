//! What has happened, on its way from the library's threads to JavaScript.

use std::time::Duration;

use rpcx_embed::{AuthRequest, Delivery, Error, HeldPush, InformReply, Push, Reply, Request, Result, Server};

use crate::slab::Key;
use crate::write::{Batch, double};

/// Something that JavaScript is to know. Tickets are JavaScript's own numbers for what it has started.
pub(crate) enum Event {
    /// A call, broadcast or fork ended.
    Reply(u32, Result<Reply>),
    /// Something without a value ended.
    Done(u32, Result<()>),
    /// An inform ended.
    Inform(u32, Result<Vec<InformReply>>),
    /// A server pushed to a client; nothing: the client was closed.
    Push(Key, Option<HeldPush>),
    /// A server started, or did not.
    Started(u32, Result<Server>),
    /// A request for a handler, by its number.
    Request(u32, Request),
    /// Nobody waits for the answer to a request any more.
    Cancelled(Key),
    /// Nobody waits for an authenticator's judgement any more.
    Unasked(Key),
    /// A token to be judged by an authenticator, by its number.
    Auth(u32, AuthRequest),
    /// Something for the host's logs: level, target, message.
    Log(u32, String, String),
}

/// The low byte of a record's second word; `node/src/bridge.ts` has the same numbers.
mod kind {
    pub(super) const REPLY: u32 = 1;
    pub(super) const ERROR: u32 = 2;
    pub(super) const DONE: u32 = 3;
    pub(super) const INFORM: u32 = 4;
    pub(super) const PUSH: u32 = 5;
    pub(super) const PUSH_END: u32 = 6;
    pub(super) const REQUEST: u32 = 7;
    pub(super) const CANCELLED: u32 = 8;
    pub(super) const AUTH: u32 = 9;
    pub(super) const STARTED: u32 = 10;
    pub(super) const LOG: u32 = 11;
}

/// The caller of a request waits for no answer.
const ONEWAY: u32 = 1 << 16;

pub(crate) fn reply(batch: &mut Batch, ticket: u32, reply: &Reply) {
    let parts: [&[u8]; 3] = [&reply.payload, reply.metadata.block(), reply.server.as_bytes()];
    batch.record(kind::REPLY, ticket, &[reply.attempts], &parts);
}

pub(crate) fn error(batch: &mut Batch, ticket: u32, error: &Error, server: Option<&str>) {
    let delivery = match error.delivery() {
        Delivery::NotSent => 0,
        Delivery::MaybeRun => 1,
        Delivery::Answered => 2,
    };
    let server = server.or(error.server()).unwrap_or_default();
    let parts = [error.reason().as_str().as_bytes(), error.message().as_bytes(), server.as_bytes()];
    batch.record(kind::ERROR, ticket, &[error.attempts(), delivery], &parts);
}

pub(crate) fn done(batch: &mut Batch, ticket: u32) {
    batch.record(kind::DONE, ticket, &[], &[]);
}

/// What each server answered, as records within a record.
pub(crate) fn inform(batch: &mut Batch, ticket: u32, answers: &[InformReply]) {
    let start = batch.begin(kind::INFORM, ticket, &[u32::try_from(answers.len()).unwrap_or(u32::MAX)]);
    for (server, answer) in answers {
        match answer {
            Ok(good) => reply(batch, ticket, good),
            Err(why) => error(batch, ticket, why, Some(server)),
        }
    }
    batch.end(start);
}

pub(crate) fn push(batch: &mut Batch, client: Key, push: Option<&Push>) {
    let Some(push) = push else { return batch.record(kind::PUSH_END, client.index, &[client.round], &[]) };
    let (service, method, metadata, payload) = (push.service(), push.method(), push.metadata(), push.payload());
    let parts: [&[u8]; 5] =
        [&payload, metadata.block(), service.as_bytes(), method.as_bytes(), push.server().as_bytes()];
    batch.record(kind::PUSH | with(push.serialize_type().get()), client.index, &[client.round], &parts);
}

pub(crate) fn request(batch: &mut Batch, key: Key, handler: u32, request: &Request) {
    let left = request.remaining().map_or(f64::NAN, |left| left.as_secs_f64() * 1e3);
    let [low, high] = double(left);
    let kind = kind::REQUEST | with(request.serialize_type().get()) | if request.is_oneway() { ONEWAY } else { 0 };
    let (service, method, metadata) = (request.service(), request.method(), request.metadata());
    let parts: [&[u8]; 4] = [request.payload(), metadata.block(), service.as_bytes(), method.as_bytes()];
    batch.record(kind, key.index, &[key.round, low, high, handler], &parts);
}

pub(crate) fn cancelled(batch: &mut Batch, request: Key) {
    batch.record(kind::CANCELLED, request.index, &[request.round], &[]);
}

pub(crate) fn auth(batch: &mut Batch, key: Key, judge: u32, request: &AuthRequest) {
    let (service, method, metadata) = (request.service(), request.method(), request.metadata());
    let parts: [&[u8]; 6] = [
        request.token().as_bytes(),
        metadata.block(),
        service.as_bytes(),
        method.as_bytes(),
        request.peer().as_bytes(),
        request.tls_subject().unwrap_or_default().as_bytes(),
    ];
    batch.record(kind::AUTH, key.index, &[key.round, judge], &parts);
}

pub(crate) fn started(batch: &mut Batch, ticket: u32, server: Key) {
    batch.record(kind::STARTED, ticket, &[server.index, server.round], &[]);
}

pub(crate) fn log(batch: &mut Batch, level: u32, target: &str, message: &str) {
    batch.record(kind::LOG, level, &[], &[target.as_bytes(), message.as_bytes()]);
}

/// The serialize type within the second word.
fn with(serialize: u8) -> u32 {
    u32::from(serialize) << 8
}

/// Milliseconds as JavaScript gives them; not a number, or none that a time can be: none.
pub(crate) fn millis(milliseconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(milliseconds / 1e3).ok()
}
