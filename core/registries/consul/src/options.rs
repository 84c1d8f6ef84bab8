//! Where Consul is, and how services are kept there.

use rpcx::config::{DiscoveryOptions, RegistryOptions, Secret, TlsFiles};
use rpcx::discovery::{BasePath, Locator};
use rpcx::{Error, Reason, Result};
use std::time::Duration;

/// The port of Consul's HTTP interface.
const PORT: u16 = 8500;

/// What Consul's sessions can be made to allow; as it comes, it takes 20 s to 48 h, and says so itself.
const TTL: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(48 * 3600));

/// Where Consul is, and how services are kept there. The [crate](crate) has the table of what a URL may say.
#[derive(Clone, Debug)]
pub struct ConsulOptions {
    /// `host:port`.
    pub(crate) hosts: Vec<String>,
    /// Without the leading slash.
    pub(crate) base: BasePath,
    pub(crate) token: Option<Secret>,
    pub(crate) datacenter: Option<String>,
    /// For a proxy.
    pub(crate) user: Option<(String, Secret)>,
    pub(crate) ttl: Duration,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) discovery: DiscoveryOptions,
    pub(crate) registry: RegistryOptions,
}

impl ConsulOptions {
    /// Reads what stands behind `consul://` in a URL.
    ///
    /// ```
    /// use librpcx_consul::ConsulOptions;
    ///
    /// ConsulOptions::parse("127.0.0.1,10.0.0.2:8501/rpcx_test?token=c0ffee&ca=/etc/consul/ca.pem")?;
    /// # Ok::<(), rpcx::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Kind `config` with a text that names the part which cannot be read, and no secret.
    pub fn parse(rest: &str) -> Result<Self> {
        let mut locator = Locator::parse(rest)?;
        let hosts = locator.hosts_with_port(PORT)?;
        let base = locator.base_path()?;
        // As Go's plugin: Consul's own library refuses keys that begin with a slash.
        let base = BasePath::new(base.as_str().strip_prefix('/').unwrap_or(base.as_str()))?;
        let user = locator.login()?;
        let token = locator.take("token").map(Secret::from);
        if token.as_ref().is_some_and(|token| !token.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(bad("option `token`: no token of Consul's has spaces, control or non-ASCII characters"));
        }
        let datacenter = locator.take("dc");
        let ttl = locator.duration("ttl", TTL.0, TTL.1)?.unwrap_or(Duration::from_secs(30));
        let tls = locator.tls(false)?;
        let registry = locator.registry_options()?;
        let discovery = locator.discovery_options()?;
        locator.finish()?;
        Ok(Self { hosts, base, token, datacenter, user, ttl, tls, discovery, registry })
    }
}

fn bad(what: &str) -> Error {
    Error::new(Reason::ConfigBadAddress, format!("bad consul:// URL: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read() {
        let options = ConsulOptions::parse(
            "root:s%40cret@a,b:1,[::1],[::1]:2/rpcx_test?ttl=20s&update_interval=2s&empty_hold=3s&reconnect_interval=7ms\
             &token=c0ffee&dc=dc2&ca=/ca.pem&cert=/c.pem&key=/k.pem&server_name=consul",
        )
        .expect("read");
        assert_eq!(options.hosts, ["a:8500", "b:1", "[::1]:8500", "[::1]:2"]);
        assert_eq!((options.base.as_str(), options.datacenter.as_deref()), ("rpcx_test", Some("dc2")));
        assert_eq!(options.token.as_ref().map(Secret::expose), Some("c0ffee"));
        let (user, password) = options.user.as_ref().expect("user");
        assert_eq!((user.as_str(), password.expose()), ("root", "s@cret"));
        assert_eq!((options.ttl.as_secs(), options.registry.update_interval.as_secs()), (20, 2));
        assert_eq!(options.discovery.empty_hold.as_secs(), 3);
        let both = (options.discovery.reconnect_interval, options.registry.reconnect_interval);
        assert_eq!(both, (Duration::from_millis(7), Duration::from_millis(7)), "both sides have it");
        let text = format!("{options:?}");
        assert!(!text.contains("s@cret") && !text.contains("c0ffee"), "{text}");
        let tls = options.tls.expect("tls");
        assert_eq!((tls.ca, tls.server_name.as_deref()), (Some("/ca.pem".into()), Some("consul")));
        assert!(ConsulOptions::parse("a/b").expect("read").tls.is_none());
        assert!(ConsulOptions::parse("a/b?tls=true").expect("read").tls.is_some());
    }

    #[test]
    fn one_leading_slash_does_not_count() {
        for url in ["a/b/c", "a?base_path=b/c", "a?base_path=/b/c"] {
            assert_eq!(ConsulOptions::parse(url).expect(url).base.as_str(), "b/c", "{url}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, part) in [
            ("/rpcx", "names no host"),
            ("a", "missing"),
            ("a:port/b", "\"port\""),
            ("a:0/b", "\"0\""),
            ("a:+1/b", "\"+1\""),
            ("a/b/", "empty part"),
            ("a?base_path=//b", "empty part"),
            ("a/b?password=x", "no user"),
            ("a/b?token=a%20b", "`token`"),
            ("a/b?token=a%0d%0ab", "`token`"),
            ("a/b?ttl=1s", "`ttl`"),
            ("a/b?ttl=49h", "`ttl`"),
            ("a/b?tls=yes", "`tls`"),
            ("a/b?cert=x", "`key`"),
            ("a/b?tls=false&ca=x", "says false"),
            ("a/b?update_interval=1ms", "`update_interval`"),
            ("a/b?lease=5", "`lease`"),
        ] {
            let error = ConsulOptions::parse(text).expect_err(text);
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }
}
