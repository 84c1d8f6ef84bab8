//! Connections that come: let in, dealt out to the shards, and served in whichever protocol they speak.

use std::sync::Arc;
use std::time::Duration;

use super::core::ServerCore;
use super::dispatch::ServerRole;
use super::foreign::Dispatch;
use super::protocol::{Protocol, choose};
use super::running::Shared;
use super::session::Session;
use crate::connection::LinkOptions;
use crate::connection::link::QueueLimits;
use crate::error::{Error, Reason};
use crate::future::within;
use crate::shard::Shard;
use crate::transport::{Incoming, Io, Listener};

/// How long an accept loop waits after the system had no descriptor for one more connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// Connections that one listener takes at most after the server was told to end: clients go on connecting to a socket that
/// another process has taken over.
const MAX_LAST: usize = 4096;

/// Takes connections from one listener and deals them out to the shards; at the end those that have come already.
pub(super) async fn accept(shared: Arc<Shared>, mut listener: Box<dyn Listener>, shards: Vec<Shard>) {
    let (mut next, mut last) = (0, 0);
    loop {
        let incoming = tokio::select! {
            biased;
            () = shared.closing.cancelled() => {
                last += 1;
                match listener.try_accept() {
                    Ok(Some(incoming)) if last <= MAX_LAST && !shared.closed.is_cancelled() => Ok(incoming),
                    _ => return,
                }
            }
            incoming = listener.accept() => incoming,
        };
        let incoming = match incoming {
            Ok(incoming) => incoming,
            Err(error) => {
                tracing::warn!(target: "rpcx::server", address = %listener.address(), %error, "accept failed");
                shared.core.recorder.failed();
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let admitted = tokio::select! {
            biased;
            admitted = shared.gate.admit(&shared.core, incoming.remote()) => admitted,
            // It would wait for its turn.
            () = shared.closing.cancelled() => false,
        };
        if !admitted {
            continue;
        }
        let shard = shards[next % shards.len()].clone();
        next = next.wrapping_add(1);
        let task = open(shared.clone(), incoming, shard.clone());
        shard.spawn(shared.tasks.track_future(task));
    }
}

/// Does the handshake of one connection and starts its life.
async fn open(shared: Arc<Shared>, incoming: Box<dyn Incoming>, shard: Shard) {
    let remote = incoming.remote().to_owned();
    let limit = Some(shared.options.handshake_timeout).filter(|limit| *limit > Duration::ZERO);
    let opened = tokio::select! {
        () = shared.closed.cancelled() => Err(Error::new(Reason::ClosedLocal, "the server was closed")),
        opened = async {
            let mut io = within(limit, incoming.open()).await.map_err(|limit| {
                Error::new(Reason::ConnectHandshake, format!("no handshake within handshake_timeout ({limit:?})"))
            })??;
            if let Some(tee) = &shared.tee {
                io.reader = tee.reader(io.reader, &io.info.remote);
            }
            choose(io, &shared.protocols, limit).await
        } => opened,
    };
    match opened {
        Ok((io, None)) => {
            let core = shared.core.clone();
            let options = LinkOptions {
                limits: core.session_options.limits,
                queue: QueueLimits { frames: usize::MAX, bytes: shared.options.max_queued_bytes },
                recorder: core.recorder.connection(),
            };
            crate::connection::start(io, options, &shard, |link| {
                let session = Arc::new(Session::new(link.clone(), core.clone()));
                core.joined(&session);
                ServerRole::new(session)
            });
            if shared.closed.is_cancelled() {
                // Closed between the handshake and here: nobody else would end it.
                for session in shared.core.sessions() {
                    session.link.close(Error::new(Reason::ClosedLocal, "the server was closed"));
                }
            }
        }
        Ok((io, Some(protocol))) => serve(&shared, &*protocol, io, shard).await,
        Err(error) => {
            shared.core.recorder.failed();
            shared.core.leave();
            tracing::debug!(target: "rpcx::server", peer = remote, %error, "a connection was not opened");
        }
    }
}

/// Serves a connection in another protocol.
async fn serve(shared: &Shared, protocol: &dyn Protocol, io: Io, shard: Shard) {
    let core = &shared.core;
    let dispatch = Dispatch::new(core.clone(), io.info.clone(), shard, shared.closing.clone());
    core.recorder.opened();
    let _counted = Foreign { core, dispatch: &dispatch };
    tokio::select! {
        () = shared.closed.cancelled() => {}
        () = dispatch.closed() => {}
        () = protocol.serve(io, dispatch.clone()) => {}
    }
}

/// A connection in another protocol; it ends also when its protocol panics.
struct Foreign<'a> {
    core: &'a ServerCore,
    dispatch: &'a Dispatch,
}

impl Drop for Foreign<'_> {
    fn drop(&mut self) {
        self.dispatch.end();
        self.core.recorder.closed();
        self.core.leave();
    }
}
