//! What Java asks for: calls, cancellations, answers.

use std::time::{Duration, Instant};

use rpcx_embed::{Bytes, CallOptions, Error, Kind, Parent, Reason, Result, Running, SerializeType};

use crate::channel::Channel;
use crate::event::Event;
use crate::requests::Held;
use crate::wire::{Reader, command};

/// Java's `Records.KIND_…`.
mod kind {
    pub(super) const CALL: u8 = 0;
    pub(super) const BROADCAST: u8 = 1;
    pub(super) const FORK: u8 = 2;
    pub(super) const INFORM: u8 = 3;
    pub(super) const ONEWAY: u8 = 4;
    pub(super) const ONESHOT: u8 = 5;
}

const HAS_OPTIONS: u8 = 1;
const HAS_PARENT: u8 = 2;
/// The bytes of a length, which a command's own begins with.
const SIZE: usize = 4;

/// Carries out commands, one after the other.
pub(crate) fn submit(channel: &Channel, commands: Bytes) -> Result<()> {
    let mut reader = Reader::new(commands);
    // Entered together, after the last call has left.
    let mut started: Vec<(u64, Running)> = Vec::new();
    let mut result = Ok(());
    while !reader.is_done() {
        let carried_out = reader.count().and_then(|size| reader.part(size.saturating_sub(SIZE))).and_then(|mut one| {
            match one.u8()? {
                command::CALL => {
                    let (ticket, running) = call(channel, one)?;
                    if let Some(running) = running {
                        started.push((ticket, running));
                    }
                    Ok(())
                }
                command::CANCEL => {
                    one.skip(3)?;
                    enter(channel, &mut started);
                    channel.running().cancel(one.u64()?);
                    Ok(())
                }
                command::ANSWER => answer(channel, one),
                command::ADMIT => admit(channel, one),
                command::TAKEN => {
                    one.skip(3)?;
                    channel.taken(one.count()?);
                    Ok(())
                }
                other => Err(Error::new(Reason::InternalBug, format!("there is no command {other}"))),
            }
        });
        if let Err(error) = carried_out {
            result = Err(error);
            break;
        }
    }
    enter(channel, &mut started);
    result
}

fn enter(channel: &Channel, started: &mut Vec<(u64, Running)>) {
    if !started.is_empty() {
        let mut table = channel.running();
        started.drain(..).for_each(|(ticket, running)| table.enter(ticket, running));
    }
}

/// Starts a call. What is wrong with it is told as its end.
fn call(channel: &Channel, mut reader: Reader) -> Result<(u64, Option<Running>)> {
    let (kind, serialize, flags) = (reader.u8()?, reader.u8()?, reader.u8()?);
    let ticket = reader.u64()?;
    let method = reader.count()?;
    let extras = reader.count()?;
    let timeout = reader.i64()?;
    let extras = reader.part(extras)?;
    let payload = reader.rest();
    let started = options(extras, flags, timeout, serialize)
        .and_then(|options| start(channel, kind, method, ticket, payload, options));
    match started {
        Ok(running) => Ok((ticket, running)),
        Err(error) => {
            channel.queue.push(Event::Done(ticket, Err(error)));
            Ok((ticket, None))
        }
    }
}

fn options(mut extras: Reader, flags: u8, timeout: i64, serialize: u8) -> Result<CallOptions> {
    let mut options = CallOptions::new();
    if flags & HAS_OPTIONS != 0 {
        options = options.all_metadata(extras.metadata()?);
        for (name, value) in extras.pairs()? {
            options = options.set(&name, &value)?;
        }
    }
    if let Some(serialize) = SerializeType::new(serialize) {
        options = options.serialize_type(serialize);
    }
    if let Ok(nanos) = u64::try_from(timeout) {
        options = options.timeout(Duration::from_nanos(nanos));
    }
    if flags & HAS_PARENT != 0 {
        let left = u64::try_from(extras.i64()?).ok();
        let deadline = left.and_then(|nanos| Instant::now().checked_add(Duration::from_nanos(nanos)));
        options = options.parent(Parent::new(deadline, extras.metadata()?));
    }
    Ok(options)
}

fn start(
    channel: &Channel,
    kind: u8,
    method: usize,
    ticket: u64,
    payload: Bytes,
    options: CallOptions,
) -> Result<Option<Running>> {
    let queue = channel.queue.clone();
    channel.with_method(method, |method| {
        let reply = move |result| queue.push(Event::Reply(ticket, result));
        match kind {
            kind::CALL => method.start(Kind::Call, payload, options, reply).map(Some),
            kind::BROADCAST => method.start(Kind::Broadcast, payload, options, reply).map(Some),
            kind::FORK => method.start(Kind::Fork, payload, options, reply).map(Some),
            kind::INFORM => {
                let queue = channel.queue.clone();
                let done = move |result| queue.push(Event::Inform(ticket, result));
                method.start_inform(payload, options, done).map(Some)
            }
            kind::ONEWAY => {
                let queue = channel.queue.clone();
                let done = move |result| queue.push(Event::Done(ticket, result));
                method.start_oneway(payload, options, done).map(Some)
            }
            kind::ONESHOT => {
                channel.queue.push(Event::Done(ticket, method.oneshot(payload, &options)));
                Ok(None)
            }
            other => Err(Error::new(Reason::InternalBug, format!("there is no kind of call {other}"))),
        }
    })
}

/// Answers a request; nothing happens when that was done before.
fn answer(channel: &Channel, mut reader: Reader) -> Result<()> {
    let failed = reader.u8()? != 0;
    reader.skip(2)?;
    let number = reader.u64()?;
    let metadata = reader.count()?;
    let mut metadata = reader.part(metadata)?;
    let held = channel.requests().take(number);
    let Some(Held::Request(request)) = held else { return Ok(()) };
    for (key, value) in metadata.pairs()? {
        request.set_metadata(&key, &value);
    }
    request.answer(if failed { Err(error(reader)?) } else { Ok(reader.rest()) });
    Ok(())
}

/// Decides about a token.
fn admit(channel: &Channel, mut reader: Reader) -> Result<()> {
    let failed = reader.u8()? != 0;
    reader.skip(2)?;
    let number = reader.u64()?;
    reader.skip(SIZE)?;
    let held = channel.requests().take(number);
    if let Some(Held::Auth(request)) = held {
        request.answer(if failed { Err(error(reader)?) } else { Ok(()) });
    }
    Ok(())
}

/// An error by its reason and text. A reason that is unknown here is the service's own.
fn error(mut reader: Reader) -> Result<Error> {
    let reason = Reason::from_name(reader.text()?).unwrap_or(Reason::ServiceError);
    Ok(Error::new(reason, reader.text()?.to_owned()))
}
