//! Discoveries and registries from text: `multiple://a:1,b:1`, `tcp@127.0.0.1:8972`, and whatever schemes a program adds.

use super::{Discovery, InProcess, Multiple, Node, Peer2Peer, Registry};
#[cfg(feature = "json")]
use super::{FileCache, Locator};
use crate::error::{Error, Reason, Result};
use std::fmt;
use std::sync::Arc;

/// One kind of discovery, known by the scheme of its URLs. Registry crates offer theirs as a value of this trait.
pub trait Scheme: Send + Sync {
    /// What stands before `://`, in lower case; several when there are aliases.
    fn names(&self) -> &[&str];

    /// Opens the discovery of a URL; `rest` is what follows `://`, which [`Locator`](super::Locator) takes apart. Returns
    /// without waiting for any server.
    ///
    /// `schemes` is what the program knows, for a discovery that wraps another one.
    ///
    /// # Errors
    ///
    /// Kind `config` with a text that names the part that cannot be read, without the secrets it may hold.
    fn discovery(&self, rest: &str, schemes: &Schemes) -> Result<Arc<dyn Discovery>>;

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

/// The schemes that a program knows. The default has `peer2peer`, `multiple`, `inprocess` and `cache`; a registry's crate
/// brings its own.
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
        Self(vec![
            Arc::new(Peer2PeerScheme),
            Arc::new(MultipleScheme),
            Arc::new(InProcessScheme),
            #[cfg(feature = "json")]
            Arc::new(CacheScheme),
        ])
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
            Some((name, rest)) => self.find(name)?.discovery(rest, self),
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

    fn discovery(&self, rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
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

    fn discovery(&self, rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(Multiple::parse(rest)?))
    }
}

struct InProcessScheme;

impl Scheme for InProcessScheme {
    fn names(&self) -> &[&str] {
        &["inprocess"]
    }

    fn discovery(&self, rest: &str, _schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        Ok(Arc::new(InProcess::named(rest).discovery()))
    }

    fn registry(&self, rest: &str) -> Result<Arc<dyn Registry>> {
        Ok(Arc::new(InProcess::named(rest).registry()))
    }
}

/// `cache://FOLDER?empty_hold=30s&of=URL`: what follows `of=` is the URL of the discovery that is cached, up to the end.
#[cfg(feature = "json")]
struct CacheScheme;

#[cfg(feature = "json")]
impl Scheme for CacheScheme {
    fn names(&self) -> &[&str] {
        &["cache"]
    }

    fn discovery(&self, rest: &str, schemes: &Schemes) -> Result<Arc<dyn Discovery>> {
        let missing =
            || Error::new(Reason::ConfigBadAddress, "a cache needs a folder and what it caches: cache://FOLDER?of=URL");
        let (place, of) =
            rest.split_once("of=").filter(|(place, _)| place.ends_with(['?', '&'])).ok_or_else(missing)?;
        let (folder, query) = place.split_once('?').ok_or_else(missing)?;
        if folder.is_empty() {
            return Err(missing());
        }
        let mut locator = Locator::parse(&format!("?{query}"))?;
        let options = locator.discovery_options()?;
        locator.finish()?;
        Ok(Arc::new(FileCache::new(folder, schemes.open(of)?, options)?))
    }
}

#[cfg(test)]
mod tests;
