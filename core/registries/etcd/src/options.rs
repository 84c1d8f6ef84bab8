//! Where the cluster is, and how services are kept there.

use rpcx::config::{DiscoveryOptions, RegistryOptions, Secret, TlsFiles};
use rpcx::discovery::{BasePath, Locator};
use rpcx::{Error, Reason, Result};
use std::time::Duration;

/// The port of etcd's clients.
const PORT: u16 = 2379;

/// Where the cluster is, and how services are kept there. The [crate](crate) has the table of what a URL may say.
#[derive(Clone, Debug)]
pub struct EtcdOptions {
    /// `host:port`.
    pub(crate) hosts: Vec<String>,
    pub(crate) base: BasePath,
    pub(crate) user: Option<(String, Secret)>,
    pub(crate) ttl: Duration,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) discovery: DiscoveryOptions,
    pub(crate) registry: RegistryOptions,
}

impl EtcdOptions {
    /// Reads what stands behind `etcd://` in a URL.
    ///
    /// ```
    /// use librpcx_etcd::EtcdOptions;
    ///
    /// EtcdOptions::parse("10.0.0.1,10.0.0.2:2380/rpcx_test?ttl=10s&ca=/etc/etcd/ca.pem")?;
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
        let user = locator.login()?;
        let ttl = locator.duration("ttl", Duration::from_secs(1), Duration::from_secs(86_400))?;
        let ttl = ttl.unwrap_or(Duration::from_secs(30));
        if ttl.subsec_nanos() > 0 {
            return Err(bad("option `ttl`: etcd counts whole seconds"));
        }
        let tls = locator.tls(false)?;
        let registry = locator.registry_options()?;
        let discovery = locator.discovery_options()?;
        locator.finish()?;
        Ok(Self { hosts, base, user, ttl, tls, discovery, registry })
    }
}

fn bad(what: &str) -> Error {
    Error::new(Reason::ConfigBadAddress, format!("bad etcd:// URL: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read() {
        let options = EtcdOptions::parse(
            "root:s%40cret@a,b:1,[::1],[::1]:2/rpcx_test?ttl=5s&update_interval=2s&empty_hold=3s&reconnect_interval=7ms\
             &ca=/ca.pem&cert=/c.pem&key=/k.pem&server_name=etcd",
        )
        .expect("read");
        assert_eq!(options.hosts, ["a:2379", "b:1", "[::1]:2379", "[::1]:2"]);
        assert_eq!(options.base.as_str(), "/rpcx_test");
        let (user, password) = options.user.as_ref().expect("user");
        assert_eq!((user.as_str(), password.expose()), ("root", "s@cret"));
        assert_eq!((options.ttl.as_secs(), options.registry.update_interval.as_secs()), (5, 2));
        assert_eq!(options.discovery.empty_hold.as_secs(), 3);
        let both = (options.discovery.reconnect_interval, options.registry.reconnect_interval);
        assert_eq!(both, (Duration::from_millis(7), Duration::from_millis(7)), "both sides have it");
        assert!(!format!("{options:?}").contains("s@cret"), "{options:?}");
        let tls = options.tls.expect("tls");
        assert_eq!((tls.ca, tls.server_name.as_deref()), (Some("/ca.pem".into()), Some("etcd")));
        let named = EtcdOptions::parse("a?base_path=rpcx&user=u&password=p").expect("read");
        assert_eq!((named.base.as_str(), named.user.expect("user").1.expose()), ("rpcx", "p"));
        assert!(named.tls.is_none());
        assert!(EtcdOptions::parse("a/b?tls=true").expect("read").tls.is_some());
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
            ("a/b?password=x", "no user"),
            ("a/b?ttl=1500ms", "whole seconds"),
            ("a/b?ttl=0", "`ttl`"),
            ("a/b?tls=yes", "`tls`"),
            ("a/b?cert=x", "`key`"),
            ("a/b?tls=false&ca=x", "says false"),
            ("a/b?update_interval=1ms", "`update_interval`"),
            ("a/b?lease=5", "`lease`"),
        ] {
            let error = EtcdOptions::parse(text).expect_err(text);
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }
}
