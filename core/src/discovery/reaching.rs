//! How a registry is reached: ports, credentials and TLS, which most of their URLs name alike.

use super::Locator;
use crate::config::{Secret, TlsFiles};
use crate::error::{Error, Reason, Result};
use std::path::PathBuf;

impl Locator {
    /// The hosts, each with a port: its own, or this one.
    ///
    /// ```
    /// use rpcx::discovery::Locator;
    ///
    /// assert_eq!(Locator::parse("a,b:1,[::1]/rpcx")?.hosts_with_port(2379)?, ["a:2379", "b:1", "[::1]:2379"]);
    /// # Ok::<(), rpcx::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `config.bad_address` for what is no port, and where there is no host.
    pub fn hosts_with_port(&self, port: u16) -> Result<Vec<String>> {
        if self.hosts().is_empty() {
            return Err(bad("it names no host: SCHEME://HOST:PORT"));
        }
        self.hosts().iter().map(|host| with_port(host, port)).collect()
    }

    /// Takes the options `user` and `password`, which stand for what may be before the `@`.
    pub fn credentials(&mut self) -> (Option<String>, Option<Secret>) {
        let user = self.take("user").or_else(|| self.user().map(str::to_owned));
        let password = self.take("password").map(Secret::from).or_else(|| self.password().cloned());
        (user, password)
    }

    /// The same where nobody is known by a password alone.
    ///
    /// # Errors
    ///
    /// `config.bad_address` for a password without a user.
    pub fn login(&mut self) -> Result<Option<(String, Secret)>> {
        match self.credentials() {
            (Some(user), password) => Ok(Some((user, password.unwrap_or_else(|| Secret::from(String::new()))))),
            (None, Some(_)) => Err(bad("it has a password and no user")),
            (None, None) => Ok(None),
        }
    }

    /// Takes an option that is `true` or `false`.
    ///
    /// # Errors
    ///
    /// `config.bad_address` for anything else.
    pub fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(bad(&format!("option `{name}`: {other:?} is neither true nor false"))),
        }
    }

    /// Takes the options `tls`, `ca`, `cert`, `key` and `server_name`, of which each but the first means TLS; with
    /// `always` the scheme means it too. None: without.
    ///
    /// # Errors
    ///
    /// `config.bad_address` where they contradict each other.
    pub fn tls(&mut self, always: bool) -> Result<Option<TlsFiles>> {
        let wanted = self.flag("tls")?;
        let ca = self.take("ca").map(PathBuf::from);
        let identity = match (self.take("cert"), self.take("key")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => return Err(bad("options `cert` and `key` go together: set both or none")),
        };
        let files = TlsFiles { ca, identity, server_name: self.take("server_name") };
        match (wanted, always || files != TlsFiles::default()) {
            (Some(false), true) if always => Err(bad("its scheme means TLS, and `tls` says false")),
            (Some(false), true) => {
                Err(bad("options `ca`, `cert`, `key` and `server_name` mean TLS, and `tls` says false"))
            }
            (None | Some(false), false) => Ok(None),
            _ => Ok(Some(files)),
        }
    }
}

fn with_port(host: &str, usual: u16) -> Result<String> {
    // What follows the brackets of an IPv6 literal.
    let rest = host.rsplit_once(']').map_or(host, |(_, rest)| rest);
    let Some((_, port)) = rest.rsplit_once(':') else { return Ok(format!("{host}:{usual}")) };
    match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => Ok(host.to_owned()),
        _ => Err(bad(&format!("{port:?} is no port"))),
    }
}

fn bad(what: &str) -> Error {
    Error::new(Reason::ConfigBadAddress, format!("bad URL: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locator(text: &str) -> Locator {
        Locator::parse(text).expect(text)
    }

    #[test]
    fn hosts_have_their_own_port_or_the_usual_one() {
        assert_eq!(
            locator("a,b:1,[::1],[::1]:2").hosts_with_port(7).expect("read"),
            ["a:7", "b:1", "[::1]:7", "[::1]:2"]
        );
        for (text, part) in [("", "no host"), ("a:port", "\"port\""), ("a:0", "\"0\""), ("a:+1", "\"+1\"")] {
            let error = locator(text).hosts_with_port(7).expect_err(text);
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn options_stand_for_what_is_before_the_at() {
        for text in ["u:p@a", "a?user=u&password=p", "other:p@a?user=u"] {
            let (user, password) = locator(text).login().expect(text).expect(text);
            assert_eq!((user.as_str(), password.expose()), ("u", "p"), "{text}");
        }
        assert_eq!(locator("u@a").login().expect("read").map(|(user, _)| user).as_deref(), Some("u"));
        assert!(locator("a").login().expect("read").is_none());
        assert_eq!(locator(":p@a").credentials().1.as_ref().map(Secret::expose), Some("p"));
        assert!(locator(":p@a").login().expect_err("alone").message().contains("no user"));
    }

    #[test]
    fn tls_is_asked_for_by_itself_or_by_its_files() {
        assert_eq!(locator("a?tls=false").tls(false).expect("read"), None);
        assert_eq!(locator("a?tls=true").tls(false).expect("read"), Some(TlsFiles::default()));
        let all =
            locator("a?ca=/ca.pem&cert=/c.pem&key=/k.pem&server_name=x").tls(false).expect("read").expect("files");
        assert_eq!((all.ca, all.server_name.as_deref()), (Some("/ca.pem".into()), Some("x")));
        assert_eq!(all.identity, Some(("/c.pem".into(), "/k.pem".into())));
        assert_eq!(locator("a").tls(true).expect("read"), Some(TlsFiles::default()));
        assert!(locator("a?tls=false").tls(true).expect_err("both").message().contains("says false"));
        for (text, part) in [("a?tls=yes", "`tls`"), ("a?cert=x", "`key`"), ("a?tls=false&ca=x", "says false")] {
            let error = locator(text).tls(false).expect_err(text);
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }
}
