//! A TCP proxy on loopback that does to connections what networks do.

use std::io::{ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to bytes on their way, in both directions unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// They pass.
    None,
    /// Every piece comes so much later.
    Delay(Duration),
    /// Nothing is read any more: both sides run into full buffers.
    Stall,
    /// Everything is read and nothing arrives: to each side the other one is there and silent. A connection that lost
    /// bytes so stays silent when the fault passes, since no network delivers a stream with a hole.
    HalfOpen,
    /// The connection is reset on both sides.
    Reset,
    /// So many bytes a second.
    Throttle(u64),
    /// One byte at a time.
    OneByte,
    /// Of what the server sends so many bytes still arrive, then the connection is closed.
    CutAfter(usize),
}

/// A running proxy; its connections end when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on loopback and forwards to `target` (`host:port`).
    ///
    /// # Errors
    /// When no port is to be had.
    pub async fn start(target: &str) -> Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (fault, faults) = watch::channel(Fault::None);
        let target = target.trim_start_matches("tcp@").to_owned();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    Some(_) = connections.join_next() => continue,
                };
                if let Ok((client, _)) = accepted {
                    connections.spawn(serve(client, target.clone(), faults.clone()));
                }
            }
        });
        Ok(Proxy { address, fault, task })
    }

    /// The address to dial instead of the target's.
    pub fn url(&self) -> String {
        format!("tcp@{}", self.address)
    }

    /// From now on this happens to all connections, those that are open too.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(client: TcpStream, target: String, faults: watch::Receiver<Fault>) {
    let Ok(server) = TcpStream::connect(&target).await else { return };
    // Small pieces must not wait for each other.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut resets = faults.clone();
    let reset = tokio::select! {
        reset = resets.wait_for(|fault| *fault == Fault::Reset) => reset.is_ok(),
        () = pump(&client, &server, faults.clone(), false) => false,
        () = pump(&server, &client, faults, true) => false,
    };
    if reset {
        for stream in [&client, &server] {
            // Closing then sends a reset instead of an end; a socket that is gone needs neither.
            let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

/// Moves bytes one way until one side ends, or the fault says so.
async fn pump(from: &TcpStream, to: &TcpStream, mut faults: watch::Receiver<Fault>, answers: bool) {
    let mut buffer = vec![0; 16 * 1024];
    let mut left = None;
    let mut lost = false;
    loop {
        let fault = *faults.borrow_and_update();
        if fault == Fault::Stall {
            if faults.changed().await.is_err() {
                return;
            }
            continue;
        }
        let room = match fault {
            Fault::OneByte => 1,
            Fault::Throttle(rate) => (rate as usize / 50).clamp(1, buffer.len()),
            _ => buffer.len(),
        };
        tokio::select! {
            ready = from.readable() => if ready.is_err() { return },
            changed = faults.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        }
        let count = match from.try_read(&mut buffer[..room]) {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(_) => return,
        };
        lost |= fault == Fault::HalfOpen;
        if lost {
            continue;
        }
        let mut send = &buffer[..count];
        match fault {
            Fault::Delay(delay) => tokio::time::sleep(delay).await,
            Fault::Throttle(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Fault::CutAfter(bytes) if answers => {
                let rest = left.get_or_insert(bytes);
                send = &send[..count.min(*rest)];
                *rest -= send.len();
            }
            _ => {}
        }
        while !send.is_empty() {
            if to.writable().await.is_err() {
                return;
            }
            match to.try_write(send) {
                Ok(written) => send = &send[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
        if left == Some(0) {
            return;
        }
    }
}
