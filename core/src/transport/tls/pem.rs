//! Certificates and keys from PEM files or text, read anew at every reload.

use super::config_error;
use crate::error::Result;
use rustls::RootCertStore;
use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// Where PEM text comes from. Its contents are never shown.
#[derive(Clone)]
pub(super) enum Source {
    File(PathBuf),
    Text(Vec<u8>),
}

/// Names the source as error texts do.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Text(_) => f.write_str("the PEM text given"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Source {
    fn read(&self, what: &str) -> Result<Cow<'_, [u8]>> {
        match self {
            Source::Text(text) => Ok(Cow::Borrowed(text)),
            Source::File(path) => std::fs::read(path).map(Cow::Owned).map_err(|error| {
                config_error(format!("cannot read the {what} file {}: {error}", path.display())).with_source(error)
            }),
        }
    }

    fn certificates(&self, what: &str) -> Result<Vec<CertificateDer<'static>>> {
        let text = self.read(what)?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
            .collect::<std::result::Result<_, PemError>>()
            .map_err(|error| config_error(format!("cannot read the {what} in {self}: {error}")))?;
        if certificates.is_empty() {
            return Err(config_error(format!("there is no {what} in {self}")));
        }
        Ok(certificates)
    }

    /// Certificate authorities to trust.
    pub(super) fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates("certificate authority")? {
            roots
                .add(certificate)
                .map_err(|error| config_error(format!("a certificate authority in {self} is not usable: {error}")))?;
        }
        Ok(roots)
    }
}

/// A certificate chain with its private key.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) certificate: Source,
    pub(super) key: Source,
}

impl Identity {
    pub(super) fn load(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let chain = self.certificate.certificates("certificate")?;
        let key = PrivateKeyDer::from_pem_slice(&self.key.read("private key")?).map_err(|error| {
            let key = &self.key;
            config_error(match error {
                PemError::NoItemsFound => {
                    format!("there is no private key in {key}; an encrypted one must be decrypted first")
                }
                error => format!("cannot read the private key in {key}: {error}"),
            })
        })?;
        Ok((chain, key))
    }

    /// Says that rustls does not take certificate and key together.
    pub(super) fn misfit(&self, error: &rustls::Error) -> crate::error::Error {
        config_error(format!(
            "the certificate in {} and the key in {} cannot be used: {error}",
            self.certificate, self.key
        ))
    }
}
