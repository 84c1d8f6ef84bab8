//! Where the server is, and how services are kept there.

use rpcx::config::{DiscoveryOptions, RegistryOptions, Secret, TlsFiles};
use rpcx::discovery::{BasePath, Locator};
use rpcx::{Error, Reason, Result};
use std::time::Duration;

/// The port of Redis.
const PORT: u16 = 6379;

/// Where the server is, and how services are kept there. The [crate](crate) has the table of what a URL may say.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// `host:port`.
    pub(crate) hosts: Vec<String>,
    pub(crate) base: BasePath,
    pub(crate) database: i64,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) ttl: Duration,
    pub(crate) poll_interval: Duration,
    /// Whether keyspace events are switched on where they are off.
    pub(crate) set_events: bool,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) discovery: DiscoveryOptions,
    pub(crate) registry: RegistryOptions,
}

impl RedisOptions {
    /// Reads what stands behind `redis://` in a URL.
    ///
    /// ```
    /// use librpcx_redis::RedisOptions;
    ///
    /// RedisOptions::parse("10.0.0.1/rpcx_test?db=2&ttl=10s&ca=/etc/redis/ca.pem")?;
    /// # Ok::<(), rpcx::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Kind `config` with a text that names the part which cannot be read, and no secret.
    pub fn parse(rest: &str) -> Result<Self> {
        Self::parse_with(rest, false)
    }

    /// Reads what stands behind `rediss://`: with TLS, unless the options say otherwise, which is an error.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_tls(rest: &str) -> Result<Self> {
        Self::parse_with(rest, true)
    }

    fn parse_with(rest: &str, secured: bool) -> Result<Self> {
        let mut locator = Locator::parse(rest)?;
        let hosts = locator.hosts_with_port(PORT)?;
        if !locator.path().is_empty() && locator.path().bytes().all(|byte| byte.is_ascii_digit()) {
            let number = locator.path();
            return Err(bad(&format!(
                "its path is the base path of the services; for the database {number} write /BASE?db={number}"
            )));
        }
        let base = locator.base_path()?;
        let (user, password) = locator.credentials();
        if user.is_some() && password.is_none() {
            return Err(bad("it has a user and no password"));
        }
        let database = match locator.take("db").map(|text| (text.parse::<u16>(), text)) {
            None => 0,
            Some((Ok(number), _)) => i64::from(number),
            Some((Err(_), text)) => return Err(bad(&format!("option `db`: {text:?} is no number of a database"))),
        };
        let set_events = locator.flag("set_events")?.unwrap_or(true);
        let tls = locator.tls(secured)?;
        let poll_interval =
            locator.duration("poll_interval", Duration::from_millis(100), Duration::from_secs(3_600))?;
        let ttl = locator.duration("ttl", Duration::from_secs(1), Duration::from_secs(86_400))?;
        let registry = locator.registry_options()?;
        let discovery = locator.discovery_options()?;
        locator.finish()?;
        Ok(Self {
            hosts,
            base,
            database,
            user,
            password,
            ttl: ttl.unwrap_or_else(|| default_ttl(registry.update_interval)),
            poll_interval: poll_interval.unwrap_or(Duration::from_secs(1)),
            set_events,
            tls,
            discovery,
            registry,
        })
    }
}

/// Twice the interval of the updates, as Go's servers have it. Without updates a server's node would stay for ever there; here
/// it has what the default interval gives.
fn default_ttl(update_interval: Duration) -> Duration {
    if update_interval.is_zero() {
        return RegistryOptions::default().update_interval * 2;
    }
    (update_interval * 2).max(Duration::from_secs(1))
}

fn bad(what: &str) -> Error {
    Error::new(Reason::ConfigBadAddress, format!("bad redis:// URL: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read() {
        let options = RedisOptions::parse(
            "me:s%40cret@a,b:1,[::1],[::1]:2/rpcx_test?ttl=5s&update_interval=2s&empty_hold=3s&reconnect_interval=7ms\
             &db=3&poll_interval=2s&set_events=false&ca=/ca.pem&cert=/c.pem&key=/k.pem&server_name=redis",
        )
        .expect("read");
        assert_eq!(options.hosts, ["a:6379", "b:1", "[::1]:6379", "[::1]:2"]);
        assert_eq!((options.base.as_str(), options.database), ("/rpcx_test", 3));
        assert_eq!(options.user.as_deref(), Some("me"));
        assert_eq!(options.password.as_ref().map(Secret::expose), Some("s@cret"));
        assert_eq!((options.ttl.as_secs(), options.poll_interval.as_secs(), options.set_events), (5, 2, false));
        assert_eq!((options.registry.update_interval.as_secs(), options.discovery.empty_hold.as_secs()), (2, 3));
        let both = (options.discovery.reconnect_interval, options.registry.reconnect_interval);
        assert_eq!(both, (Duration::from_millis(7), Duration::from_millis(7)), "both sides have it");
        assert!(!format!("{options:?}").contains("s@cret"), "{options:?}");
        let tls = options.tls.expect("tls");
        assert_eq!((tls.ca, tls.server_name.as_deref()), (Some("/ca.pem".into()), Some("redis")));
    }

    #[test]
    fn a_password_needs_no_user_and_a_scheme_means_tls() {
        for url in [":p@a/b", "a/b?password=p"] {
            let options = RedisOptions::parse(url).expect(url);
            assert_eq!((options.user.as_deref(), options.password.as_ref().map(Secret::expose)), (None, Some("p")));
            assert!(options.tls.is_none() && options.set_events && options.database == 0);
        }
        let named = RedisOptions::parse("a?base_path=rpcx&user=u&password=p").expect("read");
        assert_eq!((named.base.as_str(), named.user.as_deref()), ("rpcx", Some("u")));
        assert!(RedisOptions::parse("a/b?tls=true").expect("read").tls.is_some());
        assert!(RedisOptions::parse_tls("a/b").expect("read").tls.is_some());
        assert!(RedisOptions::parse_tls("a/b?tls=true").expect("read").tls.is_some());
        assert_eq!(RedisOptions::parse("a?base_path=/7").expect("read").base.as_str(), "/7");
    }

    #[test]
    fn nodes_live_for_two_updates_unless_told_otherwise() {
        for (query, seconds) in
            [("", 120), ("?update_interval=3s", 6), ("?update_interval=0", 120), ("?update_interval=100ms", 1)]
        {
            assert_eq!(RedisOptions::parse(&format!("a/b{query}")).expect(query).ttl.as_secs(), seconds, "{query}");
        }
        let options = RedisOptions::parse("a/b?ttl=1500ms&update_interval=1h").expect("read");
        assert_eq!(options.ttl, Duration::from_millis(1500));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, part) in [
            ("/rpcx", "names no host"),
            ("a", "missing"),
            ("a/0", "/BASE?db=0"),
            ("a:port/b", "\"port\""),
            ("a:0/b", "\"0\""),
            ("a:+1/b", "\"+1\""),
            ("a/b/", "empty part"),
            ("a/b?user=x", "no password"),
            ("a/b?ttl=500ms", "`ttl`"),
            ("a/b?db=x", "`db`"),
            ("a/b?db=-1", "`db`"),
            ("a/b?tls=yes", "`tls`"),
            ("a/b?set_events=1", "`set_events`"),
            ("a/b?poll_interval=1ms", "`poll_interval`"),
            ("a/b?cert=x", "`key`"),
            ("a/b?tls=false&ca=x", "says false"),
            ("a/b?update_interval=1ms", "`update_interval`"),
            ("a/b?lease=5", "`lease`"),
        ] {
            let error = RedisOptions::parse(text).expect_err(text);
            assert!(error.message().contains(part), "{text}: {error}");
        }
        let error = RedisOptions::parse_tls("a/b?tls=false").expect_err("a contradiction");
        assert!(error.message().contains("its scheme means TLS"), "{error}");
    }
}
