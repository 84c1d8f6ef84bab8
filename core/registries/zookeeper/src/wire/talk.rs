//! The task of a session: writes requests, reads answers, and says from time to time that it is alive.

use super::jute::{Malformed, Reader};
use super::messages::{Event, Header, op, request, xid};
use super::packets::{Packets, broken};
use bytes::Bytes;
use rpcx::{Error, Reason, Result};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};

/// So many requests wait to be written; whoever has another one waits himself.
pub(crate) const QUEUE: usize = 256;

/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the task is told to do.
pub(crate) enum Command {
    Ask {
        op: i32,
        body: Bytes,
        answer: oneshot::Sender<Reply>,
    },
    /// Ends the session at the server, and the connection.
    End,
}

/// What a server answers to one request.
pub(crate) struct Reply {
    /// The last transaction that the server knows.
    pub(crate) zxid: i64,
    /// 0, or a refusal.
    pub(crate) code: i32,
    pub(crate) body: Reader,
}

/// What task and users of a session share.
pub(crate) struct Shared {
    /// The last transaction that a server told of, in this session or before.
    pub(crate) zxid: Arc<AtomicI64>,
    /// Those that were asked and not answered, in order, as servers answer.
    pending: Mutex<VecDeque<(i32, oneshot::Sender<Reply>)>>,
    /// Who hears what happened to a node or to the nodes below it. Each watch tells one thing, so what waits is bounded by
    /// what was watched.
    listeners: Mutex<HashMap<String, mpsc::UnboundedSender<Event>>>,
    /// Why it ended.
    pub(crate) lost: watch::Sender<Option<Error>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(zxid: Arc<AtomicI64>) -> Self {
        Self { zxid, pending: Mutex::default(), listeners: Mutex::default(), lost: watch::Sender::new(None) }
    }

    pub(crate) fn listen(&self, path: &str, events: &mpsc::UnboundedSender<Event>) {
        lock(&self.listeners).insert(path.to_owned(), events.clone());
    }

    /// Waits until the connection is lost; gives the reason.
    pub(crate) async fn why_lost(&self) -> Error {
        let mut lost = self.lost.subscribe();
        let reason = lost.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        // The sender is in `self`.
        reason.unwrap_or_else(|| Error::new(Reason::ClosedLocal, "zookeeper: the session is gone"))
    }

    fn tell(&self, event: Event) {
        let parent = event.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let mut listeners = lock(&self.listeners);
        for path in [&event.path, parent] {
            if let Some(listener) = listeners.get(path)
                && listener.send(event.clone()).is_err()
            {
                listeners.remove(path);
            }
        }
    }

    fn answered(&self, packet: Bytes) -> Result<()> {
        let mut body = Reader::new(packet);
        let header = Header::read(&mut body).map_err(malformed)?;
        match header.xid {
            xid::EVENT => self.tell(Event::read(&mut body).map_err(malformed)?),
            xid::PING => {}
            xid::AUTH if header.code == 0 => {}
            xid::AUTH => {
                let text = "zookeeper: the user and password are not taken";
                return Err(Error::new(Reason::AuthRefused, text));
            }
            number => {
                if header.zxid > 0 {
                    self.zxid.fetch_max(header.zxid, Ordering::AcqRel);
                }
                let Some((expected, answer)) = lock(&self.pending).pop_front() else {
                    return Err(malformed(Malformed("an answer to nothing")));
                };
                if expected != number {
                    return Err(malformed(Malformed("answers are out of order")));
                }
                // Whoever asked may have gone.
                let _ = answer.send(Reply { zxid: header.zxid, code: header.code, body });
            }
        }
        Ok(())
    }
}

pub(crate) fn malformed(what: Malformed) -> Error {
    Error::new(Reason::ClosedProtocol, format!("zookeeper: {}: is it a ZooKeeper?", what.0))
}

/// Talks until the connection is lost or the session ended, and says why to all who wait. `beat` is how often the server hears
/// of us; it counts as lost when nothing came for two of them.
pub(crate) fn talk<R, W>(
    shared: Arc<Shared>,
    packets: Packets<R>,
    writer: W,
    commands: mpsc::Receiver<Command>,
    beat: Duration,
) -> impl Future<Output = ()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    // From here on, not from the first poll on, which may never come.
    let mut end =
        End { shared, why: Error::new(Reason::ClosedLocal, "zookeeper: the runtime of the session has ended") };
    async move {
        let why = tokio::select! {
            error = hear(&end.shared, packets, beat) => error,
            error = say(&end.shared, writer, commands, beat) => error,
        };
        end.because(why);
    }
}

/// Tells everybody, also when the runtime ends before the connection does.
struct End {
    shared: Arc<Shared>,
    why: Error,
}

impl End {
    fn because(&mut self, why: Error) {
        self.why = why;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.shared.lost.send_replace(Some(self.why.clone()));
        // Who waits for an answer hears of it by that.
        lock(&self.shared.pending).clear();
        lock(&self.shared.listeners).clear();
    }
}

async fn hear<R: AsyncRead + Unpin>(shared: &Shared, mut packets: Packets<R>, beat: Duration) -> Error {
    loop {
        match tokio::time::timeout(beat * 2, packets.next()).await {
            Ok(Ok(packet)) => {
                if let Err(error) = shared.answered(packet) {
                    return error;
                }
            }
            Ok(Err(error)) => return error,
            Err(_) => {
                let text = format!("zookeeper: nothing was heard for {:?}", beat * 2);
                return Error::new(Reason::ConnectTimeout, text);
            }
        }
    }
}

async fn say<W: AsyncWrite + Unpin>(
    shared: &Shared,
    mut writer: W,
    mut commands: mpsc::Receiver<Command>,
    beat: Duration,
) -> Error {
    let mut beats = tokio::time::interval(beat);
    let mut number: i32 = 0;
    loop {
        let packet = tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Ask { op, body, answer }) => {
                    number = number.wrapping_add(1) & i32::MAX;
                    lock(&shared.pending).push_back((number, answer));
                    request(number, op, |writer| writer.raw(&body))
                }
                Some(Command::End) => {
                    let packet = request(0, op::CLOSE, |_| {});
                    // It may be gone already: then the session expires.
                    let farewell = async {
                        writer.write_all(&packet).await?;
                        writer.shutdown().await
                    };
                    let _ = tokio::time::timeout(FAREWELL, farewell).await;
                    return Error::new(Reason::ClosedLocal, "zookeeper: the session was ended");
                }
                // Nobody is there any more.
                None => return Error::new(Reason::ClosedLocal, "zookeeper: the session was dropped"),
            },
            _ = beats.tick() => request(xid::PING, op::PING, |_| {}),
        };
        let written = async {
            writer.write_all(&packet).await?;
            writer.flush().await
        };
        if let Err(error) = written.await {
            return broken(&error);
        }
    }
}
