//! TCP: `tcp`, `tcp4`, `tcp6`, and listeners of `reuseport`.

use super::{
    Address, BoxFuture, ConnectionInfo, Dial, DialOptions, DirectWrite, Incoming, Io, Listen, ListenOptions, Listener,
    Writer, quiet,
};
use crate::error::{Error, Reason, Result};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

/// TCP with the addresses of one or both families.
///
/// A name is resolved by the system's resolver; its addresses are tried in turn, each with its share of the time that is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tcp {
    family: Family,
    reuse_port: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Any,
    V4,
    V6,
}

impl Tcp {
    pub(super) const ANY: Tcp = Tcp { family: Family::Any, reuse_port: false };
    pub(super) const V4: Tcp = Tcp { family: Family::V4, reuse_port: false };
    pub(super) const V6: Tcp = Tcp { family: Family::V6, reuse_port: false };
    pub(super) const REUSE_PORT: Tcp = Tcp { family: Family::Any, reuse_port: true };

    async fn resolve(self, address: &Address, host: &str) -> Result<Vec<SocketAddr>> {
        let port = port_of(address)?;
        let found = tokio::net::lookup_host((host, port)).await.map_err(|error| {
            Error::new(Reason::ConnectResolve, format!("cannot resolve the host of {address}: {error}"))
                .with_source(error)
        })?;
        let found: Vec<SocketAddr> = found.filter(|socket| self.takes(socket.ip())).collect();
        if found.is_empty() {
            let wanted = match self.family {
                Family::Any => "",
                Family::V4 => "IPv4 ",
                Family::V6 => "IPv6 ",
            };
            return Err(Error::new(Reason::ConnectResolve, format!("the host of {address} has no {wanted}address")));
        }
        Ok(found)
    }

    fn takes(self, ip: IpAddr) -> bool {
        match self.family {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        }
    }

    async fn connect(self, to: &Address, options: &DialOptions) -> Result<Io> {
        if port_of(to)? == 0 {
            return Err(Error::new(Reason::ConfigBadAddress, format!("bad address {to}: port 0 cannot be dialled")));
        }
        let begin = Instant::now();
        // As in Go, no host means this machine.
        let host = if to.host().is_empty() { "localhost" } else { to.host() };
        let candidates = self.resolve(to, host).await?;
        let mut failed: Option<io::Error> = None;
        for (tried, socket) in candidates.iter().enumerate() {
            let left = options.connect_timeout.saturating_sub(begin.elapsed());
            let share = left / u32::try_from(candidates.len() - tried).unwrap_or(u32::MAX);
            match tokio::time::timeout(share, connect_one(*socket, options)).await {
                Ok(Ok(stream)) => return Ok(established(stream, None, socket.to_string())),
                Ok(Err(error)) => failed = Some(error),
                Err(_) => failed = Some(io::Error::new(io::ErrorKind::TimedOut, "no answer")),
            }
        }
        Err(super::connect_error(to, failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())))
    }

    /// The addresses to bind for a listener's host, best first.
    async fn bindable(self, at: &Address) -> Result<Vec<SocketAddr>> {
        let port = port_of(at)?;
        if !at.host().is_empty() {
            return self.resolve(at, at.host()).await;
        }
        let (v4, v6) = (IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED));
        Ok(match self.family {
            // The IPv6 socket takes IPv4 too; the second is for machines without IPv6.
            Family::Any => vec![(v6, port).into(), (v4, port).into()],
            Family::V4 => vec![(v4, port).into()],
            Family::V6 => vec![(v6, port).into()],
        })
    }

    fn listen(self, at: SocketAddr, backlog: u32) -> io::Result<std::net::TcpListener> {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
        if at.is_ipv6() {
            socket.set_only_v6(self.family == Family::V6 || !at.ip().is_unspecified())?;
        }
        // Without it a port cannot be taken again for a minute after its connections closed.
        socket.set_reuse_address(true)?;
        if self.reuse_port {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&at.into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

fn port_of(address: &Address) -> Result<u16> {
    address
        .port()
        .ok_or_else(|| Error::new(Reason::ConfigBadAddress, format!("bad address {address}: no :port at the end")))
}

async fn connect_one(to: SocketAddr, options: &DialOptions) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let stream = socket.connect(to).await?;
    // Where nobody listens on a port that the system also gives to outgoing connections, the socket can meet itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    set_up(&stream, options.tcp_nodelay, options.keepalive)?;
    Ok(stream)
}

fn set_up(stream: &TcpStream, nodelay: bool, keepalive: Option<Duration>) -> io::Result<()> {
    if nodelay {
        stream.set_nodelay(true)?;
    }
    if let Some(period) = keepalive.filter(|period| !period.is_zero()) {
        // The system counts in whole seconds and refuses none.
        let period = Duration::from_secs(period.as_secs().max(1));
        SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(period).with_interval(period))?;
    }
    Ok(())
}

fn established(stream: TcpStream, local: Option<Address>, remote: String) -> Io {
    let local = local.or_else(|| Some(Address::of_socket("tcp", stream.local_addr().ok()?)));
    let (reader, writer) = stream.into_split();
    let info = ConnectionInfo { local, remote, tls: None };
    Io { reader: Box::new(reader), writer: Writer::Direct(Arc::new(TcpWrite(writer))), info }
}

struct TcpWrite(OwnedWriteHalf);

impl DirectWrite for TcpWrite {
    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.try_write(buf)
    }

    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let stream: &TcpStream = self.0.as_ref();
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

impl Dial for Tcp {
    fn dial<'a>(&'a self, to: &'a Address, options: &'a DialOptions) -> BoxFuture<'a, Result<Io>> {
        Box::pin(self.connect(to, options))
    }
}

impl Listen for Tcp {
    fn bind<'a>(&'a self, at: &'a Address, options: &'a ListenOptions) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let mut failed: Option<io::Error> = None;
            for socket in self.bindable(at).await? {
                match self.listen(socket, options.backlog).and_then(|listener| {
                    let bound = listener.local_addr()?;
                    Ok((listener, bound))
                }) {
                    Ok((listener, bound)) => {
                        let scheme = if self.reuse_port { "tcp" } else { at.scheme() };
                        // A name stays a name, as the certificate or the registry may have it.
                        let address = match at.host() {
                            host if host.is_empty() || host.contains(':') => Address::of_socket(scheme, bound),
                            host => Address::unchecked(scheme, &format!("{host}:{}", bound.port())),
                        };
                        return Ok(Box::new(TcpListener::new(listener, address, options.clone())) as Box<dyn Listener>);
                    }
                    // IPv6 may be missing; an address in use is not, and must not become one of the other family.
                    Err(error) => {
                        let last = error.kind() == io::ErrorKind::AddrInUse;
                        failed = Some(error);
                        if last {
                            break;
                        }
                    }
                }
            }
            Err(super::listen_error(at, failed.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())))
        })
    }
}

pub(super) struct TcpListener {
    socket: std::net::TcpListener,
    /// The same socket, registered with the runtime of the first accept.
    accepting: Option<tokio::net::TcpListener>,
    address: Address,
    options: Arc<ListenOptions>,
}

impl TcpListener {
    /// Takes a non-blocking listening socket.
    pub(super) fn new(listener: std::net::TcpListener, address: Address, options: ListenOptions) -> TcpListener {
        TcpListener { socket: listener, accepting: None, address, options: Arc::new(options) }
    }

    fn incoming(&self, stream: std::net::TcpStream, remote: SocketAddr) -> Box<dyn Incoming> {
        let (local, options) = (self.address.clone(), self.options.clone());
        Box::new(TcpIncoming { stream, remote: readable(remote), local, options })
    }
}

impl Listener for TcpListener {
    fn address(&self) -> Address {
        self.address.clone()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async move {
            let listener = match &mut self.accepting {
                Some(listener) => listener,
                None => self.accepting.insert(tokio::net::TcpListener::from_std(self.socket.try_clone()?)?),
            };
            let (stream, remote) = loop {
                match listener.accept().await {
                    Err(error) if super::is_of_one_connection(&error) => {}
                    done => break done?,
                }
            };
            Ok(self.incoming(stream.into_std()?, remote))
        })
    }

    fn try_accept(&mut self) -> io::Result<Option<Box<dyn Incoming>>> {
        // The system's own accept: the runtime may not have heard yet of what has come.
        let Some((stream, remote)) = super::accept_now(|| self.socket.accept())? else { return Ok(None) };
        stream.set_nonblocking(true)?;
        Ok(Some(self.incoming(stream, remote)))
    }

    fn try_clone_fd(&self) -> io::Result<OwnedFd> {
        Ok(self.socket.try_clone()?.into())
    }
}

/// `host:port`, an IPv4 client of an IPv6 socket written as IPv4, so that access lists and logs see one form.
fn readable(socket: SocketAddr) -> String {
    SocketAddr::new(socket.ip().to_canonical(), socket.port()).to_string()
}

struct TcpIncoming {
    stream: std::net::TcpStream,
    remote: String,
    local: Address,
    options: Arc<ListenOptions>,
}

impl TcpIncoming {
    fn register(self) -> Result<Io> {
        let ready = |stream: std::net::TcpStream| {
            let stream = TcpStream::from_std(stream)?;
            set_up(&stream, self.options.tcp_nodelay, self.options.keepalive)?;
            Ok(stream)
        };
        match ready(self.stream) {
            Ok(stream) => Ok(established(stream, Some(self.local), self.remote)),
            Err(error) => Err(super::incoming_error(&self.remote, error)),
        }
    }
}

impl Incoming for TcpIncoming {
    fn remote(&self) -> &str {
        &self.remote
    }

    fn open(self: Box<Self>) -> BoxFuture<'static, Result<Io>> {
        Box::pin(async move { self.register() })
    }
}
