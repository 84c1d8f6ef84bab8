//! Requests that another protocol of a port brings: they go the way of those that come in frames, from the limits to the
//! statistics.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rpcx_protocol::encode::Head;
use rpcx_protocol::frame::Frame;
use rpcx_protocol::header::{Header, SerializeType};
use rpcx_protocol::keys;
use rpcx_protocol::metadata::Metadata;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::admission::{came_late, deadline_of};
use super::context::{Context, Inner};
use super::core::ServerCore;
use super::lookup::Lookup;
use super::reply::{ReplyTo, ReplyWriter};
use super::session::Session;
use super::task::{self, Place};
use super::turn::{Room, Turn};
use super::{pipeline, slow};
use crate::config::Secret;
use crate::connection::{check_metadata, frameless};
use crate::error::{Delivery, Error, Reason, Result};
use crate::future::BoxFuture;
use crate::interceptor::Accounts;
use crate::shard::Shard;
use crate::transport::{ConnectionInfo, TlsIdentity};

/// A request that came in another protocol than rpcx frames, for [`Dispatch::call`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// The service path.
    pub service: String,
    /// The service method.
    pub method: String,
    /// The request's metadata; keys that begin with `__` have the meaning that they have in frames. Empty at first.
    pub metadata: Metadata,
    /// How `payload` is encoded; the answer is encoded the same way.
    pub serialize_type: SerializeType,
    /// The encoded arguments, not compressed.
    pub payload: Bytes,
    /// The token for the server's authenticator; none at first.
    pub auth: Option<Secret>,
    /// When the caller stops waiting: the call then fails and its handler is told to stop. None at first, which means never,
    /// unless the metadata have `__ServerTimeout`; the earlier of both counts.
    pub deadline: Option<Instant>,
    /// What handlers and interceptors are told of whether the caller waits; the answer comes all the same. `false` at first.
    pub oneway: bool,
}

impl Request {
    /// A request with nothing but what it needs.
    pub fn new(
        service: impl Into<String>,
        method: impl Into<String>,
        serialize_type: SerializeType,
        payload: impl Into<Bytes>,
    ) -> Request {
        Request {
            service: service.into(),
            method: method.into(),
            metadata: Metadata::new(),
            serialize_type,
            payload: payload.into(),
            auth: None,
            deadline: None,
            oneway: false,
        }
    }
}

/// The answer to a [`Request`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Response {
    /// The response metadata.
    pub metadata: Metadata,
    /// How `payload` is encoded: as the request's was.
    pub serialize_type: SerializeType,
    /// The encoded reply.
    pub payload: Bytes,
}

/// Runs requests that another [`Protocol`](super::Protocol) brings, for the client of one connection.
///
/// Everything that holds for a request in an rpcx frame holds for these: size limits, request rates of the server, the
/// client and the service, `max_in_flight` and `max_server_in_flight`, aliases, the authenticator, interceptors, deadlines,
/// `cancel_grace`, statistics, and the shutdown, which waits for them and refuses new ones. Panics are answered.
///
/// Clones are the same connection; they may be used from any thread, in tasks of the server's runtime. Handlers are polled by
/// the task that awaits the call. How many calls wait for their turn is the protocol's to limit.
#[derive(Clone)]
pub struct Dispatch {
    peer: Arc<Peer>,
}

/// What the requests of one client share.
struct Peer {
    session: Arc<Session>,
    /// Whose turn it is to begin: in the order in which they came.
    turns: Mutex<Lookup>,
    room: Arc<Room>,
    shard: Shard,
    draining: CancellationToken,
    ended: CancellationToken,
}

impl Dispatch {
    /// For a connection that was opened on `shard`. `draining`: the server shuts down.
    pub(super) fn new(
        server: Arc<ServerCore>,
        info: ConnectionInfo,
        shard: Shard,
        draining: CancellationToken,
    ) -> Self {
        Self::of(server, info, shard, draining, CancellationToken::new())
    }

    fn of(
        server: Arc<ServerCore>,
        info: ConnectionInfo,
        shard: Shard,
        draining: CancellationToken,
        ended: CancellationToken,
    ) -> Dispatch {
        let room = Arc::<Room>::default();
        let link = frameless(info, server.recorder.connection(), &Waker::from(room.clone()));
        let turns = Mutex::new(Lookup::new(&server.services));
        let session = Arc::new(Session::foreign(link, server));
        Dispatch { peer: Arc::new(Peer { session, turns, room, shard, draining, ended }) }
    }

    /// Runs a request. Handlers see the connection's address and TLS identity as the caller's.
    ///
    /// At its deadline the call fails; its handler is told to stop, and dropped `cancel_grace` later. Dropping the future does
    /// the same. While as many requests run as may it waits, or fails if `in_flight_policy` is `reject`.
    ///
    /// # Errors
    /// `service` with the handler's words, or when there is no such service or method. `auth` when the token was refused;
    /// the connection stays open, and whoever guesses tokens is best sent away. `overload`, `shutting_down`: no handler was
    /// started. `timeout`, `limit`, `codec`; `closed` when the connection has ended.
    pub async fn call(&self, request: Request) -> Result<Response> {
        let (peer, session) = (&*self.peer, &self.peer.session);
        let serialize_type = request.serialize_type;
        let beginning = async {
            let (frame, deadline) = peer.frame(&request)?;
            peer.until(deadline, peer.begin(frame, request.payload, deadline)).await?
        };
        let Begun { call, handler } =
            beginning.await.inspect_err(|error| session.server.recorder.refused(error.reason()))?;
        let ended = peer.until(call.deadline, handler).await;
        let payload = ended
            .map_err(|error| error.with_delivery(Delivery::MaybeRun))?
            .map_err(|error| error.with_delivery(Delivery::Answered))?;
        let metadata = std::mem::take(&mut *call.response.lock().unwrap_or_else(PoisonError::into_inner));
        let limits = &session.options.limits;
        check_metadata(limits, &metadata, "answer")?;
        limits.check_message(payload.len() as u64).map_err(|exceeded| too_large("answer", exceeded))?;
        Ok(Response { metadata, serialize_type, payload: Bytes::from(payload) })
    }

    /// The address of the client.
    pub fn peer(&self) -> &str {
        &self.peer.session.link.info.remote
    }

    /// Who the client is by its TLS certificate, if it showed one.
    pub fn tls(&self) -> Option<&TlsIdentity> {
        self.peer.session.link.info.tls.as_ref()
    }

    /// For the requests of another client that come on this connection, such as one behind a proxy that is trusted to name
    /// it: with a request rate and a `max_in_flight` of its own. The access list was asked about the connection only.
    #[must_use]
    pub fn for_client(&self, client: ConnectionInfo) -> Dispatch {
        let Peer { session, shard, draining, ended, .. } = &*self.peer;
        Dispatch::of(session.server.clone(), client, shard.clone(), draining.clone(), ended.clone())
    }

    /// Waits until the server shuts down: new requests are refused from then on. A protocol that can should tell its client
    /// to go elsewhere, and end the connection once the answers have left; the server waits for that as for other clients,
    /// at most for `shutdown_linger` after the last request.
    pub async fn draining(&self) {
        self.peer.draining.cancelled().await;
    }

    /// Waits until the connection has ended, or is to end because a handler has closed it.
    pub(super) async fn closed(&self) {
        self.peer.closed().await;
    }

    /// The connection has ended: what still runs is cancelled.
    pub(super) fn end(&self) {
        self.peer.session.link.close(ended());
        self.peer.ended.cancel();
    }
}

impl std::fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatch").field("peer", &self.peer()).finish_non_exhaustive()
    }
}

#[cold]
fn ended() -> Error {
    Error::new(Reason::ClosedRemote, "the connection that the request came on has ended")
}

#[cold]
fn too_large(whose: &str, exceeded: impl std::fmt::Display) -> Error {
    Error::new(Reason::LimitMaxMessageSize, format!("the {whose}: {exceeded}"))
}

impl Peer {
    /// A request in the form of one that came in a frame, without its payload, and its deadline.
    fn frame(&self, request: &Request) -> Result<(Frame, Option<Instant>)> {
        let auth = request.auth.as_ref().map(|token| (keys::AUTH, token.expose()));
        let head = Head {
            header: Header::request(request.serialize_type, 0).with_oneway(request.oneway),
            service: request.service.as_bytes(),
            method: request.method.as_bytes(),
            metadata: &request.metadata,
            extra: auth.as_slice(),
        };
        let limits = &self.session.options.limits;
        limits
            .check_message(head.wire_len(request.payload.len()) as u64 - 16)
            .map_err(|exceeded| too_large("request", exceeded))?;
        let frame = Frame::of(&head, &[]).map_err(|error| too_large("request", error))?;
        check_metadata(limits, &frame.metadata(), "request")?;
        let now = Instant::now();
        let deadline = request.deadline.into_iter().chain(deadline_of(&frame, now)?).min();
        if deadline.is_some_and(|at| at <= now) {
            return Err(came_late());
        }
        Ok((frame, deadline))
    }

    /// Waits for a future as long as the caller waits and the connection lives.
    async fn until<F: Future>(&self, deadline: Option<Instant>, future: F) -> Result<F::Output> {
        let passed = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            output = future => Ok(output),
            () = self.closed() => Err(self.session.link.ended(false).unwrap_or_else(ended)),
            () = passed => Err(Error::new(Reason::TimeoutServer, "the request's deadline passed before it was answered")),
        }
    }

    async fn closed(&self) {
        loop {
            let mut woken = pin!(self.room.changed());
            woken.as_mut().enable();
            if !self.session.link.is_open() {
                return;
            }
            tokio::select! {
                () = self.ended.cancelled() => return,
                () = woken => {}
            }
        }
    }

    /// Begins a request when its turn has come.
    async fn begin(&self, frame: Frame, payload: Bytes, deadline: Option<Instant>) -> Result<Begun> {
        let session = &self.session;
        let mut turn = Turn::take(&self.turns, &self.room, session).await;
        let at_limit = session.is_full();
        let now = Instant::now();
        let mut accounts = Accounts::default();
        let admitted = session.admit(&mut accounts, at_limit, false, deadline, now).and_then(|hold| {
            let (callee, service_hold) = session.resolve(&mut accounts, &mut turn.lookup, &frame, deadline, now)?;
            Ok((callee, hold.max(service_hold)))
        });
        session.settle(&mut accounts, now);
        let (callee, hold) = admitted?;
        let mut inner = Inner::new(session.clone(), frame, payload, deadline);
        inner.renamed = callee.renamed.clone();
        let call = Arc::new(inner);
        let entry = callee.entry.clone();
        let place = Place::new(session.clone(), &entry, &call, false);
        let began = pipeline::begin(
            &session.server,
            &callee,
            Context { inner: call.clone() },
            false,
            (!hold.is_zero()).then(|| now + hold),
        );
        turn.lookup.keep(callee);
        let (stop, shard, of) = (place.stop.clone(), self.shard.clone(), call.clone());
        let answer = async move {
            let mut slot = None;
            match began {
                Ok(running) => {
                    let running = slow::timed(running, Duration::ZERO, &of.session.server);
                    task::run(&place, &entry, running, &of, true, ReplyTo::Slot(&mut slot)).await;
                }
                Err(panic) => {
                    let mut writer = ReplyWriter::new(ReplyTo::Slot(&mut slot));
                    task::answer_panic(&of, &entry, &*panic, &mut writer, 0);
                    entry.recorder.finished(true, now.elapsed());
                }
            }
            slot.unwrap_or_else(|| Err(Error::new(Reason::InternalBug, "the handler left no answer")))
        };
        Ok(Begun { call, handler: Unwatched { answer: Some(Box::pin(answer)), stop, shard } })
    }
}

/// A request whose handler runs.
struct Begun {
    call: Arc<Inner>,
    handler: Unwatched,
}

/// A handler that is told to stop when nobody waits for it any more, and ends on a task of its own.
struct Unwatched {
    /// `None`: it has ended.
    answer: Option<BoxFuture<'static, Result<Vec<u8>>>>,
    stop: CancellationToken,
    shard: Shard,
}

impl Future for Unwatched {
    type Output = Result<Vec<u8>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let Some(answer) = &mut self.answer else { return Poll::Pending };
        let polled = answer.as_mut().poll(cx);
        if polled.is_ready() {
            self.answer = None;
        }
        polled
    }
}

impl Drop for Unwatched {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.stop.cancel();
            // Its end frees its place; nobody reads the answer.
            drop(self.shard.spawn(answer));
        }
    }
}
