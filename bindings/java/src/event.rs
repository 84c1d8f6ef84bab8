//! What goes to Java, and its form.

use rpcx_embed::logs::Level;
use rpcx_embed::{AuthRequest, HeldPush, InformReply, Metadata, Place, Reply, Request, Result};

use crate::requests::Held;
use crate::wire::{Write, event};

/// Something for Java's poller.
pub(crate) enum Event {
    /// A call has ended.
    Reply(u64, Result<Reply>),
    /// Something without a value has ended.
    Done(u64, Result<()>),
    /// A call to every server has ended.
    Inform(u64, Result<Vec<InformReply>>),
    /// A request of a method by its number, or of the fallback.
    Request(Request, i32),
    /// The caller has given a request up.
    Cancelled(u64),
    /// A token to decide about.
    Auth(AuthRequest),
    /// A message from a server.
    Push(HeldPush),
    /// No further message will come.
    PushesEnd,
    /// A line of the log.
    Log(Level, String, String),
}

/// The head of an event.
pub(crate) struct Head {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) id: u64,
}

/// What the channel keeps of an event that was handed out, until Java gives it back.
pub(crate) enum Keep {
    /// A request, by a number.
    Request(Held),
    /// The place of a push.
    Place(Place),
}

/// The number of the fallback.
pub(crate) const FALLBACK: i32 = -1;

impl Event {
    /// Appends the body. What Java gives back later is kept by `keep`, which gives the number that it has there.
    pub(crate) fn write(self, out: &mut Vec<u8>, keep: impl FnOnce(Keep) -> u64) -> Head {
        match self {
            Event::Reply(id, result) => ended(event::REPLY, id, result, out, |out, reply| write_reply(out, &reply)),
            Event::Done(id, result) => ended(event::DONE, id, result, out, |_, ()| ()),
            Event::Inform(id, result) => ended(event::INFORM, id, result, out, |out, replies| inform(out, &replies)),
            Event::Request(request, method) => {
                write_request(out, &request, method);
                Head { kind: event::REQUEST, flags: 0, id: keep(Keep::Request(Held::Request(request))) }
            }
            Event::Cancelled(id) => Head { kind: event::CANCELLED, flags: 0, id },
            Event::Auth(request) => {
                out.text(request.token());
                out.text(&request.service());
                out.text(&request.method());
                out.text(request.peer());
                out.optional_text(request.tls_subject());
                out.metadata(&request.metadata());
                Head { kind: event::AUTH, flags: 0, id: keep(Keep::Request(Held::Auth(request))) }
            }
            Event::Push(HeldPush { push, place }) => {
                out.text(&push.service());
                out.text(&push.method());
                out.metadata(&push.metadata());
                out.extend_from_slice(&push.payload());
                Head { kind: event::PUSH, flags: 0, id: keep(Keep::Place(place)) }
            }
            Event::PushesEnd => Head { kind: event::PUSHES_END, flags: 0, id: 0 },
            Event::Log(level, target, message) => {
                out.text(&target);
                out.text(&message);
                Head { kind: event::LOG, flags: 0, id: level as u64 }
            }
        }
    }
}

fn ended<T>(kind: u8, id: u64, result: Result<T>, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>, T)) -> Head {
    match result {
        Ok(value) => {
            write(out, value);
            Head { kind, flags: 0, id }
        }
        Err(error) => {
            out.error(&error);
            Head { kind, flags: event::FAILED, id }
        }
    }
}

fn write_reply(out: &mut Vec<u8>, reply: &Reply) {
    out.u32(reply.attempts);
    out.text(&reply.server);
    out.metadata(&reply.metadata);
    out.extend_from_slice(&reply.payload);
}

fn inform(out: &mut Vec<u8>, replies: &[InformReply]) {
    out.u32(replies.len() as u32);
    for (server, reply) in replies {
        let size_at = out.len();
        out.u32(0);
        out.push(u8::from(reply.is_err()));
        out.text(server);
        match reply {
            Ok(reply) => write_reply(out, reply),
            Err(error) => out.error(error),
        }
        let size = (out.len() - size_at - 4) as u32;
        out[size_at..size_at + 4].copy_from_slice(&size.to_le_bytes());
    }
}

fn write_request(out: &mut Vec<u8>, request: &Request, method: i32) {
    out.u32(method as u32);
    out.push(request.serialize_type().get());
    out.push(u8::from(request.is_oneway()));
    let remaining = request.remaining();
    out.i64(remaining.map_or(-1, |left| i64::try_from(left.as_nanos()).unwrap_or(i64::MAX)));
    if method == FALLBACK {
        out.text(&request.service());
        out.text(&request.method());
    }
    write_pairs(out, &request.metadata());
    out.extend_from_slice(request.payload());
}

/// Metadata after its length in bytes: Java takes it apart only when a handler asks.
fn write_pairs(out: &mut Vec<u8>, metadata: &Metadata) {
    let size_at = out.len();
    out.u32(0);
    if metadata.is_empty() {
        return;
    }
    out.metadata(metadata);
    let size = (out.len() - size_at - 4) as u32;
    out[size_at..size_at + 4].copy_from_slice(&size.to_le_bytes());
}
