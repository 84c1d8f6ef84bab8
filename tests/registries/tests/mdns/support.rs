//! What these tests share.

use hickory_proto::op::Message;
use rpcx::discovery::{Discovery, Watch};
use rpcx_registries::mdns::Mdns;
use rpcx_registries::suite::{self, Ours};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

pub(crate) use rpcx_registries::suite::support::{address, addresses, multiply, seen, until_seen};
pub(crate) use rpcx_registries::wait::{LIMIT, eventually, run};
pub(crate) use rpcx_registries::{Talker, go};
pub(crate) use std::time::{Duration, Instant};

pub(crate) const OURS: Ours = rpcx_registries::rust!();

/// Where everybody listens.
pub(crate) const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 251), 5353);

/// A test in a network of its own.
macro_rules! apart {
    ($(#[$about:meta])* fn $name:ident() $body:block) => {
        $(#[$about])*
        #[test]
        fn $name() {
            rpcx_registries::network::apart(concat!(module_path!(), "::", stringify!($name)), || $body);
        }
    };
}
pub(crate) use apart;

pub(crate) fn discovery(url: &str) -> Arc<dyn Discovery> {
    suite::support::discovery::<Mdns>(url)
}

/// What a discovery of its own holds of `Arith`.
pub(crate) struct Follower(Watch, #[expect(dead_code, reason = "it is closed when it is dropped")] Arc<dyn Discovery>);

impl std::ops::Deref for Follower {
    type Target = Watch;

    fn deref(&self) -> &Watch {
        &self.0
    }
}

pub(crate) fn follow(url: &str) -> Follower {
    let discovery = discovery(url);
    Follower(discovery.watch("Arith"), discovery)
}

pub(crate) fn client(url: &str) -> rpcx::Client {
    suite::support::client::<Mdns>(url)
}

pub(crate) async fn server(url: &str, options: &[(&str, &str)]) -> rpcx::Server {
    suite::support::server::<Mdns>(url, options).await
}

/// A server as a process of its own, with where it is.
pub(crate) fn server_process(url: &str, options: &[&str]) -> (Talker, String) {
    suite::support::server_process(OURS, url, options)
}

/// Changes the network.
pub(crate) fn ip(arguments: &str) {
    let status = std::process::Command::new("ip").args(arguments.split(' ')).status();
    assert!(status.is_ok_and(|status| status.success()), "ip {arguments}");
}

/// Somebody on the network who hears everything and may say anything.
pub(crate) struct Wire(UdpSocket);

impl Wire {
    pub(crate) fn new() -> Wire {
        Wire::on(Ipv4Addr::new(10, 99, 0, 1), GROUP.1)
    }

    /// From another port than that of mDNS, one hears only what is said to oneself.
    pub(crate) fn on(interface: Ipv4Addr, port: u16) -> Wire {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).expect("a socket");
        socket.set_reuse_address(true).expect("shared");
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into()).expect("bound");
        socket.join_multicast_v4(&GROUP.0, &interface).expect("joined");
        socket.set_multicast_if_v4(&interface).expect("an interface");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
        Wire(socket.into())
    }

    pub(crate) fn say(&self, packet: &[u8]) {
        self.0.send_to(packet, GROUP).expect("sent");
    }

    /// The next packet that `wanted` takes; others are passed over.
    pub(crate) fn hear(&self, what: &str, mut wanted: impl FnMut(&Message) -> bool) -> Message {
        let (began, mut buffer) = (Instant::now(), [0; 9000]);
        while began.elapsed() < LIMIT {
            let Ok((length, _)) = self.0.recv_from(&mut buffer) else { continue };
            if let Some(message) = Message::from_vec(&buffer[..length]).ok().filter(|message| wanted(message)) {
                return message;
            }
        }
        panic!("{what}: not heard");
    }
}
