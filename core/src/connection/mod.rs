//! One connection's life, the same for both roles.
//!
//! ```text
//!   callers, handlers ──► Link ──► outbox ──► socket          any thread; written at once or by the driver
//!                          ▲
//!   socket ──► Driver ──► decoder ──► Role ──► wakers, dispatch   one task, one shard
//! ```
//!
//! A connection lives whole on one shard: its [`driver`] reads, dispatches, writes what was left to it and keeps
//! the time. Everybody else holds the [`link`] and sends frames through it. The protocol's own values — decoder, table of
//! pending calls, wheel, heartbeat — do the thinking; this module moves bytes and wakes tasks.

pub(crate) mod buffers;
pub(crate) mod caller;
mod client_role;
pub(crate) mod driver;
mod exchange;
mod hello;
pub(crate) mod link;
mod outbox;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use rpcx_protocol::decoder::{DecodeError, Decoder, Refused};
use rpcx_protocol::limits::Limits;
use rpcx_protocol::metadata::Metadata;

use crate::error::{Error, Reason, Result};
use crate::shard::Shard;
use crate::stats::ConnectionRecorder;
use crate::transport::{ConnectionInfo, Io, Writer};

use caller::{Caller, CallerOptions, LifeSink, PushSink};
use client_role::ClientRole;
use driver::{Driver, Role};
use link::{Link, QueueLimits};

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Everything that is not a role's own.
pub(crate) struct LinkOptions {
    pub(crate) limits: Limits,
    pub(crate) queue: QueueLimits,
    pub(crate) recorder: Arc<ConnectionRecorder>,
}

/// Starts the driver of a connection on `shard`, which must be the one that opened it. `role` is made once the link exists.
pub(crate) fn start<R: Role>(
    io: Io,
    options: LinkOptions,
    shard: &Shard,
    role: impl FnOnce(&Arc<Link>) -> R,
) -> Arc<Link> {
    let (direct, driven) = match io.writer {
        Writer::Direct(writer) => (Some(writer), None),
        Writer::Driven(writer) => (None, Some(writer)),
    };
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let link = Arc::new(Link::new(id, io.info, direct, options.queue, options.recorder));
    let driver = Driver::new(link.clone(), io.reader, driven, Decoder::new(options.limits), role(&link));
    shard.spawn(driver);
    link
}

/// The link of a connection that speaks another protocol: nothing is sent on it and no driver reads. It stands for the
/// connection where something goes by connections; `waker` is woken where a driver would be.
pub(crate) fn frameless(info: ConnectionInfo, recorder: Arc<ConnectionRecorder>, waker: &Waker) -> Arc<Link> {
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let link = Link::new(id, info, None, QueueLimits { frames: 0, bytes: 0 }, recorder);
    link.set_driver(waker);
    Arc::new(link)
}

/// Starts a client's connection; with heartbeats on, the hello waits to leave with the first request.
pub(crate) fn start_client(
    io: Io,
    options: LinkOptions,
    caller_options: CallerOptions,
    pushes: Option<Arc<dyn PushSink>>,
    life: Option<Box<dyn LifeSink>>,
    shard: &Shard,
) -> Arc<Caller> {
    let hello = caller_options.heartbeat_interval > Duration::ZERO;
    let mut made = None;
    start(io, options, shard, |link| {
        let caller = Arc::new(Caller::new(link.clone(), caller_options, pushes, life));
        made = Some(caller.clone());
        ClientRole::new(caller)
    });
    let caller = made.expect("the role was made");
    if hello {
        caller.link.send_later(&mut caller.heartbeat(true));
    }
    caller
}

/// A frame that was framed but breaks a limit.
pub(crate) fn refused_error(refused: &Refused, what: &str) -> Error {
    let reason = match refused.limit {
        "limit.max_metadata_size" => Reason::LimitMaxMetadataSize,
        "limit.max_metadata_pairs" => Reason::LimitMaxMetadataPairs,
        _ => Reason::LimitMaxMessageSize,
    };
    let name = reason.as_str().trim_start_matches("limit.");
    Error::new(reason, format!("the {what} has {} where {name} allows {}", refused.size, refused.max))
}

/// Refuses metadata that break this side's own limits; `whose` names the message.
pub(crate) fn check_metadata(limits: &Limits, metadata: &Metadata, whose: &str) -> Result<()> {
    if metadata.is_empty() {
        return Ok(());
    }
    limits.check_metadata(metadata).map_err(|exceeded| {
        let reason = Reason::from_name(exceeded.limit).unwrap_or(Reason::LimitMaxMetadataSize);
        Error::new(reason, format!("the {whose}'s metadata: {exceeded}"))
    })
}

/// Bytes that are no frame end the connection.
pub(crate) fn decode_error(error: DecodeError, link: &Link) -> Error {
    let reason = match error {
        DecodeError::BadMagic(_) => Reason::ProtocolMagic,
        DecodeError::Metadata { .. } | DecodeError::NotUtf8 { .. } => Reason::ProtocolMetadata,
        _ => Reason::ProtocolFrame,
    };
    Error::new(reason, format!("{} sent bytes that are no rpcx frame: {error}", link.info.remote)).with_source(error)
}
