//! Ports for servers that cannot be given the port 0.

use std::fs::File;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that outgoing connections get.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// A port that nobody listens on, and that no other test gets until this is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Locked, across processes.
    _lock: File,
}

impl Port {
    /// Finds one.
    ///
    /// # Panics
    /// When there is none.
    pub fn free() -> Port {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let folder = std::env::temp_dir().join("rpcx-test-ports");
        std::fs::create_dir_all(&folder).expect("a folder for the locks of ports");
        let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or_default();
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let number = FIRST + (start.wrapping_mul(7).wrapping_add(step)) % COUNT;
            if let Some(port) = Port::take(number) {
                return port;
            }
        }
        panic!("no port is free");
    }

    /// So many ports, each so far above the one before, unless that is 0.
    ///
    /// # Panics
    /// When there are none.
    pub fn series(count: usize, apart: u16) -> Vec<Port> {
        if apart == 0 {
            return (0..count).map(|_| Port::free()).collect();
        }
        for _ in 0..COUNT {
            let mut ports = vec![Port::free()];
            while ports.len() < count {
                let next = ports[ports.len() - 1].number + apart;
                let Some(port) = Port::take(next) else { break };
                ports.push(port);
            }
            if ports.len() == count {
                return ports;
            }
        }
        panic!("no ports are free");
    }

    /// This one, if it is free.
    fn take(number: u16) -> Option<Port> {
        let folder = std::env::temp_dir().join("rpcx-test-ports");
        let lock = File::create(folder.join(number.to_string())).expect("the lock of a port");
        let free = lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok();
        free.then_some(Port { number, _lock: lock })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}
