//! Unix stream sockets: `unix@/path`, and on Linux `unix@@name` in the abstract namespace.

use super::{
    Address, BoxFuture, ConnectionInfo, Dial, DialOptions, DirectWrite, Incoming, Io, Listen, ListenOptions, Listener,
    Writer, quiet,
};
use crate::error::{Error, Reason, Result};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;

/// Unix stream sockets.
///
/// Binding replaces a socket file on which nobody listens any more, and nothing else. The listener removes its file when it
/// is dropped, unless another file took its place or the socket was handed over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unix;

impl Dial for Unix {
    fn dial<'a>(&'a self, to: &'a Address, _options: &'a DialOptions) -> BoxFuture<'a, Result<Io>> {
        Box::pin(async move {
            // Refuses a name that cannot be one before the system is asked.
            socket_address(to)?;
            // tokio takes a path that begins with a zero byte for an abstract name.
            let path = match to.rest().strip_prefix('@') {
                Some(name) => format!("\0{name}"),
                None => to.rest().to_owned(),
            };
            let stream = UnixStream::connect(path).await.map_err(|error| super::connect_error(to, error))?;
            Ok(established(stream, None, to.rest().to_owned()))
        })
    }
}

impl Listen for Unix {
    fn bind<'a>(&'a self, at: &'a Address, options: &'a ListenOptions) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let address = socket_address(at)?;
            let listener = listen(&address, options.backlog).map_err(|error| super::listen_error(at, error))?;
            let file = address.as_pathname().and_then(OwnFile::of);
            Ok(Box::new(UnixListener::new(listener, at.clone(), file)) as Box<dyn Listener>)
        })
    }
}

/// The address in the system's form.
fn socket_address(address: &Address) -> Result<SocketAddr> {
    let converted = match address.rest().strip_prefix('@') {
        None => SocketAddr::from_pathname(address.rest()),
        #[cfg(target_os = "linux")]
        Some(name) => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        #[cfg(not(target_os = "linux"))]
        Some(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "abstract names exist on Linux only")),
    };
    converted.map_err(|error| {
        Error::new(Reason::ConfigBadAddress, format!("bad address {address}: {error}")).with_source(error)
    })
}

fn listen(address: &SocketAddr, backlog: u32) -> io::Result<std::os::unix::net::UnixListener> {
    let attempt = || -> io::Result<std::os::unix::net::UnixListener> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let bound = match address.as_pathname() {
            Some(path) => SockAddr::unix(path)?,
            None => abstract_address(address)?,
        };
        socket.bind(&bound)?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        socket.set_nonblocking(true)?;
        Ok(std::os::unix::net::UnixListener::from(OwnedFd::from(socket)))
    };
    match attempt() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && address.as_pathname().is_some_and(is_stale) => {
            if let Some(path) = address.as_pathname() {
                std::fs::remove_file(path)?;
            }
            attempt()
        }
        done => done,
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(address: &SocketAddr) -> io::Result<SockAddr> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    let mut path = vec![0];
    path.extend_from_slice(address.as_abstract_name().unwrap_or_default());
    SockAddr::unix(std::ffi::OsStr::from_bytes(&path))
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &SocketAddr) -> io::Result<SockAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A socket file that is left over: nobody listens on it.
fn is_stale(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn established(stream: UnixStream, local: Option<Address>, remote: String) -> Io {
    let (reader, writer) = stream.into_split();
    let info = ConnectionInfo { local, remote, tls: None };
    Io { reader: Box::new(reader), writer: Writer::Direct(Arc::new(UnixWrite(writer))), info }
}

struct UnixWrite(OwnedWriteHalf);

impl DirectWrite for UnixWrite {
    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        let stream: &UnixStream = self.0.as_ref();
        stream.try_io(Interest::WRITABLE, || quiet::send(stream, buf))
    }

    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let stream: &UnixStream = self.0.as_ref();
        stream.try_io(Interest::WRITABLE, || quiet::send_vectored(stream, bufs))
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_ref().poll_write_ready(cx)
    }

    fn shutdown(&self) {
        // It fails only when the connection has ended already.
        let _ = SockRef::from(self.0.as_ref()).shutdown(Shutdown::Both);
    }
}

/// The file that a listener made, told apart from one that somebody put in its place.
struct OwnFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    handed_over: AtomicBool,
}

impl OwnFile {
    fn of(path: &Path) -> Option<OwnFile> {
        // Absolute, so that a change of the working directory does not lead to another file.
        let path = std::path::absolute(path).ok()?;
        let file = std::fs::symlink_metadata(&path).ok()?;
        Some(OwnFile { device: file.dev(), inode: file.ino(), path, handed_over: AtomicBool::new(false) })
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        if !*self.handed_over.get_mut()
            && std::fs::symlink_metadata(&self.path)
                .is_ok_and(|file| file.dev() == self.device && file.ino() == self.inode)
        {
            // It may be gone already, or the folder read-only by now; the next bind replaces it then.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

pub(super) struct UnixListener {
    socket: std::os::unix::net::UnixListener,
    /// The same socket, registered with the runtime of the first accept.
    accepting: Option<tokio::net::UnixListener>,
    address: Address,
    file: Option<OwnFile>,
}

impl UnixListener {
    /// Takes a non-blocking listening socket that is not ours to clean up after.
    pub(super) fn adopted(listener: std::os::unix::net::UnixListener, address: Address) -> UnixListener {
        UnixListener::new(listener, address, None)
    }

    fn new(listener: std::os::unix::net::UnixListener, address: Address, file: Option<OwnFile>) -> UnixListener {
        UnixListener { socket: listener, accepting: None, address, file }
    }

    fn incoming(&self, stream: std::os::unix::net::UnixStream, remote: &SocketAddr) -> Box<dyn Incoming> {
        Box::new(UnixIncoming { stream, remote: name_of(remote), local: self.address.clone() })
    }
}

impl Listener for UnixListener {
    fn address(&self) -> Address {
        self.address.clone()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async move {
            let listener = match &mut self.accepting {
                Some(listener) => listener,
                None => self.accepting.insert(tokio::net::UnixListener::from_std(self.socket.try_clone()?)?),
            };
            let (stream, remote) = loop {
                match listener.accept().await {
                    Err(error) if super::is_of_one_connection(&error) => {}
                    done => break done?,
                }
            };
            Ok(self.incoming(stream.into_std()?, &remote.into()))
        })
    }

    fn try_accept(&mut self) -> io::Result<Option<Box<dyn Incoming>>> {
        // The system's own accept: the runtime may not have heard yet of what has come.
        let Some((stream, remote)) = super::accept_now(|| self.socket.accept())? else { return Ok(None) };
        stream.set_nonblocking(true)?;
        Ok(Some(self.incoming(stream, &remote)))
    }

    fn try_clone_fd(&self) -> io::Result<OwnedFd> {
        let fd = OwnedFd::from(self.socket.try_clone()?);
        if let Some(file) = &self.file {
            file.handed_over.store(true, Ordering::Relaxed);
        }
        Ok(fd)
    }
}

/// The path or `@name` of a socket; empty for one without, as clients usually are.
pub(super) fn name_of(socket: &SocketAddr) -> String {
    #[cfg(target_os = "linux")]
    if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(socket) {
        return format!("@{}", String::from_utf8_lossy(name));
    }
    socket.as_pathname().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default()
}

struct UnixIncoming {
    stream: std::os::unix::net::UnixStream,
    remote: String,
    local: Address,
}

impl Incoming for UnixIncoming {
    fn remote(&self) -> &str {
        &self.remote
    }

    fn open(self: Box<Self>) -> BoxFuture<'static, Result<Io>> {
        Box::pin(async move {
            let UnixIncoming { stream, remote, local } = *self;
            match UnixStream::from_std(stream) {
                Ok(stream) => Ok(established(stream, Some(local), remote)),
                Err(error) => Err(super::incoming_error(&remote, error)),
            }
        })
    }
}
