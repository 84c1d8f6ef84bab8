//! Discoveries and registries from text: `multiple://a:1,b:1`, `tcp@127.0.0.1:8972`, and whatever schemes a program adds.

use super::{Discovery, Multiple, Node, Peer2Peer, Registry};
use crate::error::{Error, Reason, Result};
use std::fmt;
use std::sync::Arc;

/// One kind of discovery, known by the scheme of its URLs. Registry crates offer theirs as a value of this trait.
pub trait Scheme: Send + Sync {
    /// What stands before `://`, in lower case; several when there are aliases.
    fn names(&self) -> &[&str];

    /// Opens the discovery of a URL; `rest` is what follows `://`. Returns without waiting for any server.
    ///
    /// # Errors
    ///
    /// Kind `config` with a text that names the part that cannot be read, without the secrets it may hold.
    fn discovery(&self, rest: &str) -> Result<Arc<dyn Discovery>>;

    /// Opens the registry that such a discovery reads from. Returns without waiting for any server.
    ///
    /// # Errors
    ///
    /// As [`discovery`](Self::discovery); `config.unknown_scheme` if nothing can be announced there, the default.
    fn registry(&self, rest: &str) -> Result<Arc<dyn Registry>> {
        let _ = rest;
        let name = self.names().first().copied().unwrap_or_default();
        Err(Error::new(
            Reason::ConfigUnknownScheme,
            format!("{name}:// is no registry: servers cannot be announced there"),
        ))
    }
}

/// The schemes that a program knows. The default has `peer2peer` and `multiple`.
///
/// ```
/// use rpcx::discovery::Schemes;
///
/// let schemes = Schemes::default(); // .with(librpcx_etcd::scheme())
/// for text in ["127.0.0.1:8972", "tcp@127.0.0.1:8972?weight=7", "peer2peer://[::1]:8972", "multiple://a:1,b:1"] {
///     assert!(!schemes.open(text)?.watch("Arith").latest().is_empty());
/// }
/// assert!(schemes.open("etcd://127.0.0.1:2379").is_err());
/// # Ok::<(), rpcx::error::Error>(())
/// ```
#[derive(Clone)]
pub struct Schemes(Vec<Arc<dyn Scheme>>);

impl Default for Schemes {
    fn default() -> Self {
        Self(vec![Arc::new(Peer2PeerScheme), Arc::new(MultipleScheme)])
    }
}

impl Schemes {
    /// Adds a scheme; it wins over earlier ones of the same name.
    #[must_use]
    pub fn with(mut self, scheme: impl Scheme + 'static) -> Self {
        self.0.push(Arc::new(scheme));
        self
    }

    /// Opens a discovery: a URL of a known scheme, one address, or addresses separated by commas. An address may carry
    /// its node's metadata: `tcp@127.0.0.1:8972?weight=7&group=a`.
    ///
    /// # Errors
    ///
    /// `config.unknown_scheme` or `config.bad_address`, with a text that names what cannot be read.
    pub fn open(&self, text: &str) -> Result<Arc<dyn Discovery>> {
        match split_scheme(text) {
            Some((name, rest)) => self.find(name)?.discovery(rest),
            None if text.contains(',') => Ok(Arc::new(Multiple::parse(text)?)),
            None => Ok(Arc::new(Peer2Peer::new(text.parse()?))),
        }
    }

    /// Opens a registry by the URL of a known scheme.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); a bare address is no registry.
    pub fn open_registry(&self, text: &str) -> Result<Arc<dyn Registry>> {
        let Some((name, rest)) = split_scheme(text) else {
            return Err(Error::new(
                Reason::ConfigUnknownScheme,
                format!("{text:?} is no registry: write it as SCHEME://ADDRESS"),
            ));
        };
        self.find(name)?.registry(rest)
    }

    fn find(&self, name: &str) -> Result<&dyn Scheme> {
        let known = |scheme: &&Arc<dyn Scheme>| scheme.names().iter().any(|known| known.eq_ignore_ascii_case(name));
        // What follows the scheme may hold a password, so it is not repeated.
        self.0.iter().rev().find(known).map(|scheme| &**scheme).ok_or_else(|| {
            Error::new(Reason::ConfigUnknownScheme, format!("{name}:// is not known here; known are {}", self.list()))
        })
    }

    fn list(&self) -> String {
        let mut names: Vec<&str> = self.0.iter().flat_map(|scheme| scheme.names()).copied().collect();
        names.sort_unstable();
        names.dedup();
        names.iter().map(|name| format!("{name}://")).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Debug for Schemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schemes({})", self.list())
    }
}

/// `SCHEME://REST`. An address is no URL even if its metadata holds `://`.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once("://")?;
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte))
    };
    is_name(name).then_some((name, rest))
}

/// The nodes of a list separated by commas. Empty text is an empty list.
pub(super) fn parse_list(list: &str) -> Result<Vec<Node>> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let entry = |entry: &str| {
        entry
            .trim()
            .parse()
            .map_err(|_| Error::new(Reason::ConfigBadAddress, format!("{entry:?} in the list {list:?} has no address")))
    };
    list.split(',').map(entry).collect()
}

struct Peer2PeerScheme;

impl Scheme for Peer2PeerScheme {
    fn names(&self) -> &[&str] {
        &["peer2peer"]
    }

    fn discovery(&self, rest: &str) -> Result<Arc<dyn Discovery>> {
        if rest.is_empty() || rest.contains(',') {
            let text = format!("peer2peer://{rest} must name one address; for several write multiple://A,B");
            return Err(Error::new(Reason::ConfigBadAddress, text));
        }
        Ok(Arc::new(Peer2Peer::new(rest.parse()?)))
    }
}

struct MultipleScheme;

impl Scheme for MultipleScheme {
    fn names(&self) -> &[&str] {
        &["multiple"]
    }

    fn discovery(&self, rest: &str) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(Multiple::parse(rest)?))
    }
}

#[cfg(test)]
mod tests;
