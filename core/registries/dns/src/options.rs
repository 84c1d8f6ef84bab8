//! What to look up, and how often.

use rpcx::config::DiscoveryOptions;
use rpcx::discovery::Locator;
use rpcx::transport::Address;
use rpcx::{Error, Reason, Result};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The port of DNS.
const DNS_PORT: u16 = 53;

/// What to look up, whom to ask, and how often. The [crate](crate) has the table of what a URL may say.
#[derive(Clone, Debug, PartialEq)]
pub struct DnsOptions {
    pub(crate) records: Records,
    pub(crate) network: String,
    pub(crate) interval: Duration,
    pub(crate) min_interval: Duration,
    pub(crate) servers: Vec<SocketAddr>,
    pub(crate) common: DiscoveryOptions,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Records {
    /// A and AAAA.
    Addresses { name: String, port: u16 },
    /// SRV.
    Services { name: String },
}

impl DnsOptions {
    /// Every A and AAAA record of a name, each with this port.
    pub fn addresses(name: impl Into<String>, port: u16) -> Self {
        Self::new(Records::Addresses { name: name.into(), port })
    }

    /// Every SRV record of a name such as `_rpcx._tcp.example.org`.
    pub fn services(name: impl Into<String>) -> Self {
        Self::new(Records::Services { name: name.into() })
    }

    fn new(records: Records) -> Self {
        Self {
            records,
            network: "tcp".to_owned(),
            interval: Duration::from_secs(30),
            min_interval: Duration::from_secs(1),
            servers: Vec::new(),
            common: DiscoveryOptions::default(),
        }
    }

    /// What stands before the `@` of the servers' addresses. Default: `tcp`.
    #[must_use]
    pub fn network(mut self, network: impl Into<String>) -> Self {
        self.network = network.into();
        self
    }

    /// Longest and shortest time between two look-ups; between them the records' own time to live decides. Default: 30 s and
    /// 1 s. The shortest is at least a millisecond, and wins.
    #[must_use]
    pub fn interval(mut self, longest: Duration, shortest: Duration) -> Self {
        self.interval = longest;
        self.min_interval = shortest.max(Duration::from_millis(1));
        self
    }

    /// Whom to ask instead of the system's servers.
    #[must_use]
    pub fn servers(mut self, servers: Vec<SocketAddr>) -> Self {
        self.servers = servers;
        self
    }

    /// The options that every discovery has.
    #[must_use]
    pub fn common(mut self, common: DiscoveryOptions) -> Self {
        self.common = common;
        self
    }

    /// Reads what stands behind `dns://` in a URL.
    ///
    /// # Errors
    ///
    /// Kind `config` with a text that names the part which cannot be read.
    pub fn parse(rest: &str) -> Result<Self> {
        let mut locator = Locator::parse(rest)?;
        let place = match locator.hosts() {
            [place] if locator.path().is_empty() && locator.user().is_none() => place.clone(),
            _ => return Err(bad("it must name one host: dns://NAME:PORT for addresses, dns://NAME for SRV records")),
        };
        let mut options = match place.rsplit_once(':') {
            Some((name, port)) => {
                let number = port.parse().ok().filter(|_| port.bytes().all(|c| c.is_ascii_digit()));
                let port = number.filter(|port| *port > 0).ok_or_else(|| bad(&format!("{port:?} is no port")))?;
                Self::addresses(name, port)
            }
            None => Self::services(place),
        };
        check_name(options.name())?;
        if let Some(network) = locator.take("network") {
            // An address of the network shows whether it is one that takes a port.
            Address::new(&network, "127.0.0.1:1").map_err(|error| bad(&format!("option `network`: {error}")))?;
            options.network = network;
        }
        // Durations are read as those of the table are.
        let duration = |locator: &mut Locator, name: &str| {
            let read = |text: String| {
                let mut reader = DiscoveryOptions::default();
                reader
                    .set("reconnect_interval", &text)
                    .map(|()| reader.reconnect_interval)
                    .map_err(|_| bad(&format!("option `{name}`: {text:?} is no duration from 1ms to 10m")))
            };
            locator.take(name).map(read).transpose()
        };
        if let Some(interval) = duration(&mut locator, "interval")? {
            options.interval = interval;
        }
        if let Some(interval) = duration(&mut locator, "min_interval")? {
            options.min_interval = interval;
        }
        if let Some(servers) = locator.take("server") {
            options.servers = servers.split(',').map(server).collect::<Result<_>>()?;
        }
        options.common = locator.discovery_options()?;
        locator.finish()?;
        Ok(options)
    }

    fn name(&self) -> &str {
        match &self.records {
            Records::Addresses { name, .. } | Records::Services { name } => name,
        }
    }
}

fn bad(what: &str) -> Error {
    Error::new(Reason::ConfigBadAddress, format!("bad dns:// URL: {what}"))
}

/// A name of letters, digits, `-` and `_`, in labels of at most 63 bytes; 253 in all.
fn check_name(name: &str) -> Result<()> {
    let labels = name.strip_suffix('.').unwrap_or(name);
    let plain = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(allowed)
    };
    if labels.len() > 253 || !labels.split('.').all(plain) {
        return Err(bad(&format!("{name:?} is no name")));
    }
    Ok(())
}

/// `IP` or `IP:PORT`.
fn server(text: &str) -> Result<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.parse()
        .or_else(|_| bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT)))
        .map_err(|_| bad(&format!("option `server`: {text:?} is no IP address with or without a port")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_part_is_read() {
        let options = DnsOptions::parse(
            "arith.example.org:8972?network=tcp4&interval=10s&min_interval=50ms&server=10.0.0.53,[::1]:5353,::1&empty_hold=5s",
        );
        let options = options.expect("read");
        assert_eq!(options.records, Records::Addresses { name: "arith.example.org".into(), port: 8972 });
        assert_eq!((options.network.as_str(), options.interval.as_secs()), ("tcp4", 10));
        assert_eq!(options.min_interval.as_millis(), 50);
        let servers: Vec<_> = options.servers.iter().map(SocketAddr::to_string).collect();
        assert_eq!(servers, ["10.0.0.53:53", "[::1]:5353", "[::1]:53"]);
        assert_eq!(options.common.empty_hold.as_secs(), 5);
        let plain = DnsOptions::parse("_rpcx._tcp.example.org.").expect("read");
        assert_eq!(plain, DnsOptions::services("_rpcx._tcp.example.org."));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, part) in [
            ("", "must name one host"),
            ("a:1,b:1", "must name one host"),
            ("a:1/path", "must name one host"),
            ("user@a:1", "must name one host"),
            ("a:port", "\"port\""),
            ("a:0", "\"0\""),
            ("a:+1", "\"+1\""),
            ("a:65536", "\"65536\""),
            ("a..b:1", "\"a..b\""),
            ("[::1]:53", "\"[::1]\""),
            ("a:1?network=unix%20", "`network`"),
            ("a:1?interval=0", "`interval`"),
            ("a:1?server=ns.example.org", "`server`"),
            ("a:1?intervall=1s", "`intervall`"),
            ("a:1?empty_hold=x", "`empty_hold`"),
        ] {
            let error = DnsOptions::parse(text).expect_err(text);
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r"[a-z0-9_.:\[\]/@,é-]{0,30}(\?(network|interval|server)=[a-z0-9.:,]{0,12})?") {
            if let Ok(options) = DnsOptions::parse(&text) {
                prop_assert!(!options.name().is_empty() && options.min_interval > Duration::ZERO);
            }
        }
    }
}
