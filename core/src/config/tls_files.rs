//! Where the certificates of a connection are.

use std::path::PathBuf;

/// The files with which a registry is reached over TLS. They are read at each connecting, so that new certificates are used
/// without a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file with the authorities of the registry's certificates; none for those of the system.
    pub ca: Option<PathBuf>,
    /// PEM files with a certificate of one's own and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the registry's certificates must have; none for the host.
    pub server_name: Option<String>,
}
