//! The interfaces of this host, each with a socket of its own in the multicast group.

use crate::options::MdnsOptions;
use crate::packet::{LONGEST, PORT};
use if_addrs::Interface;
use rpcx::{Error, Reason, Result};
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::time::Instant;

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// How often interfaces are looked at: one may come, go, or get another address.
const SCAN: Duration = Duration::from_secs(3);

/// How often while there is none.
const SEARCH: Duration = Duration::from_millis(500);

/// So many interfaces are used, and so many addresses of each are told.
const MOST_LINKS: usize = 32;
const MOST_ADDRESSES: usize = 8;

/// Room for packets that arrive while this thread does something else, as far as the system allows it.
const BUFFER: usize = 1 << 20;

/// One interface with one version of IP.
#[derive(Debug)]
pub(crate) struct Link {
    /// Grows with each that is opened.
    pub(crate) number: u64,
    place: Location,
    socket: UdpSocket,
    group: SocketAddr,
}

/// What makes a link what it is: with other addresses it is another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Location {
    name: String,
    index: u32,
    v6: bool,
    addresses: Vec<IpAddr>,
}

impl Link {
    /// Those of the interface.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.place.addresses
    }
}

/// All links that are in use.
#[derive(Debug)]
pub(crate) struct Links {
    wanted: Vec<String>,
    ipv6: bool,
    /// A link to others was seen: this host's own loopback does not stand in for it when it is gone.
    beyond: Arc<AtomicBool>,
    turns: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    open: Vec<Arc<Link>>,
    opened: u64,
    scan_at: Instant,
    /// Why there is none, or not every one.
    problem: Option<String>,
}

/// A packet that arrived.
pub(crate) struct Arrived {
    pub(crate) link: Arc<Link>,
    pub(crate) length: usize,
    pub(crate) from: SocketAddr,
}

impl Links {
    /// Opens all that are wanted and there, which may be none: see [`check`](Self::check). `beyond` lives longer than these
    /// links.
    pub(crate) fn new(options: &MdnsOptions, beyond: &Arc<AtomicBool>) -> Self {
        let inner = Inner { open: Vec::new(), opened: 0, scan_at: Instant::now(), problem: None };
        let links = Self {
            wanted: options.interfaces.clone(),
            ipv6: options.ipv6,
            beyond: beyond.clone(),
            turns: AtomicUsize::new(0),
            inner: Mutex::new(inner),
        };
        links.scan();
        links
    }

    /// Those that are open.
    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        self.inner().open.clone()
    }

    /// When to [`scan`](Self::scan) next.
    pub(crate) fn scan_at(&self) -> Instant {
        self.inner().scan_at
    }

    /// That there is at least one.
    ///
    /// # Errors
    ///
    /// `connect.refused` with the reason if there is none.
    pub(crate) fn check(&self) -> Result<()> {
        let inner = self.inner();
        if !inner.open.is_empty() {
            return Ok(());
        }
        let why = inner.problem.as_deref().unwrap_or("this host has no interface for multicast that is up");
        Err(Error::new(Reason::ConnectRefused, format!("mDNS: {why}")))
    }

    /// Looks which interfaces there are; gives the links that are new.
    pub(crate) fn scan(&self) -> Vec<Arc<Link>> {
        let found = if_addrs::get_if_addrs();
        let mut inner = self.inner();
        inner.scan_at = Instant::now() + SEARCH;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                inner.problem = Some(format!("the interfaces of this host: {error}"));
                return Vec::new();
            }
        };
        if found.iter().any(|interface| !interface.is_loopback()) {
            self.beyond.store(true, Ordering::Relaxed);
        }
        let alone = !self.beyond.load(Ordering::Relaxed);
        let mut places = locations(found, &self.wanted, self.ipv6, alone);
        inner.problem = (places.is_empty() && !self.wanted.is_empty())
            .then(|| format!("no interface of {} is up", self.wanted.join(", ")));
        inner.open.retain(|link| places.contains(&link.place));
        places.retain(|place| inner.open.iter().all(|link| link.place != *place));
        let mut new = Vec::new();
        for place in places {
            if inner.open.len() == MOST_LINKS {
                inner.problem = Some(format!("only {MOST_LINKS} interfaces are used: see option `interface`"));
                break;
            }
            match socket(&place) {
                Ok((socket, group)) => {
                    inner.opened += 1;
                    let link = Arc::new(Link { number: inner.opened, place, socket, group });
                    inner.open.push(link.clone());
                    new.push(link);
                }
                Err(error) => inner.problem = Some(format!("interface {}: {error}", place.name)),
            }
        }
        if !inner.open.is_empty() {
            inner.scan_at += SCAN - SEARCH;
        }
        new
    }

    /// Waits for a packet, which is then in `buffer`. None if a link has failed and is closed.
    pub(crate) async fn receive(&self, buffer: &mut [u8; LONGEST]) -> Option<Arrived> {
        let links = self.all();
        if links.is_empty() {
            return std::future::pending().await;
        }
        // A link on which much is said keeps nobody from hearing the others.
        let turn = self.turns.fetch_add(1, Ordering::Relaxed) % links.len();
        let (link, received) = std::future::poll_fn(|context| {
            for link in links.iter().cycle().skip(turn).take(links.len()) {
                let mut read = ReadBuf::new(buffer);
                if let Poll::Ready(received) = link.socket.poll_recv_from(context, &mut read) {
                    let length = read.filled().len();
                    return Poll::Ready((link.clone(), received.map(|from| (length, from))));
                }
            }
            Poll::Pending
        })
        .await;
        match received {
            Ok((length, from)) => Some(Arrived { link, length, from }),
            Err(error) => {
                self.broken(&link, &error);
                None
            }
        }
    }

    /// Sends packets to everybody on a link; false if it has failed and is closed.
    pub(crate) async fn send(&self, link: &Arc<Link>, packets: &[Vec<u8>]) -> bool {
        self.send_to(link, packets, link.group).await
    }

    /// Sends packets to one program on a link; false if it has failed and is closed.
    pub(crate) async fn send_to(&self, link: &Arc<Link>, packets: &[Vec<u8>], to: SocketAddr) -> bool {
        for packet in packets {
            match link.socket.send_to(packet, to).await {
                Ok(_) => {}
                // One who asked and cannot be reached says nothing about the link.
                Err(_) if to != link.group => return true,
                Err(error) => {
                    self.broken(link, &error);
                    return false;
                }
            }
        }
        true
    }

    fn broken(&self, link: &Arc<Link>, error: &io::Error) {
        tracing::debug!(target: "rpcx::discovery", interface = link.place.name, %error, "mDNS on an interface has failed");
        let mut inner = self.inner();
        inner.open.retain(|open| open.number != link.number);
        inner.problem = Some(format!("interface {}: {error}", link.place.name));
        // It may be another one soon, but not at once, lest one that fails is opened again and again.
        inner.scan_at = inner.scan_at.min(Instant::now() + SEARCH);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The links that there should be; on a host that is `alone` programs find each other by loopback.
fn locations(found: Vec<Interface>, wanted: &[String], ipv6: bool, alone: bool) -> Vec<Location> {
    let mut places: BTreeMap<(String, u32), Vec<Interface>> = BTreeMap::new();
    for interface in found {
        let Some(index) = interface.index.filter(|_| interface.is_oper_up()) else { continue };
        places.entry((interface.name.clone(), index)).or_default().push(interface);
    }
    let named = |(name, _): &(String, u32), all: &[Interface]| {
        wanted.iter().any(|wanted| wanted == name || all.iter().any(|one| one.ip().to_string() == *wanted))
    };
    let mut chosen: Vec<_> = places
        .iter()
        .filter(|(key, all)| match wanted {
            [] => !all.iter().any(|one| one.is_loopback() || one.is_p2p()),
            _ => named(key, all),
        })
        .collect();
    if alone && wanted.is_empty() {
        chosen = places.iter().filter(|(_, all)| all.iter().any(Interface::is_loopback)).collect();
    }
    let of = |((name, index), all): (&(String, u32), &Vec<Interface>)| {
        let of_version = |v6: bool| -> Vec<IpAddr> {
            let mut addresses: Vec<_> = all.iter().map(Interface::ip).filter(|ip| ip.is_ipv6() == v6).collect();
            addresses.sort_unstable();
            addresses.truncate(MOST_ADDRESSES);
            addresses
        };
        let routed = all.iter().any(|one| one.ip().is_ipv6() && !one.is_link_local());
        let (v4, v6) = (of_version(false), of_version(true));
        let (has_v4, has_v6) = (!v4.is_empty(), !v6.is_empty());
        let place = |v6, addresses| Location { name: name.clone(), index: *index, v6, addresses };
        let wants_v6 = has_v6 && (ipv6 || !has_v4 && (routed || !wanted.is_empty()));
        [has_v4.then(|| place(false, v4)), wants_v6.then(|| place(true, v6))]
    };
    chosen.into_iter().flat_map(of).flatten().collect()
}

/// A socket that is in the group on one interface, and that others of this host may have beside it.
fn socket(place: &Location) -> io::Result<(UdpSocket, SocketAddr)> {
    let domain = if place.v6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    // Elsewhere an address is shared by the one option alone.
    #[cfg(all(unix, not(target_os = "linux")))]
    socket.set_reuse_port(true)?;
    // Less will do.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let group = match place.addresses.first() {
        Some(IpAddr::V4(address)) => {
            #[cfg(target_os = "linux")]
            socket.set_multicast_all_v4(false)?;
            socket.bind(&bound(GROUP_V4.into(), Ipv4Addr::UNSPECIFIED.into(), 0).into())?;
            socket.join_multicast_v4(&GROUP_V4, address)?;
            socket.set_multicast_if_v4(address)?;
            socket.set_multicast_loop_v4(true)?;
            socket.set_multicast_ttl_v4(255)?;
            SocketAddr::from((GROUP_V4, PORT))
        }
        _ => {
            socket.set_only_v6(true)?;
            #[cfg(target_os = "linux")]
            socket.set_multicast_all_v6(false)?;
            socket.bind(&bound(GROUP_V6.into(), Ipv6Addr::UNSPECIFIED.into(), place.index).into())?;
            socket.join_multicast_v6(&GROUP_V6, place.index)?;
            socket.set_multicast_if_v6(place.index)?;
            socket.set_multicast_loop_v6(true)?;
            socket.set_multicast_hops_v6(255)?;
            SocketAddrV6::new(GROUP_V6, PORT, 0, place.index).into()
        }
    };
    Ok((UdpSocket::from_std(socket.into())?, group))
}

/// Bound to the group, a socket gets no packet that was sent to this host alone, from beyond the link perhaps; Windows does not
/// allow it.
fn bound(group: IpAddr, any: IpAddr, scope: u32) -> SocketAddr {
    match if cfg!(unix) { group } else { any } {
        IpAddr::V4(ip) => SocketAddr::from((ip, PORT)),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, PORT, 0, scope).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use if_addrs::{IfAddr, IfOperStatus, Ifv4Addr, Ifv6Addr};

    fn interface(name: &str, index: u32, ip: &str) -> Interface {
        let addr = match ip.parse().expect(ip) {
            IpAddr::V4(ip) => IfAddr::V4(Ifv4Addr { ip, netmask: ip, prefixlen: 24, broadcast: None }),
            IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr { ip, netmask: ip, prefixlen: 64, broadcast: None }),
        };
        // What is without a cable is not known to be up.
        let oper_status = if name == "eth1" { IfOperStatus::Unknown } else { IfOperStatus::Up };
        Interface { name: name.into(), addr, index: Some(index), oper_status, is_p2p: name == "tun0" }
    }

    fn chosen(all: &[(&str, u32, &str)], wanted: &[&str], ipv6: bool) -> Vec<String> {
        let alone = all.iter().all(|(name, ..)| *name == "lo");
        let found = all.iter().map(|(name, index, ip)| interface(name, *index, ip)).collect();
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let text = |place: Location| {
            let addresses: Vec<_> = place.addresses.iter().map(IpAddr::to_string).collect();
            format!("{} {}", place.name, addresses.join(" "))
        };
        locations(found, &wanted, ipv6, alone).into_iter().map(text).collect()
    }

    #[test]
    fn interfaces_are_chosen() {
        let all = [
            ("lo", 1, "127.0.0.1"),
            ("lo", 1, "::1"),
            ("eth0", 2, "10.0.0.2"),
            ("eth0", 2, "10.0.0.1"),
            ("eth0", 2, "fe80::1"),
            ("six", 3, "2001:db8::1"),
            ("six", 3, "fe80::2"),
            ("veth", 4, "fe80::3"),
            ("tun0", 5, "10.8.0.1"),
            ("eth1", 6, "10.1.0.1"),
        ];
        assert_eq!(chosen(&all, &[], false), ["eth0 10.0.0.1 10.0.0.2", "six 2001:db8::1 fe80::2"]);
        let both = ["eth0 10.0.0.1 10.0.0.2", "eth0 fe80::1", "six 2001:db8::1 fe80::2", "veth fe80::3"];
        assert_eq!(chosen(&all, &[], true), both);
        assert_eq!(chosen(&all, &["lo"], false), ["lo 127.0.0.1"]);
        assert_eq!(chosen(&all, &["10.0.0.2", "veth"], false), ["eth0 10.0.0.1 10.0.0.2", "veth fe80::3"]);
        assert_eq!(chosen(&all, &["tun0"], false), ["tun0 10.8.0.1"]);
        assert!(chosen(&all, &["eth7"], true).is_empty());
        assert_eq!(chosen(&all[..2], &[], false), ["lo 127.0.0.1"], "nothing else is there");
    }

    #[test]
    fn one_that_is_not_there_is_named() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = MdnsOptions::parse("?interface=none7").expect("read");
        let error = runtime.block_on(async { Links::new(&options, &Arc::default()).check().expect_err("none") });
        assert_eq!(error.reason(), Reason::ConnectRefused);
        assert!(error.message().contains("none7"), "{error}");
    }
}
