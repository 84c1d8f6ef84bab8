//! Names for what is published: each is used once, so that nobody has to be asked whether he uses it too.

use rpcx::balance::random_bits;
use std::time::{SystemTime, UNIX_EPOCH};

/// Digits of a [`Birth`] in a label.
const DIGITS: usize = 16;

/// When a server began to publish: milliseconds, then sixteen bits by chance. Of two that publish the same address the one that
/// was born later is the successor of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Birth(u64);

impl Birth {
    /// Now.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or_default();
        Self(millis << 16 | random_bits() & 0xffff)
    }

    /// The name of the host.
    pub(crate) fn host(self) -> String {
        format!("rpcx-{:016x}", self.0)
    }

    /// The label of an instance: for whoever looks at it the service and the port, and what makes it the only one.
    pub(crate) fn instance(self, service: &str, port: u16, number: u64) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let service: String = service.chars().take(24).map(plain).collect();
        format!("{service}-{port}-{number:x}-{:016x}", self.0)
    }

    /// That of a label of [`instance`](Self::instance).
    pub(crate) fn of(label: &[u8]) -> Option<Self> {
        let (rest, digits) = label.split_at_checked(label.len().checked_sub(DIGITS)?)?;
        let digits = std::str::from_utf8(digits).ok()?;
        let plain = rest.ends_with(b"-") && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_short_and_says_when_it_was_made() {
        let birth = Birth(0x0123_4567_89ab_cdef);
        assert_eq!(birth.instance("Arith", 8972, 10), "Arith-8972-a-0123456789abcdef");
        assert_eq!(birth.host(), "rpcx-0123456789abcdef");
        let longest = birth.instance(&"é.".repeat(100), 65535, u64::from(u32::MAX));
        assert!(longest.len() <= 63 && longest.is_ascii(), "{longest}");
        assert_eq!(Birth::of(longest.as_bytes()), Some(birth));
        for other in ["", "vm", "0123456789abcdef", "x-+123456789abcdef", "x.0123456789abcdef", "x-0123456789abcdeé"] {
            assert_eq!(Birth::of(other.as_bytes()), None, "{other}");
        }
        assert!(Birth::now() > birth);
    }
}
