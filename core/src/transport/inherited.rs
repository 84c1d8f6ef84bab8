//! `fd@…`: a listening socket that this process inherited, from a service manager or from the process it replaces.

use super::tcp::TcpListener;
use super::unix::{UnixListener, name_of};
use super::{Address, BoxFuture, Listen, ListenOptions, Listener};
use crate::error::{Error, Reason, Result};
use listenfd::ListenFd;
use socket2::{Domain, SockRef, Type};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Listeners from inherited descriptors.
///
/// The environment must have announced them as systemd does it: `LISTEN_FDS` says how many there are, from descriptor 3 on,
/// `LISTEN_FDNAMES` names them (separated by colons), and `LISTEN_PID` must be this process or missing. `fd@3` is then the
/// first of them, and `fd@web` the one named `web`.
///
/// The variables are read when the first such address is bound. Announced descriptors are then no longer announced:
/// `LISTEN_FDS` and `LISTEN_PID` are removed, so that child processes do not take the descriptors for theirs
/// (`LISTEN_FDNAMES` stays, which says nothing by itself). Each descriptor can be bound once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inherited;

impl Listen for Inherited {
    fn bind<'a>(&'a self, at: &'a Address, options: &'a ListenOptions) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
        Box::pin(
            async move { take(at.rest()).and_then(|fd| listener(fd, options)).map_err(|e| super::listen_error(at, e)) },
        )
    }
}

/// What the environment announced, until it is taken.
struct Announced {
    sockets: ListenFd,
    names: Vec<String>,
}

/// The number of the first descriptor that `LISTEN_FDS` counts.
const FIRST: usize = 3;

static ANNOUNCED: LazyLock<Mutex<Announced>> = LazyLock::new(|| {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names = names.split(':').map(str::to_owned).collect();
    Mutex::new(Announced { sockets: ListenFd::from_env(), names })
});

fn take(which: &str) -> io::Result<OwnedFd> {
    let missing = |why: String| io::Error::new(io::ErrorKind::NotFound, why);
    let mut announced = ANNOUNCED.lock().unwrap_or_else(PoisonError::into_inner);
    let index = match which.parse::<usize>() {
        Ok(number) => number.checked_sub(FIRST).filter(|index| *index < announced.sockets.len()),
        Err(_) => announced.names.iter().take(announced.sockets.len()).position(|name| name == which),
    };
    let count = announced.sockets.len();
    let index = index
        .ok_or_else(|| missing(format!("LISTEN_FDS announced {count} descriptors, and {which:?} is none of them")))?;
    // The crate tells the kinds apart by itself and leaves what does not fit.
    let taken = match announced.sockets.take_tcp_listener(index) {
        Ok(tcp) => tcp.map(OwnedFd::from),
        Err(_) => announced.sockets.take_unix_listener(index)?.map(OwnedFd::from),
    };
    taken.ok_or_else(|| missing(format!("the descriptor {which:?} was taken before")))
}

/// A listener over a descriptor, if it is a listening stream socket.
pub(super) fn adopt(fd: OwnedFd, options: &ListenOptions) -> Result<Box<dyn Listener>> {
    listener(fd, options).map_err(|error| {
        Error::new(Reason::ConfigListen, format!("cannot take over the descriptor: {error}")).with_source(error)
    })
}

fn listener(fd: OwnedFd, options: &ListenOptions) -> io::Result<Box<dyn Listener>> {
    let unfit = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
    let domain = {
        let socket = SockRef::from(&fd);
        let domain = socket.local_addr().map_err(|_| unfit("it is no socket"))?.domain();
        if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
            return Err(unfit("it is no listening stream socket"));
        }
        socket.set_nonblocking(true)?;
        domain
    };
    match domain {
        Domain::IPV4 | Domain::IPV6 => {
            let listener = std::net::TcpListener::from(fd);
            let address = Address::of_socket("tcp", listener.local_addr()?);
            Ok(Box::new(TcpListener::new(listener, address, options.clone())))
        }
        Domain::UNIX => {
            let listener = std::os::unix::net::UnixListener::from(fd);
            let address = Address::unchecked("unix", &name_of(&listener.local_addr()?));
            Ok(Box::new(UnixListener::adopted(listener, address)))
        }
        _ => Err(unfit("it is a socket of neither TCP nor Unix kind")),
    }
}
