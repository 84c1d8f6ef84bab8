//! Certificates of a test's own.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::{Path, PathBuf};

/// PEM files for TLS, with the same authority on both sides.
#[derive(Clone, Debug)]
pub struct Pem {
    /// The authority.
    pub ca: PathBuf,
    /// The certificate of everybody, for `127.0.0.1` and `localhost`.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Pem {
    /// Writes new ones into a folder.
    ///
    /// # Panics
    /// When they cannot be made or written.
    pub fn make(folder: &Path) -> Pem {
        let mut params = CertificateParams::default();
        // Another name than the certificate's, which OpenSSL would take for self-signed.
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.signed_by(&key, &authority).expect("a certificate");
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a file");
            path
        };
        Pem {
            ca: write("ca.pem", authority.pem()),
            cert: write("cert.pem", certificate.pem()),
            key: write("key.pem", key.serialize_pem()),
        }
    }
}
