//! What `--governance on` of the bench programs turns on: every option that watches, limits or records calls, with bounds
//! that no call reaches, so that what it costs is the looking.

/// The client's options.
pub const CLIENT: &[(&str, &str)] =
    &[("breaker.enabled", "true"), ("ejection.enabled", "true"), ("server_stats", "true"), ("slow_call", "1m")];

/// The server's options.
pub const SERVER: &[(&str, &str)] = &[
    ("access.allow", "127.0.0.0/8,::1"),
    ("access.deny", "192.0.2.0/24,2001:db8::/32"),
    ("rate_limit.connections", "10000000"),
    ("rate_limit.requests", "10000000"),
    ("rate_limit.requests_per_peer", "10000000"),
    ("rate_limit.services", "Hello=10000000"),
    ("slow_call", "1m"),
];

/// The options that `--governance` asks for.
///
/// # Errors
/// Another value than `on` or `off`.
pub fn options<'a>(value: &str, all: &'a [(&'a str, &'a str)]) -> Result<&'a [(&'a str, &'a str)], String> {
    match value {
        "on" => Ok(all),
        "off" => Ok(&[]),
        other => Err(format!("--governance {other}: expected on or off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rpcx::config::{ClientOptions, ServerOptions};

    #[test]
    fn the_libraries_know_every_option() {
        let (mut client, mut server) = (ClientOptions::default(), ServerOptions::default());
        for (name, value) in CLIENT {
            client.set(name, value).unwrap();
        }
        for (name, value) in SERVER {
            server.set(name, value).unwrap();
        }
        client.validate().unwrap();
        server.validate().unwrap();
    }

    #[test]
    fn it_is_on_or_off() {
        assert_eq!(options("on", CLIENT), Ok(CLIENT));
        assert_eq!(options("off", CLIENT), Ok(&[][..]));
        assert!(options("yes", CLIENT).unwrap_err().contains("yes"));
    }
}
