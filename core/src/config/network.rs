//! A network in an access list: an address, or all addresses with the same first bits.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Whom an entry of an access list stands for: one address, a network in CIDR notation, or the clients that have no
/// address.
///
/// An IPv4 address and its IPv6-mapped form (`::ffff:10.0.0.1`) are the same. Bits beyond the prefix are ignored, as
/// Go's `net.ParseCIDR` does; IPv6 networks hold no IPv4 addresses, not even `::/0`.
///
/// ```
/// use rpcx::config::Network;
///
/// let network: Network = "10.1.2.3/8".parse()?;
/// assert_eq!(network.to_string(), "10.0.0.0/8");
/// assert!(network.contains("10.200.0.1".parse().unwrap()));
/// assert!(network.contains("::ffff:10.200.0.1".parse().unwrap()));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// The addresses that share the first `prefix` bits with this one, whose other bits are 0. IPv4 addresses are never
    /// in their mapped form.
    Range {
        /// The lowest address.
        address: IpAddr,
        /// Bits that count: up to 32 for IPv4, up to 128 for IPv6.
        prefix: u8,
    },
    /// Clients without an IP address: those of Unix sockets and of the same process. Written `local`.
    Local,
}

impl Network {
    /// The network of this prefix around an address; a prefix longer than the address is taken for the whole address.
    pub fn new(address: IpAddr, prefix: u8) -> Network {
        let (address, prefix) = match address {
            IpAddr::V6(v6) if prefix >= MAPPED => match v6.to_ipv4_mapped() {
                Some(v4) => (IpAddr::V4(v4), prefix - MAPPED),
                None => (address, prefix),
            },
            address => (address, prefix),
        };
        let prefix = prefix.min(width(address));
        Network::Range { address: masked(address, prefix), prefix }
    }

    /// Whether the address lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match self {
            Network::Range { address: lowest, prefix } => {
                let address = address.to_canonical();
                address.is_ipv4() == lowest.is_ipv4() && masked(address, *prefix) == *lowest
            }
            Network::Local => false,
        }
    }
}

/// Bits before the IPv4 address in its mapped form.
const MAPPED: u8 = 96;

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with all bits beyond the prefix 0.
pub(crate) fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Network {
        Network::new(address, u8::MAX)
    }
}

impl FromStr for Network {
    type Err = String;

    /// Reads `10.0.0.1`, `10.0.0.0/8`, `fd00::/8` or `local`.
    fn from_str(text: &str) -> Result<Network, String> {
        if text == "local" {
            return Ok(Network::Local);
        }
        let expected = || format!("expected an address, a network such as 10.0.0.0/8, or local, not `{text}`");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let Some(prefix) = prefix else { return Ok(address.into()) };
        // Not `+8`, and not `08`, which some read as octal.
        let plain = prefix == "0" || (!prefix.starts_with('0') && prefix.bytes().all(|digit| digit.is_ascii_digit()));
        match prefix.parse() {
            Ok(prefix) if plain && prefix <= width(address) => Ok(Network::new(address, prefix)),
            _ => Err(expected()),
        }
    }
}

/// As it is read; a network of one address without its prefix.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Network::Local => f.write_str("local"),
            Network::Range { address, prefix } if *prefix == width(*address) => address.fmt(f),
            Network::Range { address, prefix } => write!(f, "{address}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn entries_are_read_and_written() {
        for (text, written) in [
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd12::1/8", "fd00::/8"),
            ("::1", "::1"),
            ("::/0", "::/0"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::ffff:10.1.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("local", "local"),
        ] {
            assert_eq!(network(text).to_string(), written, "{text}");
        }
        for text in [
            "",
            "10.0.0",
            "10.0.0.1/33",
            "::1/129",
            "10.0.0.1/",
            "10.0.0.1/-1",
            "10.0.0.1/+8",
            "10.0.0.0/08",
            "a",
            "/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn families_are_apart_but_for_the_mapped_form() {
        for (text, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.0.0.1", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "10.0.0.1", false),
            ("::/0", "::ffff:10.0.0.1", false),
            ("::/0", "2001:db8::1", true),
            ("fe80::/10", "febf::1", true),
            ("fe80::/10", "fec0::1", false),
            ("local", "127.0.0.1", false),
        ] {
            assert_eq!(network(text).contains(address.parse().unwrap()), inside, "{address} in {text}");
        }
    }

    proptest! {
        #[test]
        fn a_network_holds_what_agrees_in_its_first_bits(a: u32, b: u32, prefix in 0_u8..=32) {
            let network = Network::new(IpAddr::V4(a.into()), prefix);
            let agree = (a ^ b).leading_zeros() >= u32::from(prefix);
            prop_assert_eq!(network.contains(IpAddr::V4(b.into())), agree);
            prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
        }

        #[test]
        fn the_same_in_six(a: u128, b: u128, prefix in 0_u8..=128) {
            let (a6, b6) = (Ipv6Addr::from_bits(a), Ipv6Addr::from_bits(b));
            prop_assume!(a6.to_ipv4_mapped().is_none() && b6.to_ipv4_mapped().is_none());
            let network = Network::new(a6.into(), prefix);
            prop_assert_eq!(network.contains(b6.into()), (a ^ b).leading_zeros() >= u32::from(prefix));
            prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
        }

        #[test]
        fn no_text_panics(text in "[0-9a-f:./+-]{0,24}") {
            let _ = text.parse::<Network>();
        }
    }
}
