//! Handing events to Java, a batch at a time.

use jni::Env;
use jni::objects::{JByteArray, JObjectArray};
use jni::sys::jint;
use rpcx_embed::{Bytes, Error, Reason};

use crate::channel::{Channel, Polling};
use crate::command;
use crate::event::{Event, Head, Keep};
use crate::guard::Outcome;
use crate::wire::event;

/// A body above this is an array of its own.
const LARGE_BODY: usize = 64 * 1024;

/// Carries out commands, waits for events and writes as many as fit into `events`. Says how many bytes, or -1 at the end of
/// the queue.
pub(crate) fn poll<'local>(
    env: &mut Env<'local>,
    channel: &Channel,
    commands: Option<Bytes>,
    events: &JByteArray<'local>,
    large: &JObjectArray<'local, JByteArray<'local>>,
) -> Outcome<jint> {
    let room = events.len(env)?;
    let bodies = large.len(env)?;
    let mut polling = channel.polling();
    let polling = &mut *polling;
    if polling.waiting.is_empty() && polling.carried.is_empty() {
        if !gather(channel, polling, commands)? {
            return Ok(-1);
        }
    } else if let Some(commands) = commands {
        command::submit(channel, commands)?;
    }
    let out = &mut polling.out;
    out.clear();
    out.append(&mut polling.carried);
    let mut used_bodies = 0;
    // A large body leaves only a head, so that this many always fit behind one another.
    while used_bodies < bodies && out.len() + event::HEAD <= room {
        let Some(next) = polling.waiting.pop_front() else { break };
        let from = out.len();
        append(channel, next, out);
        let body = out.len() - from - event::HEAD;
        if body > LARGE_BODY {
            let array = env.byte_array_from_slice(&out[from + event::HEAD..]);
            out.truncate(from + event::HEAD);
            let array = match array {
                Ok(array) => array,
                Err(_) => no_memory(env, out, from, body)?,
            };
            large.set_element(env, used_bodies, &array)?;
            out[from + 5] |= event::LARGE;
            out[from + 6..from + 8].copy_from_slice(&(used_bodies as u16).to_le_bytes());
            used_bodies += 1;
        }
        let size = (out.len() - from) as u32;
        out[from..from + 4].copy_from_slice(&size.to_le_bytes());
        if out.len() > room {
            polling.carried = out.split_off(from);
            break;
        }
    }
    events.set_region(env, 0, signed(out))?;
    Ok(out.len() as jint)
}

/// Carries out commands and waits until there is an event; false at the end of the queue.
fn gather(channel: &Channel, polling: &mut Polling, mut commands: Option<Bytes>) -> Outcome<bool> {
    loop {
        if commands.is_some() {
            channel.submit_and_wait(polling.driver.as_ref(), commands.take())?;
        }
        let ended = channel.queue.is_closed();
        channel.queue.drain(&mut polling.incoming, usize::MAX);
        if !polling.incoming.is_empty() {
            polling.waiting.extend(polling.incoming.drain(..));
            return Ok(true);
        }
        if ended {
            // The shards end with their last handle, which this may be.
            polling.driver = None;
            return Ok(false);
        }
        channel.submit_and_wait(polling.driver.as_ref(), None)?;
    }
}

/// Appends an event with its head, whose size is written later.
fn append(channel: &Channel, next: Event, out: &mut Vec<u8>) {
    match &next {
        Event::Reply(ticket, _) | Event::Done(ticket, _) | Event::Inform(ticket, _) => channel.running().end(*ticket),
        _ => {}
    }
    let from = out.len();
    out.resize(from + event::HEAD, 0);
    let Head { kind, flags, id } = next.write(out, |keep| match keep {
        Keep::Request(held) => channel.requests().insert(held),
        Keep::Place(place) => {
            channel.pushed(place);
            0
        }
    });
    out[from + 4] = kind;
    out[from + 5] = flags;
    out[from + 8..from + 16].copy_from_slice(&id.to_le_bytes());
}

/// The JVM has no room for a body: a reply becomes an error in an array that is small, anything else an empty body.
fn no_memory<'local>(
    env: &mut Env<'local>,
    out: &mut [u8],
    from: usize,
    body: usize,
) -> jni::errors::Result<JByteArray<'local>> {
    use crate::wire::Write;
    env.exception_clear();
    let mut text = Vec::new();
    text.error(&Error::new(Reason::InternalSystem, format!("the JVM has no memory for a message of {body} bytes")));
    out[from + 5] |= event::FAILED;
    env.byte_array_from_slice(&text)
}

/// Java's bytes have a sign.
fn signed(bytes: &[u8]) -> &[i8] {
    // SAFETY: both types have one byte, any bits and no alignment.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}
