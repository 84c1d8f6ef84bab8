//! The floor: what the exchange costs without any RPC library. One thread and one epoll per process; everything that has
//! arrived is decoded and answered, then written at once. No tasks, no wakes, no table of calls: a caller is a slot whose
//! next request is encoded as soon as its reply has been checked.

mod frame;

use bench_harness::{BenchmarkMessage, Mode, Opts, answer, finish, is_ok, recorder, request};
use frame::Frame;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Instant;

/// Large enough that a busy connection's whole batch fits; untouched pages of an idle one cost nothing.
const BUFFER: usize = 256 * 1024;

enum Role {
    Server,
    /// The message that every caller sends, and when each caller's call began; the slot is the sequence number.
    Client {
        message: Box<BenchmarkMessage>,
        began: Vec<Instant>,
    },
}

struct Connection {
    stream: TcpStream,
    input: Box<[u8]>,
    filled: usize,
    output: Vec<u8>,
    written: usize,
    role: Role,
}

impl Connection {
    fn new(stream: TcpStream, role: Role) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let (input, output) = (vec![0; BUFFER].into_boxed_slice(), Vec::with_capacity(BUFFER));
        Ok(Self { stream, input, filled: 0, output, written: 0, role })
    }

    /// A client's opening burst: one request per caller.
    fn open(&mut self) -> io::Result<()> {
        if let Role::Client { message, began } = &mut self.role {
            for (seq, began) in began.iter_mut().enumerate() {
                frame::put(&mut self.output, false, seq as u64, message);
                *began = Instant::now();
            }
        }
        self.flush()
    }

    /// Writes until the socket is full or nothing is left.
    fn flush(&mut self) -> io::Result<()> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(n) => self.written += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Something happened to the socket: events are edge-triggered, so go on until it would block.
    fn ready(&mut self) -> io::Result<()> {
        self.flush()?;
        // no reading while the other side doesn't take what we have for it: bounded memory
        while self.output.is_empty() {
            let room = self.input.len() - self.filled;
            match self.stream.read(&mut self.input[self.filled..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    self.filled += n;
                    self.process()?;
                    self.flush()?;
                    if n < room {
                        return Ok(()); // a short read drained the socket: spare the read that would only say so
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn process(&mut self) -> io::Result<()> {
        let invalid = |why: String| io::Error::new(ErrorKind::InvalidData, why);
        // both sides of any RPC read the clock once a batch, for deadlines: that much belongs to the floor
        std::hint::black_box(Instant::now());
        let mut at = 0;
        while let Some(frame) = Frame::first(&self.input[at..self.filled]).map_err(|e| invalid(e.into()))? {
            at += frame.len();
            match &mut self.role {
                Role::Server => {
                    let mut message = frame.message().map_err(invalid)?;
                    answer(&mut message);
                    frame::put(&mut self.output, true, frame.seq(), &message);
                }
                Role::Client { message, began } => {
                    let good = frame.is_good_response() && frame.message().is_ok_and(|m| is_ok(&m));
                    let slot = usize::try_from(frame.seq()).ok().and_then(|i| began.get_mut(i));
                    let began = slot.ok_or_else(|| invalid("an answer to no call".into()))?;
                    // the clock is read per call, as a real client does
                    let now = Instant::now();
                    if good {
                        recorder::record((now - *began).as_nanos() as u64);
                    } else {
                        recorder::error("bad reply");
                    }
                    *began = now;
                    if recorder::running() {
                        frame::put(&mut self.output, false, frame.seq(), message);
                    }
                }
            }
        }
        self.input.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }
}

/// The connections of the process by their number in epoll; a listener, if there is one, has the number [`LISTENER`].
struct Loop {
    epoll: OwnedFd,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    listener: Option<TcpListener>,
}

const LISTENER: u64 = u64::MAX;

impl Loop {
    fn new(listener: Option<TcpListener>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        if let Some(listener) = &listener {
            listener.set_nonblocking(true)?;
            epoll::add(&epoll, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        }
        Ok(Self { epoll, connections: Vec::new(), free: Vec::new(), listener })
    }

    fn add(&mut self, connection: Connection) -> io::Result<()> {
        let at = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let events = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(&self.epoll, &connection.stream, EventData::new_u64(at as u64), events)?;
        self.connections[at] = Some(connection);
        Ok(())
    }

    /// One connection per event: the listener is level-triggered.
    fn accept(&mut self) -> io::Result<()> {
        match self.listener.as_ref().map(TcpListener::accept) {
            Some(Ok((stream, _))) => self.add(Connection::new(stream, Role::Server)?),
            Some(Err(e)) if !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => Err(e),
            _ => Ok(()),
        }
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            for event in &events {
                let at = event.data.u64();
                if at == LISTENER {
                    self.accept()?;
                    continue;
                }
                let slot = &mut self.connections[at as usize];
                if slot.as_mut().is_some_and(|c| c.ready().is_err()) {
                    *slot = None; // closing the descriptor takes it out of epoll
                    self.free.push(at as usize);
                }
            }
        }
    }
}

fn client(opts: &Opts) -> io::Result<()> {
    let mut event_loop = Loop::new(None)?;
    for i in 0..opts.conns {
        let began = vec![Instant::now(); opts.callers_on(i)];
        let role = Role::Client { message: Box::new(request()), began };
        let mut connection = Connection::new(TcpStream::connect(opts.addr)?, role)?;
        connection.open()?;
        event_loop.add(connection)?;
    }
    std::thread::spawn(move || event_loop.run());
    Ok(())
}

fn main() -> ExitCode {
    let opts = Opts::either("floor-epoll");
    let started = match opts.mode {
        Mode::Server => TcpListener::bind(opts.addr).and_then(|l| Loop::new(Some(l))?.run()),
        Mode::Client => client(&opts),
    };
    if let Err(e) = started {
        eprintln!("{}: {e}", opts.addr);
        return ExitCode::FAILURE;
    }
    finish(&opts)
}
