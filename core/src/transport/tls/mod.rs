//! TLS over any transport that is a byte stream, by rustls: [`ClientTls`] and [`ServerTls`].
//!
//! TLS 1.2 and 1.3 without ALPN, from the first byte, as Go's rpcx speaks it. The cryptography is named explicitly, and
//! nothing is installed for the whole process. The types of rustls stay inside, so that its versions can change.

mod client;
mod identity;
mod pem;
mod server;

pub use client::{ClientTls, ClientTlsBuilder};
pub use server::{ServerTls, ServerTlsBuilder};

use crate::error::{Error, Reason};
use rustls::crypto::CryptoProvider;
use std::sync::{Arc, LazyLock};

/// The cryptography of every connection of this library.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    PROVIDER.clone()
}

/// Files or values that do not fit, at building or reloading.
#[cold]
fn config_error(text: String) -> Error {
    Error::new(Reason::ConfigTls, text)
}

/// The peer's refusal of this side's certificate, if that is what ended a connection. In TLS 1.3 a client is done with its
/// handshake before the server has looked, and hears of it when it reads; the server has then read nothing of it.
pub(crate) fn refused_certificate(error: &std::io::Error) -> Option<Error> {
    use rustls::AlertDescription as Alert;
    let &rustls::Error::AlertReceived(alert) = error.get_ref()?.downcast_ref::<rustls::Error>()? else { return None };
    let what = match alert {
        Alert::CertificateRequired => "it asks for a certificate, and there is none",
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::AccessDenied
        | Alert::DecryptError => "it does not accept the certificate",
        _ => return None,
    };
    Some(Error::new(Reason::ConnectTls, format!("the peer refused the TLS connection: {what} ({error})")))
}

/// A handshake that failed.
#[cold]
fn handshake_error(peer: &str, error: std::io::Error) -> Error {
    Error::new(Reason::ConnectTls, format!("TLS handshake with {peer} failed: {error}")).with_source(error)
}
