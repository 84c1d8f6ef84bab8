//! TLS of a client: whom it trusts, what it shows, and the layer over a [`Dial`].

use super::identity::identity;
use super::pem::{Identity, Source};
use super::{config_error, handshake_error, provider};
use crate::config::TlsFiles;
use crate::error::{Error, Reason, Result};
use crate::transport::{Address, BoxFuture, Dial, DialOptions, Io};
use arc_swap::ArcSwap;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// TLS of a client: the authorities it trusts, the certificate it shows, the name it expects.
///
/// The server's certificate is always verified. The name it must carry is the address's host, `localhost` for an address
/// without one (`unix`), or the one set by [`server_name`](ClientTlsBuilder::server_name). Cheap to clone; all clones are
/// reloaded together.
///
/// ```no_run
/// use rpcx::transport::{ClientTls, Transports};
///
/// let tls = ClientTls::builder().ca_file("ca.pem").identity_files("client.pem", "client.key").build()?;
/// let transports = Transports::default().with_client_tls(tls);
/// # Ok::<(), rpcx::error::Error>(())
/// ```
#[derive(Clone)]
pub struct ClientTls {
    shared: Arc<Shared>,
}

struct Shared {
    sources: ClientTlsBuilder,
    server_name: Option<ServerName<'static>>,
    config: ArcSwap<ClientConfig>,
}

/// Options of [`ClientTls`].
#[derive(Clone, Debug, Default)]
pub struct ClientTlsBuilder {
    ca: Option<Source>,
    identity: Option<Identity>,
    server_name: Option<String>,
}

impl ClientTlsBuilder {
    /// Trusts the authorities in this PEM file alone. Default: those that the system trusts.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca = Some(Source::File(path.into()));
        self
    }

    /// As [`ca_file`](Self::ca_file), with the PEM text itself.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(Source::Text(pem.into()));
        self
    }

    /// Shows this certificate to a server that asks for one (mutual TLS): PEM files of the chain, the client's own certificate
    /// first, and of its private key. Default: none.
    #[must_use]
    pub fn identity_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.identity = Some(Identity { certificate: Source::File(certificate.into()), key: Source::File(key.into()) });
        self
    }

    /// As [`identity_files`](Self::identity_files), with the PEM texts themselves.
    #[must_use]
    pub fn identity_pem(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some(Identity { certificate: Source::Text(certificate.into()), key: Source::Text(key.into()) });
        self
    }

    /// Expects, and asks for, this DNS name or IP address in every server's certificate, whatever its address.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Reads the files.
    ///
    /// # Errors
    /// `config.tls` naming the file or value that cannot be used.
    pub fn build(self) -> Result<ClientTls> {
        let server_name = self.server_name.as_deref().map(parse_name).transpose()?;
        let config = ArcSwap::from_pointee(self.load()?);
        Ok(ClientTls { shared: Arc::new(Shared { sources: self, server_name, config }) })
    }

    fn load(&self) -> Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| config_error(format!("the TLS versions do not fit the cryptography: {error}")))?;
        let builder = match &self.ca {
            Some(ca) => builder.with_root_certificates(ca.roots()?),
            None => builder.with_platform_verifier().map_err(|error| {
                config_error(format!(
                    "the system's certificate authorities cannot be used ({error}); name a file with your own"
                ))
            })?,
        };
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some(identity) => {
                let (chain, key) = identity.load()?;
                builder.with_client_auth_cert(chain, key).map_err(|error| identity.misfit(&error))
            }
        }
    }
}

impl ClientTls {
    /// Reads files, on a thread that may block; on a tokio runtime.
    pub(crate) async fn read(files: &TlsFiles) -> Result<Self> {
        let mut builder = Self::builder();
        if let Some(ca) = &files.ca {
            builder = builder.ca_file(ca);
        }
        if let Some((certificate, key)) = &files.identity {
            builder = builder.identity_files(certificate, key);
        }
        if let Some(name) = &files.server_name {
            builder = builder.server_name(name);
        }
        let read = tokio::task::spawn_blocking(move || builder.build()).await;
        read.map_err(|error| Error::new(Reason::InternalSystem, format!("files of TLS: {error}")))?
    }

    /// Begins with the system's authorities and no certificate.
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder::default()
    }

    /// Reads the files again. New connections use what they say now; open ones go on.
    ///
    /// # Errors
    /// `config.tls`; everything stays as it was then.
    pub fn reload(&self) -> Result<()> {
        self.shared.config.store(Arc::new(self.shared.sources.load()?));
        Ok(())
    }

    /// The same transport with TLS on its connections.
    pub fn over<D: Dial + 'static>(&self, dial: D) -> impl Dial + 'static + use<D> {
        self.over_shared(Arc::new(dial))
    }

    pub(in crate::transport) fn over_shared(&self, dial: Arc<dyn Dial>) -> TlsDial {
        TlsDial { dial, tls: self.clone() }
    }

    fn expected_name(&self, address: &Address) -> Result<ServerName<'static>> {
        if let Some(name) = &self.shared.server_name {
            return Ok(name.clone());
        }
        // A link-local address carries its zone, which no certificate knows.
        let host = address.host();
        match host.split_once('%').map_or(host, |(literal, _zone)| literal) {
            "" => parse_name("localhost"),
            host => parse_name(host),
        }
    }

    async fn secure(&self, io: Io, address: &Address) -> Result<Io> {
        let name = self.expected_name(address)?;
        let shown = name.to_str().into_owned();
        let (stream, mut info) = io.into_stream();
        let stream = TlsConnector::from(self.shared.config.load_full())
            .connect(name, stream)
            .await
            .map_err(|error| handshake_error(address.as_str(), error))?;
        info.tls = Some(identity(stream.get_ref().1.peer_certificates(), Some(&shown)));
        Ok(Io::from_stream(stream, info))
    }
}

fn parse_name(name: &str) -> Result<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).map_err(|error| {
        config_error(format!("the server name {name:?} is neither a DNS name nor an IP address: {error}"))
    })
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientTls").field(&self.shared.sources).finish()
    }
}

/// A transport with TLS on top.
pub(in crate::transport) struct TlsDial {
    dial: Arc<dyn Dial>,
    tls: ClientTls,
}

impl Dial for TlsDial {
    fn dial<'a>(&'a self, to: &'a Address, options: &'a DialOptions) -> BoxFuture<'a, Result<Io>> {
        Box::pin(async move { self.tls.secure(self.dial.dial(to, options).await?, to).await })
    }
}
