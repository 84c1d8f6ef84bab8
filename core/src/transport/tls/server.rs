//! TLS of a server: what it shows, whom it lets in, and the layer over a [`Listen`].

use super::identity::identity;
use super::pem::{Identity, Source};
use super::{config_error, handshake_error, provider};
use crate::error::Result;
use crate::transport::{Address, BoxFuture, Incoming, Io, Listen, ListenOptions, Listener};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// TLS of a server: the certificate it shows, and the authorities whose clients it lets in.
///
/// Cheap to clone; all clones are reloaded together, so keep one to [`reload`](Self::reload) when the files have changed.
///
/// ```no_run
/// use rpcx::transport::{ServerTls, Transports};
///
/// let tls = ServerTls::builder("server.pem", "server.key").client_ca_file("clients.pem").build()?;
/// let transports = Transports::default().with_server_tls(tls.clone());
/// // Later, when the certificate was renewed:
/// tls.reload()?;
/// # Ok::<(), rpcx::error::Error>(())
/// ```
#[derive(Clone)]
pub struct ServerTls {
    shared: Arc<Shared>,
}

struct Shared {
    sources: ServerTlsBuilder,
    /// All of it, so that a reload covers the authorities too, and no session that began under the old certificate resumes.
    config: ArcSwap<ServerConfig>,
}

/// Options of [`ServerTls`].
#[derive(Clone, Debug)]
pub struct ServerTlsBuilder {
    identity: Identity,
    client_ca: Option<Source>,
}

impl ServerTlsBuilder {
    /// Lets in only clients with a certificate of one of the authorities in this PEM file (mutual TLS). Default: everyone, and
    /// no certificate is asked for.
    #[must_use]
    pub fn client_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.client_ca = Some(Source::File(path.into()));
        self
    }

    /// As [`client_ca_file`](Self::client_ca_file), with the PEM text itself.
    #[must_use]
    pub fn client_ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.client_ca = Some(Source::Text(pem.into()));
        self
    }

    /// Reads the files.
    ///
    /// # Errors
    /// `config.tls` naming the file or value that cannot be used.
    pub fn build(self) -> Result<ServerTls> {
        let config = ArcSwap::from_pointee(self.load()?);
        Ok(ServerTls { shared: Arc::new(Shared { sources: self, config }) })
    }

    fn load(&self) -> Result<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| config_error(format!("the TLS versions do not fit the cryptography: {error}")))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(ca.roots()?), provider()).build().map_err(
                        |error| config_error(format!("the client authorities in {ca} cannot be used: {error}")),
                    )?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let (chain, key) = self.identity.load()?;
        builder.with_single_cert(chain, key).map_err(|error| self.identity.misfit(&error))
    }
}

impl ServerTls {
    /// Begins with PEM files: the certificate chain, the server's own certificate first, and its private key.
    pub fn builder(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> ServerTlsBuilder {
        let identity = Identity { certificate: Source::File(certificate.into()), key: Source::File(key.into()) };
        ServerTlsBuilder { identity, client_ca: None }
    }

    /// As [`builder`](Self::builder), with the PEM texts themselves.
    pub fn builder_from_pem(certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> ServerTlsBuilder {
        let identity = Identity { certificate: Source::Text(certificate.into()), key: Source::Text(key.into()) };
        ServerTlsBuilder { identity, client_ca: None }
    }

    /// Reads the files again: certificate, key and client authorities. New connections use what they say now; open ones go on.
    ///
    /// # Errors
    /// `config.tls`; everything stays as it was then.
    pub fn reload(&self) -> Result<()> {
        self.shared.config.store(Arc::new(self.shared.sources.load()?));
        Ok(())
    }

    /// The same transport with TLS on its connections.
    pub fn over<L: Listen + 'static>(&self, listen: L) -> impl Listen + 'static + use<L> {
        TlsListen { listen, tls: self.clone() }
    }

    /// The same listener with TLS on its connections.
    pub fn secure(&self, listener: Box<dyn Listener>) -> Box<dyn Listener> {
        Box::new(TlsListener { listener, tls: self.clone() })
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerTls").field(&self.shared.sources).finish()
    }
}

struct TlsListen<L> {
    listen: L,
    tls: ServerTls,
}

impl<L: Listen> Listen for TlsListen<L> {
    fn bind<'a>(&'a self, at: &'a Address, options: &'a ListenOptions) -> BoxFuture<'a, Result<Box<dyn Listener>>> {
        Box::pin(async move { Ok(self.tls.secure(self.listen.bind(at, options).await?)) })
    }
}

struct TlsListener {
    listener: Box<dyn Listener>,
    tls: ServerTls,
}

impl Listener for TlsListener {
    fn address(&self) -> Address {
        self.listener.address()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Box<dyn Incoming>>> {
        Box::pin(async move {
            let incoming = self.listener.accept().await?;
            Ok(Box::new(TlsIncoming { incoming, tls: self.tls.clone() }) as Box<dyn Incoming>)
        })
    }

    fn try_accept(&mut self) -> io::Result<Option<Box<dyn Incoming>>> {
        let incoming = self.listener.try_accept()?;
        Ok(incoming.map(|incoming| Box::new(TlsIncoming { incoming, tls: self.tls.clone() }) as Box<dyn Incoming>))
    }

    fn try_clone_fd(&self) -> io::Result<OwnedFd> {
        self.listener.try_clone_fd()
    }
}

struct TlsIncoming {
    incoming: Box<dyn Incoming>,
    tls: ServerTls,
}

impl Incoming for TlsIncoming {
    fn remote(&self) -> &str {
        self.incoming.remote()
    }

    fn open(self: Box<Self>) -> BoxFuture<'static, Result<Io>> {
        Box::pin(async move {
            let (stream, mut info) = self.incoming.open().await?.into_stream();
            let stream =
                TlsAcceptor::from(self.tls.shared.config.load_full()).accept(stream).await.map_err(|error| {
                    handshake_error(if info.remote.is_empty() { "a client" } else { &info.remote }, error)
                })?;
            let session = stream.get_ref().1;
            info.tls = Some(identity(session.peer_certificates(), session.server_name()));
            Ok(Io::from_stream(stream, info))
        })
    }
}
