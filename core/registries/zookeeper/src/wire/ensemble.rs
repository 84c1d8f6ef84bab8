//! The servers of an ensemble, of which one at a time is used.

use super::messages::{Connected, auth, connect};
use super::packets::{Packets, broken};
use super::session::{Session, Task, Ticket};
use super::talk::{QUEUE, Shared, malformed, talk};
use rpcx::balance::random_bits;
use rpcx::config::Secret;
use rpcx::transport::{Address, DialOptions, Transports};
use rpcx::{Error, Reason, Result};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

/// How long one server may take to be connected, and to open a session.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How servers are reached.
#[derive(Clone, Debug)]
pub struct Server {
    /// `host:port` of each.
    pub hosts: Vec<String>,
    /// With TLS or without.
    pub transports: Transports,
    /// Who asks.
    pub user: Option<(String, Secret)>,
    /// After how long without a word from us they should end a session.
    pub timeout: Duration,
    /// The longest time between two words from us, if that is to be shorter than a quarter of the time above.
    pub beat: Option<Duration>,
}

/// The servers of an ensemble, and the last that was heard of them.
#[derive(Debug)]
pub struct Ensemble {
    next: AtomicUsize,
    /// The last transaction: no server is used that knows less, unless none knows more.
    zxid: Arc<AtomicI64>,
}

impl Default for Ensemble {
    fn default() -> Self {
        Self::new()
    }
}

impl Ensemble {
    /// Begins with any of them, so that many programs spread over the servers.
    pub fn new() -> Self {
        Self { next: AtomicUsize::new(usize::from(random_bits() as u16)), zxid: Arc::default() }
    }

    /// Opens a session with the first server that answers, beginning with the one after that of before; takes that of
    /// `before` up if it lives.
    ///
    /// # Errors
    ///
    /// That of the last server. Kinds `config` and `auth` where trying again does not help.
    pub async fn open(&self, server: &Server, before: Option<&Ticket>) -> Result<Session> {
        let count = server.hosts.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let hosts: Vec<&str> = (0..count).map(|step| server.hosts[first.wrapping_add(step) % count].as_str()).collect();
        let mut last = Error::new(Reason::ConfigBadAddress, "zookeeper: no host");
        let mut behind = Vec::new();
        for host in hosts {
            match self.open_at(host, server, before).await {
                Ok(session) => return Ok(session),
                Err(error) => {
                    if matches!(error.reason(), Reason::ClosedRemote | Reason::ClosedReset) {
                        behind.push(host);
                    }
                    last = error;
                }
            }
        }
        // A server that is behind what was heard hangs up. If there is no other one, it has lost its data.
        if behind.is_empty() || self.zxid.swap(0, Ordering::AcqRel) == 0 {
            return Err(last);
        }
        for host in behind {
            match self.open_at(host, server, before).await {
                Ok(session) => return Ok(session),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn open_at(&self, host: &str, server: &Server, before: Option<&Ticket>) -> Result<Session> {
        let limit = async {
            if let Some(session) = self.connect_to(host, server, before).await? {
                return Ok(session);
            }
            // That of before has expired; the server hangs up after it has said so.
            let new = self.connect_to(host, server, None).await?;
            new.ok_or_else(|| Error::new(Reason::ClosedProtocol, "zookeeper: a new session is said to have expired"))
        };
        let opened = tokio::time::timeout(CONNECT_LIMIT, limit).await.unwrap_or_else(|_| {
            let text = format!("zookeeper: no answer within {CONNECT_LIMIT:?}");
            Err(Error::new(Reason::ConnectTimeout, text))
        });
        opened.map_err(|error| Error::new(error.reason(), format!("{} ({host})", error.message())))
    }

    /// None if the session of before has expired.
    async fn connect_to(&self, host: &str, server: &Server, before: Option<&Ticket>) -> Result<Option<Session>> {
        let options = DialOptions { connect_timeout: CONNECT_LIMIT, ..DialOptions::default() };
        let io = server.transports.dial(&Address::new("tcp", host)?, &options).await?;
        let (reader, mut writer) = tokio::io::split(io.into_stream().0);
        let timeout = i32::try_from(server.timeout.as_millis()).unwrap_or(i32::MAX);
        let (session, password) = before.map_or((0, &[0; 16][..]), |ticket| (ticket.session, &ticket.password[..]));
        let mut hello = connect(self.zxid.load(Ordering::Acquire), timeout, session, password).to_vec();
        if let Some((user, password)) = &server.user {
            hello.extend_from_slice(&auth(user, password.expose()));
        }
        let wrote = async {
            writer.write_all(&hello).await?;
            writer.flush().await
        };
        wrote.await.map_err(|error| broken(&error))?;
        let mut packets = Packets::new(reader);
        let connected = Connected::read(packets.next().await?).map_err(malformed)?;
        let Ok(timeout @ 1..) = u64::try_from(connected.timeout) else { return Ok(None) };
        let timeout = Duration::from_millis(timeout);
        let beat = (timeout / 4).min(server.beat.unwrap_or(timeout));
        let shared = Arc::new(Shared::new(self.zxid.clone()));
        let (commands, todo) = mpsc::channel(QUEUE);
        let task = tokio::spawn(talk(shared.clone(), packets, writer, todo, beat));
        Ok(Some(Session {
            ticket: Ticket { session: connected.session, password: connected.password },
            timeout,
            commands,
            shared,
            task: Task(Mutex::new(Some(task))),
        }))
    }
}
