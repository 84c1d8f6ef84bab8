//! Where on the network, and how often.

use rpcx::config::{DiscoveryOptions, RegistryOptions};
use rpcx::discovery::Locator;
use rpcx::{Error, Reason, Result};
use std::time::Duration;

/// Where on the network to announce and to look, and how often. The [crate](crate) has the table of what a URL may say.
#[derive(Clone, Debug)]
pub struct MdnsOptions {
    /// Without the dot at its end.
    pub(crate) domain: String,
    /// Names or addresses; all that there are if it is empty.
    pub(crate) interfaces: Vec<String>,
    pub(crate) ipv6: bool,
    pub(crate) ttl: Duration,
    pub(crate) discovery: DiscoveryOptions,
    pub(crate) registry: RegistryOptions,
}

impl MdnsOptions {
    /// Reads what stands behind `mdns://` in a URL.
    ///
    /// ```
    /// use librpcx_mdns::MdnsOptions;
    ///
    /// MdnsOptions::parse("")?;
    /// MdnsOptions::parse("local?interface=eth0,10.0.0.7&ttl=10s")?;
    /// # Ok::<(), rpcx::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Kind `config` with a text that names the part which cannot be read.
    pub fn parse(rest: &str) -> Result<Self> {
        let mut locator = Locator::parse(rest)?;
        if !locator.path().is_empty() || locator.user().is_some() || locator.password().is_some() {
            return Err(bad("it is mdns:// or mdns://DOMAIN, without a user and a path"));
        }
        let domain = match locator.hosts() {
            [] => "local".to_owned(),
            [domain] => domain.strip_suffix('.').unwrap_or(domain).to_owned(),
            _ => return Err(bad("it names more than one domain")),
        };
        check_domain(&domain)?;
        let interfaces = locator.take("interface").unwrap_or_default();
        let interfaces: Vec<String> = interfaces.split_terminator(',').map(str::to_owned).collect();
        if interfaces.iter().any(String::is_empty) {
            return Err(bad("option `interface`: one of its names is empty"));
        }
        let ipv6 = match locator.take("ipv6").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(bad(&format!("option `ipv6`: {other:?} is neither true nor false"))),
        };
        let ttl = locator.duration("ttl", Duration::from_secs(2), Duration::from_secs(86_400))?;
        let ttl = ttl.unwrap_or(Duration::from_secs(30));
        if ttl.subsec_nanos() > 0 {
            return Err(bad("option `ttl`: records count whole seconds"));
        }
        let registry = locator.registry_options()?;
        let discovery = locator.discovery_options()?;
        locator.finish()?;
        Ok(Self { domain, interfaces, ipv6, ttl, discovery, registry })
    }
}

fn bad(what: &str) -> Error {
    Error::new(Reason::ConfigBadAddress, format!("bad mdns:// URL: {what}"))
}

/// Names of letters, digits, `-` and `_`, short enough that an instance fits in front of them.
fn check_domain(domain: &str) -> Result<()> {
    let plain = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(allowed)
    };
    if domain.len() > 120 || !domain.split('.').all(plain) {
        return Err(bad(&format!("{domain:?} is no domain")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_part_is_read() {
        let options = MdnsOptions::parse("").expect("read");
        assert_eq!((options.domain.as_str(), options.interfaces.len(), options.ipv6), ("local", 0, false));
        assert_eq!((options.ttl.as_secs(), options.registry.update_interval.as_secs()), (30, 60));
        let text = "Office.example.?interface=eth0,10.0.0.7&ipv6=true&ttl=2s&update_interval=10s&empty_hold=5s\
                    &reconnect_interval=50ms";
        let options = MdnsOptions::parse(text).expect("read");
        assert_eq!((options.domain.as_str(), options.ipv6, options.ttl.as_secs()), ("Office.example", true, 2));
        assert_eq!(options.interfaces, ["eth0", "10.0.0.7"]);
        assert_eq!((options.registry.update_interval.as_secs(), options.discovery.empty_hold.as_secs()), (10, 5));
        let both = (options.registry.reconnect_interval, options.discovery.reconnect_interval);
        assert_eq!(both, (Duration::from_millis(50), Duration::from_millis(50)));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, part) in [
            ("a,b", "more than one domain"),
            ("local/path", "without a user and a path"),
            ("user@local", "without a user and a path"),
            ("local:5353", "\"local:5353\""),
            ("a..b", "\"a..b\""),
            ("?interface=eth0,,eth1", "`interface`"),
            ("?ipv6=1", "`ipv6`"),
            ("?ttl=2500ms", "`ttl`"),
            ("?ttl=1s", "`ttl`"),
            ("?ttl=0", "`ttl`"),
            ("?update_interval=x", "`update_interval`"),
            ("?interfaces=eth0", "`interfaces`"),
        ] {
            let error = MdnsOptions::parse(text).expect_err(text);
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in r"[a-z0-9_.:\[\]/@,é-]{0,30}(\?(interface|ipv6|ttl)=[a-z0-9.:,]{0,12})?"
        ) {
            if let Ok(options) = MdnsOptions::parse(&text) {
                prop_assert!(!options.domain.is_empty() && options.ttl >= Duration::from_secs(2));
            }
        }
    }
}
