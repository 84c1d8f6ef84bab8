//! Who may connect: a list of those who may, and one of those who may not.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use crate::config::{AccessOptions, Network};

/// A white and a black list of addresses and networks. Looking an address up takes the same time however long they are.
///
/// ```
/// use rpcx::interceptor::AccessList;
///
/// let list = AccessList::new(["10.0.0.0/8".parse()?], ["10.6.6.6".parse()?]);
/// assert!(list.admits("10.1.2.3:40000"));
/// assert!(!list.admits("10.6.6.6:40000") && !list.admits("192.0.2.1:40000"));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct AccessList {
    allow: Networks,
    deny: Networks,
}

impl AccessList {
    /// Lets in whom `allow` names, everyone if it is empty, but none whom `deny` names.
    pub fn new(allow: impl IntoIterator<Item = Network>, deny: impl IntoIterator<Item = Network>) -> AccessList {
        AccessList { allow: allow.into_iter().collect(), deny: deny.into_iter().collect() }
    }

    /// Whether it keeps anyone out.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// Whether a client may connect. `peer` is `host:port`; anything else is a client without an IP address, which only
    /// the entry [`Network::Local`] names.
    pub fn admits(&self, peer: &str) -> bool {
        let address = ip_of(peer);
        (self.allow.is_empty() || self.allow.contains(address)) && !self.deny.contains(address)
    }
}

impl From<&AccessOptions> for AccessList {
    fn from(options: &AccessOptions) -> AccessList {
        AccessList::new(options.allow.iter().copied(), options.deny.iter().copied())
    }
}

/// The IP address of a peer that has one.
pub(crate) fn ip_of(peer: &str) -> Option<IpAddr> {
    Some(peer.parse::<SocketAddr>().ok()?.ip().to_canonical())
}

/// A set of networks: one look for every length of prefix that occurs.
#[derive(Clone, Debug, Default)]
struct Networks {
    entries: HashSet<Network>,
    prefixes: Vec<u8>,
}

impl Networks {
    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn contains(&self, address: Option<IpAddr>) -> bool {
        match address {
            None => self.entries.contains(&Network::Local),
            Some(address) => {
                let width = if address.is_ipv4() { 32 } else { 128 };
                let of_family = self.prefixes.iter().filter(|prefix| **prefix <= width);
                of_family.into_iter().any(|prefix| self.entries.contains(&Network::new(address, *prefix)))
            }
        }
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Networks {
        // Made anew from their parts: fields that were set in code may have bits beyond the prefix.
        let entries: HashSet<Network> = networks
            .into_iter()
            .map(|network| match network {
                Network::Range { address, prefix } => Network::new(address, prefix),
                Network::Local => Network::Local,
            })
            .collect();
        let mut prefixes: Vec<u8> = entries
            .iter()
            .filter_map(|network| match network {
                Network::Range { prefix, .. } => Some(*prefix),
                Network::Local => None,
            })
            .collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        Networks { entries, prefixes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(allow: &[&str], deny: &[&str]) -> AccessList {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Network>>();
        AccessList::new(read(allow), read(deny))
    }

    #[test]
    fn the_black_list_wins_and_an_empty_white_list_is_everyone() {
        assert!(AccessList::default().is_empty() && list(&[], &[]).admits("192.0.2.1:1"));
        let both = list(&["10.0.0.0/8", "::1", "2001:db8::/32"], &["10.6.0.0/16", "2001:db8::bad"]);
        for (peer, admitted) in [
            ("10.1.0.1:5", true),
            ("10.6.0.1:5", false),
            ("11.0.0.1:5", false),
            ("[::1]:5", true),
            ("[::2]:5", false),
            ("[::ffff:10.1.0.1]:5", true),
            ("[::ffff:10.6.0.1]:5", false),
            ("[2001:db8::1]:5", true),
            ("[2001:db8::bad]:5", false),
            ("[2001:db8::1%7]:5", true),
            ("/run/client.sock", false),
            ("", false),
        ] {
            assert_eq!(both.admits(peer), admitted, "{peer}");
        }
    }

    #[test]
    fn clients_without_an_address_are_local() {
        assert!(list(&[], &["0.0.0.0/0", "::/0"]).admits("/run/client.sock"));
        assert!(list(&["10.0.0.1", "local"], &[]).admits(""));
        assert!(!list(&[], &["local"]).admits("@name"));
        assert!(list(&[], &["local"]).admits("127.0.0.1:9"), "a loopback address is an address");
    }

    proptest! {
        #[test]
        fn it_finds_what_a_look_at_every_entry_finds(
            networks in proptest::collection::vec((0_u32..1 << 12, 20_u8..=32), 0..40),
            address in 0_u32..1 << 12,
        ) {
            let networks: Vec<_> = networks.into_iter().map(|(bits, prefix)| Network::new(IpAddr::V4(bits.into()), prefix)).collect();
            let address = IpAddr::V4(address.into());
            let one_by_one = networks.iter().any(|network| network.contains(address));
            let list = AccessList::new([], networks);
            prop_assert_eq!(list.admits(&SocketAddr::new(address, 1).to_string()), !one_by_one);
        }
    }
}
