//! Addresses as rpcx writes them: `network@where`, and what each network takes after the `@`.

use crate::error::{Error, Reason, Result};
use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// Networks whose addresses are `host:port`.
const HOST_PORT: &[&str] = &["tcp", "tcp4", "tcp6", "reuseport", "http", "ws", "wss", "quic", "kcp", "iouring"];

/// The longest address that is read, in bytes: far above any host name or socket path.
const MAX_LENGTH: usize = 1024;

/// Where a server is, or where to listen: `tcp@127.0.0.1:8972`, `unix@/run/arith.sock`, `memu@name`.
///
/// An address is a scheme (rpcx says *network*), an `@`, and what the scheme's transport understands. Without a scheme it is
/// `tcp`. Two addresses are equal when their texts are. Cheap to clone.
///
/// | scheme | after the `@` |
/// |---|---|
/// | `tcp`, `tcp4`, `tcp6`, `reuseport`, `http`, `ws`, `wss`, `quic`, `kcp`, `iouring` | `host:port`, an IPv6 literal in brackets; listening, an empty host is every address of the machine and port 0 one that the system chooses |
/// | `unix` | a path; `@name` (so `unix@@name`) is a name in Linux's abstract namespace |
/// | `memu` | a name within this process |
/// | `fd` | an inherited descriptor: its number, or its name in `LISTEN_FDNAMES` |
/// | any other | anything, for the transport that was registered for it |
///
/// What follows a `?` in a list of servers (`tcp@host:port?weight=7`) describes the server and is no part of the address.
///
/// ```
/// use rpcx::transport::Address;
///
/// let address: Address = "tcp@[::1]:8972".parse()?;
/// assert_eq!((address.scheme(), address.host(), address.port()), ("tcp", "::1", Some(8972)));
/// assert_eq!("localhost:8972".parse::<Address>()?.to_string(), "tcp@localhost:8972");
/// # Ok::<(), rpcx::error::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// `scheme@rest`.
    text: Arc<str>,
    /// Where the `@` is.
    at: usize,
}

impl Address {
    /// Puts an address together.
    ///
    /// # Errors
    /// `config.bad_address` when `rest` is not what the scheme takes.
    pub fn new(scheme: &str, rest: &str) -> Result<Address> {
        check(scheme, rest).map_err(|wrong| bad(&format!("{scheme}@{rest}"), &wrong))?;
        Ok(Address::unchecked(scheme, rest))
    }

    /// The address of a bound or connected IP socket.
    pub(crate) fn of_socket(scheme: &str, socket: SocketAddr) -> Address {
        Address::unchecked(scheme, &socket.to_string())
    }

    pub(crate) fn unchecked(scheme: &str, rest: &str) -> Address {
        Address { text: format!("{scheme}@{rest}").into(), at: scheme.len() }
    }

    /// The part before the `@`, which names the transport.
    pub fn scheme(&self) -> &str {
        &self.text[..self.at]
    }

    /// The part behind the `@`.
    pub fn rest(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The whole text, `scheme@rest`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host without brackets; empty when there is none.
    pub fn host(&self) -> &str {
        split_host_port(self.rest()).map_or("", |(host, _)| host)
    }

    /// The port, if the address ends in one.
    pub fn port(&self) -> Option<u16> {
        split_host_port(self.rest()).ok().map(|(_, port)| port)
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Address> {
        // A bare path of an abstract socket cannot be meant: it has no scheme, and `tcp` takes no path.
        let (scheme, rest) = text.split_once('@').unwrap_or(("tcp", text));
        check(scheme, rest).map_err(|wrong| bad(text, &wrong))?;
        Ok(Address::unchecked(scheme, rest))
    }
}

impl TryFrom<&str> for Address {
    type Error = Error;

    fn try_from(text: &str) -> Result<Address> {
        text.parse()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

#[cold]
fn bad(text: &str, wrong: &str) -> Error {
    let shown: String = text.chars().take(100).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    Error::new(Reason::ConfigBadAddress, format!("bad address {shown:?}{dots}: {wrong}"))
}

/// Says what is wrong with an address, if anything is.
fn check(scheme: &str, rest: &str) -> std::result::Result<(), String> {
    if scheme.len() + rest.len() > MAX_LENGTH {
        return Err(format!("longer than {MAX_LENGTH} bytes"));
    }
    if scheme.is_empty() || !scheme.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-._".contains(&c)) {
        return Err("the scheme before the @ must be letters and digits, such as tcp or unix".into());
    }
    if rest.is_empty() {
        return Err(format!("nothing follows {scheme}@"));
    }
    if let Some(c) = rest.chars().find(|c| c.is_control()) {
        return Err(format!("it contains the control character {c:?}"));
    }
    if HOST_PORT.contains(&scheme) {
        let (host, _) = split_host_port(rest)?;
        if host.len() > 255 {
            return Err("the host name is longer than 255 bytes".into());
        }
        if let Some(c) = host.chars().find(|c| c.is_whitespace() || "@/?#[]\\".contains(*c)) {
            return Err(format!("the host contains {c:?}"));
        }
    } else if scheme == "unix" && rest == "@" {
        return Err("the abstract name behind unix@@ is empty".into());
    }
    Ok(())
}

/// Splits `host:port`, taking the brackets off an IPv6 literal.
fn split_host_port(text: &str) -> std::result::Result<(&str, u16), String> {
    let (host, port) = if let Some(inner) = text.strip_prefix('[') {
        let (host, after) = inner.split_once(']').ok_or("the bracket of the IPv6 literal is not closed")?;
        let literal = host.split_once('%').map_or(host, |(literal, _zone)| literal);
        if literal.parse::<Ipv6Addr>().is_err() {
            return Err(format!("{host:?} in brackets is no IPv6 address"));
        }
        (host, after.strip_prefix(':').ok_or("no :port behind the bracket")?)
    } else {
        let (host, port) = text.rsplit_once(':').ok_or("no :port at the end")?;
        if host.contains(':') {
            return Err("an IPv6 literal must be in brackets, as in [::1]:8972".into());
        }
        (host, port)
    };
    // `parse` alone would take "+80".
    match port.parse::<u16>() {
        Ok(number) if port.bytes().all(|c| c.is_ascii_digit()) => Ok((host, number)),
        _ => Err(format!("the port {port:?} is no number from 0 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_back_or_refused(text in r"([a-z0-9]{0,5}@)?[@\[\]:%.a-z0-9é\x00 ]{0,30}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.as_str(), if text.contains('@') { text } else { ["tcp@", &text].concat() });
                prop_assert_eq!(&address.as_str().parse::<Address>().unwrap(), &address);
                prop_assert_eq!(&Address::new(address.scheme(), address.rest()).unwrap(), &address);
                prop_assert!(address.scheme() != "tcp" || address.port().is_some());
            }
        }
    }

    #[test]
    fn reads_and_writes_what_rpcx_uses() {
        for (text, written, scheme, rest, host, port) in [
            ("tcp@127.0.0.1:8972", "tcp@127.0.0.1:8972", "tcp", "127.0.0.1:8972", "127.0.0.1", Some(8972)),
            ("127.0.0.1:8972", "tcp@127.0.0.1:8972", "tcp", "127.0.0.1:8972", "127.0.0.1", Some(8972)),
            ("tcp@:0", "tcp@:0", "tcp", ":0", "", Some(0)),
            ("tcp4@localhost:1", "tcp4@localhost:1", "tcp4", "localhost:1", "localhost", Some(1)),
            ("tcp6@[::1]:65535", "tcp6@[::1]:65535", "tcp6", "[::1]:65535", "::1", Some(65535)),
            ("tcp@[fe80::1%eth0]:80", "tcp@[fe80::1%eth0]:80", "tcp", "[fe80::1%eth0]:80", "fe80::1%eth0", Some(80)),
            ("reuseport@0.0.0.0:80", "reuseport@0.0.0.0:80", "reuseport", "0.0.0.0:80", "0.0.0.0", Some(80)),
            ("unix@/run/a b.sock", "unix@/run/a b.sock", "unix", "/run/a b.sock", "", None),
            ("unix@@name", "unix@@name", "unix", "@name", "", None),
            ("memu@x", "memu@x", "memu", "x", "", None),
            ("quic@h:1", "quic@h:1", "quic", "h:1", "h", Some(1)),
            ("my-own@anything at all", "my-own@anything at all", "my-own", "anything at all", "", None),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), written);
            assert_eq!(address.as_str(), written);
            assert_eq!((address.scheme(), address.rest()), (scheme, rest));
            assert_eq!((address.host(), address.port()), (host, port), "{text}");
            assert_eq!(written.parse::<Address>().unwrap(), address);
            assert_eq!(Address::new(scheme, rest).unwrap(), address);
        }
    }

    #[test]
    fn names_a_bad_address_and_what_is_wrong() {
        let long = format!("tcp@{}:1", "h".repeat(2000));
        for (text, wrong) in [
            ("", "nothing follows"),
            ("tcp@", "nothing follows"),
            ("@h:1", "scheme"),
            ("t cp@h:1", "scheme"),
            ("localhost", "no :port"),
            ("tcp@localhost", "no :port"),
            ("tcp@localhost:", "the port \"\""),
            ("tcp@localhost:http", "the port \"http\""),
            ("tcp@localhost:+80", "the port \"+80\""),
            ("tcp@localhost:65536", "the port \"65536\""),
            ("tcp@h:80?weight=7", "the port \"80?weight=7\""),
            ("tcp@::1:80", "brackets"),
            ("tcp@[::1:80", "not closed"),
            ("tcp@[::1]80", "no :port"),
            ("tcp@[localhost]:80", "no IPv6 address"),
            ("tcp@a b:80", "the host contains"),
            ("tcp@http://h:80", "brackets"),
            ("tcp@x@h:80", "the host contains"),
            ("unix@", "nothing follows"),
            ("unix@@", "abstract name"),
            ("unix@/a\0b", "control character"),
            (&long, "longer than"),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!(error.reason(), Reason::ConfigBadAddress);
            assert!(error.message().contains(wrong), "{text:?} gave {error}");
            if text.len() < 100 {
                assert!(error.message().contains(&format!("{text:?}")), "{error}");
            } else {
                assert!(error.message().len() < 300, "{error}");
            }
        }
    }
}
