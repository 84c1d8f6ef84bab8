//! Who the peer is, from the certificates that the handshake verified.

use crate::transport::TlsIdentity;
use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;

pub(super) fn identity(chain: Option<&[CertificateDer<'_>]>, server_name: Option<&str>) -> TlsIdentity {
    let chain = chain.unwrap_or_default();
    TlsIdentity {
        subject: chain.first().and_then(|certificate| subject(certificate)),
        server_name: server_name.map(str::to_owned),
        certificates: chain.iter().map(|certificate| Bytes::copy_from_slice(certificate)).collect(),
    }
}

/// The subject as RFC 4514 writes it, most specific part first. Some certificates that rustls accepts break rules of DER that
/// are checked here: their subject is not known.
fn subject(certificate: &[u8]) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate().subject().to_string())
}
