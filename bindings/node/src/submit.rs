//! Calls and answers that JavaScript starts, read from the records of one turn of its loop.

use std::time::Instant;

use bytes::Bytes;
use rpcx_embed::{CallOptions, Error, Kind, Metadata, Parent, Reason, Result, SerializeType};

use crate::event::millis;
use crate::read::{Malformed, Reader};
use crate::slab::Key;

mod operation {
    //! `node/src/outbox.ts` has the same numbers.
    pub(super) const CALL: u8 = 0;
    pub(super) const BROADCAST: u8 = 1;
    pub(super) const FORK: u8 = 2;
    pub(super) const INFORM: u8 = 3;
    pub(super) const ONEWAY: u8 = 4;
    pub(super) const ONESHOT: u8 = 5;
    pub(super) const ANSWER: u8 = 16;
    pub(super) const FAIL: u8 = 17;
}

/// Bits of a call.
const CANCELLABLE: u8 = 1;
const WITHOUT_PARENT: u8 = 2;
const WITH_PARENT: u8 = 4;

/// How a call is made.
pub(crate) enum Form {
    Reply(Kind),
    Inform,
    Oneway,
    Oneshot,
}

/// A call to start.
pub(crate) struct Start {
    pub(crate) form: Form,
    pub(crate) ticket: u32,
    pub(crate) method: Key,
    /// JavaScript may cancel it.
    pub(crate) cancellable: bool,
    pub(crate) payload: Bytes,
    /// Or why they are none.
    pub(crate) options: Result<CallOptions>,
}

/// What one record asks for.
pub(crate) enum Submitted {
    Start(Start),
    /// The answer to a request, and the metadata that goes with it.
    Answer(Key, Vec<(String, String)>, Result<Bytes>),
}

/// Whether there are at least `count` records.
pub(crate) fn are_many(records: &[u8], count: usize) -> bool {
    let mut rest = Reader::new(records);
    (0..count).all(|_| rest.u32().is_ok_and(|size| size >= 4 && rest.bytes(size - 4).is_ok()))
}

/// Reads the next record.
pub(crate) fn next(records: &mut Reader<'_>) -> Result<Submitted, Malformed> {
    let size = records.u32()?.checked_sub(4).ok_or(Malformed)?;
    let mut record = Reader::new(records.bytes(size)?);
    let [operation, serialize, flags, _] = record.u32()?.to_le_bytes();
    match operation {
        operation::ANSWER => {
            let request = key(&mut record)?;
            let (metadata, payload) = (record.u32()?, record.u32()?);
            let metadata = pairs(&mut record, metadata)?;
            let payload = Bytes::copy_from_slice(record.bytes(payload)?);
            Ok(Submitted::Answer(request, metadata, Ok(payload)))
        }
        operation::FAIL => {
            let request = key(&mut record)?;
            let (metadata, reason, message) = (record.u32()?, record.u32()?, record.u32()?);
            let metadata = pairs(&mut record, metadata)?;
            let reason = Reason::from_name(record.text(reason)?).unwrap_or(Reason::ServiceError);
            let error = Error::new(reason, record.text(message)?.to_owned());
            Ok(Submitted::Answer(request, metadata, Err(error)))
        }
        operation => start(operation, serialize, flags, &mut record).map(Submitted::Start),
    }
}

fn start(operation: u8, serialize: u8, flags: u8, record: &mut Reader<'_>) -> Result<Start, Malformed> {
    let form = match operation {
        operation::CALL => Form::Reply(Kind::Call),
        operation::BROADCAST => Form::Reply(Kind::Broadcast),
        operation::FORK => Form::Reply(Kind::Fork),
        operation::INFORM => Form::Inform,
        operation::ONEWAY => Form::Oneway,
        operation::ONESHOT => Form::Oneshot,
        _ => return Err(Malformed),
    };
    let ticket = record.u32()?;
    let method = key(record)?;
    let (metadata, inherited, settings, payload) = (record.u32()?, record.u32()?, record.u32()?, record.u32()?);
    // A word that lets the doubles stand at a multiple of eight.
    record.u32()?;
    let (timeout, remaining) = (record.f64()?, record.f64()?);

    let mut options = CallOptions::new().serialize_type(SerializeType::new(serialize).ok_or(Malformed)?);
    if let Some(timeout) = millis(timeout) {
        options = options.timeout(timeout);
    }
    if metadata > 0 {
        options = options.all_metadata(read_metadata(record, metadata)?);
    }
    if flags & WITH_PARENT != 0 {
        let deadline = millis(remaining).and_then(|left| Instant::now().checked_add(left));
        options = options.parent(Parent::new(deadline, read_metadata(record, inherited)?));
    } else if flags & WITHOUT_PARENT != 0 {
        options = options.without_parent();
    }
    let mut options = Ok(options);
    record.pairs(settings, |name, value| {
        if let Ok(all) = std::mem::replace(&mut options, Ok(CallOptions::new())) {
            options = all.set(name, value);
        }
    })?;
    let payload = Bytes::copy_from_slice(record.bytes(payload)?);
    Ok(Start { form, ticket, method, cancellable: flags & CANCELLABLE != 0, payload, options })
}

fn key(record: &mut Reader<'_>) -> Result<Key, Malformed> {
    Ok(Key { index: record.u32()?, round: record.u32()? })
}

fn pairs(record: &mut Reader<'_>, length: u32) -> Result<Vec<(String, String)>, Malformed> {
    let mut pairs = Vec::new();
    record.pairs(length, |key, value| pairs.push((key.to_owned(), value.to_owned())))?;
    Ok(pairs)
}

fn read_metadata(record: &mut Reader<'_>, length: u32) -> Result<Metadata, Malformed> {
    let mut metadata = Metadata::new();
    record.pairs(length, |key, value| metadata.insert(key, value))?;
    Ok(metadata)
}
