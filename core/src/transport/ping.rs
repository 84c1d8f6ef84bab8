//! How far away a server is: the time of an ICMP echo, or of a TCP connect where ICMP is not permitted.

use super::Address;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpStream, UdpSocket};

/// Behind the eight bytes of an echo's header: by this an answer is known, since the system may change the identifier.
const TOKEN: &[u8; 16] = b"librpcx ping ...";

/// The round-trip time to the server at an address, or `None` when nothing answered within `limit`. Zero for what is on this
/// machine or inside this process by its kind: a Unix socket, a pipe in memory, a transport of the user's own.
pub(crate) async fn round_trip(address: &Address, limit: Duration) -> Option<Duration> {
    let host = address.host();
    let Some(port) = address.port().filter(|_| !host.is_empty()) else { return Some(Duration::ZERO) };
    tokio::time::timeout(limit, async {
        let to = tokio::net::lookup_host((host, port)).await.ok()?.next()?;
        // Many networks drop ICMP without a word: half of the time is left for TCP.
        match tokio::time::timeout(limit / 2, echo(to.ip())).await {
            Ok(Ok(time)) => Some(time),
            _ => connect(to).await,
        }
    })
    .await
    .ok()?
}

/// The time of a TCP connect, which takes one round trip.
async fn connect(to: SocketAddr) -> Option<Duration> {
    let begin = Instant::now();
    TcpStream::connect(to).await.ok().map(|_| begin.elapsed())
}

/// The time of an ICMP echo.
///
/// # Errors
/// The system's, foremost that this process may not send ICMP.
async fn echo(to: IpAddr) -> io::Result<Duration> {
    static SEQUENCE: AtomicU16 = AtomicU16::new(0);
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    let socket = icmp_socket(to)?;
    socket.connect(SocketAddr::new(to, 0)).await?;
    let begin = Instant::now();
    socket.send(&request(to, sequence)).await?;
    let mut answer = [0; 256];
    loop {
        let length = socket.recv(&mut answer).await?;
        if is_answer(to, sequence, &answer[..length]) {
            return Ok(begin.elapsed());
        }
    }
}

/// A socket for ICMP: the unprivileged kind if the system offers it, else a raw one. Only sent from and received on, so that
/// it may pass for a UDP socket.
fn icmp_socket(to: IpAddr) -> io::Result<UdpSocket> {
    let (domain, protocol) = match to {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol));
    let socket = socket.or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

/// An echo request: type, code, checksum, identifier, sequence, and the token.
fn request(to: IpAddr, sequence: u16) -> Vec<u8> {
    let kind = if to.is_ipv4() { 8 } else { 128 };
    let [high, low] = sequence.to_be_bytes();
    let mut packet = vec![kind, 0, 0, 0, 0, 0, high, low];
    packet.extend_from_slice(TOKEN);
    if to.is_ipv4() {
        // For IPv6 the system fills it in: it covers the addresses.
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// Whether a packet is the echo of a request.
fn is_answer(to: IpAddr, sequence: u16, packet: &[u8]) -> bool {
    // A raw IPv4 socket gives the IP header too, whose first byte holds the version and the length in words.
    let header = match packet.first() {
        Some(first) if to.is_ipv4() && first >> 4 == 4 => usize::from(first & 15) * 4,
        _ => 0,
    };
    let kind = if to.is_ipv4() { 0 } else { 129 };
    let Some(icmp) = packet.get(header..).filter(|icmp| icmp.len() >= 8) else { return false };
    icmp[0] == kind && icmp[6..8] == sequence.to_be_bytes() && icmp[8..] == *TOKEN
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const LIMIT: Duration = Duration::from_secs(10);

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test)
    }

    #[test]
    fn a_listening_server_has_a_round_trip_time() {
        run(async {
            let listener = tokio::net::TcpListener::bind((HERE, 0)).await.expect("a listener");
            let to = listener.local_addr().expect("its address");
            assert!(connect(to).await.is_some_and(|time| time < LIMIT));
            let address = Address::of_socket("tcp", to);
            assert!(round_trip(&address, LIMIT).await.is_some_and(|time| time < LIMIT));
            drop(listener);
            assert_eq!(connect(to).await, None);
        });
    }

    #[test]
    fn icmp_is_used_where_it_is_permitted() {
        run(async {
            match echo(HERE).await {
                Ok(time) => assert!(time < LIMIT),
                Err(error) => assert!(icmp_socket(HERE).is_err(), "{error}"),
            }
        });
    }

    #[test]
    fn what_is_local_by_its_kind_is_near() {
        run(async {
            for address in ["unix@/run/a.sock", "memu@here", "carrier@pigeon"] {
                let address = address.parse().expect(address);
                assert_eq!(round_trip(&address, LIMIT).await, Some(Duration::ZERO));
            }
        });
    }

    #[test]
    fn an_answer_is_told_from_other_packets() {
        let mut echoed = request(HERE, 7);
        assert_eq!(checksum(&echoed), 0, "with its checksum a packet adds up to zero");
        assert!(!is_answer(HERE, 7, &echoed), "a request is no answer");
        echoed[0] = 0;
        assert!(is_answer(HERE, 7, &echoed) && !is_answer(HERE, 8, &echoed));
        let raw = [&[0x45; 20][..], &echoed].concat();
        assert!(is_answer(HERE, 7, &raw));
        for length in 0..echoed.len() {
            assert!(!is_answer(HERE, 7, &echoed[..length]));
            assert!(!is_answer(HERE, 7, &raw[..length]));
        }
        let six = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
        let mut echoed = request(six, 9);
        echoed[0] = 129;
        assert!(is_answer(six, 9, &echoed));
    }
}
