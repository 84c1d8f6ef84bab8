//! Where the nodes of services are in a registry that is a tree of keys, as Go's rpcx lays it out.

use super::Locator;
use crate::error::{Error, Reason, Result};
use std::fmt;
use std::sync::Arc;

/// The key below which a registry keeps services: `BASE/SERVICE/ADDRESS`. Kept as written, since in flat stores (etcd v3,
/// Redis) `rpcx` and `/rpcx` are two different places, which servers and clients must spell alike.
///
/// ```
/// use rpcx::discovery::BasePath;
///
/// let base = BasePath::new("/rpcx_test")?;
/// assert_eq!(base.service("Arith"), "/rpcx_test/Arith");
/// assert_eq!(base.node("Arith", "tcp@127.0.0.1:8972"), "/rpcx_test/Arith/tcp@127.0.0.1:8972");
/// # Ok::<(), rpcx::error::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BasePath(Arc<str>);

impl BasePath {
    /// What the key of the base itself holds. That of a service holds the service's name.
    pub const MARKER: &str = "rpcx_path";

    /// A base path, with or without a leading slash.
    ///
    /// # Errors
    ///
    /// `config.bad_address` for one that is empty, ends with a slash, or has an empty part: Go's servers and clients do not
    /// find each other there.
    pub fn new(text: &str) -> Result<Self> {
        let parts = text.strip_prefix('/').unwrap_or(text);
        if parts.is_empty() {
            return Err(bad("it is missing: the URL's path is the base path of the services, as in /rpcx"));
        }
        if parts.split('/').any(str::is_empty) {
            return Err(bad(&format!("{text:?} has an empty part: no slash at the end, and no two in a row")));
        }
        Ok(Self(text.into()))
    }

    /// The base itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of a service.
    pub fn service(&self, service: &str) -> String {
        format!("{}/{service}", self.0)
    }

    /// The key of a node.
    pub fn node(&self, service: &str, address: &str) -> String {
        format!("{}/{service}/{address}", self.0)
    }
}

impl fmt::Debug for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Locator {
    /// Takes the base path of a registry's URL: the path with its leading slash, or the option `base_path` as it is written.
    ///
    /// # Errors
    ///
    /// `config.bad_address` as of [`BasePath::new`], and when both are given.
    pub fn base_path(&mut self) -> Result<BasePath> {
        match self.take("base_path") {
            Some(_) if !self.path().is_empty() => {
                Err(bad("it is given twice, by the URL's path and by the option `base_path`"))
            }
            Some(text) => BasePath::new(&text),
            None => BasePath::new(&format!("/{}", self.path())),
        }
    }
}

fn bad(what: &str) -> Error {
    Error::new(Reason::ConfigBadAddress, format!("bad base path: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_url_has_its_slash_and_the_option_is_as_written() {
        for (url, base) in [
            ("h:1/rpcx_test", "/rpcx_test"),
            ("h:1/prod/rpcx?x=1", "/prod/rpcx"),
            ("h:1?base_path=rpcx_test", "rpcx_test"),
            ("h:1/?base_path=/rpcx_test", "/rpcx_test"),
            ("h:1/a%20b", "/a b"),
        ] {
            assert_eq!(Locator::parse(url).expect(url).base_path().expect(url).as_str(), base, "{url}");
        }
    }

    #[test]
    fn what_go_would_not_find_is_refused() {
        for (url, part) in [
            ("h:1", "missing"),
            ("h:1/", "missing"),
            ("h:1/a/", "empty part"),
            ("h:1//a", "empty part"),
            ("h:1?base_path=/", "missing"),
            ("h:1?base_path=a//b", "empty part"),
            ("h:1/a?base_path=b", "twice"),
        ] {
            let error = Locator::parse(url).expect(url).base_path().expect_err(url);
            assert_eq!(error.reason(), Reason::ConfigBadAddress);
            assert!(error.message().contains(part), "{url}: {error}");
        }
    }
}
