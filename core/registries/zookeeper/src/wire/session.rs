//! A session with one server of an ensemble: what can be asked.

use super::jute::{Read, Reader, Writer};
use super::messages::{Acl, Change, Code, Event, Stat, op, transaction};
use super::talk::{Command, Reply, Shared, malformed};
use bytes::Bytes;
use rpcx::{Error, Reason, Result};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// By what a session is taken up again.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    pub(crate) session: i64,
    pub(crate) password: Bytes,
}

impl Ticket {
    /// The session's number.
    pub fn session(&self) -> i64 {
        self.session
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({:#x})", self.session)
    }
}

/// An answer that was asked for.
pub struct Answer {
    reply: oneshot::Receiver<Reply>,
    shared: Arc<Shared>,
}

/// A connection that a session lives by. Dropping it leaves the session to expire.
pub struct Session {
    pub(crate) ticket: Ticket,
    pub(crate) timeout: Duration,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) task: Task,
}

/// Ends with its handle.
pub(crate) struct Task(pub(crate) Mutex<Option<JoinHandle<()>>>);

impl Task {
    fn take(&self) -> Option<JoinHandle<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = self.take() {
            task.abort();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("ticket", &self.ticket).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Session {
    /// The number that nodes have which live by it.
    pub fn id(&self) -> i64 {
        self.ticket.session
    }

    /// By what it can be taken up again.
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// After how long without a word from us the servers end it, as they decided.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether the connection is lost.
    pub fn is_lost(&self) -> bool {
        self.shared.lost.borrow().is_some()
    }

    /// The last transaction that was heard of.
    pub fn zxid(&self) -> i64 {
        self.shared.zxid.load(Ordering::Acquire)
    }

    /// Tells what happened to a watched node and to watched nodes right below it. One listener for a path; the last one counts.
    pub fn listen(&self, path: &str, events: &mpsc::UnboundedSender<Event>) {
        self.shared.listen(path, events);
    }

    /// Waits until the connection is lost; gives the reason.
    pub async fn lost(&self) -> Error {
        self.shared.why_lost().await
    }

    /// Ends the session at the servers, with all that lives by it. Returns at once; a moment later the connection is gone.
    pub fn end_soon(&self) {
        if self.commands.try_send(Command::End).is_ok() {
            // It ends by itself.
            drop(self.task.take());
        }
    }

    /// Ends the session at the servers, with all that lives by it.
    ///
    /// # Errors
    ///
    /// When that cannot be known: it then expires.
    pub async fn end(&self) -> Result<()> {
        match self.ask(op::CLOSE, |_| {}).await?.reply().await {
            // Some close the connection before the answer is read.
            Ok(_) => Ok(()),
            Err(error) if error.reason() == Reason::ClosedRemote => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, op: i32, body: impl FnOnce(&mut Writer)) -> Result<Answer> {
        let mut writer = Writer::new();
        body(&mut writer);
        let (sender, reply) = oneshot::channel();
        let ask = Command::Ask { op, body: writer.body(), answer: sender };
        if self.commands.send(ask).await.is_err() {
            return Err(self.lost().await);
        }
        Ok(Answer { reply, shared: self.shared.clone() })
    }

    async fn ask_watching(&self, path: &str, op: i32, watch: bool) -> Result<Answer> {
        let body = |writer: &mut Writer| {
            writer.bytes(path.as_bytes());
            writer.bool(watch);
        };
        self.ask(op, body).await
    }

    /// Asks for the data of a node, to be read with [`Answer::data`]. If `watch`, the listener hears when it is written or
    /// removed, once.
    ///
    /// # Errors
    ///
    /// When the connection is lost, as for all of these.
    pub async fn ask_data(&self, path: &str, watch: bool) -> Result<Answer> {
        self.ask_watching(path, op::GET_DATA, watch).await
    }

    /// The data of a node.
    ///
    /// # Errors
    ///
    /// As [`ask_data`](Self::ask_data).
    pub async fn data(&self, path: &str, watch: bool) -> Result<Result<(Bytes, Stat), Code>> {
        self.ask_data(path, watch).await?.data().await
    }

    /// What is known of a node. If `watch`, the listener hears when it comes, is written or removed, once.
    ///
    /// # Errors
    ///
    /// As [`ask_data`](Self::ask_data).
    pub async fn stat(&self, path: &str, watch: bool) -> Result<Result<Stat, Code>> {
        let answer = self.ask_watching(path, op::EXISTS, watch).await?;
        answer.read(Stat::read).await.map(|done| done.map(|(stat, _)| stat))
    }

    /// The names of the nodes right below one, with the last transaction that the server knows. If `watch`, the listener
    /// hears when one comes or goes, or when the node itself does, once.
    ///
    /// # Errors
    ///
    /// As [`ask_data`](Self::ask_data).
    pub async fn children(&self, path: &str, watch: bool) -> Result<Result<(Vec<String>, i64), Code>> {
        let answer = self.ask_watching(path, op::GET_CHILDREN, watch).await?;
        // Without what is known of the node itself: not all servers answer that.
        answer.read(Reader::texts).await
    }

    /// Writes a node.
    ///
    /// # Errors
    ///
    /// As [`ask_data`](Self::ask_data).
    pub async fn change(&self, change: Change<'_>) -> Result<Result<(), Code>> {
        let answer = self.ask(change.number(), |writer| change.write(writer)).await?;
        answer.read(|_| Ok(())).await.map(|done| done.map(drop))
    }

    /// Writes all of it, or nothing; gives the number of the transaction, or which change was refused.
    ///
    /// # Errors
    ///
    /// As [`ask_data`](Self::ask_data).
    pub async fn change_all(&self, changes: &[Change<'_>]) -> Result<Result<i64, (usize, Code)>> {
        let answer = self.ask(op::MULTI, |writer| {
            for change in changes {
                writer.int(change.number());
                writer.bool(false);
                writer.int(-1);
                change.write(writer);
            }
            writer.int(-1);
            writer.bool(true);
            writer.int(-1);
        });
        match answer.await?.read(transaction).await? {
            Ok((Ok(()), zxid)) => Ok(Ok(zxid)),
            Ok((Err(refused), _)) => Ok(Err(refused)),
            Err(code) => Ok(Err((0, code))),
        }
    }

    /// Says who may do what with a node.
    ///
    /// # Errors
    ///
    /// As [`ask_data`](Self::ask_data).
    pub async fn set_acl(&self, path: &str, acl: Acl) -> Result<Result<(), Code>> {
        let body = |writer: &mut Writer| {
            writer.bytes(path.as_bytes());
            acl.write(writer);
            writer.int(-1);
        };
        self.ask(op::SET_ACL, body).await?.read(|_| Ok(())).await.map(|done| done.map(drop))
    }
}

impl Answer {
    async fn reply(self) -> Result<Reply> {
        match self.reply.await {
            Ok(reply) => Ok(reply),
            Err(_) => Err(self.shared.why_lost().await),
        }
    }

    async fn read<T>(self, body: impl FnOnce(&mut Reader) -> Read<T>) -> Result<Result<(T, i64), Code>> {
        let mut reply = self.reply().await?;
        if reply.code != 0 {
            return Ok(Err(Code(reply.code)));
        }
        Ok(Ok((body(&mut reply.body).map_err(malformed)?, reply.zxid)))
    }

    /// What [`Session::ask_data`] asked for.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn data(self) -> Result<Result<(Bytes, Stat), Code>> {
        let read = self.read(|reader| Ok((reader.bytes()?, Stat::read(reader)?)));
        read.await.map(|done| done.map(|(found, _)| found))
    }
}
