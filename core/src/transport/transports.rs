//! Which transport serves which scheme: a value that a client or server is given.

use super::memory::Memory;
use super::tcp::Tcp;
#[cfg(feature = "tls")]
use super::tls::{ClientTls, ServerTls};
use super::unix::Unix;
use super::{Address, Dial, DialOptions, Io, Listen, ListenOptions, Listener};
#[cfg(feature = "tls")]
use crate::config::TlsFiles;
use crate::error::{Error, Reason, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The transports of a client or server, by scheme, and their TLS.
///
/// A value without identity: cheap to clone, and changing one changes no other. `Transports::default()` has `tcp`, `tcp4`,
/// `tcp6`, `unix`, `memu`, and for listening also `reuseport` and `fd`.
///
/// ```
/// use rpcx::transport::{Address, DialOptions, ListenOptions, Transports};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let transports = Transports::default();
/// let mut listener = transports.bind(&"tcp@127.0.0.1:0".parse()?, &ListenOptions::default()).await?;
/// let client = transports.dial(&listener.address(), &DialOptions::default()).await?;
/// let server = listener.accept().await.unwrap().open().await?;
/// assert_eq!(client.info.local.unwrap().rest(), server.info.remote);
/// # Ok::<(), rpcx::error::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Transports {
    table: Arc<BTreeMap<Box<str>, Entry>>,
    #[cfg(feature = "tls")]
    client_tls: Option<ClientTls>,
    #[cfg(feature = "tls")]
    server_tls: Option<ServerTls>,
}

#[derive(Clone, Default)]
struct Entry {
    dial: Option<Arc<dyn Dial>>,
    listen: Option<Arc<dyn Listen>>,
    /// Runs inside TLS when TLS is configured.
    secured: bool,
}

impl Transports {
    /// No transport at all, to build up from with [`with`](Self::with).
    pub fn none() -> Transports {
        Transports {
            table: Arc::default(),
            #[cfg(feature = "tls")]
            client_tls: None,
            #[cfg(feature = "tls")]
            server_tls: None,
        }
    }

    /// Serves a scheme by a transport of your own, instead of the one it had. TLS is that transport's own business; it can
    /// use [`ClientTls::over`](super::ClientTls::over) and [`ServerTls::over`](super::ServerTls::over).
    #[must_use]
    pub fn with(self, scheme: &str, dial: impl Dial + 'static, listen: impl Listen + 'static) -> Transports {
        self.entry(scheme, Some(Arc::new(dial)), Some(Arc::new(listen)), false)
    }

    /// As [`with`](Self::with), for a scheme that is only dialled.
    #[must_use]
    pub fn with_dial(self, scheme: &str, dial: impl Dial + 'static) -> Transports {
        self.entry(scheme, Some(Arc::new(dial)), None, false)
    }

    /// As [`with`](Self::with), for a scheme that is only listened on.
    #[must_use]
    pub fn with_listen(self, scheme: &str, listen: impl Listen + 'static) -> Transports {
        self.entry(scheme, None, Some(Arc::new(listen)), false)
    }

    /// Dials `tcp`, `tcp4`, `tcp6` and `unix` with TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_client_tls(mut self, tls: ClientTls) -> Transports {
        self.client_tls = Some(tls);
        self
    }

    /// The built-in ones, which dial with TLS where there are files for it. These are read on a thread that may block; on a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// As [`ClientTlsBuilder::build`](super::ClientTlsBuilder::build).
    #[cfg(feature = "tls")]
    pub async fn with_tls_files(files: Option<&TlsFiles>) -> Result<Transports> {
        Ok(match files {
            Some(files) => Transports::default().with_client_tls(ClientTls::read(files).await?),
            None => Transports::default(),
        })
    }

    /// Serves `tcp`, `tcp4`, `tcp6`, `reuseport`, `unix` and inherited listeners with TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_server_tls(mut self, tls: ServerTls) -> Transports {
        self.server_tls = Some(tls);
        self
    }

    /// Whether connections to this address can be opened at all.
    ///
    /// # Errors
    /// `config.unknown_scheme`, `unsupported.transport` for a scheme that can only be listened on. The text has the address.
    pub fn check_dial(&self, to: &Address) -> Result<()> {
        self.find(to)?.dial.as_ref().map(drop).ok_or_else(|| cannot(to, "dialled"))
    }

    /// Opens one connection within `options.connect_timeout`, on the runtime of the calling task, which must have its I/O and
    /// time drivers enabled.
    ///
    /// # Errors
    /// `config.unknown_scheme`, `unsupported.transport` for a scheme that can only be listened on, `config.bad_address`,
    /// and kind `connect`. Each text has the address; nothing was sent.
    pub async fn dial(&self, to: &Address, options: &DialOptions) -> Result<Io> {
        let entry = self.find(to)?;
        let dial = entry.dial.as_ref().ok_or_else(|| cannot(to, "dialled"))?;
        #[cfg(feature = "tls")]
        let secured = self.client_tls.as_ref().filter(|_| entry.secured).map(|tls| tls.over_shared(dial.clone()));
        #[cfg(feature = "tls")]
        let attempt = match &secured {
            Some(secured) => secured.dial(to, options),
            None => dial.dial(to, options),
        };
        #[cfg(not(feature = "tls"))]
        let attempt = dial.dial(to, options);
        let within = options.connect_timeout;
        tokio::time::timeout(within, attempt).await.unwrap_or_else(|_| {
            Err(Error::new(
                Reason::ConnectTimeout,
                format!("no connection to {to} within connect_timeout ({within:?})"),
            ))
        })
    }

    /// Listens on an address.
    ///
    /// # Errors
    /// `config.unknown_scheme`, `unsupported.transport` for a scheme that can only be dialled, `config.bad_address`, and
    /// `config.listen` when the system refuses. Each text has the address.
    pub async fn bind(&self, at: &Address, options: &ListenOptions) -> Result<Box<dyn Listener>> {
        let entry = self.find(at)?;
        let listen = entry.listen.as_ref().ok_or_else(|| cannot(at, "listened on"))?;
        let listener = listen.bind(at, options).await?;
        Ok(if entry.secured { self.secure(listener) } else { listener })
    }

    /// Takes over a socket that is listening already, TCP or Unix: one that another process passed on, or that this program
    /// opened itself. Served with TLS if that is configured.
    ///
    /// # Errors
    /// `config.listen` when the descriptor is no listening stream socket.
    pub fn adopt(&self, socket: OwnedFd, options: &ListenOptions) -> Result<Box<dyn Listener>> {
        Ok(self.secure(super::inherited::adopt(socket, options)?))
    }

    #[cfg(feature = "tls")]
    fn secure(&self, listener: Box<dyn Listener>) -> Box<dyn Listener> {
        match &self.server_tls {
            Some(tls) => tls.secure(listener),
            None => listener,
        }
    }

    #[cfg(not(feature = "tls"))]
    fn secure(&self, listener: Box<dyn Listener>) -> Box<dyn Listener> {
        listener
    }

    fn find(&self, address: &Address) -> Result<&Entry> {
        self.table.get(address.scheme()).ok_or_else(|| {
            let known: Vec<&str> = self.table.keys().map(|scheme| &**scheme).collect();
            Error::new(
                Reason::ConfigUnknownScheme,
                format!(
                    "no transport for {:?} in the address {address}; known are {}",
                    address.scheme(),
                    known.join(", ")
                ),
            )
        })
    }

    fn entry(
        mut self,
        scheme: &str,
        dial: Option<Arc<dyn Dial>>,
        listen: Option<Arc<dyn Listen>>,
        secured: bool,
    ) -> Transports {
        Arc::make_mut(&mut self.table).insert(scheme.into(), Entry { dial, listen, secured });
        self
    }
}

impl Default for Transports {
    fn default() -> Self {
        let mut transports = Transports::none();
        for (scheme, tcp) in [("tcp", Tcp::ANY), ("tcp4", Tcp::V4), ("tcp6", Tcp::V6)] {
            transports = transports.entry(scheme, Some(Arc::new(tcp)), Some(Arc::new(tcp)), true);
        }
        transports
            .entry("reuseport", None, Some(Arc::new(Tcp::REUSE_PORT)), true)
            .entry("unix", Some(Arc::new(Unix)), Some(Arc::new(Unix)), true)
            .entry("fd", None, Some(Arc::new(super::inherited::Inherited)), true)
            .with("memu", Memory, Memory)
    }
}

impl fmt::Debug for Transports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.table.keys()).finish()
    }
}

#[cold]
fn cannot(address: &Address, what: &str) -> Error {
    Error::new(
        Reason::UnsupportedTransport,
        format!("{address} cannot be {what}: its scheme {:?} does not allow it", address.scheme()),
    )
}
