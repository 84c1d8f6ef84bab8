//! `memu@name`: pipes within the process, for tests and for a client and a server in one program.

use super::{Address, BoxFuture, ConnectionInfo, Dial, DialOptions, Incoming, Io, Listen, ListenOptions, Listener};
use crate::error::{Error, Reason, Result};
use std::collections::HashMap;
use std::io;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Bytes that a pipe holds in each direction before its writer waits.
const PIPE_SIZE: usize = 64 * 1024;

/// In-process pipes. A name belongs to one listener at a time, in the whole process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory;

static NAMES: LazyLock<Mutex<HashMap<String, mpsc::Sender<DuplexStream>>>> = LazyLock::new(Mutex::default);

fn names() -> MutexGuard<'static, HashMap<String, mpsc::Sender<DuplexStream>>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dial for Memory {
    fn dial<'a>(&'a self, to: &'a Address, _options: &'a DialOptions) -> BoxFuture<'a, Result<Io>> {
        Box::pin(async move {
            let refused = || {
                Error::new(
                    Reason::ConnectRefused,
                    format!("cannot connect to {to}: nobody in this process listens there"),
                )
            };
            let listener = names().get(to.rest()).cloned().ok_or_else(refused)?;
            let (ours, theirs) = tokio::io::duplex(PIPE_SIZE);
            // Waits while the backlog is full.
            listener.send(theirs).await.map_err(|_| refused())?;
            Ok(Io::from_stream(ours, ConnectionInfo { local: None, remote: to.rest().to_owned(), tls: None }))
        })
    }
}

impl Listen for Memory {
    fn bind<'a>(&'a self, at: &'a Address, options: &'a ListenOptions) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
        Box::pin(async move {
            // The limit is the channel's own.
            let backlog = (options.backlog as usize).clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
            let (sender, connections) = mpsc::channel(backlog);
            let mut names = names();
            if names.contains_key(at.rest()) {
                let in_use = io::Error::new(io::ErrorKind::AddrInUse, "the name is in use in this process");
                return Err(super::listen_error(at, in_use));
            }
            names.insert(at.rest().to_owned(), sender);
            Ok(Box::new(MemoryListener { connections, address: at.clone() }) as Box<dyn Listener>)
        })
    }
}

struct MemoryListener {
    connections: mpsc::Receiver<DuplexStream>,
    address: Address,
}

impl Listener for MemoryListener {
    fn address(&self) -> Address {
        self.address.clone()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async move {
            match self.connections.recv().await {
                Some(stream) => {
                    Ok(Box::new(MemoryIncoming { stream, local: self.address.clone() }) as Box<dyn Incoming>)
                }
                // The table of names holds a sender for as long as this listener lives.
                None => Err(io::ErrorKind::NotConnected.into()),
            }
        })
    }

    fn try_accept(&mut self) -> io::Result<Option<Box<dyn Incoming>>> {
        let incoming = self.connections.try_recv().ok();
        let local = || self.address.clone();
        Ok(incoming.map(|stream| Box::new(MemoryIncoming { stream, local: local() }) as Box<dyn Incoming>))
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        names().remove(self.address.rest());
    }
}

struct MemoryIncoming {
    stream: DuplexStream,
    local: Address,
}

impl Incoming for MemoryIncoming {
    fn remote(&self) -> &str {
        ""
    }

    fn open(self: Box<Self>) -> BoxFuture<'static, Result<Io>> {
        Box::pin(async move {
            let info = ConnectionInfo { local: Some(self.local), ..ConnectionInfo::default() };
            Ok(Io::from_stream(self.stream, info))
        })
    }
}
