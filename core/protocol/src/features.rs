//! What peers of this library can do beyond Go's rpcx, and how they tell each other.
//!
//! A client's first heartbeat on a connection carries `__rpcx_features` = `client:cancel,drain,code,push`. A server that
//! knows the key answers with `server:` and its own words. A Go server echoes what it got, so a client that gets
//! `client:` back knows that its peer is Go. Unknown words are ignored.

use std::fmt;
use std::ops::{BitAnd, BitOr};

/// A set of features.
///
/// ```
/// # use rpcx_protocol::{Features, Side};
/// let hello = (Features::CANCEL | Features::CODE).render(Side::Client);
/// assert_eq!(hello, "client:cancel,code");
/// assert_eq!(Features::of_server(&hello), Features::NONE); // an echo: the peer is Go
/// assert_eq!(Features::of_server("server:code,sing"), Features::CODE);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Features(u8);

/// Who announces features.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// Began the connection.
    Client,
    /// Accepted it.
    Server,
}

impl Side {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Client => "client:",
            Self::Server => "server:",
        }
    }
}

impl Features {
    /// No feature: the peer is Go, or another that knows none.
    pub const NONE: Self = Self(0);
    /// Understands the cancellation of a call.
    pub const CANCEL: Self = Self(1);
    /// Understands the request to go elsewhere.
    pub const DRAIN: Self = Self(2);
    /// Understands error codes.
    pub const CODE: Self = Self(4);
    /// Wants messages of the server's own.
    pub const PUSH: Self = Self(8);
    /// All that this version knows.
    pub const ALL: Self = Self(15);

    const WORDS: [(&'static str, Self); 4] =
        [("cancel", Self::CANCEL), ("drain", Self::DRAIN), ("code", Self::CODE), ("push", Self::PUSH)];

    /// Whether all features of `other` are in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set without the features of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Who speaks, and what it can do. `None` for text of neither form.
    pub fn parse(text: &str) -> Option<(Side, Self)> {
        [Side::Client, Side::Server].into_iter().find_map(|side| {
            let words = text.strip_prefix(side.prefix())?;
            Some((side, words.split(',').map(Self::word).fold(Self::NONE, BitOr::bitor)))
        })
    }

    /// What a client reads in the answer to its hello: nothing, if a Go server sent it back as it was.
    pub fn of_server(text: &str) -> Self {
        match Self::parse(text) {
            Some((Side::Server, features)) => features,
            _ => Self::NONE,
        }
    }

    /// What a server reads in a client's hello; `None` if it is no hello.
    pub fn of_client(text: &str) -> Option<Self> {
        match Self::parse(text) {
            Some((Side::Client, features)) => Some(features),
            _ => None,
        }
    }

    /// The value of `__rpcx_features` for this side.
    pub fn render(self, side: Side) -> String {
        let mut text = String::from(side.prefix());
        for (word, _) in Self::WORDS.iter().filter(|(_, feature)| self.contains(*feature)) {
            if !text.ends_with(':') {
                text.push(',');
            }
            text.push_str(word);
        }
        text
    }

    fn word(word: &str) -> Self {
        Self::WORDS.iter().find(|(name, _)| *name == word.trim()).map_or(Self::NONE, |(_, feature)| *feature)
    }
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Features {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Self::WORDS.iter().filter(|(_, feature)| self.contains(*feature));
        f.debug_set().entries(words.map(|(word, _)| word)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_survives_the_text() {
        for bits in 0..16 {
            for side in [Side::Client, Side::Server] {
                let features = Features(bits);
                assert_eq!(Features::parse(&features.render(side)), Some((side, features)));
            }
        }
        assert_eq!(Features::ALL.render(Side::Client), "client:cancel,drain,code,push");
    }

    #[test]
    fn unknown_words_and_forms_are_ignored() {
        assert_eq!(Features::parse("server:"), Some((Side::Server, Features::NONE)));
        assert_eq!(Features::of_server("server:x,, push ,cancelled"), Features::PUSH);
        assert_eq!(Features::parse("cancel,drain"), None);
        assert_eq!(Features::parse("proxy:cancel"), None);
        assert_eq!(Features::of_client("server:cancel"), None);
        assert_eq!(Features::of_client("client:cancel"), Some(Features::CANCEL));
    }

    #[test]
    fn sets_combine() {
        let both = Features::ALL.without(Features::PUSH) & (Features::PUSH | Features::CODE);
        assert_eq!(both, Features::CODE);
        assert!(Features::NONE.is_empty() && !both.is_empty());
        assert_eq!(format!("{:?}", Features::CODE | Features::PUSH), r#"{"code", "push"}"#);
    }
}
