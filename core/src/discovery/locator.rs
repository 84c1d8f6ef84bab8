//! What stands behind `SCHEME://` in the URL of a registry: hosts, a path, options, credentials.

use crate::config::{DiscoveryOptions, OptionValue, RegistryOptions, Secret};
use crate::error::{Error, Reason, Result};
use std::fmt;
use std::time::Duration;

/// The parts of a registry's URL behind the `://`: `user:password@host:1,host:2/path?option=value&option=value`. Everything
/// but the hosts may be missing. A `%41` in credentials, path and values is an `A`.
///
/// ```
/// use rpcx::discovery::Locator;
///
/// let mut locator = Locator::parse("root:s%40cret@10.0.0.1:2379,10.0.0.2:2379/rpcx?empty_hold=30s&ttl=10s")?;
/// assert_eq!((locator.hosts().len(), locator.path()), (2, "rpcx"));
/// assert_eq!(locator.take("ttl").as_deref(), Some("10s"));
/// let options = locator.discovery_options()?;
/// assert_eq!(options.empty_hold.as_secs(), 30);
/// locator.finish()?; // Nothing is left that nobody knows.
/// # Ok::<(), rpcx::error::Error>(())
/// ```
#[derive(Clone)]
pub struct Locator {
    user: Option<String>,
    password: Option<Secret>,
    hosts: Vec<String>,
    path: String,
    options: Vec<(String, String)>,
}

impl Locator {
    /// Takes the text apart.
    ///
    /// # Errors
    ///
    /// `config.bad_address` with a text that names the part, and holds no credentials and no value.
    pub fn parse(rest: &str) -> Result<Self> {
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        let (user, password) = match credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            Some((user, password)) => {
                (nonempty(decode(user, "the user")?), nonempty(decode(password, "the password")?))
            }
            None => (None, None),
        };
        let options = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, "the name of an option")?;
            let value = decode(value, &format!("the value of the option `{name}`"))?;
            Ok((name, value))
        });
        Ok(Self {
            user,
            password: password.map(Secret::from),
            hosts: read_hosts(hosts)?,
            path: decode(path, "the path")?,
            options: options.collect::<Result<_>>()?,
        })
    }

    /// Whom to log in as.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password of [`user`](Self::user).
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// Each `host` or `host:port` as written, IPv6 literals in brackets.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// What follows the first `/`, without it; empty when there is none.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Takes an option out; the last one where a name is repeated.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let mut found = None;
        self.options.retain_mut(|(known, value)| {
            let same = known == name;
            if same {
                found = Some(std::mem::take(value));
            }
            !same
        });
        found
    }

    /// Takes the options that every discovery has.
    ///
    /// # Errors
    ///
    /// `config.bad_value`, naming the option and what it allows.
    pub fn discovery_options(&mut self) -> Result<DiscoveryOptions> {
        let mut options = DiscoveryOptions::default();
        for row in DiscoveryOptions::rows() {
            if let Some(value) = self.take(row.name) {
                options.set(row.name, &value)?;
            }
        }
        options.validate()?;
        Ok(options)
    }

    /// Takes the options that every registry has which keeps servers announced. Those that discoveries have as well stay for
    /// [`discovery_options`](Self::discovery_options), which is to be called afterwards.
    ///
    /// # Errors
    ///
    /// `config.bad_value`, naming the option and what it allows.
    pub fn registry_options(&mut self) -> Result<RegistryOptions> {
        let mut options = RegistryOptions::default();
        let shared = DiscoveryOptions::rows();
        for row in RegistryOptions::rows() {
            if let Some(value) = self.take(row.name) {
                options.set(row.name, &value)?;
                if shared.iter().any(|other| other.name == row.name) {
                    self.options.push((row.name.to_owned(), value));
                }
            }
        }
        options.validate()?;
        Ok(options)
    }

    /// Takes an option that is a duration, such as `30s`; a bare number is milliseconds.
    ///
    /// # Errors
    ///
    /// `config.bad_value` for what is none within these limits.
    pub fn duration(&mut self, name: &str, least: Duration, most: Duration) -> Result<Option<Duration>> {
        let Some(text) = self.take(name) else { return Ok(None) };
        match <Duration as OptionValue>::parse(&text).ok().filter(|duration| (least..=most).contains(duration)) {
            Some(duration) => Ok(Some(duration)),
            None => Err(Error::new(
                Reason::ConfigBadValue,
                format!("option `{name}`: {text:?} is no duration from {} to {}", least.value(), most.value()),
            )),
        }
    }

    /// Every option must have been taken.
    ///
    /// # Errors
    ///
    /// `config.unknown_option` with the name of one that was not.
    pub fn finish(self) -> Result<()> {
        match self.options.first() {
            None => Ok(()),
            Some((name, _)) => {
                Err(Error::new(Reason::ConfigUnknownOption, format!("unknown option `{name}` in the URL")))
            }
        }
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets of a registry's own.
        let options: Vec<_> = self.options.iter().map(|(name, _)| name).collect();
        f.debug_struct("Locator")
            .field("hosts", &self.hosts)
            .field("path", &self.path)
            .field("options", &options)
            .finish()
    }
}

fn nonempty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn read_hosts(text: &str) -> Result<Vec<String>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let read = |host: &str| {
        let strange = host.chars().any(|c| c.is_whitespace() || c.is_control() || "@\\#".contains(c));
        if host.is_empty() || strange {
            return Err(bad(&format!("{host:?} is no host")));
        }
        Ok(host.to_owned())
    };
    text.split(',').map(read).collect()
}

fn bad(what: &str) -> Error {
    Error::new(Reason::ConfigBadAddress, format!("bad URL: {what}"))
}

/// Takes `%41` apart; a `+` is a plus.
fn decode(text: &str, what: &str) -> Result<String> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit =
            || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        out.push(match byte {
            b'%' => match (digit(), digit()) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(bad(&format!("a % in {what} is followed by no two hexadecimal digits"))),
            },
            other => other,
        });
    }
    String::from_utf8(out).map_err(|_| bad(&format!("{what} is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> (String, Option<String>, String, Vec<(String, String)>) {
        let locator = Locator::parse(text).expect(text);
        (locator.hosts.join(" "), locator.user, locator.path, locator.options)
    }

    #[test]
    fn parts_are_told_apart() {
        let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (text, hosts, user, path, options) in [
            ("", "", None, "", vec![]),
            ("h:1", "h:1", None, "", vec![]),
            ("[::1]:53,h", "[::1]:53 h", None, "", vec![]),
            ("h/", "h", None, "", vec![]),
            ("h/a/b?x=1&y&&z=a=b", "h", None, "a/b", vec![option("x", "1"), option("y", ""), option("z", "a=b")]),
            ("/var/cache?x=%2f", "", None, "var/cache", vec![option("x", "/")]),
            ("u:p@w@h:1", "h:1", Some("u"), "", vec![]),
            ("%75:p@h?x=http://y/?z", "h", Some("u"), "", vec![option("x", "http://y/?z")]),
            (":p@h", "h", None, "", vec![]),
        ] {
            let expected = (hosts.to_owned(), user.map(String::from), path.to_owned(), options);
            assert_eq!(parts(text), expected, "{text}");
        }
        assert_eq!(Locator::parse("u:p@w@h").expect("read").password().map(Secret::expose), Some("p@w"));
    }

    #[test]
    fn errors_name_the_part_and_no_secret() {
        for (text, part) in [
            ("u:secret@a b", "\"a b\""),
            ("a,,b", "\"\""),
            ("u:secret%4@h", "the password"),
            ("h/%zz", "the path"),
            ("h?token=secret%ff", "`token`"),
        ] {
            let error = Locator::parse(text).expect_err(text);
            assert_eq!(error.reason(), Reason::ConfigBadAddress, "{text}");
            assert!(error.message().contains(part) && !error.message().contains("secret"), "{error}");
        }
        let locator = Locator::parse("u:secret@h?token=secret").expect("read");
        assert!(!format!("{locator:?}").contains("secret"), "{locator:?}");
        let error = locator.finish().expect_err("nobody took it");
        assert_eq!(error.message(), "unknown option `token` in the URL");
    }

    #[test]
    fn options_are_taken_by_name() {
        let mut locator = Locator::parse("h?empty_hold=5s&own=1&own=2").expect("read");
        let options = locator.discovery_options().expect("options");
        assert_eq!(options.empty_hold.as_secs(), 5);
        assert_eq!((locator.take("own").as_deref(), locator.take("own")), (Some("2"), None));
        locator.finish().expect("all taken");
        let error = Locator::parse("h?empty_hold=soon").expect("read").discovery_options().expect_err("no duration");
        assert_eq!(error.reason(), Reason::ConfigBadValue);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r"[a-z0-9@:/?&=%,.\[\] é]{0,40}") {
            if let Ok(mut locator) = Locator::parse(&text) {
                prop_assert!(locator.hosts().iter().all(|host| !host.is_empty()));
                let _ = locator.discovery_options();
            }
        }

        #[test]
        fn what_is_escaped_comes_back(user in ".{1,10}", path in ".{0,20}", value in ".{0,20}") {
            let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
            let text = format!("{}:x@h:1/{}?v={}", escaped(&user), escaped(&path), escaped(&value));
            let mut locator = Locator::parse(&text).expect("read");
            prop_assert_eq!(locator.user(), Some(user.as_str()));
            prop_assert_eq!(locator.path(), path.as_str());
            prop_assert_eq!(locator.take("v"), Some(value));
        }
    }
}
