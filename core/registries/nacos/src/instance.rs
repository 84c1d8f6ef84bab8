//! Nodes as Nacos has them: an IP, a port, and metadata as a map, which names the network too.

use crate::message::Host;
use rpcx::discovery::{Node, NodeMetadata, refreshed};
use rpcx::{Error, Reason, Result};
use serde_json::Value;
use std::collections::BTreeMap;

/// Metadata as Nacos keeps them.
pub(crate) type Pairs = BTreeMap<String, String>;

/// The key of the metadata that tells how the server is dialled, as Go's rpcx writes it.
const NETWORK: &str = "network";

/// An address in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint<'a> {
    pub(crate) network: &'a str,
    /// Without brackets.
    pub(crate) ip: &'a str,
    pub(crate) port: u16,
}

impl<'a> Endpoint<'a> {
    /// Takes `network@host:port` apart; without a network it is `tcp`.
    pub(crate) fn parse(address: &'a str) -> Result<Self> {
        let wrong = || {
            let text = format!("nacos keeps an IP and a port of each server, which {address:?} has not");
            Error::new(Reason::ConfigBadAddress, text)
        };
        let (network, rest) = address.split_once('@').unwrap_or(("", address));
        let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let ip = bare.unwrap_or(host);
        let port = port.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
        if ip.is_empty() || ip.contains(['/', '[', ']', ' ']) || (bare.is_none() && ip.contains(':')) {
            return Err(wrong());
        }
        Ok(Self { network: if network.is_empty() { "tcp" } else { network }, ip, port })
    }

    /// What is registered for metadata of this text: the first value of each key, and the network. Of text that is no query
    /// nothing is left, as with Go's rpcx.
    pub(crate) fn pairs(&self, text: &str) -> Pairs {
        let metadata = NodeMetadata::new(text);
        let mut pairs = Pairs::new();
        for (key, value) in metadata.pairs() {
            pairs.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        }
        pairs.insert(NETWORK.to_owned(), self.network.to_owned());
        pairs
    }
}

impl Host {
    /// Its metadata.
    pub(crate) fn pairs(&self) -> Pairs {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        self.metadata.iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
    }

    /// Whether it is at this IP and port.
    pub(crate) fn is_at(&self, endpoint: &Endpoint<'_>) -> bool {
        self.ip.as_deref() == Some(endpoint.ip) && self.port == i64::from(endpoint.port)
    }

    /// Whether it takes calls: an operator has not switched it off, its beats come, and it is in the cluster that is asked
    /// for. Its weight says nothing: Go's servers are registered with 0.
    pub(crate) fn is_wanted(&self, cluster: &str) -> bool {
        self.enabled && self.healthy && (cluster.is_empty() || self.cluster_name.as_deref() == Some(cluster))
    }

    /// The node that it is, unless it is at no address. Go's clients do not know what to dial without a network and take
    /// IPv6 without brackets; here the one is `tcp`, the other has them.
    pub(crate) fn node(&self) -> Option<Node> {
        let pairs = self.pairs();
        let ip = self.ip.as_deref().filter(|ip| !ip.is_empty())?;
        let port = u16::try_from(self.port).ok().filter(|port| *port > 0)?;
        let network = pairs.get(NETWORK).map(String::as_str).filter(|network| !network.is_empty()).unwrap_or("tcp");
        let address =
            if ip.contains(':') { format!("{network}@[{ip}]:{port}") } else { format!("{network}@{ip}:{port}") };
        Node::new(address, NodeMetadata::new(&text(&pairs))).ok()
    }
}

/// Metadata as text, as Go's clients see it: sorted and escaped.
pub(crate) fn text(pairs: &Pairs) -> String {
    refreshed("", pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// What to register when metadata are to be `wanted` that an operator may have changed: they were read as `read`, and what
/// this server itself last registered is `own`. Nacos keeps what an operator changes apart and lays it over; if it were
/// registered, it would stay when the operator takes it back.
pub(crate) fn without_edits(wanted: Pairs, read: &Pairs, own: &Pairs) -> Pairs {
    let ours = |(key, value): (String, String)| {
        if own.get(&key) == Some(&value) || read.get(&key) != Some(&value) {
            return Some((key, value));
        }
        let value = own.get(&key)?.clone();
        Some((key, value))
    };
    wanted.into_iter().filter_map(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pairs(text: &str) -> Pairs {
        Endpoint::parse("tcp@h:1").expect("an address").pairs(text)
    }

    fn node(host: Value) -> String {
        let host: Host = serde_json::from_value(host).expect("an instance");
        host.node().map_or_else(String::new, |node| node.to_string())
    }

    #[test]
    fn addresses_are_taken_apart() {
        for (address, network, ip, port) in [
            ("tcp@127.0.0.1:8972", "tcp", "127.0.0.1", 8972),
            ("quic@[fe80::1%eth0]:1", "quic", "fe80::1%eth0", 1),
            ("tcp@[::1]:4321", "tcp", "::1", 4321),
            ("127.0.0.1:1", "tcp", "127.0.0.1", 1),
            ("@127.0.0.1:1", "tcp", "127.0.0.1", 1),
            ("ws@host.example:65535", "ws", "host.example", 65535),
        ] {
            assert_eq!(Endpoint::parse(address).expect(address), Endpoint { network, ip, port });
        }
        for address in
            ["unix@/run/a.sock", "unix@/run/a:1", "memu@x", "tcp@:1", "tcp@h:0", "tcp@h:65536", "tcp@::1:1", ""]
        {
            let error = Endpoint::parse(address).expect_err(address);
            assert_eq!(error.reason(), Reason::ConfigBadAddress, "{address}");
        }
    }

    #[test]
    fn metadata_are_those_of_go() {
        for (given, written) in [
            ("weight=7&group=g1", "group=g1&network=tcp&weight=7"),
            ("", "network=tcp"),
            ("group=b&group=a", "group=b&network=tcp"),
            ("network=udp&a=1", "a=1&network=tcp"),
            ("k=a b/c~d_é*", "k=a+b%2Fc~d_%C3%A9%2A&network=tcp"),
            ("n=a%26b&foo", "foo=&n=a%26b&network=tcp"),
            // No queries: nothing of them is left.
            ("a=1;b=2&c=3", "network=tcp"),
            ("x=%zz&y=1", "network=tcp"),
        ] {
            assert_eq!(text(&pairs(given)), written, "{given}");
        }
    }

    #[test]
    fn instances_of_others_are_nodes_too() {
        assert_eq!(
            node(json!({"ip": "127.0.0.1", "port": 1, "metadata": {"b": 1, "a": null}})),
            "tcp@127.0.0.1:1?a=&b=1"
        );
        assert_eq!(
            node(json!({"ip": "::1", "port": 4321, "metadata": {"network": "quic"}})),
            "quic@[::1]:4321?network=quic"
        );
        assert_eq!(
            node(json!({"ip": "127.0.0.1", "port": 1, "metadata": {"network": ""}})),
            "tcp@127.0.0.1:1?network="
        );
        for nowhere in [
            json!({}),
            json!({"ip": "", "port": 1}),
            json!({"ip": "a", "port": 0}),
            json!({"ip": "a", "port": 65536}),
            json!({"ip": "a", "port": -1}),
        ] {
            assert_eq!(node(nowhere.clone()), "", "{nowhere}");
        }
    }

    #[test]
    fn an_instance_that_takes_no_calls_is_none() {
        let host = |value: Value| serde_json::from_value::<Host>(value).expect("an instance");
        assert!(host(json!({"ip": "a", "port": 1, "weight": 0.0})).is_wanted(""));
        assert!(!host(json!({"enabled": false})).is_wanted(""));
        assert!(!host(json!({"healthy": false})).is_wanted(""));
        assert!(host(json!({"clusterName": "east"})).is_wanted("east"));
        assert!(!host(json!({"clusterName": "west"})).is_wanted("east"));
        assert!(!host(json!({})).is_wanted("east"));
    }

    #[test]
    fn an_operators_edit_is_not_registered() {
        let own = pairs("weight=7&group=g1");
        let read = pairs("weight=9&group=g1&state=inactive");
        // What the keeping task makes of what it has read.
        let wanted = pairs("calls=1.00&weight=9&group=g1&state=inactive");
        assert_eq!(without_edits(wanted, &read, &own), pairs("calls=1.00&weight=7&group=g1"));
        let wanted = pairs("calls=2.00&weight=7&group=g1");
        assert_eq!(
            without_edits(
                wanted.clone(),
                &pairs("calls=1.00&weight=7&group=g1"),
                &pairs("calls=1.00&weight=7&group=g1")
            ),
            wanted
        );
    }
}
