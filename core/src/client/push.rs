//! Messages that servers send on their own, as a stream.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use rpcx_protocol::frame::Frame;
use rpcx_protocol::header::SerializeType;
use rpcx_protocol::metadata::Metadata;

use crate::config::PushOverflow;
use crate::connection::caller::PushSink;
use crate::connection::link::Link;
use crate::stats::ClientRecorder;

/// A message from a server that answers no call.
#[derive(Clone, Debug)]
pub struct Push {
    frame: Frame,
    server: String,
}

impl Push {
    /// The service path that the server wrote.
    pub fn service(&self) -> String {
        self.frame.service_str().into_owned()
    }

    /// The method that the server wrote.
    pub fn method(&self) -> String {
        self.frame.method_str().into_owned()
    }

    /// The message's metadata.
    pub fn metadata(&self) -> Metadata {
        self.frame.metadata()
    }

    /// The payload as it came.
    pub fn payload(&self) -> Bytes {
        self.frame.payload_bytes()
    }

    /// How the payload is encoded; Go servers always say raw.
    pub fn serialize_type(&self) -> SerializeType {
        self.frame.header().serialize()
    }

    /// The address of the server it came from.
    pub fn server(&self) -> &str {
        &self.server
    }
}

struct Queue {
    messages: VecDeque<Push>,
    wakers: Vec<Waker>,
    /// Connections that read nothing more before there is room.
    held: Vec<Arc<Link>>,
    closed: bool,
}

/// Bounded, so that a client that never reads its messages loses them and not its memory.
pub(crate) struct PushQueue {
    queue: Mutex<Queue>,
    limit: usize,
    overflow: PushOverflow,
    recorder: Arc<ClientRecorder>,
}

impl PushQueue {
    pub(super) fn new(limit: usize, overflow: PushOverflow, recorder: Arc<ClientRecorder>) -> PushQueue {
        let queue = Queue { messages: VecDeque::new(), wakers: Vec::new(), held: Vec::new(), closed: false };
        PushQueue { queue: Mutex::new(queue), limit, overflow, recorder }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(&self) {
        let (wakers, held) = {
            let mut queue = self.queue();
            queue.closed = true;
            (std::mem::take(&mut queue.wakers), std::mem::take(&mut queue.held))
        };
        wakers.into_iter().for_each(Waker::wake);
        held.iter().for_each(|link| link.kick());
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Push>> {
        let mut queue = self.queue();
        if let Some(push) = queue.messages.pop_front() {
            let held = std::mem::take(&mut queue.held);
            drop(queue);
            held.iter().for_each(|link| link.kick());
            return Poll::Ready(Some(push));
        }
        if queue.closed {
            return Poll::Ready(None);
        }
        queue.wakers.retain(|waker| !waker.will_wake(cx.waker()));
        queue.wakers.push(cx.waker().clone());
        Poll::Pending
    }
}

impl PushSink for PushQueue {
    fn push(&self, link: &Link, frame: Frame) {
        let push = Push { frame, server: link.info.remote.clone() };
        let wakers = {
            let mut queue = self.queue();
            self.recorder.push_received();
            if queue.messages.len() >= self.limit {
                match self.overflow {
                    PushOverflow::DropNewest => {
                        self.recorder.push_dropped();
                        return;
                    }
                    PushOverflow::DropOldest => {
                        self.recorder.push_dropped();
                        queue.messages.pop_front();
                    }
                    // One too many is kept; `admits` stops the connection behind it.
                    PushOverflow::Block => {}
                }
            }
            queue.messages.push_back(push);
            std::mem::take(&mut queue.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn admits(&self, link: &Arc<Link>) -> bool {
        if self.overflow != PushOverflow::Block {
            return true;
        }
        let mut queue = self.queue();
        if queue.messages.len() < self.limit || queue.closed {
            return true;
        }
        if !queue.held.iter().any(|held| Arc::ptr_eq(held, link)) {
            queue.held.push(link.clone());
        }
        false
    }
}

/// The messages that servers send on their own, from all connections of the client.
///
/// Each message is read once: several streams of one client share them. Messages that come while `push_queue` of them
/// wait are dropped as `push_overflow` says, and counted.
pub struct Pushes {
    pub(super) queue: Arc<PushQueue>,
}

impl Pushes {
    /// The next message; `None` after the client was closed. Cancel safe.
    pub async fn next(&mut self) -> Option<Push> {
        poll_fn(|cx| self.queue.poll_next(cx)).await
    }

    /// [`next`](Self::next) for hand-written futures and streams.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Push>> {
        self.queue.poll_next(cx)
    }
}

impl std::fmt::Debug for Pushes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pushes").field("waiting", &self.queue.queue().messages.len()).finish_non_exhaustive()
    }
}
