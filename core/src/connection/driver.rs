//! The one task of a connection: reads, hands frames to its role, writes what callers left, keeps the time.
//!
//! It parses every complete frame of a large buffer before it yields, and gives the buffer back to its thread when nothing is
//! left in it. When it is woken to write it yields once first, so that callers that are ready run
//! and add their frames; a caller that is alone has written directly and never wakes it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use rpcx_protocol::decoder::Decoder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use super::buffers;
use super::link::{Flushed, Link, io_error};
use crate::error::{Error, Reason, Result};
use crate::shard::timekeeper::Alarm;

/// Reads in one poll before other tasks of the thread get their turn.
const READS_PER_POLL: usize = 8;

/// What a role says after it has looked at new bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Every complete frame was taken.
    Read,
    /// As `Read`, but the role keeps frames back: it wants to be asked again after every wake.
    Hold,
    /// No more for now: the role wakes the driver when it can take more.
    Stop,
}

/// What a connection is for: the client's table of pending calls, or the server's dispatch.
pub(crate) trait Role: Send + Unpin + 'static {
    /// Whether to stop reading while more than the limit waits to be sent: right for whoever answers, since a peer that does
    /// not take answers gets no more questions read; wrong for whoever asks, since both sides would wait for each other.
    const HOLDS_BACK: bool;
    /// Takes complete frames out of the decoder. Called after bytes came, and after a wake while it holds or has stopped.
    fn on_data(&mut self, cx: &mut Context<'_>, link: &Arc<Link>, decoder: &mut Decoder, now: Instant) -> Result<Flow>;
    /// The time has come that [`next_due`](Self::next_due) named, or later.
    fn on_time(&mut self, link: &Arc<Link>, now: u64) -> Result<()>;
    /// When to call [`on_time`](Self::on_time), in milliseconds of the link's clock. Called before every wait.
    fn next_due(&mut self, link: &Arc<Link>, now: u64) -> Option<u64>;
    /// Bytes of a frame have come whose end has not.
    fn read_timeout(&self) -> Option<Duration>;
    /// The longest time that bytes may wait without the system taking any.
    fn write_timeout(&self) -> Option<Duration>;
    /// The connection has ended; nothing can be sent any more.
    fn on_close(&mut self, link: &Arc<Link>, error: &Error);
}

/// The write half of a transport whose own task writes, with what it has taken from the queue.
struct Driven {
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    current: Bytes,
    flushing: bool,
}

/// The future that is a connection's life. It ends when the connection does.
pub(crate) struct Driver<R: Role> {
    link: Arc<Link>,
    reader: Box<dyn AsyncRead + Send + Unpin>,
    driven: Option<Driven>,
    decoder: Decoder,
    role: R,
    alarm: Alarm,
    /// When the alarm rings, in milliseconds of the link's clock.
    alarm_at: u64,
    yielded: bool,
    /// Somebody asked for a flush, or the last one did not get everything out.
    unflushed: bool,
    /// The queue was used since its buffers were given back.
    flushed: bool,
    /// What the role said last.
    flow: Flow,
    /// When the frame that is being read began.
    frame_began: Option<u64>,
    /// When this poll last looked at the clock.
    now: Instant,
    finished: bool,
}

impl<R: Role> Driver<R> {
    pub(crate) fn new(
        link: Arc<Link>,
        reader: Box<dyn AsyncRead + Send + Unpin>,
        driven: Option<Box<dyn AsyncWrite + Send + Unpin>>,
        decoder: Decoder,
        role: R,
    ) -> Driver<R> {
        Driver {
            link,
            reader,
            driven: driven.map(|writer| Driven { writer, current: Bytes::new(), flushing: false }),
            decoder,
            role,
            alarm: Alarm::default(),
            alarm_at: u64::MAX,
            yielded: false,
            unflushed: false,
            flushed: false,
            flow: Flow::Read,
            frame_began: None,
            now: Instant::now(),
            finished: false,
        }
    }

    /// Reads and dispatches until the socket is empty. `Ok(true)`: there is more, come again.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        if self.flow != Flow::Read {
            self.flow = self.role.on_data(cx, &self.link, &mut self.decoder, Instant::now())?;
            if self.flow == Flow::Stop {
                return Ok(false);
            }
        }
        for _ in 0..READS_PER_POLL {
            if R::HOLDS_BACK && self.link.is_congested() {
                // A flush brings us back.
                return Ok(false);
            }
            if self.decoder.buffer().capacity() == 0 {
                self.decoder.put_buffer(buffers::take_read());
            }
            let wanted = self.decoder.needed().clamp(4096, buffers::READ_BUFFER);
            let buffer = self.decoder.buffer();
            if buffer.capacity() - buffer.len() < wanted {
                buffer.reserve(buffers::READ_BUFFER);
            }
            match poll_read_buf(Pin::new(&mut *self.reader), cx, buffer) {
                Poll::Pending => {
                    if self.decoder.is_empty() {
                        self.decoder.take_buffer().into_iter().for_each(buffers::put_read);
                        if std::mem::take(&mut self.flushed) {
                            self.link.release();
                        }
                    }
                    return Ok(false);
                }
                Poll::Ready(Ok(0)) => {
                    return Err(Error::new(
                        Reason::ClosedRemote,
                        format!("{} closed the connection", self.link.info.remote),
                    ));
                }
                Poll::Ready(Ok(count)) => {
                    let now = Instant::now();
                    self.now = now;
                    self.link.recorder.read(count);
                    let frames = self.decoder.frames();
                    self.flow = self.role.on_data(cx, &self.link, &mut self.decoder, now)?;
                    self.frame_began = match self.frame_began {
                        _ if !self.decoder.is_inside_frame() || self.flow == Flow::Stop => None,
                        // A begun frame keeps its start however it drips.
                        Some(began) if self.decoder.frames() == frames => Some(began),
                        _ => Some(self.link.millis(now)),
                    };
                    if self.flow == Flow::Stop {
                        return Ok(false);
                    }
                }
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => return Err(io_error(error)),
            }
        }
        Ok(true)
    }

    /// Reads, unless what comes in between ends the connection politely: then what was accepted leaves first.
    fn read_on(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        match self.read(cx) {
            Err(_) if !self.link.is_open() && self.link.ended(self.is_busy()).is_none() => Ok(false),
            more => more,
        }
    }

    /// Bytes were taken from the queue that the transport has not taken yet.
    fn is_busy(&self) -> bool {
        self.driven.as_ref().is_some_and(|driven| driven.flushing || driven.current.has_remaining())
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Result<Flushed> {
        let Some(driven) = &mut self.driven else {
            return self.link.flush_direct(cx).map_err(io_error);
        };
        match driven.flush(cx, &self.link) {
            Poll::Ready(Ok(())) => Ok(Flushed::Empty),
            Poll::Ready(Err(error)) => Err(io_error(error)),
            Poll::Pending => Ok(Flushed::Blocked),
        }
    }

    /// Sees to what is due and sets the alarm for what is due next. `Ok(true)`: look again at once.
    ///
    /// `waiting_since`: bytes wait, and the system has taken none since then.
    fn wait_for_time(&mut self, cx: &mut Context<'_>, waiting_since: Option<u64>) -> Result<bool> {
        let millis = self.link.millis(self.now);
        if self.alarm_at <= millis {
            self.alarm_at = u64::MAX;
            self.alarm.clear();
            self.role.on_time(&self.link, millis)?;
        }
        let mut due = self.role.next_due(&self.link, millis).unwrap_or(u64::MAX);
        if let (Some(began), Some(limit)) = (self.frame_began, self.role.read_timeout()) {
            let at = began + limit.as_millis() as u64;
            if at <= millis {
                return Err(Error::new(
                    Reason::ClosedIdle,
                    format!("a frame from {} was not complete within read_timeout ({limit:?})", self.link.info.remote),
                ));
            }
            due = due.min(at);
        }
        if let (Some(since), Some(limit)) = (waiting_since, self.role.write_timeout()) {
            let at = since + limit.as_millis() as u64;
            if at <= millis {
                return Err(Error::new(
                    Reason::ClosedWriteTimeout,
                    format!("{} has taken no bytes for write_timeout ({limit:?})", self.link.info.remote),
                ));
            }
            due = due.min(at);
        }
        if due <= millis {
            self.alarm_at = due;
            return Ok(true);
        }
        // An alarm that rings too early only makes us look again; setting it anew for every later deadline would cost more.
        if due < self.alarm_at {
            self.alarm_at = due;
            self.alarm.set(self.link.instant(due), cx.waker());
        }
        Ok(false)
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>> {
        loop {
            if let Some(error) = self.link.ended(self.is_busy()) {
                return Err(error);
            }
            let looked = self.now;
            let more = self.link.is_open() && self.read_on(cx)?;
            if self.now == looked {
                self.now = Instant::now();
            }
            if self.link.take_kick() {
                self.unflushed = true;
                if !self.yielded && !more {
                    // Others are about to add theirs.
                    self.yielded = true;
                    cx.waker().wake_by_ref();
                    return Ok(Poll::Pending);
                }
            }
            self.yielded = false;
            let mut waiting_since = None;
            if self.unflushed {
                let congested = self.link.is_congested();
                self.unflushed = match self.flush(cx) {
                    Ok(flushed) => flushed == Flushed::Blocked,
                    // What the peer said before it left is a better reason than that it takes no more.
                    Err(error) => return Err(self.read(cx).err().unwrap_or(error)),
                };
                self.flushed = true;
                waiting_since = self.unflushed.then(|| self.link.progress());
                if let Some(error) = self.link.ended(self.is_busy()) {
                    return Err(error);
                }
                if congested && !self.unflushed {
                    continue;
                }
            }
            if more {
                cx.waker().wake_by_ref();
                return Ok(Poll::Pending);
            }
            if self.wait_for_time(cx, waiting_since)? {
                continue;
            }
            return Ok(Poll::Pending);
        }
    }

    fn finish(&mut self, error: &Error) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let error = self.link.finish(error);
        self.role.on_close(&self.link, &error);
    }
}

impl Driven {
    fn flush(&mut self, cx: &mut Context<'_>, link: &Link) -> Poll<io::Result<()>> {
        loop {
            if !self.current.has_remaining() {
                match link.take_segment() {
                    Some(bytes) => self.current = bytes,
                    None => {
                        if self.flushing {
                            ready!(Pin::new(&mut self.writer).poll_flush(cx))?;
                            self.flushing = false;
                        }
                        return Poll::Ready(Ok(()));
                    }
                }
            }
            let taken = ready!(Pin::new(&mut self.writer).poll_write(cx, &self.current))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            link.wrote(taken);
            self.current.advance(taken);
            self.flushing = true;
        }
    }
}

impl<R: Role> Future for Driver<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.link.set_driver(cx.waker());
        match this.turn(cx) {
            Ok(poll) => poll,
            Err(error) => {
                if let Some(driven) = &mut this.driven {
                    // A polite end (TLS close_notify) is tried once and never waited for.
                    let _ = Pin::new(&mut driven.writer).poll_shutdown(cx);
                }
                this.finish(&error);
                Poll::Ready(())
            }
        }
    }
}

impl<R: Role> Drop for Driver<R> {
    /// A runtime that is dropped takes its connections with it; their calls end all the same.
    fn drop(&mut self) {
        self.finish(&Error::new(Reason::ClosedLocal, "the runtime of the connection has ended"));
    }
}
