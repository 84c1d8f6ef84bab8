//! Where the ensemble is, and how services are kept there.

use crate::wire::Acl;
use rpcx::config::{DiscoveryOptions, RegistryOptions, Secret, TlsFiles};
use rpcx::discovery::{BasePath, Locator};
use rpcx::{Error, Reason, Result};
use std::time::Duration;

/// The port of ZooKeeper's clients.
const PORT: u16 = 2181;

/// Where the ensemble is, and how services are kept there. The [crate](crate) has the table of what a URL may say.
#[derive(Clone, Debug)]
pub struct ZookeeperOptions {
    /// `host:port`.
    pub(crate) hosts: Vec<String>,
    /// With its leading slash.
    pub(crate) base: BasePath,
    pub(crate) user: Option<(String, Secret)>,
    pub(crate) acl: Acl,
    pub(crate) ttl: Duration,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) discovery: DiscoveryOptions,
    pub(crate) registry: RegistryOptions,
}

impl ZookeeperOptions {
    /// Reads what stands behind `zookeeper://` in a URL.
    ///
    /// ```
    /// use librpcx_zookeeper::ZookeeperOptions;
    ///
    /// ZookeeperOptions::parse("10.0.0.1,10.0.0.2:2182/rpcx_test?ttl=5s&ca=/etc/zookeeper/ca.pem")?;
    /// # Ok::<(), rpcx::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Kind `config` with a text that names the part which cannot be read, and no secret.
    pub fn parse(rest: &str) -> Result<Self> {
        let mut locator = Locator::parse(rest)?;
        let hosts = locator.hosts_with_port(PORT)?;
        let base = rooted(&locator.base_path()?)?;
        let user = locator.login()?;
        let acl = match locator.take("acl").as_deref() {
            None | Some("open") => Acl::Open,
            Some("read" | "own") if user.is_none() => return Err(bad("option `acl`: `read` and `own` need a user")),
            Some("read") => Acl::Read,
            Some("own") => Acl::Own,
            Some(other) => return Err(bad(&format!("option `acl`: {other:?} is none of open, read and own"))),
        };
        let ttl = locator.duration("ttl", Duration::from_millis(100), Duration::from_secs(86_400))?;
        let ttl = ttl.unwrap_or(Duration::from_secs(10));
        let tls = locator.tls(false)?;
        let registry = locator.registry_options()?;
        let discovery = locator.discovery_options()?;
        locator.finish()?;
        Ok(Self { hosts, base, user, acl, ttl, tls, discovery, registry })
    }
}

/// ZooKeeper is a tree with one root: `rpcx` and `/rpcx` are the same, as for Go's rpcx.
fn rooted(base: &BasePath) -> Result<BasePath> {
    let text = base.as_str();
    if text.chars().any(char::is_control) || text.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(Error::new(Reason::ConfigBadAddress, format!("bad base path: ZooKeeper has no place {text:?}")));
    }
    BasePath::new(&format!("/{}", text.strip_prefix('/').unwrap_or(text)))
}

fn bad(what: &str) -> Error {
    Error::new(Reason::ConfigBadAddress, format!("bad zookeeper:// URL: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read() {
        let options = ZookeeperOptions::parse(
            "rpcx:s%40cret@a,b:1,[::1],[::1]:2/rpcx_test?ttl=500ms&update_interval=2s&empty_hold=3s&reconnect_interval=7ms\
             &ca=/ca.pem&cert=/c.pem&key=/k.pem&server_name=zk&acl=read",
        )
        .expect("read");
        assert_eq!(options.hosts, ["a:2181", "b:1", "[::1]:2181", "[::1]:2"]);
        assert_eq!((options.base.as_str(), options.acl), ("/rpcx_test", Acl::Read));
        let (user, password) = options.user.as_ref().expect("user");
        assert_eq!((user.as_str(), password.expose()), ("rpcx", "s@cret"));
        assert_eq!((options.ttl.as_millis(), options.registry.update_interval.as_secs()), (500, 2));
        assert_eq!(options.discovery.empty_hold.as_secs(), 3);
        let both = (options.discovery.reconnect_interval, options.registry.reconnect_interval);
        assert_eq!(both, (Duration::from_millis(7), Duration::from_millis(7)), "both sides have it");
        assert!(!format!("{options:?}").contains("s@cret"), "{options:?}");
        let tls = options.tls.expect("tls");
        assert_eq!((tls.ca, tls.server_name.as_deref()), (Some("/ca.pem".into()), Some("zk")));
        let named = ZookeeperOptions::parse("a?base_path=rpcx/b&user=u&password=p").expect("read");
        assert_eq!((named.base.as_str(), named.user.expect("user").1.expose()), ("/rpcx/b", "p"));
        assert_eq!((named.tls.is_none(), named.acl, named.ttl.as_secs()), (true, Acl::Open, 10));
        assert!(ZookeeperOptions::parse("a/b?tls=true").expect("read").tls.is_some());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, part) in [
            ("/rpcx", "names no host"),
            ("a", "missing"),
            ("a:port/b", "\"port\""),
            ("a:0/b", "\"0\""),
            ("a/b/", "empty part"),
            ("a/b/../c", "no place"),
            ("a/b?password=x", "no user"),
            ("a/b?acl=own", "need a user"),
            ("u:p@a/b?acl=all", "`acl`"),
            ("a/b?ttl=0", "`ttl`"),
            ("a/b?tls=yes", "`tls`"),
            ("a/b?cert=x", "`key`"),
            ("a/b?tls=false&ca=x", "says false"),
            ("a/b?update_interval=1ms", "`update_interval`"),
            ("a/b?session=5", "`session`"),
        ] {
            let error = ZookeeperOptions::parse(text).expect_err(text);
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }
}
